"""Low-rank changes of weights (Hu et al. 2022, LoRA, ICLR), merged when the fit is done."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """weight -> weight + B A, of rank r; B starts at 0, so that the network starts unchanged."""

    def __init__(self, weight: torch.Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = len(weight), weight[0].numel()
        scale = columns**-0.5
        self.a = nn.Parameter(scale * torch.randn(rank, columns, generator=generator))
        self.b = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The changed weight, of the same shape."""
        return weight + (self.b @ self.a).view(weight.shape)


def adapt(module: nn.Module, rank: int, seed: int) -> None:
    """Freeze a network and give each convolution and linear layer a low-rank change.

    Biases and normalisations, which are few, are trained as they are.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, p in module.named_parameters():
        p.requires_grad_(name.endswith("bias"))
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            change = LowRank(layer.weight, rank, generator)
            parametrize.register_parametrization(layer, "weight", change)
            layer.parametrizations["weight"].original.requires_grad_(False)  # type: ignore[union-attr,index]


def merge(module: nn.Module) -> None:
    """Add the low-rank changes to the weights and take the machinery away."""
    for layer in module.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
