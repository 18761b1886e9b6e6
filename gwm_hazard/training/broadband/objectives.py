"""What the networks of the family "broadband" are fitted by."""

from __future__ import annotations

import torch
from torch import nn

from gwm_hazard.models.broadband.envelope import BANDS, envelope, features
from gwm_hazard.models.broadband.forms import FlowShape


class FlowObjective(nn.Module):
    """Flow matching: the mean square of what is missing to the velocity."""

    def __init__(self, shape: FlowShape) -> None:
        super().__init__()
        self.network = shape.network

    def forward(
        self,
        low: torch.Tensor,
        high: torch.Tensor,
        condition: torch.Tensor,
        there: torch.Tensor,
        share: torch.Tensor,
        start: torch.Tensor,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of a batch of :class:`gwm_hazard.training.broadband.records.FlowPairs`."""
        with torch.no_grad():
            goal = envelope(high)
            seen, when = features(low)
            counted = there.repeat_interleave(BANDS, dim=1)[:, None]
            goal = goal * counted
            way = share[:, None, None]
            x = (1.0 - way) * start + way * goal
        off = (self.network(x, share, seen, when, condition) - (goal - start)).square() * counted
        loss = off.sum() / (counted.sum() * off.shape[1])
        return loss, {"loss": loss}
