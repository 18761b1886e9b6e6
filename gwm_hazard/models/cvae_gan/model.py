"""CVAE-GAN as a generative waveform model: a target spectrum and noise in, accelerations out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spectra import Spectra
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.cvae_gan.form import LN_G, Form
from gwm_hazard.models.cvae_gan.level import ORDINATES, corrected, scaled, window
from gwm_hazard.models.cvae_gan.network import Generator, weight_shapes
from gwm_hazard.models.cvae_gan.scenario import ScenarioSpectra
from gwm_hazard.models.cvae_gan.sizes import Sizes
from gwm_hazard.models.weights import Weights, check_shapes
from gwm_hazard.representation.highpass import highpass

if TYPE_CHECKING:
    import xarray as xr

#: Records that go through the network together. Always so many: kernels chosen by batch size
#: would change the last bits.
PORTION = 8

COMPONENTS = {1: ("H1",), 2: ("H1", "H2"), 3: ("H1", "H2", "V")}

CITATIONS = (
    "Hu, Chen, Ding, Fu and Li (2026) Engineering Structures 348: 121766, "
    "doi:10.1016/j.engstruct.2025.121766",
)


class CVAEGANModel(WaveformModel):
    """Accelerograms of a given response spectrum.

    Parameters
    ----------
    weights : Weights
        Of encoder and decoder (:class:`Generator`), and, for a model that draws without a target
        too, of :class:`ScenarioSpectra`.
    sizes, form : mapping
        The attributes of :class:`Sizes` and :class:`Form`.
    conditions : mapping
        Names and ranges [low, high] of the conditions. A model without ``ScenarioSpectra`` looks
        at none of them: they say for which earthquakes it was trained.
    sampling_rate_hz : float
    passes : int
        Corrections of the Fourier amplitudes by the ratio of target and drawn spectrum
        (:func:`corrected`); 0, as published, leaves one factor for the whole record.
    onset_s : float
        When P comes in the records of the training, before which nothing moves; 0, as published:
        anything may.
    """

    needs_weights = True
    bytes_per_sample = 600

    def __init__(
        self,
        *,
        weights: Weights,
        sizes: Mapping[str, Any],
        form: Mapping[str, Any],
        conditions: Mapping[str, Sequence[float]],
        sampling_rate_hz: float = 100.0,
        passes: int = 0,
        onset_s: float = 0.0,
    ) -> None:
        self.sizes, self.form = Sizes(**sizes), Form(**form)
        if self.sizes.extras != self.form.extras:
            raise InputError(
                f"sizes: extras = {self.sizes.extras}, but level, duration and distance make "
                f"{self.form.extras}"
            )
        if self.sizes.components not in COMPONENTS:
            raise InputError(f"sizes: components = {self.sizes.components}: give 1, 2 or 3")
        if not isinstance(passes, int) or not 0 <= passes <= 100:
            raise InputError(f"passes = {passes!r}: must be an integer from 0 to 100")
        if not 0.0 <= onset_s < self.sizes.samples / sampling_rate_hz:
            raise InputError(f"onset_s = {onset_s}: must be from 0 to below the length of a record")
        self.passes, self.weights, self.onset_s = passes, weights, float(onset_s)
        self._generator = Generator(self.sizes).requires_grad_(False).eval()
        shapes = weight_shapes(self._generator)
        self.scenario = ScenarioSpectra.of(tuple(conditions), weights.tensors)
        if self.scenario is not None:
            shapes |= ScenarioSpectra.shapes(len(conditions), self.sizes.ordinates)
        elif self.form.duration:
            raise InputError("form: duration without spectra of scenarios, which would give it")
        check_shapes(weights.tensors, shapes, "CVAE-GAN")
        names = self._generator.state_dict()
        self._generator.load_state_dict({k: weights.tensors[k] for k in names})
        self.card = ModelCard(
            name="cvae-gan",
            family="cvae-gan",
            version="1",
            summary="CVAE-GAN (Hu et al. 2026): accelerograms of a given response spectrum.",
            licence="see where the weights are from",
            citation=CITATIONS,
            training_data="see where the weights are from",
            conditions=tuple(Range(k, *map(float, v)) for k, v in conditions.items()),
            components=COMPONENTS[self.sizes.components],
            sampling_rate_hz=float(sampling_rate_hz),
            tectonic_region="Active Shallow Crust",
            between_event=False,
            limitations=_limitations(self, float(sampling_rate_hz)),
            parameters={
                "weights_sha256": weights.sha256,
                "sizes": self.sizes.to_dict(),
                "form": self.form.to_dict(),
                "conditions": {k: [float(x) for x in v] for k, v in conditions.items()},
                "sampling_rate_hz": float(sampling_rate_hz),
                "passes": passes,
                "onset_s": float(onset_s),
            },
        )

    @property
    def periods_s(self) -> NDArray[np.float64]:
        """Periods of the condition, (ordinates,)."""
        return self.form.periods_s(self.sizes.ordinates)

    @property
    def target_periods_s(self) -> tuple[float, float]:
        """Shortest and longest period that a target must reach."""
        return self.form.shortest_s, self.form.longest_s

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """See :meth:`WaveformModel.npts`."""
        return np.full(len(scenarios), self.sizes.samples, dtype=np.int64)

    def generate(  # type: ignore[override]
        self,
        scenarios: Scenarios,
        n: int = 1,
        seed: int = 0,
        *,
        target: Spectra | xr.DataArray | xr.Dataset | None = None,
        batch_size: int | None = None,
        check: bool = True,
    ) -> xr.Dataset:
        """Draw ``n`` realizations of each scenario; see :meth:`WaveformModel.generate`.

        Parameters
        ----------
        target : DataArray or Dataset, optional
            SA in g by scenario and period (s), see :meth:`Spectra.of`. Without it, each
            realization has a spectrum of its own, drawn for its scenario, where the model knows
            what spectra scenarios have (``cvae-gan-small`` does).
        """
        if target is None:
            return super().generate(scenarios, n, seed, batch_size=batch_size, check=check)
        spectra = Spectra.of(target, len(scenarios))
        return super().generate(
            scenarios, n, seed, batch_size=batch_size, check=check, target=spectra
        )

    def draw(
        self, scenarios: Scenarios, noise: Noise, target: Spectra | None = None
    ) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`; ``target`` has a spectrum a row.

        Raises
        ------
        InputError
            No target, for a model that does not know the spectra of its scenarios.
        """
        if target is not None:
            ln_sa = target.ln_at(self.periods_s) + LN_G
            fine = target
        elif self.scenario is not None:
            ln_sa = self.scenario.spectra(
                scenarios, noise.normal("target spectrum", self.scenario.draws)
            )
            fine = Spectra(self.periods_s, ln_sa - LN_G)
        else:
            raise InputError(
                f"model {self.card.name!r} draws for a target spectrum: give "
                "generate(..., target=SPECTRA) (SA in g by period), or in a job "
                'model = "matched" with it as the shape'
            )
        ln_duration = np.zeros(len(scenarios))
        if self.form.duration and self.scenario is not None:
            ln_duration = self.scenario.duration(scenarios, ln_sa, noise.normal("duration", 1))
        distance_km = np.zeros(len(scenarios))
        if self.form.distance:
            scenarios.require(("rhypo",), f"model {self.card.name!r}")
            distance_km = scenarios["rhypo"]
        made = self.decoded(
            self.form.condition(ln_sa, ln_duration, distance_km),
            noise.normal("latent", self.sizes.latent),
            noise.normal("texture", self._generator.decoder.texture),
        )
        made *= window(self.sizes.samples, self.dt_s, self.onset_s)
        top = np.exp(ln_sa.max(axis=1)).astype(np.float32)
        acceleration = scaled(made * top[:, None, None], self.dt_s, ln_sa, self.form)
        if self.passes:
            ln_fine = fine.ln_at(self.form.periods_s(ORDINATES)) + LN_G
            acceleration = corrected(
                acceleration, self.dt_s, ln_fine, self.form, self.passes, self.onset_s
            )
        return torch.from_numpy(acceleration).to(self.device)

    def decoded(
        self,
        condition: NDArray[np.float32],
        latent: NDArray[np.float32],
        texture: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """What the decoder makes, (n, n_components, samples), normalised; rows as ``condition``."""
        n = len(condition)
        padded = [
            torch.from_numpy(np.pad(a, ((0, -n % PORTION), (0, 0))))
            for a in (condition, latent, texture)
        ]
        decoder = self._generator.to(self.device).decoder
        parts = []
        with torch.inference_mode():
            for c, z, t in zip(*(torch.split(a, PORTION) for a in padded), strict=True):
                made = decoder(z.to(self.device), c.to(self.device), t.to(self.device))
                parts.append(filtered(made, self.form, self.dt_s).cpu())
        return torch.cat(parts).numpy()[:n]

    def generator(self) -> Generator:
        """Encoder and decoder, on the model's device."""
        return self._generator.to(self.device)


def filtered(wave: torch.Tensor, form: Form, dt_s: float) -> torch.Tensor:
    """What the decoder made, after the high-pass of its form."""
    return highpass(wave, form.highpass_hz, dt_s) if form.highpass_hz else wave


def _limitations(model: CVAEGANModel, rate_hz: float) -> tuple[str, ...]:
    """What follows from the form of a model."""
    seconds = model.sizes.samples / rate_hz
    told = [
        f"Records of {seconds:g} s: longer shaking, of large or distant earthquakes, is cut, and "
        "ordinates at long periods are weakly constrained.",
        "No between-event term of its own: with a target, all variability is that of the targets.",
    ]
    if model.scenario is None:
        told.append("It draws for a target spectrum only, and looks at no other condition.")
    if not model.form.duration:
        told.append(
            "Duration and arrivals follow from the shape of the spectrum and from noise: they may "
            "depend too little on magnitude and distance."
        )
    if model.sizes.components == 1:
        told.append("One horizontal component of arbitrary orientation.")
    return tuple(told)
