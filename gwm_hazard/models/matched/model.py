"""A waveform model made of two: spectra that a source draws, on the waveforms of another model."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard._version import __version__
from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial.noise import SpatialCorrelation
from gwm_hazard.core.spectra import Spectra
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.models.abilities import ConditionsOnSpectrum
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.matched.match import Targets, match
from gwm_hazard.models.matched.targets import (
    GivenSpectrum,
    JoinedSpectra,
    SpectrumDraws,
    SpectrumSource,
)
from gwm_hazard.models.registry import load_model, model_as_told

if TYPE_CHECKING:
    import torch

#: Who makes a source of a ground-motion model and a correlation, by their names: an import
#: string, as of model families, since only gwm_hazard.openquake knows OpenQuake.
SOURCE = "gwm_hazard.openquake.spectra:GmmSpectra"

CORRELATION = "BakerJayaram2008"

LIMITATIONS = (
    "PGA, periods below 0.05 s and PGV are matched less closely than the spectrum from 0.05 to "
    "5 s: their means can be some percent from those of the GMM.",
    "The vertical is corrected like the horizontals: V/H is that of the shape model.",
)


class MatchedModel(WaveformModel):
    """Waveforms of a shape model matched to spectra drawn from a ground-motion model.

    Parameters
    ----------
    gmm : str or list of str
        A ground-motion model by its TOML name, "BooreEtAl2014" or "[Class]\\nargument = value";
        of several the condition ``gmm`` numbers the one of a scenario.
    shape : str, mapping or WaveformModel
        The model whose waveforms are corrected: itself, a name or folder for
        :func:`gwm_hazard.models.registry.load_model`, or what a card says of it.
    correlation : str
        Between the residuals of two periods, by name.
    distance, fixed : str
        How the shape model is conditioned, as of
        :func:`gwm_hazard.core.conditioning.conditioning_of`.
    spectrum : mapping
        In place of ``gmm``, one spectrum for all draws: ``periods_s`` and ``sa_g``, RotD50, see
        :class:`gwm_hazard.models.matched.targets.GivenSpectrum`.

    Raises
    ------
    InputError
        No or an unknown ``gmm``, one without spectra, a shape without two horizontals.
    """

    def __init__(
        self,
        gmm: str | Sequence[str] = "",
        shape: str | Mapping[str, Any] | WaveformModel = "stochastic",
        correlation: str = CORRELATION,
        distance: str = "",
        fixed: str = "",
        spectrum: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        if not gmm and spectrum is None:
            raise InputError(
                'model "matched" needs gmm, the ground-motion model whose spectra are drawn, '
                'e.g. gmm = "BooreEtAl2014"'
            )
        self.shape = _shape(shape)
        known = self.shape.card
        if len(known.components) < 2:
            raise InputError(
                f"shape = {known.name!r}: draws one horizontal, whose RotD50 is not known; take a "
                "model of two"
            )
        self.conditioning = conditioning_of(known, distance=distance, fixed=fixed)
        several = [] if isinstance(gmm, str) else list(gmm)
        self.spectra: SpectrumDraws | GivenSpectrum
        if spectrum is not None:
            self.spectra = GivenSpectrum(**spectrum)
        elif several:
            self.spectra = SpectrumDraws(JoinedSpectra([_source(g, correlation) for g in several]))
        else:
            self.spectra = SpectrumDraws(_source(str(gmm), correlation))
        source = self.spectra.source
        self.bytes_per_sample = self.shape.bytes_per_sample + 16
        self.card = ModelCard(
            name=f"matched-{source.name}",
            family="matched",
            version=__version__,
            summary=f"{source.name} spectra on waveforms of {known.name}.",
            licence=known.licence,
            citation=known.citation,
            training_data=f"shape: {known.training_data}",
            conditions=self._ranges(source),
            components=known.components,
            sampling_rate_hz=known.sampling_rate_hz,
            tectonic_region=source.tectonic_region or known.tectonic_region,
            between_event=source.between_event,
            limitations=(*LIMITATIONS, *known.limitations),
            parameters={
                "gmm": several or gmm,
                "shape": json.loads(json.dumps(known.to_dict())),
                "correlation": correlation,
                "distance": distance,
                "fixed": fixed,
                **(
                    {}
                    if spectrum is None
                    else {"spectrum": {k: list(v) for k, v in spectrum.items()}}
                ),
            },
        )

    @property
    def device(self) -> str:  # type: ignore[override]
        """The device of the shape model; the match runs on the CPU."""
        return self.shape.device

    @device.setter
    def device(self, value: str) -> None:
        self.shape.device = value

    def _ranges(self, source: SpectrumSource | GivenSpectrum) -> tuple[Range, ...]:
        """Those of the shape model where it has them; a GMM is asked as far as it answers."""
        inner = self.conditioning.ranges
        names = [n for n in ALL_CONDITIONS if n in self.conditioning.columns | source.columns]
        out = []
        for name in names:
            low, high = ALL_CONDITIONS[name].low, ALL_CONDITIONS[name].high
            if name in self.conditioning.asked:
                low, high = inner[name]
            elif name == "rrup" and "rhypo" in inner:  # no further than the effective distance
                high = inner["rhypo"][1]
            out.append(Range(name, low, high))
        return tuple(out)

    def shape_scenarios(self, scenarios: Scenarios, noise: Noise | None = None) -> Scenarios:
        """What the shape model is given; a condition with a prior is drawn by the noise."""
        given = self.conditioning
        u = given.drawn(noise) if noise is not None and given.priors else None
        columns = given.conditions(scenarios, "clip", u)
        if "rhypo" in scenarios and "rhypo" not in columns:
            columns["rhypo"] = scenarios["rhypo"]  # the S wave starts at the hypocentre
        return Scenarios(**columns)

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """See :meth:`WaveformModel.npts`."""
        return self.shape.npts(self.shape_scenarios(scenarios))

    def spatial_correlation(self, name: str, coherency: str = "none") -> SpatialCorrelation:
        """See :meth:`WaveformModel.spatial_correlation`: that of the spectra which are matched."""
        mixing = {"target record": self.spectra.spatial(name)}
        coherent = None
        if coherency != "none":
            coherent = self.shape.spatial_correlation(name, coherency).coherent
        return SpatialCorrelation(name, mixing, coherent)

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`."""
        import torch

        targets = self.spectra(scenarios, noise)
        inner = self.shape_scenarios(scenarios, noise)
        if isinstance(self.shape, ConditionsOnSpectrum):  # type: ignore[misc]  # its own way
            spectra = covering(targets, *self.shape.target_periods_s)
            drawn = self.shape.draw(inner, noise, spectra)
        else:
            drawn = self.shape.draw(inner, noise)
        return torch.as_tensor(match(drawn.cpu().numpy(), self.dt_s, targets))


def covering(targets: Targets, shortest_s: float, longest_s: float) -> Spectra:
    """Targets as spectra that reach some periods.

    Before the first period SA is that of the first, PGA where it is known; beyond the last,
    spectral displacement stays what it is there.
    """
    first = 1 if targets.periods_s[0] == 0.0 else 0
    periods, ln_sa = targets.periods_s[first:], targets.ln_sa[:, first:]
    if shortest_s < periods[0]:
        periods = np.concatenate([[shortest_s], periods])
        ln_sa = np.concatenate([targets.ln_sa[:, :1], ln_sa], axis=1)
    if longest_s > periods[-1]:
        beyond = ln_sa[:, -1:] - 2.0 * np.log(longest_s / periods[-1])
        periods = np.concatenate([periods, [longest_s]])
        ln_sa = np.concatenate([ln_sa, beyond], axis=1)
    return Spectra(periods, ln_sa)


def _shape(shape: str | Mapping[str, Any] | WaveformModel) -> WaveformModel:
    if isinstance(shape, WaveformModel):
        return shape
    if isinstance(shape, str):
        if shape == "matched":
            raise InputError('shape = "matched": must be a model that draws by itself')
        return load_model(shape, "cpu")
    return model_as_told(shape, "cpu")


def _source(gmm: str, correlation: str) -> SpectrumSource:
    module, _, name = SOURCE.partition(":")
    source: SpectrumSource = getattr(importlib.import_module(module), name)(gmm, correlation)
    return source
