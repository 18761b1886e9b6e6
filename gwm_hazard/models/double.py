"""A test double: a random waveform model without any physics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.base import WaveformModel

if TYPE_CHECKING:
    import torch


class RandomModel(WaveformModel):
    """White noise whose level grows with magnitude and falls with distance; any components."""

    def __init__(
        self,
        components: tuple[str, ...] | list[str] = ("H1", "H2", "V"),
        sampling_rate_hz: float = 100.0,
        samples: int = 256,
    ) -> None:
        self.samples = samples
        self.card = ModelCard(
            name="random",
            family="random",
            version="1",
            summary="White noise: a double for tests.",
            licence="CC0-1.0",
            citation=(),
            training_data="none",
            conditions=(Range("mag", 4.0, 8.0), Range("rrup", 1.0, 300.0)),
            components=tuple(components),
            sampling_rate_hz=sampling_rate_hz,
            tectonic_region="Active Shallow Crust",
            between_event=True,
            limitations=("It is noise.",),
            parameters={
                "components": list(components),
                "sampling_rate_hz": sampling_rate_hz,
                "samples": samples,
            },
        )

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """Twice as long from magnitude 6 on."""
        return np.where(scenarios["mag"] < 6.0, self.samples, 2 * self.samples)

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`."""
        import torch

        shape = len(self.card.components), int(self.npts(scenarios)[0])
        event = 0.4 * noise.normal("event", 1, per_event=True)
        ln = scenarios["mag"] - 1.3 * np.log(scenarios["rrup"]) - 5.0
        values = noise.normal("waveform", shape[0] * shape[1]) * np.exp(ln[:, None] + event)
        out = values.astype(np.float32).reshape(len(scenarios), *shape)
        return torch.as_tensor(out, device=self.device)
