"""A test double: a random waveform model whose ln IM is known in closed form.

Every record is one half-sine pulse on the first horizontal, and half of it on the vertical, times
exp(ln amplitude); ln amplitude is linear in the conditions and in one event term and one record
term. RotD50 of a linearly polarised motion is cos 45 degrees of its peak.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.base import WaveformModel

GRAVITY_M_S2 = 9.80665
PULSE_SAMPLES = 129
DT_S = 0.01


class ToyModel(WaveformModel):
    """ln amplitude (m/s2) = a + mag - 1.3 ln rrup - 0.4 ln(vs30 / 760) + tau z_e + phi z_r."""

    def __init__(
        self, a: float = -3.0, tau: float = 0.4, phi: float = 0.6, between_event: bool = True
    ) -> None:
        if phi < 0:
            raise ValueError(f"toy parameter phi = {phi}: must be >= 0")
        self.a, self.tau, self.phi = a, tau, phi
        self.card = ModelCard(
            name="toy",
            family="toy",
            version="1.2.3",
            summary="A pulse of random amplitude.",
            licence="CC0-1.0",
            citation=("nobody",),
            training_data="none",
            conditions=(
                Range("mag", 4.0, 8.0),
                Range("rrup", 1.0, 300.0),
                Range("vs30", 150.0, 1500.0),
            ),
            components=("H1", "H2", "V"),
            sampling_rate_hz=1.0 / DT_S,
            tectonic_region="Active Shallow Crust",
            between_event=between_event,
            parameters={"a": a, "tau": tau, "phi": phi, "between_event": between_event},
        )

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        return np.where(scenarios["mag"] < 6.0, 160, 256)

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        event = noise.normal("event", 1, per_event=True)[:, 0].astype(float)
        record = noise.normal("record", 1)[:, 0].astype(float)
        ln = self.ln_amplitude(scenarios) + self.tau * event + self.phi * record
        out = np.zeros((len(scenarios), 3, int(self.npts(scenarios)[0])))
        out[:, 0, :PULSE_SAMPLES] = np.exp(ln)[:, None] * pulse()
        out[:, 2] = 0.5 * out[:, 0]
        return torch.as_tensor(out, dtype=torch.float32, device=self.device)

    def ln_amplitude(self, sc: Any) -> NDArray[np.float64]:
        """Median ln amplitude, ln(m/s2), (n,)."""
        return self.a + sc["mag"] - 1.3 * np.log(sc["rrup"]) - 0.4 * np.log(sc["vs30"] / 760.0)

    def ln_mean(self, scenarios: Any, imt: str) -> NDArray[np.float64]:
        """Mean of ln IM (RotD50, OpenQuake's units), (n,)."""
        return power(imt) * self.ln_amplitude(scenarios) + np.log(UNIT_PULSE[imt])

    def ln_tau(self, imt: str) -> float:
        return power(imt) * self.tau

    def ln_phi(self, imt: str) -> float:
        return power(imt) * self.phi


class OneHorizontal(ToyModel):
    """The toy model's first horizontal alone."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.card = dataclasses.replace(self.card, components=("H1",), name="toy_one")

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        return super().draw(scenarios, noise)[:, :1]


def pulse() -> NDArray[np.float64]:
    """Half sine, zero at both ends: the trapezoidal rule is then dt times the sum."""
    return np.sin(np.pi * np.arange(PULSE_SAMPLES) / (PULSE_SAMPLES - 1))


def power(imt: str) -> int:
    return 2 if imt == "IA" else 1


#: RotD50 of the pulse with amplitude 1 m/s2
UNIT_PULSE = {
    "PGV": 100.0 * DT_S * pulse().sum() / np.sqrt(2.0),
    "CAV": DT_S * pulse().sum() / GRAVITY_M_S2 / np.sqrt(2.0),
    "IA": np.pi / (2.0 * GRAVITY_M_S2) * DT_S * (pulse() ** 2).sum() / 2.0,
}
