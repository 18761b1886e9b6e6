"""The public networks of SeismoALICE (Gatti and Clouteau 2020), as functions of their weights.

Plain convolutions with batch normalisation by stored moments; what the code calls a leaky ReLU in
the encoders has slope 1, and is nothing. Written from a description of the code, which is GPL-3.0
(FilLTP89/SeismoALICE); none of it is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

#: Momentum-free constant of the normalisation.
_EPS = 1e-5


@dataclass(frozen=True)
class Plan:
    """Layers of a network: channels after each, which way it goes, and what stands behind.

    kernel, stride, padding : of all layers; ``last`` the padding of the last one
    """

    channels: tuple[int, ...]
    transposed: bool
    kernel: int
    stride: int
    padding: int
    last: int
    relu: bool
    tanh: bool = False


#: By the prefix of the keys. Signal or code comes with noise of its own size: F_d, G_d of the
#: broadband motion, F_f, G_f of the filtered one, G_h from its code to the other, F_h back.
PLANS = {
    "Fed": Plan((6, 32, 64, 128, 256, 32), False, 4, 2, 0, 2, relu=False),
    "Gdd": Plan((64, 256, 128, 64, 32, 3), True, 4, 2, 1, 1, relu=True, tanh=True),
    "Fef": Plan((6, 32, 64, 128, 256, 8), False, 4, 2, 0, 2, relu=False),
    "Gdf": Plan((16, 256, 128, 64, 32, 3), True, 4, 2, 1, 1, relu=True, tanh=True),
    "Ghz": Plan((16, 32, 64, 32), False, 3, 1, 1, 1, relu=True),
    "Fhz": Plan((64, 256, 128, 8), True, 3, 1, 1, 1, relu=True),
}


def weight_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Of a network's tensors, by their published names."""
    plan = PLANS[name]
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(len(plan.channels) - 1):
        before, after = plan.channels[i : i + 2]
        pair = (before, after) if plan.transposed else (after, before)
        shapes[f"{name}.cnn.{4 * i}.weight"] = (*pair, plan.kernel)
        if i < len(plan.channels) - 2:
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{name}.cnn.{4 * i + 1}.{part}"] = (after,)
    return shapes


def run(
    name: str, weights: Mapping[str, torch.Tensor], signal: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """Output of a network for a signal or code (n, channels, nt) and noise of its shape."""
    plan = PLANS[name]
    x = torch.cat([signal, noise], dim=1)
    count = len(plan.channels) - 1
    conv = functional.conv_transpose1d if plan.transposed else functional.conv1d
    for i in range(count):
        padding = plan.last if i == count - 1 else plan.padding
        x = conv(x, weights[f"{name}.cnn.{4 * i}.weight"], None, plan.stride, padding)
        if i < count - 1:
            key = f"{name}.cnn.{4 * i + 1}."
            moments = (weights[key + "running_mean"], weights[key + "running_var"])
            x = functional.batch_norm(
                x, *moments, weights[key + "weight"], weights[key + "bias"], eps=_EPS
            )
            x = functional.relu(x) if plan.relu else x
    return torch.tanh(x) if plan.tanh else x


def hybrid(
    weights: Mapping[str, torch.Tensor],
    low: torch.Tensor,
    noise_low: torch.Tensor,
    noise_code: torch.Tensor,
    noise_motion: torch.Tensor,
) -> torch.Tensor:
    """Broadband motion of a filtered one (n, 3, nt): G_d(G_h(F_f(x)))."""
    code = run("Ghz", weights, run("Fef", weights, low, noise_low), noise_code)
    return run("Gdd", weights, code, noise_motion)
