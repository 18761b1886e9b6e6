"""What says that a generator has collapsed, or ignores its noise or its conditions."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.files.atomic import replacing
from gwm_hazard.statistics.coverage import coverage, diversity
from gwm_hazard.statistics.sample_moments import NAMES, sample_moments

log = logging.getLogger(__name__)

#: File of a run's folder, and the key of the draws that it is about.
COLLAPSE, EVENT = "collapse.json", 2**61 + 2**60

#: Bins of time and of log frequency in the features of a record.
_TIMES, _BANDS = 16, 16
#: Below these a warning is given.
LEAST_COVERAGE, LEAST_DIVERSITY = 0.5, 0.5


def features(acceleration: NDArray[np.floating]) -> NDArray[np.float64]:
    """ln energy by time and by band of frequency, and where it is 1e-6 of all at least.

    Parameters
    ----------
    acceleration : (n, components, samples), any unit: each record is divided by its own energy

    Returns
    -------
    ndarray (n, components * (16 + 16))
    """
    acc = np.asarray(acceleration, dtype=np.float64)
    power = acc**2
    total = power.sum(axis=(1, 2), keepdims=True) + 1e-300
    by_time = _binned(power / total, np.linspace(0, acc.shape[2], _TIMES + 1).astype(int))
    spectrum = np.abs(np.fft.rfft(acc)[..., 1:]) ** 2
    edges = np.unique(np.geomspace(1, spectrum.shape[2] + 1, _BANDS + 1).astype(int)) - 1
    by_band = _binned(spectrum / (spectrum.sum(axis=(1, 2), keepdims=True) + 1e-300), edges)
    return np.concatenate([np.log(f + 1e-6).reshape(len(acc), -1) for f in (by_time, by_band)], 1)


def tell(folder: Path, found: dict[str, Any]) -> None:
    """Write what :func:`told` found."""
    with replacing(folder / COLLAPSE) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def told(
    records: NDArray[np.floating],
    draws: NDArray[np.floating],
    repeated: NDArray[np.floating] | None = None,
) -> dict[str, Any]:
    """Coverage, diversity and moments of draws beside records.

    Parameters
    ----------
    records, draws : (n, components, samples)
        Held-out records, and a draw for the conditions of each.
    repeated : (m, components, samples), optional
        Draws of one condition, of a generator that takes any.

    Returns
    -------
    dict
        ``coverage`` and ``diversity`` (:mod:`gwm_hazard.statistics.coverage`),
        ``diversity_repeated`` (of ``repeated``: near 0 where the noise is not heard), and
        ``moments`` {"records", "draws"} {minimum, maximum, mean, standard deviation, skewness},
        means over records of what each record has.
    """
    ours, theirs = features(records), features(draws)
    made: dict[str, Any] = {
        "coverage": coverage(ours, theirs, min(5, len(ours) - 1)),
        "diversity": diversity(ours, theirs),
        "moments": {"records": moments(records), "draws": moments(draws)},
        "records": len(records),
    }
    if repeated is not None:
        made["diversity_repeated"] = diversity(ours, features(repeated))
    if made["coverage"] < LEAST_COVERAGE:
        log.warning(
            "draws are near %.0f%% of the held-out records only: the generator may have collapsed "
            "or not be trained yet",
            100 * made["coverage"],
        )
    for name, words in (
        ("diversity", "draws"),
        ("diversity_repeated", "draws of one condition"),
    ):
        if made.get(name, np.inf) < LEAST_DIVERSITY:
            log.warning("%s differ %.2f times as much as records do", words, made[name])
    return made


def moments(acceleration: NDArray[np.floating]) -> dict[str, float]:
    """Means over records of their minimum, maximum, mean, standard deviation and skewness."""
    flat = np.asarray(acceleration).reshape(len(acceleration), -1)
    return dict(zip(NAMES, sample_moments(flat).mean(axis=0).tolist(), strict=True))


def _binned(values: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.add.reduceat(values, edges[:-1], axis=2)
