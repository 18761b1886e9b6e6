"""What the card of HighFEM says, and the constants that its checkpoints do not hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError


@dataclass(frozen=True)
class Condition:
    """How a condition enters the network, and the range of the training data.

    Attributes
    ----------
    mean, sd : float
        Over the training data, of the value or of its natural logarithm.
    low, high : float
        Range of validity, in the unit of the condition.
    log : bool
        Take the natural logarithm first.
    """

    mean: float
    sd: float
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("mean", "sd", "low", "high"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"condition: {name} = {value!r}: must be a number")
        if self.sd <= 0 or not self.low < self.high or (self.log and self.low <= 0):
            raise InputError(f"condition: {self}: sd and the lower bound of a logarithm must be "
                             "above 0, and low below high")  # fmt: skip

    def standardised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Less the mean, over the standard deviation."""
        return ((np.log(values) if self.log else values) - self.mean) / self.sd

    def to_dict(self) -> dict[str, Any]:
        """Plain types, as a card holds them."""
        return asdict(self)


#: In the order of the network. Mean and standard deviation over the published training database
#: are from its generator; the checkpoints do not hold them. Ranges: for mag and the upper rhypo
#: the span of that database as the classifier's bins tell it; for the others three standard
#: deviations about the mean, cut at what is physical, since the limits are not published with
#: the code.
PUBLISHED = {
    "rhypo": Condition(101.29891904350877, 40.78415968551517, 5.0, 200.0),
    "mag": Condition(4.801697862929673, 0.7146698731358634, 4.0, 9.1),
    "vs30": Condition(384.7045105848187, 220.11269086015872, 100.0, 1045.0),
    "hypo_depth": Condition(38.359214998072, 22.472499592355014, 0.0, 105.0),
    "azimuthal_gap": Condition(129.92139043457396, 89.69479051949207, 0.0, 360.0),
}


def read_conditions(found: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Condition]:
    """Conditions of a card; without one, those of the published model."""
    if found is None:
        return dict(PUBLISHED)
    try:
        return {name: Condition(**fields) for name, fields in found.items()}
    except (TypeError, AttributeError) as exc:
        raise InputError(f"conditions: {exc}") from None


FIXED: dict[str, Any] = {
    "name": "highfem",
    "family": "highfem",
    "version": "tqdne 0.2",
    "summary": "HighFEM: latent diffusion on log-spectrograms, trained on records of Japan.",
    "licence": (
        "network code and architecture (tqdne): Apache-2.0; weights: as stated on the record that "
        "they were downloaded from, check it before passing them on"
    ),
    "citation": (
        "Palgunadi, Bergmeister, Bosisio, Ermert, Koroni, Perraudin, Dirmeier and Meier (2025) "
        "High resolution seismic waveform generation using denoising diffusion, submitted to "
        "JGR: Machine Learning and Computation, arXiv:2410.19343",
        "Software and weights: Zenodo record 16405538 (tqdne)",
    ),
    "training_data": "strong-motion records of Japan, M 4 to 9.1, up to 200 km",
    "components": ("R", "T", "Z"),
    "sampling_rate_hz": 100.0,
    "tectonic_region": "Active Shallow Crust",
    "between_event": False,
    "limitations": (
        "No between-event term: draws of one event at several sites share nothing but their "
        "conditions; all variability counts as within-event.",
        "Records are 40.64 s long with the P wave at 5 s: shaking that lasts longer, of large or "
        "distant events, is cut, and periods beyond about 10 s are not resolved.",
        "Trained on records high-passed at 0.1 Hz: no displacement offsets, and spectral "
        "accelerations beyond 10 s mean nothing.",
        "Few records above M 7.5 (mean 4.8, standard deviation 0.7): extrapolation in practice.",
        "Point source: distance is hypocentral; no rupture extent, directivity or style of "
        "faulting. The depths (mean 38 km, standard deviation 22 km) mix crustal and subduction "
        "earthquakes.",
        "azimuthal_gap is a property of the station network around the event; OpenQuake has no "
        "such quantity: fix it, or let it vary over its range.",
        "Phases come from Griffin-Lim with one initial phase for every record and component, as "
        "published (parameter phases = 'published'); 'random' draws them.",
    ),
}
#: What changes where the level is drawn apart, with its between-event terms.
WITH_LEVEL: dict[str, Any] = {"between_event": True, "limitations": FIXED["limitations"][1:]}
