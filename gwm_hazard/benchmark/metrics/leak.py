"""Whether a translator undoes a filter: does it score by phases that it cannot know?

Systems from low frequencies to broadband are published with a record through a causal Butterworth
filter as their input. Such a filter can be inverted: what it leaves above its corner is small but
there, and a network can learn to raise it. On input that is strictly limited, or with some noise
where the stop band was, nothing is left to raise. So a translator is asked twice for the same
record; one that draws the high band does as well both times, one that inverts does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from gwm_hazard.benchmark.metrics.time_frequency import eg_pg

Array = NDArray[np.float64]

#: PG from 0.1 to 30 Hz above which phases of the target were available: a draw with phases of its
#: own has 6.7 even with the envelope and spectrum of the target.
CEILING_PG = 7.3
#: Where a filter leaves its input: zero-phase, as the splice of the package.
_PASS, _STOP = 0.8, 1.2


@dataclass(frozen=True)
class Leak:
    """EG and PG of records from input through a Butterworth filter, and from strictly limited one.

    Means over records, (2,) each: EG, PG.
    """

    filtered: Array
    limited: Array

    @property
    def exposed(self) -> bool:
        """Whether the translator undoes the filter: phases are right with it, and not without."""
        gain = self.filtered[1] - self.limited[1]
        return bool(self.filtered[1] > CEILING_PG and gain > 1.0)


def leak(
    translate: Callable[[Array], NDArray[np.floating]], records: Array, dt_s: float, fc_hz: float
) -> Leak:
    """Scores of a translator of low-frequency motions (n, 3, nt) to broadband ones.

    records : (n, 3, nt), each component over its peak, as published
    """
    sections = butter(4, fc_hz, "lowpass", fs=1.0 / dt_s, output="sos")
    through = sosfilt(sections, records).astype(np.float32).astype(np.float64)
    nt = records.shape[2]
    place = (np.fft.rfftfreq(2 * nt, dt_s) / fc_hz - _PASS) / (_STOP - _PASS)
    mask = 0.5 + 0.5 * np.cos(np.pi * np.clip(place, 0.0, 1.0))
    limited = np.fft.irfft(np.fft.rfft(records, 2 * nt) * mask)[..., :nt]
    found = []
    for motion in (through, limited):
        made = translate(motion)
        each = [[v.mean() for v in eg_pg(m, r, dt_s)] for m, r in zip(made, records, strict=True)]
        found.append(np.mean(each, axis=0))
    return Leak(*found)
