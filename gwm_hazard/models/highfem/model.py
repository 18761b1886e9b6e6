"""HighFEM (Palgunadi et al. 2025): latent diffusion on log-spectrograms, as a waveform model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.devices import in_portions
from gwm_hazard.models.highfem import card, sampling
from gwm_hazard.models.highfem.config import AutoencoderConfig, BaselineConfig, UNetConfig
from gwm_hazard.models.highfem.denoiser import LatentDiffusion
from gwm_hazard.models.highfem.layers import fold_upsampling
from gwm_hazard.models.highfem.level import CONDITIONS, LevelDistribution, brought
from gwm_hazard.models.registry import WEIGHTS_KEY
from gwm_hazard.models.weights import Weights, check_shapes
from gwm_hazard.representation.highpass import highpass
from gwm_hazard.representation.log_spectrogram import LogSpectrogram, published_phase
from gwm_hazard.representation.phase import uniform_phase

#: Pixels of the log-spectrogram along one side.
IMAGE = 128
#: Decimals of standardised conditions that a draw depends on. Phase retrieval magnifies the
#: rounding of a spectrogram now and then by 1e4, so draws of conditions that OpenQuake's files
#: hold in single precision would not be those of the job.
ROUND = 4
#: Bound of a log-spectrogram that gives a shape: 1 is the largest of the training.
LARGEST = 1.25
#: Records that are drawn at once on a CPU.
PORTION = 4
#: What the tensors of the level are named by.
LEVEL = "level."
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class HighFEMModel(WaveformModel):
    """Three-component accelerograms by latent diffusion.

    Conditions -> latent (probability flow from keyed noise) -> decoder -> log-spectrogram ->
    fast Griffin-Lim -> 4064 samples at 100 Hz, m/s2, radial, transverse, vertical.

    The defaults are as published. Faster: ``sampler="dpmpp_2m"`` with 16 to 20 steps is as near
    to the exact flow as the published 49 calls (validation/highfem/sampling_error.py), and what an
    ensemble shows of fewer is told by validation/highfem/sampling_quality.py;
    ``precision="bfloat16"`` halves the time on CPUs that know it (validation/highfem/benchmark.py),
    but its rounding moves measures of a draw by some 0.1 ln units, differently in another batch or
    where conditions differ in the last digit, as those that OpenQuake stores: not for a branch;
    ``phases="gradient"`` with ``griffin_lim=24`` retrieves in a quarter of the time
    (validation/highfem/phase_retrieval.py).

    Parameters
    ----------
    weights : Weights
        Of the denoiser (``unet.*``) and the autoencoder (``autoencoder.*``).
    unet, autoencoder : mapping
        Sizes of the networks, as :class:`UNetConfig` and :class:`AutoencoderConfig`.
    averaging : str
        Which weights these are: "raw" or "ema". For the card.
    sampler : str
        "heun" (published; 2 steps - 1 evaluations), "heun_stochastic" or "dpmpp_2m" (one
        evaluation a step, down to a higher last noise level).
    steps : int
        Noise levels; 25 as published.
    precision : str
        "float32", or "bfloat16" for the networks; the sampler and the phases stay as they are.
    griffin_lim : int
        Iterations of the phase retrieval; 128 as published.
    phases : str
        Where the phase retrieval starts. "published": one fixed phase for every record and
        component. "random": drawn from the noise. "gradient": integrated from the gradient that
        the spectrogram implies, from which few iterations do
        (:mod:`gwm_hazard.representation.phase_gradient`).
    conditions : mapping, optional
        Of a model trained here: name -> fields of :class:`card.Condition`. Default: those of the
        published model.
    baseline : mapping, optional
        Sizes of the Gaussian that the latents are measured by, as :class:`BaselineConfig`.
    clip, ln_top : float
        Of the log-spectrogram, see :class:`LogSpectrogram`.
    highpass_hz : float
        Corner of the high-pass of the training's records, which waveforms then get too
        (:func:`highpass`); 0 for none, as published.
    level : bool
        Networks give shapes alone: waveforms are brought to smoothed Fourier amplitudes that are
        drawn apart (:mod:`gwm_hazard.models.highfem.level`; weights named ``level.*``), with
        between-event terms of their own.

    Raises
    ------
    ValueError
        An unknown option, or weights of other names or shapes.
    """

    needs_weights: ClassVar[bool] = True
    #: Eight records a batch on a CPU: beyond that the time a record no longer falls.
    bytes_per_sample = 1000

    def __init__(
        self,
        weights: Weights,
        unet: Mapping[str, Any],
        autoencoder: Mapping[str, Any],
        averaging: str = "raw",
        sampler: str = "heun",
        steps: int = 25,
        precision: str = "float32",
        griffin_lim: int = 128,
        phases: str = "published",
        conditions: Mapping[str, Mapping[str, Any]] | None = None,
        baseline: Mapping[str, Any] | None = None,
        clip: float = 1e-8,
        ln_top: float = 3.0,
        highpass_hz: float = 0.0,
        level: bool = False,
    ) -> None:
        self.unet = UNetConfig(**unet)
        self.autoencoder = AutoencoderConfig(**autoencoder)
        self.baseline = None if baseline is None else BaselineConfig(**baseline)
        self.conditions = card.read_conditions(conditions)
        if self.unet.cond_features != len(self.conditions) or self.autoencoder.channels != 3:
            raise InputError(
                f"{self.unet.cond_features} conditions and {self.autoencoder.channels} components: "
                f"expected {len(self.conditions)} and 3"
            )
        for name, value, known in (
            ("averaging", averaging, ("raw", "ema")),
            ("sampler", sampler, ("heun", "heun_stochastic", "dpmpp_2m")),
            ("precision", precision, tuple(PRECISIONS)),
            ("phases", phases, ("published", "random", "gradient")),
        ):
            if value not in known:
                raise InputError(f"{name} = {value!r}: give one of {', '.join(known)}")
        for name, number, low, high in (
            ("steps", steps, 2, 1000),
            ("griffin_lim", griffin_lim, 0, 10000),
        ):
            if not isinstance(number, int) or not low <= number <= high:
                raise InputError(f"{name} = {number!r}: give a whole number from {low} to {high}")
        shapes = expected_shapes(self.unet, self.autoencoder, self.baseline)
        own = {LEVEL + k: v for k, v in LevelDistribution.shapes().items()} if level else {}
        check_shapes(weights.tensors, shapes | own, "weights")
        self.weights = weights
        self.level = LevelDistribution.of(weights.tensors, LEVEL) if level else None
        if level and not set(CONDITIONS) <= set(self.conditions):
            raise InputError(
                f"level = true: the model needs the conditions {', '.join(CONDITIONS)}"
            )
        self.sampler, self.steps = sampler, steps
        self.precision, self.phases, self.griffin_lim = precision, phases, griffin_lim
        if not 0.0 <= highpass_hz < 10.0:
            raise InputError(f"highpass_hz = {highpass_hz!r}: give 0 to below 10 Hz")
        self.highpass_hz = float(highpass_hz)
        self.representation = LogSpectrogram(clip=clip, ln_top=ln_top)
        trained = (
            {}
            if conditions is None
            else {
                "conditions": {name: c.to_dict() for name, c in self.conditions.items()},
                "baseline": None if self.baseline is None else asdict(self.baseline),
                "clip": clip,
                "ln_top": ln_top,
                "highpass_hz": highpass_hz,
            }
        ) | ({"level": True} if level else {})
        self.card = ModelCard(
            **(card.FIXED | (card.WITH_LEVEL if level else {})),
            conditions=tuple(Range(name, c.low, c.high) for name, c in self.conditions.items()),
            parameters={
                WEIGHTS_KEY: weights.sha256,
                "unet": _plain(self.unet),
                "autoencoder": _plain(self.autoencoder),
                "averaging": averaging,
                "sampler": sampler,
                "steps": steps,
                "precision": precision,
                "griffin_lim": griffin_lim,
                "phases": phases,
            }
            | trained,
        )
        if self.unet.model_channels <= 64:
            self.bytes_per_sample = 500  # sixteen records: small networks gain by more
        self._loaded: tuple[str, LatentDiffusion] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_loaded": None}

    @property
    def evaluations(self) -> int:
        """Calls of the network for one batch of records."""
        return self.steps if self.sampler == "dpmpp_2m" else 2 * self.steps - 1

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """See :meth:`WaveformModel.npts`."""
        samples = self.representation.transform.samples(IMAGE)
        return np.full(len(scenarios), samples, dtype=np.int64)

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`."""
        shape = self.shapes(scenarios, noise)
        if self.level is None:
            return shape
        return brought(shape, self.level.draw(scenarios, noise), self.dt_s)

    def shapes(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """Waveforms (n, 3, 4064), m/s2, with the networks' own level."""

        def drawn(rows: NDArray[np.int64]) -> torch.Tensor:
            some = noise.take(rows)
            image = self.spectrograms(scenarios.take(rows), some)
            if self.level is not None:  # scale is the level's: beyond the training it can be any
                image = image.clamp(-LARGEST, LARGEST)
            return self.records(image, some)

        if self.device != "cpu":
            return drawn(np.arange(len(scenarios)))
        self.network()  # before threads ask for it at once
        return in_portions(drawn, len(scenarios), PORTION)

    def spectrograms(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """Log-spectrograms (n, 3, 128, 128), float32: the network's part of a draw."""
        network = self.network()
        # The last digits of a condition, which files do not keep, would change phases: see ROUND
        cond = torch.as_tensor(
            np.round(standardised(scenarios, self.conditions), ROUND), device=self.device
        )
        side = IMAGE // self.autoencoder.downsampling
        shape = (-1, self.autoencoder.latent_channels, side, side)

        def normal(stream: str) -> torch.Tensor:
            size = shape[1] * side * side
            return torch.from_numpy(noise.normal(stream, size)).view(shape).to(self.device)

        # True float32 on a GPU too, so that it agrees with the CPU.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            latent = self.sample(
                partial(network.denoise, cond=cond), normal("latent"), lambda i: normal(f"step {i}")
            )
            return network.decode(latent.float(), cond).contiguous()

    def sample(
        self,
        denoiser: Callable[..., torch.Tensor],
        start: torch.Tensor,
        noise: Callable[[int], torch.Tensor],
    ) -> torch.Tensor:
        """From standard normal ``start`` to a clean latent, by the model's sampler."""
        few = self.sampler == "dpmpp_2m"
        last = sampling.SIGMA_MIN_FEW if few else sampling.SIGMA_MIN
        sigmas = sampling.karras_sigmas(self.steps, last=last)
        x = start.double() * float(sigmas[0])
        if self.sampler == "heun":
            return sampling.heun(denoiser, x, sigmas)
        if few:
            return sampling.dpmpp_2m(denoiser, x, sigmas)
        return sampling.heun_stochastic(denoiser, x, sigmas, noise)

    def records(self, image: torch.Tensor, noise: Noise) -> torch.Tensor:
        """Log-spectrograms -> waveforms (n, 3, 4064), float32, m/s2: the phase retrieval."""
        if self.phases == "random":
            phase = uniform_phase(noise, "phase", 3 * IMAGE, IMAGE).view(-1, 3, IMAGE, IMAGE)
        elif self.phases == "gradient":
            phase = self.representation.gradient_phase(image)
        else:
            phase = published_phase(IMAGE, IMAGE)
        record = self.representation.inverse(image, phase.to(self.device), self.griffin_lim)
        return highpass(record, self.highpass_hz, self.dt_s) if self.highpass_hz else record

    def reconstruct(self, acceleration: NDArray[np.floating], dt_s: float) -> NDArray[np.float32]:
        """Records as the model would give them, had it drawn the best latent for each.

        A record's log-spectrogram is encoded (the mean of its latent) and decoded, and phases are
        retrieved from one start that is the same for all records; the model's high-pass follows.
        Nothing of a record's phases is kept, not even its sign, so amplitudes and envelopes can be
        compared with the record's, but wiggles cannot. :meth:`represent` leaves the autoencoder
        out.

        Parameters
        ----------
        acceleration : ndarray, shape (n, 3, nt)
            m/s2, two horizontals and the vertical, P onset at 5 s as in the training.
        dt_s : float
            Must be the model's.

        Returns
        -------
        ndarray, shape (n, 3, nt)
            float32, m/s2; zero after the 40.64 s that the representation holds. Each record's
            depends on itself alone.

        Raises
        ------
        ValueError
            Another shape or time step.
        """
        return _through(self, acceleration, dt_s, autoencoder=True)

    def represent(self, acceleration: NDArray[np.floating], dt_s: float) -> NDArray[np.float32]:
        """As :meth:`reconstruct`, without the autoencoder: what phase retrieval alone changes."""
        return _through(self, acceleration, dt_s, autoencoder=False)

    def network(self) -> LatentDiffusion:
        """The networks with their weights, on the device, ready to evaluate."""
        if self._loaded is None or self._loaded[0] != self.device:
            assert self.weights is not None
            with torch.device("meta"):
                network = LatentDiffusion(self.unet, self.autoencoder, self.baseline)
            of_network = {k: t for k, t in self.weights.tensors.items() if not k.startswith(LEVEL)}
            network.load_state_dict(of_network, assign=True)
            network.eval().requires_grad_(False)
            self._loaded = self.device, prepared(network, self.precision, self.device)
        return self._loaded[1]


def prepared(network: LatentDiffusion, precision: str, device: str) -> LatentDiffusion:
    """The network on a device, in a precision, for evaluation alone."""
    fold_upsampling(network)
    fourier = network.unet.time_embed.W.clone()
    network = network.to(device, PRECISIONS[precision])
    network.unet.time_embed.W = fourier.to(device)  # an angle needs all its digits
    if network.baseline is not None:
        network.baseline.float()
    # A fifth faster on a CPU, where the images are large; the denoiser gains nothing by it.
    network.autoencoder.decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def expected_shapes(
    unet: UNetConfig, autoencoder: AutoencoderConfig, baseline: BaselineConfig | None = None
) -> dict[str, tuple[int, ...]]:
    """Name and shape of each weight; those of the published checkpoint at the default sizes."""
    with torch.device("meta"):
        network = LatentDiffusion(unet, autoencoder, baseline)
    return {name: tuple(t.shape) for name, t in network.state_dict().items()}


def standardised(
    scenarios: Mapping[str, NDArray[np.float64]],
    conditions: Mapping[str, card.Condition] = card.PUBLISHED,
) -> NDArray[np.float32]:
    """Conditions (n, conditions) as the network takes them, in the order of the card."""
    columns = [c.standardised(scenarios[name]) for name, c in conditions.items()]
    return np.stack(columns, axis=1).astype(np.float32)


def _plain(config: UNetConfig | AutoencoderConfig) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}


@torch.inference_mode()
def _through(
    model: HighFEMModel, acceleration: NDArray[np.floating], dt_s: float, autoencoder: bool
) -> NDArray[np.float32]:
    """Log-spectrograms of records, encoded and decoded where asked, and phases retrieved.

    See :meth:`HighFEMModel.reconstruct`. Raises InputError for another shape or time step.
    """
    given = np.asarray(acceleration, dtype=np.float32)
    if given.ndim != 3 or given.shape[1] != 3:
        raise InputError(f"acceleration has shape {given.shape}: must be (n, 3, nt)")
    if abs(dt_s / model.dt_s - 1.0) > 1e-6:
        raise InputError(f"dt_s = {dt_s:g}: resample to {model.dt_s:g} s first")
    samples = model.representation.transform.samples(128)
    kept = min(samples, given.shape[2])
    coder = model.network().autoencoder if autoencoder else None

    def through(rows: NDArray[np.int64]) -> torch.Tensor:
        record = torch.zeros((len(rows), 3, samples), device=model.device)
        record[:, :, :kept] = torch.from_numpy(given[rows, :, :kept]).to(model.device)
        image = model.representation.forward(record, torch.float32)
        if coder is not None:
            kind = next(coder.parameters()).dtype
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                image = coder.decode(coder.encode(image.to(kind))).float().contiguous()
        same = Noise(0, np.zeros(len(rows), dtype=np.int64), 0, 0)
        return model.records(image, same).float().cpu()

    out = np.zeros_like(given)
    if len(given):
        out[:, :, :kept] = in_portions(through, len(given), PORTION).numpy()[:, :, :kept]
    return out
