"""The P onset: given, from a SeisBench model, or from STA/LTA and the Akaike criterion.

The criterion of one component is in :mod:`gwm_hazard.records.onset`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.datasets.preparation.settings import RejectedRecordError
from gwm_hazard.errors import InputError
from gwm_hazard.records.onset import first_onset, rms

#: Bounds of the apparent velocity of the first arrival from a hypocentre, km/s, and what clocks,
#: origin times and locations are off, s.
SLOWEST, FASTEST, SLACK_S = 5.0, 9.0, 3.0

#: Distance in km a second between P and S: 1 / (1 / 3.5 - 1 / 6.06), crust of Vp/Vs = 1.73.
S_MINUS_P_KM_S = 8.3
LATE_S = 1.5  # tolerance of the time of P that follows from S, s


@dataclass(frozen=True)
class Pick:
    """An onset: time in s from the first sample, and where it is from."""

    time_s: float
    source: str


def plausible(rhypo_km: float, origin_s: float) -> tuple[float, float]:
    """Earliest and latest time of P, for an origin at ``origin_s`` on the record's time axis.

    Unbounded where one of the arguments is NaN.
    """
    if not math.isfinite(rhypo_km + origin_s):
        return -math.inf, math.inf
    return (
        origin_s + rhypo_km / FASTEST - SLACK_S,
        origin_s + rhypo_km / SLOWEST + SLACK_S,
    )


def onset_from_s(horizontals: NDArray[np.float64], dt_s: float, rhypo_km: float) -> float | None:
    """Time of P in s that follows from the S onset and the distance, or None.

    For records that a P or S wave started: P is taken to come rhypo / `S_MINUS_P_KM_S` s before the
    S onset, which is the minimum of the Akaike criterion of the horizontals, 0.5 to 10 Hz, at 0.35
    to 1.6 times that interval after the first sample. The time may be negative, up to `LATE_S`
    before the record.
    """
    from obspy.signal.trigger import aic_simple
    from scipy.signal import butter, sosfilt

    interval = rhypo_km / S_MINUS_P_KM_S
    if not math.isfinite(interval):
        return None
    low, high = (round(x / dt_s) for x in (0.35 * interval, 1.6 * interval + LATE_S))
    sections = butter(2, (0.5, min(10.0, 0.4 / dt_s)), "bandpass", fs=1 / dt_s, output="sos")
    x = sosfilt(sections, horizontals, axis=1)
    if x.shape[1] < high + 2 / dt_s or high - low < 20:
        return None
    criterion = sum(aic_simple(trace[low:high])[2:-3] for trace in x)
    s = low + 3 + int(np.argmin(np.where(np.isfinite(criterion), criterion, np.inf)))
    before, after = x[:, max(0, s - round(2 / dt_s)) : s], x[:, s : s + round(2 / dt_s)]
    p = s * dt_s - interval
    if abs(p) > LATE_S or not rms(after) > 1.5 * rms(before):
        return None
    return p


def resolve_picker(name: str) -> str:
    """The picker that "auto" stands for: SeisBench's PhaseNet where weights lie on this machine.

    Nothing is fetched. Raises ValueError for a named model that is not there.
    """
    if name == "aic":
        return "aic"
    model, _, weights = ("phasenet:instance" if name == "auto" else name).partition(":")
    try:
        import seisbench.models as sbm
    except ImportError:
        if name == "auto":
            return "aic"
        raise InputError(
            f"picker = {name!r}: SeisBench is not installed; install it or give 'aic'"
        ) from None
    classes = {c.lower(): c for c in dir(sbm) if isinstance(getattr(sbm, c), type)}
    if model.lower() not in classes:
        raise InputError(f"picker = {name!r}: SeisBench has no model {model!r}")
    if getattr(sbm, classes[model.lower()]).list_versions(weights, remote=False):
        return f"{model.lower()}:{weights}"
    if name == "auto":
        return "aic"
    raise InputError(
        f"picker = {name!r}: its weights are not on this machine; fetch them with "
        f"seisbench.models.{classes[model.lower()]}.from_pretrained({weights!r}), or "
        "give 'aic'"
    )


@lru_cache(maxsize=1)
def _network(name: str) -> Any:
    import seisbench.models as sbm

    model, _, weights = name.partition(":")
    cls: Any = next(
        c for c in vars(sbm).values() if isinstance(c, type) and c.__name__.lower() == model
    )
    return cls.from_pretrained(weights)


def network_onset(
    acc: NDArray[np.float64], dt_s: float, between: tuple[float, float], name: str
) -> float | None:
    """The most probable P onset of a SeisBench model, acc (3, nt) north, east, up; or None."""
    import obspy

    start = obspy.UTCDateTime(0)
    stream = obspy.Stream()
    for trace, letter in zip(acc, "NEZ", strict=True):
        head = {"delta": dt_s, "channel": f"HN{letter}", "starttime": start}
        stream.append(obspy.Trace(np.ascontiguousarray(trace), head))
    picks = [
        (pick.peak_value, pick.peak_time - start)
        for pick in _network(name).classify(stream).picks
        if pick.phase == "P" and between[0] <= pick.peak_time - start <= between[1]
    ]
    return max(picks)[1] if picks else None


def find(
    acc: NDArray[np.float64],
    has_vertical: bool,
    dt_s: float,
    *,
    given_s: float = math.nan,
    between: tuple[float, float] = (-math.inf, math.inf),
    picker: str = "aic",
    quiet_s: float = 1.0,
) -> Pick:
    """The P onset of a record: a given one, else by ``picker`` (resolved), else it is rejected.

    acc : (n_components, nt), horizontals first, the vertical last
    between : s, where an onset that is not given may lie, see `plausible`

    A network that finds none gives way to the criterion: on the vertical, then on the horizontals,
    whose earlier onset counts.
    """
    length = acc.shape[1] * dt_s
    if math.isfinite(given_s):
        if not 0 <= given_s < length:
            raise RejectedRecordError(
                "late start",
                f"the given P onset lies {given_s:.2f} s after the first "
                f"sample, the record is {length:.2f} s long",
            )
        return Pick(given_s, "given")
    if between[1] < 0 or between[0] > length:
        raise RejectedRecordError(
            "time",
            f"P is expected between {between[0]:.1f} and {between[1]:.1f} s, the record is "
            f"{length:.1f} s long: clock, origin time or coordinates are wrong",
        )
    if picker != "aic" and has_vertical and acc.shape[0] == 3:
        onset = network_onset(acc, dt_s, between, picker)
        if onset is not None:
            return Pick(onset, picker)
    groups = [acc[-1:], acc[:-1]] if has_vertical else [acc]
    for group in groups:
        onsets = [first_onset(trace, dt_s, between, quiet_s) for trace in group]
        found = [onset for onset in onsets if onset is not None]
        if found:
            return Pick(min(found), "aic")
    where = f" between {between[0]:.1f} and {between[1]:.1f} s" if math.isfinite(between[0]) else ""
    raise RejectedRecordError("no onset", f"no P onset found{where}")
