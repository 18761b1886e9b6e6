"""The WGAN-GP family as generative waveform models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.weights import Weights, check_shapes
from gwm_hazard.models.wgan_gp.network import generator_of, weight_shapes
from gwm_hazard.models.wgan_gp.scaling import Scaling
from gwm_hazard.models.wgan_gp.sizes import ConditionalSizes, read_sizes
from gwm_hazard.representation.highpass import highpass

#: Records that go through the network together. Always so many: kernels chosen by batch size
#: would change the last bits.
PORTION = 8

CITATIONS = {
    "conditional": (
        "Florez, Caporale, Buabthong, Ross, Asimaki and Meier (2022) Data-driven synthesis of "
        "broadband earthquake ground motions using artificial intelligence, BSSA 112(4): "
        "1979-1996, doi:10.1785/0120210264",
    ),
    "pipelines": (
        "Wang, Trugman and Lin (2021) SeismoGen: Seismic waveform synthesis using GAN with "
        "application to seismic data augmentation, JGR Solid Earth 126: e2020JB020077, "
        "doi:10.1029/2020JB020077",
        "Onsa (2024) Synthetic seismic signals by generative adversarial networks, master thesis, "
        "Politecnico di Torino",
    ),
}

#: Conditions of a card that none is asked of: a shape is the same for all scenarios.
_ANY_SCENARIO = {"mag": (4.0, 8.0)}


class WGANGPModel(WaveformModel):
    """Three-component accelerograms of one latent vector, with or without conditions.

    Parameters
    ----------
    weights : Weights
        Of the generator, running moments of its normalisation included.
    sizes : mapping
        Of the networks, with their form: "conditional" draws for conditions, with amplitudes;
        "pipelines" draws shapes, whose level means nothing.
    scaling : mapping, optional
        ``conditions`` {name: {low, high, log}} and ``log10_peak`` [low, high] in log10 of m/s2, of
        the training data. Of the conditional form only.
    ranges : mapping, optional
        {name: [low, high]} on the card; by default those of the scaling.
    sampling_rate_hz : float
    label : float
        What a network of pipelines is told: 1 an earthquake, 0 noise.
    highpass_hz : float
        Corner of a high-pass on what is drawn; 0 for none, as published.
    """

    needs_weights = True
    bytes_per_sample = 1500

    def __init__(
        self,
        *,
        weights: Weights,
        sizes: Mapping[str, Any],
        scaling: Mapping[str, Any] | None = None,
        ranges: Mapping[str, Sequence[float]] | None = None,
        sampling_rate_hz: float = 100.0,
        label: float = 1.0,
        highpass_hz: float = 0.0,
    ) -> None:
        self.sizes = read_sizes(sizes)
        self.conditional = isinstance(self.sizes, ConditionalSizes)
        told = dict(scaling or {"conditions": {}, "log10_peak": None})
        self.scaling = Scaling.read(told.get("conditions", {}), told.get("log10_peak"))
        _check(self.sizes.to_dict(), self.scaling, label, highpass_hz)
        self._label, self._highpass_hz, self.weights = float(label), float(highpass_hz), weights
        self._generator = generator_of(self.sizes).requires_grad_(False).eval()
        check_shapes(weights.tensors, weight_shapes(self._generator), "WGAN-GP")
        self._generator.load_state_dict(dict(weights.tensors), strict=False)
        spans = {name: (s.low, s.high) for name, s in self.scaling.conditions.items()}
        limits = dict(ranges or spans or _ANY_SCENARIO)
        if self.conditional and set(limits) != set(spans):
            raise InputError(f"ranges of {', '.join(limits)}; the network takes {', '.join(spans)}")
        form = self.sizes.form
        self.card = ModelCard(
            name="wgan-gp",
            family="wgan-gp",
            version="1",
            summary=(
                "Conditional WGAN-GP (Florez et al. 2022): waveforms and their amplitudes."
                if self.conditional
                else "WGAN-GP (SeismoGen, ITACA): three-component shapes without a level."
            ),
            licence="see where the weights are from",
            citation=CITATIONS[form],
            training_data="see where the weights are from",
            conditions=tuple(Range(k, float(v[0]), float(v[1])) for k, v in limits.items()),
            components=("H1", "H2", "V"),
            sampling_rate_hz=float(sampling_rate_hz),
            tectonic_region="Active Shallow Crust",
            between_event=False,
            level=self.conditional,
            limitations=_limitations(self, float(sampling_rate_hz)),
            parameters={
                "weights_sha256": weights.sha256,
                "sizes": self.sizes.to_dict(),
                "scaling": self.scaling.to_dict(),
                "ranges": {k: [float(x) for x in v] for k, v in limits.items()},
                "sampling_rate_hz": float(sampling_rate_hz),
                "label": float(label),
                "highpass_hz": float(highpass_hz),
            },
        )

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """See :meth:`WaveformModel.npts`."""
        return np.full(len(scenarios), self.sizes.samples, dtype=np.int64)

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`; shapes come in the unit of their training."""
        n = len(scenarios)
        condition = np.full((n, 1), self._label)
        if self.conditional:
            columns = {name: scenarios[name] for name in self.scaling.conditions}
            condition = self.scaling.condition(columns)
        wave, peaks = self.made(noise.normal("latent", self.sizes.normals), condition)
        acceleration = torch.from_numpy(self.scaling.physical(wave, peaks)).float()
        if self._highpass_hz:
            acceleration = highpass(acceleration, self._highpass_hz, self.dt_s)
        return acceleration.to(self.device)

    def made(
        self, normals: NDArray[np.float32], condition: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
        """What the generator makes: (n, 3, samples), and (n, 3) scaled log-peaks where it does.

        Parameters
        ----------
        normals : (n, normals of the sizes)
        condition : (n, conditions) scaled, or (n, 1) labels
        """
        n = len(normals)
        generator = self._generator.to(self.device)
        waves, peaks = [], []
        padded = [
            torch.from_numpy(np.pad(np.asarray(a, np.float32), ((0, -n % PORTION), (0, 0))))
            for a in (normals, condition)
        ]
        with torch.inference_mode():
            for z, c in zip(*(torch.split(a, PORTION) for a in padded), strict=True):
                wave, peak = generator(z.to(self.device), c.to(self.device))
                waves.append(wave.cpu())
                peaks += [] if peak is None else [peak.cpu()]
        wave = torch.cat(waves).numpy()[:n]
        return wave, torch.cat(peaks).numpy()[:n].astype(np.float64) if peaks else None


def _check(sizes: Mapping[str, Any], scaling: Scaling, label: float, highpass_hz: float) -> None:
    """Raise an InputError where the parts do not fit each other."""
    conditional = sizes["form"] == "conditional"
    if conditional and (len(scaling.conditions), scaling.log10_peak is None) != (
        sizes["conditions"],
        False,
    ):
        raise InputError(
            f"scaling: {len(scaling.conditions)} conditions and log10_peak = {scaling.log10_peak}: "
            f"the network takes {sizes['conditions']} and makes amplitudes"
        )
    if not conditional and (scaling.conditions or scaling.log10_peak is not None):
        raise InputError("scaling: a network of pipelines takes no conditions, makes no amplitudes")
    if not isinstance(label, int | float) or not 0 <= label <= 1:
        raise InputError(f"label = {label!r}: must be 1 (earthquake) or 0 (noise)")
    if not isinstance(highpass_hz, int | float) or not 0 <= highpass_hz < 10:
        raise InputError(f"highpass_hz = {highpass_hz!r}: must be from 0 to below 10")


def _limitations(model: WGANGPModel, rate_hz: float) -> tuple[str, ...]:
    """What follows from the form of a model."""
    told = [
        f"Records of {model.sizes.samples / rate_hz:g} s: longer shaking, of large or distant "
        "earthquakes, is cut.",
        "No between-event term: draws of one event share nothing but their conditions; all "
        "variability counts as within-event.",
        "A point source: no rupture extent, directivity or style of faulting.",
    ]
    if isinstance(model.sizes, ConditionalSizes):
        if model.sizes.head == "tanh":
            told.append("No peak exceeds the largest of the training data, by construction.")
        told.append(
            "Amplitudes are an output of their own: the peak of a draw is near that output, not at "
            "it."
        )
        return tuple(told)
    return (
        *told,
        "Shapes only: a draw has no level and does not depend on the scenario; take it as the "
        'shape of model = "matched".',
    )
