"""Noise, spikes, clipping and other damage, told from the samples alone.

Each check raises `RejectedRecordError` with the component, the place and the numbers that decided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.datasets.preparation.settings import RejectedRecordError
from gwm_hazard.records.quality import CLIPPED, clipped, longest_run, signal_to_noise

__all__ = ["check_clipped", "signal_to_noise"]

FLAT_S = 1.0  # longest time without any movement while the record goes on
SPIKE = 8.0  # height against the rms step between samples around it
COMPONENT_RATIO = 50.0  # between rms of the strongest and the weakest component

#: Factor from a median that no unit mistake stays within: g taken for cm/s2 is 981.
PEAK_FACTOR = 100.0


def without_padding(acc: NDArray[np.floating]) -> slice:
    """Where the record moves: less the samples at its ends in which no component changes."""
    still = (np.diff(acc, axis=1) == 0).all(axis=0)
    moves = np.flatnonzero(~still)
    if moves.size == 0:
        raise RejectedRecordError("flat", "no component moves")
    return slice(int(moves[0]), int(moves[-1]) + 2)


def check_flat(acc: NDArray[np.floating], dt_s: float, names: Sequence[str]) -> None:
    """Reject a component that stands still for longer than `FLAT_S` s while the ground shakes.

    That is between the first and the last time at which some component is above 10 % of its peak:
    before and after, a coarse digitiser may rightly show nothing.
    """
    least = max(CLIPPED, round(FLAT_S / dt_s))
    moved = np.abs(acc - np.median(acc, axis=1, keepdims=True))
    strong = np.flatnonzero((moved >= 0.1 * moved.max(axis=1, keepdims=True)).any(axis=0))
    first = int(strong[0])
    for trace, name in zip(acc, names, strict=True):
        length, start = longest_run(np.diff(trace[first : strong[-1] + 1]) == 0)
        if length + 1 > least:
            raise RejectedRecordError(
                "flat",
                f"component {name} stands still for {length * dt_s:.2f} s at "
                f"{(first + start) * dt_s:.2f} s",
            )


def check_clipped(acc: NDArray[np.floating], names: Sequence[str]) -> None:
    """Reject where `gwm_hazard.records.quality.clipped` tells of a component."""
    if told := clipped(acc, names):
        raise RejectedRecordError("clipped", told)


def check_spikes(acc: NDArray[np.floating], dt_s: float, names: Sequence[str]) -> None:
    """Reject single samples that jump out and back.

    A spike is a step up followed at once by a step down (or the reverse), the smaller of both more
    than `SPIKE` times the rms step of the half second on either side of it, and more than a tenth
    of the component's peak.
    """
    from scipy.ndimage import uniform_filter1d

    half = max(10, round(0.5 / dt_s))
    for trace, name in zip(acc, names, strict=True):
        step = np.diff(trace)
        if step.size < 4 * half:
            continue
        jump = np.where(step[1:] * step[:-1] < 0, np.minimum(abs(step[1:]), abs(step[:-1])), 0.0)
        # energy of the neighbours without the two steps of the spike itself
        width = 2 * half + 2
        total = uniform_filter1d(step**2, width, mode="reflect")[1:] * width
        around = np.maximum(total - step[1:] ** 2 - step[:-1] ** 2, 0.0) / (width - 2)
        height = np.abs(trace - trace.mean()).max()
        bad = (jump > SPIKE * np.sqrt(around)) & (jump > 0.1 * height)
        if bad.any():
            at = int(np.argmax(bad)) + 1
            raise RejectedRecordError(
                "spike",
                f"component {name}: {int(bad.sum())} spikes, the first of "
                f"{jump[at - 1]:.3g} m/s2 at {at * dt_s:.2f} s",
            )


def check_components(acc: NDArray[np.float64], names: Sequence[str]) -> None:
    """Reject where one component is `COMPONENT_RATIO` times weaker or stronger than another."""
    rms = np.sqrt((acc**2).mean(axis=1))
    if rms.max() > COMPONENT_RATIO * rms.min():
        weak, strong = names[int(rms.argmin())], names[int(rms.argmax())]
        factor = rms.max() / max(rms.min(), 1e-99)
        raise RejectedRecordError(
            "components differ", f"component {strong} is {factor:.3g} times stronger than {weak}"
        )


def check_noise(
    ratios: Sequence[float], bands: Sequence[tuple[float, float]], least: float
) -> None:
    """Reject a band whose signal-to-noise ratio is known and below ``least``."""
    for ratio, (low, high) in zip(ratios, bands, strict=True):
        if ratio < least:
            raise RejectedRecordError(
                "noise",
                f"signal-to-noise ratio {ratio:.2f} at {low:g}-{high:g} Hz, below {least:g}",
            )


def kanno2006_pga(mag: float, distance_km: float, depth_km: float) -> float:
    """Median PGA in m/s2 of Kanno et al. (2006, BSSA 96(3): 879-897, eq. 5 and 6), no site term.

    Closest distance; here the hypocentral one stands in, for a check of orders of magnitude.
    """
    x = max(distance_km, 1.0)
    if depth_km <= 30:
        log = 0.556 * mag - 0.00307 * x - math.log10(x + 0.00547 * 10 ** (0.5 * mag)) + 0.256
    else:
        log = 0.409 * mag - 0.00389 * x - math.log10(x) + 1.56
    return float(10**log / 100)


def check_peak(pga: float, most: float, expected: float) -> None:
    """Reject a peak (m/s2) that is above ``most`` or more than `PEAK_FACTOR` off ``expected``."""
    if not 0 < pga <= most:
        raise RejectedRecordError(
            "peak", f"peak acceleration {pga:.3g} m/s2, above {most:g}: is the unit right?"
        )
    factor = pga / expected
    if math.isfinite(expected) and not 1 / PEAK_FACTOR < factor < PEAK_FACTOR:
        raise RejectedRecordError(
            "peak",
            f"peak acceleration {pga:.3g} m/s2, {factor:.2g} times the median "
            "of Kanno et al. (2006): is the unit right?",
        )
