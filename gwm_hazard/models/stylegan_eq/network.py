"""The StyleGAN3-T generator in plain torch: mapping and alias-free synthesis.

Written from the equations of Karras et al. (2021, arXiv:2106.12423); keys of the state are those of
published network files. The two filters around each non-linearity are linear maps of rows and of
columns, and are applied as two small matrices a side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from gwm_hazard.models.stylegan_eq.design import TAPS, Design, Layer

SLOPE, GAIN = 0.2, math.sqrt(2.0)
CLAMP, OUTPUT = 256.0, 0.25
#: Rates of learning in the mapping are scaled by this; its stored weights by the inverse.
_MAPPING_RATE = 0.01
_EPSILON = 1e-8
#: Radius within which frequencies of the input pass whole, and the one beyond which none does.
_BAND, _NYQUIST = 2.0, 8.0


class Generator(nn.Module):
    """Latent -> image (n, 1, resolution, resolution)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        self.mapping = Mapping(design)
        self.synthesis = Synthesis(design)

    def forward(self, z: torch.Tensor, psi: float = 1.0) -> torch.Tensor:
        """(n, z_dim) -> (n, 1, resolution, resolution)."""
        return self.synthesis(self.mapping(z, psi))


class Mapping(nn.Module):
    """Latent -> style."""

    w_avg: torch.Tensor

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.count = design.mapping_layers
        for i in range(self.count):
            into = design.z_dim if i == 0 else design.w_dim
            self.add_module(f"fc{i}", _Dense(into, design.w_dim, 1.0 / _MAPPING_RATE))
        self.register_buffer("w_avg", torch.zeros(design.w_dim))

    def forward(self, z: torch.Tensor, psi: float = 1.0) -> torch.Tensor:
        """(n, z_dim) -> (n, w_dim), drawn to the average by 1 - psi."""
        x = normalised(z)
        for i in range(self.count):
            layer = self.get_submodule(f"fc{i}")
            assert isinstance(layer, _Dense)
            gain = _MAPPING_RATE / math.sqrt(layer.weight.shape[1])
            x = functional.linear(x, layer.weight * gain, layer.bias * _MAPPING_RATE)
            x = functional.leaky_relu(x, SLOPE) * GAIN
        return x if psi == 1.0 else self.w_avg.lerp(x, psi)


def normalised(z: torch.Tensor) -> torch.Tensor:
    """Over its root mean square."""
    z = z.to(torch.float32)
    return z * (z.square().mean(dim=1, keepdim=True) + _EPSILON).rsqrt()


class Synthesis(nn.Module):
    """Styles -> image."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.input = Input(design)
        self.names = []
        for layer in design.layers():
            self.names.append(layer.name)
            self.add_module(layer.name, SynthesisLayer(layer, design.w_dim))

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """(n, w_dim), or (n, num_ws, w_dim) with a style a layer -> (n, 1, resolution, ...)."""
        if w.dim() == 2:
            w = w[:, None].expand(-1, len(self.names) + 1, -1)
        x = self.input(w[:, 0])
        for i, name in enumerate(self.names):
            x = self.get_submodule(name)(x, w[:, i + 1])
        return OUTPUT * x


class Input(nn.Module):
    """Sines over the image, turned and moved by the style."""

    freqs: torch.Tensor
    phases: torch.Tensor
    transform: torch.Tensor

    def __init__(self, design: Design) -> None:
        super().__init__()
        c = design.input_channels
        self.pixels, self.rate = design.input_pixels, design.input_rate
        self.weight = nn.Parameter(torch.randn(c, c))
        self.affine = _Dense(design.w_dim, 4, 0.0)
        with torch.no_grad():
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        radius, angle = _BAND * torch.rand(c).sqrt(), 2 * math.pi * torch.rand(c)
        self.register_buffer(
            "freqs", torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
        )
        self.register_buffer("phases", torch.rand(c) - 0.5)
        self.register_buffer("transform", torch.eye(3))

    def moved(self, w: torch.Tensor) -> torch.Tensor:
        """Cosine and sine of the rotation, and the shift, (n, 4)."""
        t = _affine(self.affine, w)
        return t / t[:, :2].norm(dim=1, keepdim=True)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """(n, w_dim) -> (n, channels, pixels, pixels)."""
        t = self.moved(w)
        one, zero = torch.ones_like(t[:, 0]), torch.zeros_like(t[:, 0])
        turn = _matrix([[t[:, 0], -t[:, 1], zero], [t[:, 1], t[:, 0], zero], [zero, zero, one]])
        move = _matrix([[one, zero, -t[:, 2]], [zero, one, -t[:, 3]], [zero, zero, one]])
        a = turn @ move @ self.transform
        phases = self.phases + (self.freqs @ a[:, :2, 2:])[..., 0]
        freqs = self.freqs @ a[:, :2, :2]
        size = (1.0 - (freqs.norm(dim=2) - _BAND) / (_NYQUIST - _BAND)).clamp(0.0, 1.0)
        n = self.pixels
        place = (torch.arange(n, device=w.device) + 0.5 - n / 2) / self.rate
        across = freqs[:, :, :1] * place  # (n, channels, columns)
        along = freqs[:, :, 1:] * place
        angle = across[:, :, None, :] + along[:, :, :, None] + phases[:, :, None, None]
        waves = torch.sin(2 * math.pi * angle) * size[:, :, None, None]
        weight = self.weight / math.sqrt(len(self.weight))
        return torch.einsum("oc,ncyx->noyx", weight, waves)


class SynthesisLayer(nn.Module):
    """Convolution by style, and a non-linearity at a higher sampling rate."""

    magnitude_ema: torch.Tensor
    up_filter: torch.Tensor
    down_filter: torch.Tensor

    def __init__(self, layer: Layer, w_dim: int) -> None:
        super().__init__()
        self.layer = layer
        into, out = layer.channels
        self.weight = nn.Parameter(torch.randn(out, into, layer.kernel, layer.kernel))
        self.bias = nn.Parameter(torch.zeros(out))
        self.affine = _Dense(w_dim, into, 1.0)
        with torch.no_grad():
            self.affine.bias.fill_(1.0)
        self.register_buffer("magnitude_ema", torch.ones([]))
        if not layer.to_image:
            for name, i, factor in (("up_filter", 0, layer.up), ("down_filter", 1, layer.down)):
                taps = lowpass(
                    TAPS * factor, layer.cutoff[i], 2 * layer.half_width[i], layer.between
                )
                self.register_buffer(name, torch.from_numpy(taps).float())

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """(n, in, pixels, pixels), (n, w_dim) -> (n, out, pixels, pixels)."""
        layer = self.layer
        style, gain = _affine(self.affine, w), self.magnitude_ema.rsqrt()
        if layer.to_image:
            scale = style * gain / math.sqrt(layer.channels[0])
            x = functional.conv2d(x * scale[:, :, None, None], self.weight)
            return (x + self.bias[:, None, None]).clamp(-CLAMP, CLAMP)
        x = self.convolved(x, style, gain) + self.bias[:, None, None]
        return self.activated(x)

    def convolved(self, x: torch.Tensor, style: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        """The convolution with weights times style, of unit variance; it grows the image by 2."""
        weight = self.weight * self.weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
        style = style * style.square().mean(dim=1, keepdim=True).rsqrt()
        power = weight.square().sum(dim=(2, 3)) @ style.square().T  # (out, n)
        back = (power.T + _EPSILON).rsqrt()
        x = functional.conv2d(x * (style * gain)[:, :, None, None], weight, padding=2)
        return x * back[:, :, None, None]

    def activated(self, x: torch.Tensor) -> torch.Tensor:
        """Up, leaky ReLU, clamp, down."""
        up, down = self.matrices(x.shape[-1])
        y = functional.leaky_relu(up @ x @ up.T, SLOPE)
        return down @ (y * GAIN).clamp(-CLAMP, CLAMP) @ down.T

    def matrices(self, pixels: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What the filters are to a row: (between, pixels) and (out, between)."""
        layer, (low, high) = self.layer, self.layer.padding
        return filters_as_matrices(
            self.up_filter, self.down_filter, layer.up, layer.down, low, high, pixels
        )


def filters_as_matrices(
    up_filter: torch.Tensor,
    down_filter: torch.Tensor,
    up: int,
    down: int,
    low: int,
    high: int,
    pixels: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Up-sampling with zeros between, padding and filter; filter and down-sampling.

    Returns
    -------
    Tensor (between, pixels), Tensor (out, between)
        Where out is what the valid part of both filters leaves.
    """
    taps = len(up_filter)
    between = pixels * up + low + high - taps + 1
    tap = torch.arange(between)[:, None] + torch.arange(taps) - low  # sample under each tap
    hit = (tap % up == 0) & (tap >= 0) & (tap < pixels * up)
    rows = torch.arange(between)[:, None].expand_as(tap)
    first = up_filter.new_zeros(between, pixels)
    first[rows[hit], tap[hit] // up] = up_filter.expand(between, -1)[hit.to(up_filter.device)] * up
    out = (between - len(down_filter)) // down + 1
    second = down_filter.new_zeros(out, between)
    places = torch.arange(out)[:, None] * down + torch.arange(len(down_filter))
    second.scatter_(1, places.to(second.device), down_filter.expand(out, -1))
    return first, second


def lowpass(taps: int, cutoff: float, width: float, rate: float) -> NDArray[np.float64]:
    """A Kaiser-windowed sinc of unit sum (Karras et al. 2021, appendix C).

    Parameters
    ----------
    taps : int
    cutoff, width, rate : float
        Of the pass band, of the transition, of the samples, in the same unit.
    """
    from scipy.signal import firwin

    return firwin(taps, cutoff, width=width, fs=rate)


class _Dense(nn.Module):
    """Weight and bias of a linear layer, scaled where they are used."""

    def __init__(self, into: int, out: int, sd: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into) * sd)
        self.bias = nn.Parameter(torch.zeros(out))


def _affine(layer: _Dense, w: torch.Tensor) -> torch.Tensor:
    return functional.linear(w, layer.weight / math.sqrt(layer.weight.shape[1]), layer.bias)


def _matrix(rows: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
    return torch.stack([torch.stack(list(row), dim=1) for row in rows], dim=1)


def weight_shapes(design: Design) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the state of a generator."""
    made: dict[str, tuple[int, ...]] = {}
    c = design.input_channels
    made |= {
        "synthesis.input.weight": (c, c),
        "synthesis.input.affine.weight": (4, design.w_dim),
        "synthesis.input.affine.bias": (4,),
        "synthesis.input.freqs": (c, 2),
        "synthesis.input.phases": (c,),
        "synthesis.input.transform": (3, 3),
    }
    for layer in design.layers():
        into, out = layer.channels
        p = f"synthesis.{layer.name}."
        made |= {
            p + "weight": (out, into, layer.kernel, layer.kernel),
            p + "bias": (out,),
            p + "affine.weight": (into, design.w_dim),
            p + "affine.bias": (into,),
            p + "magnitude_ema": (),
        }
        if not layer.to_image:
            made |= {
                p + "up_filter": (TAPS * layer.up,),
                p + "down_filter": (TAPS * layer.down,),
            }
    made["mapping.w_avg"] = (design.w_dim,)
    for i in range(design.mapping_layers):
        into = design.z_dim if i == 0 else design.w_dim
        made |= {
            f"mapping.fc{i}.weight": (design.w_dim, into),
            f"mapping.fc{i}.bias": (design.w_dim,),
        }
    return made
