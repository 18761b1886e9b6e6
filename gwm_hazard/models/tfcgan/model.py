"""TFCGAN as a generative waveform model: one horizontal component from published weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.tfcgan.generator import N_LABEL, N_LATENT, WEIGHTS, Generator
from gwm_hazard.models.weights import Weights, check_shapes
from gwm_hazard.representation.phase import admm, griffin_lim, uniform_phase
from gwm_hazard.representation.tfcgan_spectrogram import (
    N_FRAMES,
    SAMPLING_RATE_HZ,
    TRANSFORM,
    amplitude,
    from_segment_start,
)

PHASE_RETRIEVALS = ("admm", "griffin_lim")

#: Records that go through the network and phase retrieval together. Always so many: kernels
#: chosen by batch size would change the last bits, which ADMM magnifies.
PORTION_CPU, PORTION_ACCELERATOR = 4, 32

#: The published initial phases of ADMM are uniform from 0 to here, rad.
ADMM_PHASE = 0.2

CITATIONS = (
    "Esfahani, Cotton, Ohrnberger and Scherbaum (2023) BSSA 113(1): 453-467, "
    "doi:10.1785/0120220068",
    "Esfahani and Zaccarelli (2024) TFCGAN, GFZ Data Services, doi:10.5880/GFZ.2.6.2024.002",
)

LIMITATIONS = (
    "One horizontal component of arbitrary orientation; no second horizontal and no vertical. "
    "RotD50 is inferred from it: ratios of Boore and Kishida (2017), component-to-component "
    "variability of Campbell and Bozorgnia (2008).",
    "No between-event term: all variability is given as within-event.",
    "Records of 39.52 s: later motion of large or distant earthquakes is missing.",
    "The published amplitudes carry no unit. They are taken as m/s2 after an inverse transform "
    "without normalisation; version 1.0.0 of the published package returns 96 times these values.",
    "At 4 <= M <= 6.5 the median peak acceleration (Griffin-Lim) lies 0.0 to 0.9 ln units above "
    "Boore et al. (2014), at M 7 1.4 and at M 7.5 1.9: do not use it beyond M 6.5.",
    "Below M 5 the motion decays too slowly with distance.",
    "ADMM with 20 iterations (the published default) gives medians 0.2 to 0.4 ln units below "
    "Griffin-Lim with 30, most at long periods; it magnifies rounding, so that a record drawn on "
    "another kind of machine has the same spectrogram but other samples.",
    "The repositories name neither the training data nor ranges of validity; the ranges here are "
    "those where this implementation was held against the published package, but for M > 6.5.",
)


class TFCGANModel(WaveformModel):
    """One horizontal accelerogram of 39.52 s from magnitude, hypocentral distance and Vs30.

    Parameters
    ----------
    weights : Weights
        The published variables, by the names of :data:`gwm_hazard.models.tfcgan.generator.WEIGHTS`.
    phase_retrieval : "admm" or "griffin_lim"
        The published default is "admm".
    iterations : int
        Of phase retrieval; 20 as published.
    mag_high : float
        Upper end of the magnitude range on the card.
    """

    needs_weights = True
    bytes_per_sample = 256

    def __init__(
        self,
        *,
        weights: Weights,
        phase_retrieval: str = "admm",
        iterations: int = 20,
        mag_high: float = 6.5,
    ) -> None:
        if phase_retrieval not in PHASE_RETRIEVALS:
            raise InputError(
                f"phase_retrieval = {phase_retrieval!r}: must be one of "
                f"{', '.join(PHASE_RETRIEVALS)}"
            )
        if not isinstance(iterations, int) or not 1 <= iterations <= 1000:
            raise InputError(f"iterations = {iterations!r}: must be an integer from 1 to 1000")
        if not isinstance(mag_high, int | float) or not 4.0 < mag_high <= 7.5:
            raise InputError(f"mag_high = {mag_high!r}: must be above 4 and at most 7.5")
        check_shapes(weights.tensors, WEIGHTS, "TFCGAN")
        self.weights = weights
        self._admm = phase_retrieval == "admm"
        self._iterations = iterations
        self._generator = Generator(weights.tensors)
        self.card = ModelCard(
            name="tfcgan",
            family="tfcgan",
            version="1.0.0",
            summary="TFCGAN (Esfahani et al. 2023): GAN on spectrograms, one horizontal component.",
            licence="GPL-3.0-or-later",
            citation=CITATIONS,
            training_data="not documented by the published package",
            conditions=(
                Range("mag", 4.0, float(mag_high)),
                Range("rhypo", 5.0, 120.0),
                Range("vs30", 150.0, 1200.0),
            ),
            components=("H1",),
            sampling_rate_hz=SAMPLING_RATE_HZ,
            tectonic_region="Active Shallow Crust",
            between_event=False,
            limitations=LIMITATIONS,
            parameters={
                "weights_sha256": weights.sha256,
                "phase_retrieval": phase_retrieval,
                "iterations": iterations,
                "mag_high": float(mag_high),
            },
        )

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """See :meth:`WaveformModel.npts`."""
        return np.full(len(scenarios), TRANSFORM.samples(N_FRAMES), dtype=np.int64)

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`."""
        n = len(scenarios)
        cpu = torch.device(self.device).type == "cpu"
        size = PORTION_CPU if cpu else PORTION_ACCELERATOR
        whole = -(-n // size) * size
        label, latent = np.zeros((whole, N_LABEL)), np.zeros((whole, N_LATENT))
        label[:n] = np.stack([scenarios["mag"], scenarios["rhypo"], scenarios["vs30"] / 1e3], 1)
        latent[:n] = noise.normal("latent", N_LATENT)
        phase = self.initial_phase(noise)
        inputs = [torch.split(torch.from_numpy(a).float(), size) for a in (label, latent)]

        def waveforms(k: int) -> torch.Tensor:
            rows = slice(k * size, min(n, (k + 1) * size))
            spectrogram = self.spectrograms(inputs[0][k], inputs[1][k])
            return self.waveforms(
                spectrogram[: rows.stop - rows.start], phase[rows].to(self.device)
            )

        self._generator.to(self.device)
        return torch.cat(in_threads(waveforms, len(inputs[0]), self.device))[:, None]

    def spectrograms(self, label: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Amplitudes (n, 128, 248), m/s2, on the model's device.

        ``label`` (n, 3): magnitude, hypocentral distance in km, Vs30 in km/s; ``latent`` (n, 100).
        """
        with torch.inference_mode():
            label, latent = label.to(self.device), latent.to(self.device)
            return amplitude(self._generator.to(self.device)(label, latent))

    def initial_phase(self, noise: Noise) -> torch.Tensor:
        """Phases from which retrieval starts, (n, 128, 248), rad, on the CPU."""
        if self._admm:
            phase = uniform_phase(noise, "phase", TRANSFORM.n_freq, N_FRAMES, ADMM_PHASE)
            return from_segment_start(phase)
        return uniform_phase(noise, "phase", TRANSFORM.n_freq, N_FRAMES, 2.0 * math.pi)

    def waveforms(self, spectrograms: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
        """Records (n, 3952), m/s2, of amplitudes and initial phases."""
        retrieve = admm if self._admm else griffin_lim
        with torch.inference_mode():
            return retrieve(spectrograms, phase, TRANSFORM, self._iterations)


def in_threads(work: Callable[[int], torch.Tensor], n: int, device: str) -> list[torch.Tensor]:
    """``work`` of 0 .. n - 1, on the CPU in as many threads as torch has.

    A thread for each portion, and torch with one thread in each: its own threads would meet after
    every one of the thousands of small operations of phase retrieval.
    """
    threads = min(n, torch.get_num_threads()) if torch.device(device).type == "cpu" else 1
    if threads == 1:
        return [work(k) for k in range(n)]
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, range(n)))
    finally:
        torch.set_num_threads(before)  # of the threads that are still to come
