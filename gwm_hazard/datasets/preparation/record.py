"""One record through all steps."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.datasets.preparation import pick, quality
from gwm_hazard.datasets.preparation.conditions import (
    conditions,
    given_pick,
    origin_s,
    to_the_minute,
)
from gwm_hazard.datasets.preparation.rotation import azimuths, to_radial_transverse
from gwm_hazard.datasets.preparation.settings import RejectedRecordError, Settings
from gwm_hazard.datasets.preparation.signal import ORDER, causal_highpass, detrended, resampled
from gwm_hazard.datasets.preparation.window import cut
from gwm_hazard.records.quality import described
from gwm_hazard.records.record import Record


@dataclass(frozen=True)
class Prepared:
    """A record as it goes into the training file: (n_components, npts) float32, and its row."""

    acceleration: NDArray[np.float32]
    row: dict[str, Any]

    @property
    def digest(self) -> str:
        """A hash of the samples, by which a record that comes twice is known."""
        return hashlib.blake2b(self.acceleration.tobytes(), digest_size=8).hexdigest()


def prepare_record(record: Record, settings: Settings, picker: str = "aic") -> Prepared:
    """Check, filter, pick, cut and rotate; raises `RejectedRecordError`.

    picker : as `pick.resolve_picker` returns it

    The row holds what is known of the record, and of the preparation: ``p_sample``, ``p_status``,
    ``snr_1`` ... of the bands, ``pga_before`` and ``pga_after`` (m/s2, of the horizontals as
    recorded, before filtering and after it), ``zeros_start`` and ``zeros_end`` (samples added),
    ``expected_pga``, ``processing``.
    """
    row = conditions(record.metadata, settings)
    names, n_h = record.components, record.n_horizontal
    with_vertical = settings.components.endswith("Z")
    if n_h != 2 or (with_vertical and not record.has_vertical):
        needed = "two horizontals" + (" and the vertical" if with_vertical else "")
        raise RejectedRecordError("components", f"has {', '.join(names)}; {needed} are needed")
    if row.get("installation") == "borehole" and not settings.borehole:
        raise RejectedRecordError("borehole", "recorded in a borehole")
    orientation = azimuths(names, row)
    # a training file that is prepared again
    rotate = settings.components.startswith("R") and not _is_rotated(names)
    if rotate and (orientation is None or "back_azimuth" not in row):
        lacking = "the azimuths of its components" if orientation is None else "coordinates"
        raise RejectedRecordError("orientation", f"{lacking} unknown: no radial and transverse")

    raw, dt = record.acceleration.astype(np.float64), record.dt_s
    inside = quality.without_padding(raw)
    raw = raw[:, inside]
    cut_s = inside.start * dt
    _check_raw(raw, dt, names, settings)

    new_dt = 1.0 / settings.rate_hz
    flat = detrended(raw, settings.detrend)
    try:
        filtered = causal_highpass(flat, dt, settings.highpass_hz)
        acc = resampled(filtered, dt, new_dt)
    except ValueError as exc:
        raise RejectedRecordError("unreadable", str(exc)) from None
    quality.check_components(acc, names)
    pga = float(np.abs(acc[:n_h]).max())
    expected = quality.kanno2006_pga(
        row.get("mag", math.nan), row.get("rhypo", math.nan), row.get("hypo_depth", math.nan)
    )
    quality.check_peak(pga, settings.max_pga, expected if settings.check_peak else math.nan)

    onset, ratios = _onset(record, row, acc, orientation, cut_s, settings, picker)
    p = round(onset.time_s * settings.rate_hz)
    row["quality"] = described(record, onset.time_s + cut_s)

    if rotate and orientation is not None:
        try:
            acc[:2] = to_radial_transverse(acc[:2], orientation, row["back_azimuth"])
        except ValueError as exc:
            raise RejectedRecordError("orientation", str(exc)) from None
    window, zeros_start, zeros_end = cut(
        acc[: len(settings.components)], p, settings.p_sample, settings.npts, new_dt
    )
    steps = _steps(record, settings, dt, inside, raw.shape[1], rotate, zeros_start, zeros_end)
    row |= {
        "p_sample": settings.p_sample,
        "p_status": onset.source,
        "pga_before": float(np.abs(flat[:n_h]).max()),
        "pga_after": pga,
        "expected_pga": expected,
        "zeros_start": zeros_start,
        "zeros_end": zeros_end,
        "original_dt_s": dt,
        "original_components": " ".join(names),
        "processing": "; ".join(filter(None, [str(row.get("processing", "")), *steps])),
    }
    row |= {f"snr_{i}": ratio for i, ratio in enumerate(ratios, 1)}
    if (start := record.metadata.get("start_time")) not in (None, ""):
        row["start_time"] = _start(start, cut_s + (p - settings.p_sample) * new_dt)
    return Prepared(window, row)


def _is_rotated(names: tuple[str, ...]) -> bool:
    return [name.upper()[-1:] for name in names[:2]] == ["R", "T"]


def _check_raw(
    raw: NDArray[np.float64], dt: float, names: tuple[str, ...], settings: Settings
) -> None:
    if raw.shape[1] * dt < settings.min_before_p_s + 1.0:
        raise RejectedRecordError("short", f"{raw.shape[1] * dt:.2f} s long")
    quality.check_flat(raw, dt, names)
    if settings.clipping:
        quality.check_clipped(raw, names)
    if settings.spikes:
        quality.check_spikes(raw, dt, names)


def _onset(
    record: Record,
    row: dict[str, Any],
    acc: NDArray[np.float64],
    orientation: tuple[float, float] | None,
    cut_s: float,
    settings: Settings,
    picker: str,
) -> tuple[pick.Pick, list[float]]:
    """The P onset, and the ratios of signal to noise in the bands."""
    between = -math.inf, math.inf
    rhypo = row.get("rhypo", math.nan)
    if settings.travel_time:
        between = pick.plausible(rhypo, origin_s(record.metadata) - cut_s)
        if math.isfinite(between[1]) and to_the_minute(record.metadata["event_time"]):
            between = between[0], between[1] + 60.0
    networked = acc
    if picker != "aic" and orientation is not None and acc.shape[0] == 3:
        # a back-azimuth of 180 deg: radial is north, transverse east
        north_east = to_radial_transverse(acc[:2], orientation, 180.0)
        networked = np.concatenate([north_east, acc[2:]])
    dt = 1.0 / settings.rate_hz
    try:
        onset = pick.find(
            networked,
            record.has_vertical,
            dt,
            given_s=given_pick(record.metadata, record.dt_s) - cut_s,
            between=between,
            picker=picker,
            quiet_s=settings.min_before_p_s or 1.0,
        )
        if onset.time_s < settings.min_before_p_s:
            least = f"less than {settings.min_before_p_s:g}"
            raise RejectedRecordError(
                "late start", f"{onset.time_s:.2f} s before the P onset, {least}"
            )
        p = round(onset.time_s * settings.rate_hz)
        ratios = quality.signal_to_noise(acc, p, dt, settings.snr_bands)
        quality.check_noise(ratios, settings.snr_bands, settings.min_snr)
    except RejectedRecordError as exc:
        late = settings.late_start == "align" and between[0] <= settings.min_before_p_s
        late = late and exc.code in ("late start", "no onset", "noise")
        time = pick.onset_from_s(acc[: record.n_horizontal], dt, rhypo) if late else None
        if time is None:
            raise
        return pick.Pick(time, "from S"), [math.nan] * len(settings.snr_bands)
    return onset, ratios


def _steps(
    record: Record, settings: Settings, dt: float, inside: slice, npts: int, rotate: bool,
    zeros_start: int, zeros_end: int,
) -> list[str]:  # fmt: skip
    steps = []
    if npts != record.acceleration.shape[1]:
        last = record.acceleration.shape[1] - npts - inside.start
        steps.append(f"{inside.start} and {last} samples of padding taken off")
    if settings.detrend != "none":
        steps.append(f"{settings.detrend} trend removed")
    if settings.highpass_hz:
        steps.append(
            f"causal Butterworth high-pass of order {ORDER} at {settings.highpass_hz:g} Hz"
        )
    if abs(dt * settings.rate_hz - 1) > 1e-9:
        steps.append(f"resampled from {1 / dt:g} to {settings.rate_hz:g} Hz")
    if rotate:
        steps.append("rotated to radial and transverse")
    if zeros_start or zeros_end:
        steps.append(f"{zeros_start} and {zeros_end} zeros added at start and end")
    return steps


def _start(start: Any, later_s: float) -> str:
    from obspy import UTCDateTime

    return str(UTCDateTime(str(start)) + later_s)
