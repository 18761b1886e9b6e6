"""StyleGAN-EQ as a generative waveform model: shapes of ground motion without a level."""

from __future__ import annotations

import math
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
from gwm_hazard.models.stylegan_eq.control import (
    FEATURES,
    LatentControl,
    ScenarioFeatures,
    chosen,
    entering,
    features,
    leaving,
)
from gwm_hazard.models.stylegan_eq.design import Design
from gwm_hazard.models.stylegan_eq.network import Generator, weight_shapes
from gwm_hazard.models.weights import Weights, check_shapes
from gwm_hazard.representation.linear_spectrogram import (
    ROWS,
    SAMPLES,
    SAMPLING_RATE_HZ,
    TRANSFORM,
    waveforms,
)
from gwm_hazard.representation.phase import uniform_phase

#: Images that are made together. Always so many: kernels chosen by batch size would change bits.
PORTION_CPU, PORTION_ACCELERATOR = 1, 16

COMPONENTS = {1: ("H1",), 3: ("H1", "H2", "V")}

CITATIONS = (
    "Xu and Chen (2024) High-resolution ground motion generation with time-frequency "
    "representation, Bull. Earthquake Eng., doi:10.1007/s10518-024-01912-1",
    "Karras, Aittala, Laine, Harkonen, Hellsten, Lehtinen and Aila (2021) Alias-free generative "
    "adversarial networks, NeurIPS, arXiv:2106.12423",
)
LICENCE = (
    "non-commercial use only: published network files embed code under the NVIDIA Source Code "
    "License for StyleGAN3; nothing of it is used or kept here"
)

#: Conditions of a card that none is asked of.
_ANY_SCENARIO = {"mag": (4.0, 8.0)}


class StyleGANEQModel(WaveformModel):
    """Accelerograms of 160 s from images of their spectrograms.

    Parameters
    ----------
    weights : Weights
        Of the generator; with ``steered`` also of :class:`LatentControl` and
        :class:`ScenarioFeatures`.
    design : mapping
        Of :class:`Design`.
    iterations : int
        Of Griffin-Lim; 1000 in the publication.
    components : int
        1 as published, or 3, whose latents share the part ``pairing`` of their variance.
    pairing : float
    psi : float
        Truncation: below 1 images are nearer to the average one.
    steered : sequence of str
        Features that follow from the scenario; empty as published.
    corrections : int
        Of a steered model: so many times each image is measured, and asked again for what it
        lacked. A draw then takes as many images more.
    ranges : mapping, optional
        {name: [low, high]} on the card; of a steered model magnitude, distance and Vs30.
    """

    needs_weights = True
    bytes_per_sample = 400

    def __init__(
        self,
        *,
        weights: Weights,
        design: Mapping[str, Any],
        iterations: int = 1000,
        components: int = 3,
        pairing: float = 0.8,
        psi: float = 1.0,
        steered: Sequence[str] = (),
        corrections: int = 0,
        ranges: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        try:
            self.design = Design(**design)
        except TypeError as exc:
            raise InputError(f"design: {exc}") from None
        _check(self.design, iterations, components, pairing, psi, steered)
        limits = {k: (float(v[0]), float(v[1])) for k, v in (ranges or _ANY_SCENARIO).items()}
        if steered and (len(limits) != 3 or list(limits)[::2] != ["mag", "vs30"]):
            raise InputError(
                f"ranges of {', '.join(limits)}: a steered model takes mag, a distance and vs30"
            )
        if not isinstance(corrections, int) or not 0 <= corrections <= 10:
            raise InputError(f"corrections = {corrections!r}: must be an integer from 0 to 10")
        self.iterations, self.pairing, self.psi = iterations, float(pairing), float(psi)
        self.corrections = corrections
        self.weights = weights
        shapes = weight_shapes(self.design)
        if steered:
            shapes |= steering_shapes(self.design, len(steered))
        check_shapes(weights.tensors, shapes, "StyleGAN-EQ")
        self._generator = Generator(self.design).requires_grad_(False).eval()
        names = self._generator.state_dict()
        self._generator.load_state_dict({k: weights.tensors[k] for k in names})
        self.control, self.scenario = read_steering(weights.tensors, tuple(steered), tuple(limits))
        self.card = ModelCard(
            name="stylegan-eq",
            family="stylegan-eq",
            version="1",
            summary="StyleGAN-EQ (Xu and Chen 2024): shapes of ground motion, 0 to 12.4 Hz.",
            licence=LICENCE,
            citation=CITATIONS,
            training_data="see where the weights are from (published: KiK-net, PEER NGA-West2)",
            conditions=tuple(Range(k, *v) for k, v in limits.items()),
            components=COMPONENTS[components],
            sampling_rate_hz=SAMPLING_RATE_HZ,
            tectonic_region="Active Shallow Crust",
            between_event=False,
            level=False,
            limitations=_limitations(components, bool(steered)),
            parameters={
                "weights_sha256": weights.sha256,
                "design": self.design.to_dict(),
                "iterations": iterations,
                "components": components,
                "pairing": float(pairing),
                "psi": float(psi),
                "steered": list(steered),
                "corrections": corrections,
                "ranges": {k: list(v) for k, v in limits.items()},
            },
        )

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """See :meth:`WaveformModel.npts`."""
        return np.full(len(scenarios), SAMPLES, dtype=np.int64)

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`; the peak of each component is 1 m/s2."""
        asked = None
        if self.scenario is not None:
            columns = [scenarios[name] for name in self.scenario.conditions]
            asked = self.scenario.drawn(columns, noise.normal("features", len(self.scenario.names)))
        made = []
        for name in self.card.components:
            image = self.steered_images(self.normals(noise, name), asked)
            phase = uniform_phase(noise, f"phase {name}", TRANSFORM.n_freq, image.shape[2])
            with torch.inference_mode():
                made.append(
                    waveforms(image.double(), phase.double().to(self.device), self.iterations)
                )
        return torch.stack(made, dim=1).float()

    def steered_images(
        self, normals: NDArray[np.float32], asked: NDArray[np.float64] | None
    ) -> torch.Tensor:
        """Images (n, 128, 128) of latents; of a steered model nearer to the features asked for.

        What an image lacks of its features is added to what is asked of its latent, which stays
        what it is; of the images on the way the nearest is taken.
        """
        image = self.images(self.styles(normals, asked))
        if self.control is None or asked is None:
            return image
        names = self.control.names
        goal = entering(np.clip(asked, self.control.low, self.control.high), names)
        told, best = goal.copy(), image.clone()
        least = np.full(len(goal), np.inf)
        for k in range(self.corrections + 1):
            lack = goal - entering(chosen(features(image.cpu().numpy()), names), names)
            misfit = ((lack / self.control.spread) ** 2).sum(axis=1)
            better = misfit < least
            least[better], best[better] = misfit[better], image[better]
            if k < self.corrections:
                told += lack
                image = self.images(self.styles(normals, leaving(told, names)))
        return best

    def normals(self, noise: Noise, component: str) -> NDArray[np.float32]:
        """Latents of one component, (n, z_dim or w_dim)."""
        size = self.design.z_dim if self.control is None else self.design.w_dim
        shared = noise.normal("latent", size)
        if len(self.card.components) == 1:
            return shared
        own = noise.normal(f"latent {component}", size)
        mixed = math.sqrt(self.pairing) * shared + math.sqrt(1.0 - self.pairing) * own
        return mixed.astype(np.float32)

    def styles(
        self, normals: NDArray[np.float32], asked: NDArray[np.float64] | None = None
    ) -> torch.Tensor:
        """Styles (n, w_dim): of the mapping, or for features (n, features) of a steered model."""
        if self.control is None:
            with torch.inference_mode():
                mapping = self._generator.to(self.device).mapping
                return mapping(torch.from_numpy(normals).to(self.device), self.psi)
        if asked is None:
            raise InputError(f"features {', '.join(self.control.names)}: none given")
        return torch.from_numpy(self.control.styles(asked, normals)).float().to(self.device)

    def images(self, styles: torch.Tensor) -> torch.Tensor:
        """Amplitudes (n, 128, 128) with a maximum near 1, of styles (n, w_dim) or a layer each."""
        cpu = torch.device(self.device).type == "cpu"
        size = PORTION_CPU if cpu else PORTION_ACCELERATOR
        n = len(styles)
        whole = torch.cat([styles, styles[:1].expand(-n % size, *styles.shape[1:])])
        synthesis = self._generator.to(self.device).synthesis
        with torch.inference_mode():
            parts = [synthesis(part.to(self.device)) for part in torch.split(whole, size)]
        return ((torch.cat(parts)[:n, 0] + 1.0) / 2.0).clamp(0.0, 10.0)


def _check(
    design: Design, iterations: int, components: int, pairing: float, psi: float,
    steered: Sequence[str],
) -> None:  # fmt: skip
    """Raise an InputError for a parameter that cannot be."""
    if design.resolution != ROWS:
        raise InputError(f"design: resolution = {design.resolution}: must be {ROWS}")
    if not isinstance(iterations, int) or not 1 <= iterations <= 10_000:
        raise InputError(f"iterations = {iterations!r}: must be an integer from 1 to 10000")
    if components not in COMPONENTS:
        raise InputError(f"components = {components!r}: give 1 or 3")
    for name, value in (("pairing", pairing), ("psi", psi)):
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(f"{name} = {value!r}: must be from 0 to 1")
    if steered and psi != 1:
        raise InputError(f"psi = {psi}: a steered model draws styles for features; give 1")
    for name in steered:
        if name not in FEATURES:
            raise InputError(f"steered: {name!r}: known are {', '.join(FEATURES)}")


_CONTROL = ("w_mean", "gain", "root", "f_mean", "low", "high")
_SCENARIO = ("coefficients", "root")


def steering_shapes(design: Design, count: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights that steer."""
    d = design.w_dim
    return {
        "control.w_mean": (d,),
        "control.gain": (d, count),
        "control.root": (d, d),
        "control.f_mean": (count,),
        "control.low": (count,),
        "control.high": (count,),
        "scenario.coefficients": (5, count),
        "scenario.root": (count, count),
    }


def steering_weights(control: LatentControl, scenario: ScenarioFeatures) -> dict[str, torch.Tensor]:
    """The weights that :func:`read_steering` reads."""
    made = {f"control.{k}": getattr(control, k) for k in _CONTROL}
    made |= {f"scenario.{k}": getattr(scenario, k) for k in _SCENARIO}
    return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in made.items()}


def read_steering(
    tensors: Mapping[str, torch.Tensor], names: tuple[str, ...], conditions: tuple[str, ...]
) -> tuple[LatentControl | None, ScenarioFeatures | None]:
    """What steers, of the weights of a model; nothing where no features are named."""
    if not names:
        return None, None
    control = {k: tensors[f"control.{k}"].double().numpy() for k in _CONTROL}
    scenario = {k: tensors[f"scenario.{k}"].double().numpy() for k in _SCENARIO}
    return LatentControl(names, **control), ScenarioFeatures(conditions, names, **scenario)


def _limitations(components: int, steered: bool) -> tuple[str, ...]:
    told = [
        "Nothing above 12.4 Hz: spectral accelerations below about 0.1 s, and PGA of hard sites, "
        "are not represented.",
        "No level: the peak of every component is 1 m/s2, whatever the scenario; take it as the "
        'shape of model = "matched".',
        "Below 1/255 of the largest amplitude there is no signal: coda, P onset and long periods "
        "(rows 0.098 Hz apart, windows of 5 s) are poor, and there is no displacement.",
        "Times are told by frames of 1.28 s; the strongest motion of published networks lies near "
        "42 s.",
        "Phases come from Griffin-Lim; the sign of a motion is arbitrary.",
        "Each published network knows one site class only.",
    ]
    if components == 3:
        told.append(
            "The network makes one component: three of them share most of their latent, which "
            "is an assumption, and the vertical is like a horizontal."
        )
    told.append(
        "Features follow the scenario as far as a regression on the latents reaches, within those "
        "measured."
        if steered
        else "It does not depend on the scenario."
    )
    return tuple(told)
