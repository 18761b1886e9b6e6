"""A waveform model made of two: low frequencies by physics, and a broadband model above them.

With ``geometry = "rupture"`` a draw is that of a rupture and a site, as fields need it; with
"random" one of random mechanism and azimuth at a magnitude and distance, as a surface needs it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard._version import __version__
from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.models.abilities import ConditionsOnLowFrequencies
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.registry import load_model, model_as_told
from gwm_hazard.simulations.geometry import random_ruptures, top_km
from gwm_hazard.simulations.layered import LayeredSource
from gwm_hazard.simulations.rupture import wells_coppersmith

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]

GEOMETRIES = ("rupture", "random")

#: Before the first P and after the last S, s; records are a multiple of STEP_S long.
BEFORE_S, AFTER_S, STEP_S, SHORTEST_S = 5.0, 12.0, 10.24, 40.96

#: S waves that a broadband model wants to see, km/s, and the share of a record that fades.
SLOWEST_KM_S, FADE = 2.5, 0.03

LIMITATIONS = (
    "The earth is layered: no basins, topography or scattering below the crossover.",
    "A rupture is one plane, of Wells and Coppersmith's (1994) area about the middle that "
    "OpenQuake tells; slip, hypocentre and rise times are drawn after Graves and Pitarka (2010).",
    "Soil is linear below the crossover.",
)


class LayeredModel(WaveformModel):
    """Broadband motions whose low frequencies are those of a layered earth.

    Parameters
    ----------
    broadband : str or mapping
        The model that adds the high frequencies: a name or folder, or what a card says of it.
    low_frequency : str, path or mapping
        File of layers (:mod:`gwm_hazard.simulations.layered`), or what it says.
    geometry : "rupture" or "random"
    distance, fixed : str
        How the broadband model is conditioned, as of
        :func:`gwm_hazard.core.conditioning.conditioning_of`.

    Raises
    ------
    InputError
        No file of layers, one that says what cannot be, or a model that takes no low frequencies.
    """

    def __init__(
        self,
        broadband: str | Mapping[str, Any] = "broadband-small",
        low_frequency: str | Path | Mapping[str, Any] = "",
        geometry: str = "rupture",
        distance: str = "",
        fixed: str = "",
    ) -> None:
        if not low_frequency:
            raise InputError(
                'model "layered" needs low_frequency, the file of a layered earth, e.g. '
                'low_frequency = "layered.toml"'
            )
        if geometry not in GEOMETRIES:
            raise InputError(f"geometry = {geometry!r}: must be one of {', '.join(GEOMETRIES)}")
        self.broadband = _broadband(broadband)
        known: ModelCard = self.broadband.card
        self.source = (
            LayeredSource.of(low_frequency)
            if isinstance(low_frequency, Mapping)
            else LayeredSource.read(low_frequency)
        )
        if self.source.fc_hz * (1.0 + 1e-6) < min(self.broadband.crossovers_hz):
            raise InputError(
                f"fc_hz = {self.source.fc_hz:g}: model {known.name!r} goes on from "
                f"{min(self.broadband.crossovers_hz):g} Hz or higher"
            )
        self.random = geometry == "random"
        self.conditioning = conditioning_of(known, distance=distance, fixed=fixed)
        self.bytes_per_sample = self.broadband.bytes_per_sample + 24
        self.card = ModelCard(
            name=f"layered-{known.name}",
            family="layered",
            version=__version__,
            summary=f"Low frequencies of a layered earth, high ones of {known.name}.",
            licence=known.licence,
            citation=known.citation,
            training_data=known.training_data,
            conditions=self._ranges(),
            components=known.components,
            sampling_rate_hz=known.sampling_rate_hz,
            tectonic_region=known.tectonic_region,
            between_event=True,
            limitations=(*LIMITATIONS, *known.limitations),
            parameters={
                "broadband": json.loads(json.dumps(known.to_dict())),
                "low_frequency": self.source.to_dict(),
                "geometry": geometry,
                "distance": distance,
                "fixed": fixed,
            },
        )

    @property
    def device(self) -> str:  # type: ignore[override]
        """The device of the broadband model; low frequencies are computed on the CPU."""
        return str(self.broadband.device)

    @device.setter
    def device(self, value: str) -> None:
        self.broadband.device = value

    def _ranges(self) -> tuple[Range, ...]:
        """Those of the broadband model where it has them, and of what the library reaches."""
        inner, reach = self.conditioning.ranges, self.source.reach_km
        own = {"mag", "rrup"} if self.random else set(self.source.columns)
        bounds = {"repi": (0.0, reach), "rrup": (1.0, reach), "azimuth": (0.0, 360.0),
                  "ztor": (0.0, 30.0), "width": (0.1, 200.0), "dip": (1.0, 90.0)}  # fmt: skip
        out = []
        for name in (n for n in ALL_CONDITIONS if n in self.conditioning.columns | own):
            low, high = bounds.get(name, (ALL_CONDITIONS[name].low, ALL_CONDITIONS[name].high))
            if name in self.conditioning.asked:
                low, high = max(low, inner[name][0]), min(high, inner[name][1])
            out.append(Range(name, low, high))
        return tuple(out)

    def _inner(self, scenarios: Scenarios, noise: Noise | None = None) -> Scenarios:
        given = self.conditioning
        u = given.drawn(noise) if noise is not None and given.priors else None
        return Scenarios(**given.conditions(scenarios, "clip", u))

    def _window(self, scenarios: Scenarios) -> tuple[Array, NDArray[np.int64]]:
        """Start after the origin, s, and samples of each record: of conditions alone."""
        if self.random:
            first, last = self._bounds(scenarios)
        else:
            first, last = self.source.arrivals_s(scenarios)
        start = np.maximum(first - BEFORE_S, 0.0)
        inner = self._inner(scenarios)
        if "rhypo" in inner:
            last = np.maximum(last, inner["rhypo"] / SLOWEST_KM_S)
        steps = np.ceil((last + AFTER_S - start) / STEP_S)
        duration = np.maximum(STEP_S * steps, SHORTEST_S)
        return start, np.round(duration * self.card.sampling_rate_hz).astype(np.int64)

    def _bounds(self, scenarios: Scenarios) -> tuple[Array, Array]:
        """Of any mechanism at a distance: first P and last S."""
        mag, rrup = scenarios["mag"], scenarios["rrup"]
        length = np.empty(len(scenarios))
        for i, m in enumerate(mag):
            area, width = wells_coppersmith(m, 0.0)
            length[i] = area / min(width, self.source.seismogenic_km - top_km(m, 0.0))
        vp, vs = (
            max(self.source.layers.vp_km_s),
            float(self.source.layers.at("vs_km_s", np.array(5.0))),
        )
        return rrup / vp, (rrup + 0.5 * length) / vs + 0.5 * length / (0.75 * vs)

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """See :meth:`WaveformModel.npts`."""
        return self._window(scenarios)[1]

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`."""
        start, samples = self._window(scenarios)
        at = scenarios
        if self.random:
            at = random_ruptures(scenarios, noise, self.source.seismogenic_km)
        wanted = [n for n in (*self.source.columns, "vs30") if n in at]
        npts = int(samples[0])
        nt = int(np.ceil(npts * self.dt_s / self.source.library.dt_s))
        low = self.source(Scenarios(**{n: at[n] for n in wanted}), noise, start, nt)
        fade = np.minimum(1.0, np.arange(nt, 0, -1) / (FADE * nt))
        low.acceleration[...] *= 0.5 - 0.5 * np.cos(np.pi * fade)
        drawn = self.broadband.draw(self._inner(scenarios, noise), noise, low)
        return drawn[..., :npts]  # type: ignore[no-any-return]


def _broadband(told: str | Mapping[str, Any]) -> Any:
    model = load_model(told, "cpu") if isinstance(told, str) else model_as_told(told, "cpu")
    if isinstance(model, ConditionsOnLowFrequencies):  # type: ignore[misc]  # its own way of asking
        return model
    raise InputError(
        f'low_frequency: model {model.card.name!r} takes none; take one of the family "broadband", '
        'as "broadband-small"'
    )
