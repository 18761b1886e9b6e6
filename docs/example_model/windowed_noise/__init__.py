"""Windowed noise: an example of a waveform model in a package of its own. Not for hazard.

Two horizontals of Gaussian noise, windowed and filtered to the spectrum of an earthquake, both
multiplied so that the larger peak is the peak ground acceleration of Sabetta and Pugliese (1996)
for stiff sites, scatter included. Durations and spectral shape are those of a point source.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.units import GRAVITY_M_S2
from gwm_hazard.models.base import WaveformModel

RATE_HZ = 100.0
BETA_KM_S = 3.5  # shear waves at the source
ARRIVAL_S = 1.0  # noise starts here
LENGTHS = np.array([2048, 4096, 8192])

# Sabetta and Pugliese (1996, BSSA 86(2): 337-352): lg PGA (g) of the larger horizontal,
# a + b M - lg sqrt(repi^2 + h^2), and its standard deviation.
A, B, H_KM, SIGMA = -1.845, 0.363, 5.0, 0.190


class WindowedNoise(WaveformModel):
    """Parameters: stress drop, bar, and kappa, s."""

    def __init__(self, stress_bar: float = 100.0, kappa_s: float = 0.035) -> None:
        if not 10.0 <= stress_bar <= 1000.0:
            raise ValueError(f"stress_bar = {stress_bar}: give 10 to 1000 bar")
        if not 0.0 <= kappa_s <= 0.1:
            raise ValueError(f"kappa_s = {kappa_s}: give 0 to 0.1 s")
        self.stress_bar, self.kappa_s = stress_bar, kappa_s
        self.card = ModelCard(
            name="windowed_noise",
            family="windowed_noise",
            version="1.0",
            summary="Windowed noise with the PGA of Sabetta and Pugliese: an example.",
            licence="AGPL-3.0-or-later",
            citation=("Sabetta and Pugliese (1996) BSSA 86(2): 337-352",),
            training_data="none; its GMM: 95 records of 17 earthquakes in Italy",
            conditions=(Range("mag", 4.6, 6.8), Range("repi", 1.5, 100.0)),
            components=("H1", "H2"),
            sampling_rate_hz=RATE_HZ,
            tectonic_region="Active Shallow Crust",
            between_event=False,
            limitations=(
                "An example, not for hazard: only PGA is that of a published model.",
                "Stiff sites; magnitudes are taken as Mw.",
            ),
            # what the constructor takes: a model is built again from its card
            parameters={"stress_bar": stress_bar, "kappa_s": kappa_s},
        )

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """The window ends at twice the duration; a few lengths, so that batches are large."""
        needed = (ARRIVAL_S + 2.0 * self._duration_s(scenarios)) * RATE_HZ
        return LENGTHS[np.minimum(np.searchsorted(LENGTHS, needed), len(LENGTHS) - 1)]

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """Every random number comes from ``noise``; each row is computed by itself."""
        n, nt = len(scenarios), int(self.npts(scenarios)[0])
        white = noise.normal("motion", 2 * nt).reshape(n, 2, nt)
        scatter = noise.normal("peak", 1)[:, 0].astype(np.float64)

        time = torch.arange(nt) / RATE_HZ - ARRIVAL_S
        duration = _column(self._duration_s(scenarios))
        motion = self._to_device(white) * self._to_device(_window(time / (2.0 * duration)))
        frequency = torch.fft.rfftfreq(nt, 1.0 / RATE_HZ)
        shape = self._spectrum(frequency, _column(self._corner_hz(scenarios)))
        motion = torch.fft.irfft(torch.fft.rfft(motion) * self._to_device(shape), n=nt)

        distance = np.hypot(scenarios["repi"], H_KM)
        lg_pga = A + B * scenarios["mag"] - np.log10(distance) + SIGMA * scatter
        peak = self._to_device(_column(GRAVITY_M_S2 * 10.0**lg_pga))
        return motion * (peak / motion.abs().amax(dim=(1, 2), keepdim=True))

    def _corner_hz(self, scenarios: Scenarios) -> NDArray[np.float64]:
        moment = 10.0 ** (1.5 * scenarios["mag"] + 16.05)  # dyne cm
        return 4.9e6 * BETA_KM_S * np.cbrt(self.stress_bar / moment)  # Boore (2003), eq. 4

    def _duration_s(self, scenarios: Scenarios) -> NDArray[np.float64]:
        return 1.0 / self._corner_hz(scenarios) + 0.05 * scenarios["repi"]  # Boore (2003)

    def _spectrum(self, frequency: torch.Tensor, corner: torch.Tensor) -> torch.Tensor:
        """Acceleration of an omega-square source behind kappa, shape only."""
        source = frequency**2 / (1.0 + (frequency / corner) ** 2)
        return source * torch.exp(-math.pi * self.kappa_s * frequency)

    def _to_device(self, values: torch.Tensor | NDArray[np.floating]) -> torch.Tensor:
        return torch.as_tensor(values).to(self.device, torch.float32)


def _column(values: NDArray[np.float64]) -> torch.Tensor:
    """(n,) -> (n, 1, 1): one value a record."""
    return torch.from_numpy(values)[:, None, None]


def _window(x: torch.Tensor) -> torch.Tensor:
    """Saragoni and Hart (1974): peak 1 at x = 0.2, down to 0.05 at x = 1, 0 before x = 0."""
    b = -0.2 * math.log(0.05) / (1.0 + 0.2 * (math.log(0.2) - 1.0))
    x = torch.clamp(x, min=0.0)
    return (5.0 * x) ** b * torch.exp(b * (1.0 - 5.0 * x))
