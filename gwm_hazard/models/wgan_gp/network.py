"""Generators and critics of the WGAN-GP family, of any sizes.

A generator makes (waveform (n, 3, samples), log-peaks (n, 3) or nothing) of normals and a
condition; a critic scores both beside the condition. Written from the publications and their public
descriptions; weights of :class:`ConditionalGenerator` have the names of the published code.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from string import ascii_lowercase

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.models.wgan_gp.sizes import ConditionalSizes, PipelineSizes, Sizes

SLOPE = 0.2
Made = tuple[torch.Tensor, torch.Tensor | None]


class ConditionalGenerator(nn.Module):
    """Florez et al. (2022): shape and amplitude of one latent and some conditions."""

    def __init__(self, sizes: ConditionalSizes) -> None:
        super().__init__()
        self.sizes = sizes
        channels, k = 3 + sizes.conditions, sizes.kernel
        self.fc00 = nn.Linear(sizes.latent, sizes.row, bias=False)
        self.batchnorm00 = nn.BatchNorm1d(3)
        for i in range(sizes.conditions):
            self.add_module(f"embed{i + 1}", _dense((1, *sizes.embedding, sizes.row)))
        widths = (channels, channels, channels, 3)
        self._mixing = self._add(("0", "0b", "0c"), widths, k)
        self.fc01 = nn.Linear(sizes.row, sizes.rows, bias=False)
        self.batchnorm01 = nn.BatchNorm1d(3)
        self._blocks = []
        width = sizes.start
        for i, block in enumerate(sizes.blocks):
            letters = ["", *ascii_lowercase[1 : len(block)]]
            self._blocks.append(self._add([f"{i + 1}{a}" for a in letters], (width, *block), k))
            width = block[-1]
        self._last = f"conv{len(sizes.blocks) + 1}"
        self.add_module(self._last, nn.Conv1d(width, 3, k, padding=k // 2))
        into = 3 * (sizes.rows - sizes.wave)
        self.fc_lcn = _dense((into, *sizes.amplitude, 3), last=False)

    def _add(self, names: Sequence[str], widths: Sequence[int], kernel: int) -> list[str]:
        for name, (a, b) in zip(names, itertools.pairwise(widths), strict=True):
            self.add_module(f"conv{name}", nn.Conv1d(a, b, kernel, padding=kernel // 2))
            self.add_module(f"batchnorm{name}", nn.BatchNorm1d(b))
        return list(names)

    def _convolved(self, h: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        for name in names:
            conv, norm = self.get_submodule(f"conv{name}"), self.get_submodule(f"batchnorm{name}")
            h = functional.relu(norm(conv(h)))
        return h

    def forward(self, normals: torch.Tensor, condition: torch.Tensor) -> Made:
        """(n, 3 latent), (n, conditions) scaled -> (n, 3, samples) and (n, 3)."""
        sizes = self.sizes
        h = self.batchnorm00(self.fc00(normals.view(-1, 3, sizes.latent)))
        rows = [
            self.get_submodule(f"embed{i + 1}")(condition[:, i : i + 1])[:, None]
            for i in range(sizes.conditions)
        ]
        h = self._convolved(torch.cat([h, *rows], dim=1), self._mixing)
        h = functional.relu(self.batchnorm01(self.fc01(h)))
        peaks = self.fc_lcn(h[:, :, sizes.wave :].flatten(1))
        wave = h[:, :, : sizes.wave].reshape(len(h), sizes.start, -1)
        for names in self._blocks:
            wave = self._convolved(wave.repeat_interleave(2, dim=2), names)
        wave = torch.tanh(self.get_submodule(self._last)(wave))
        return wave, torch.tanh(peaks) if sizes.head == "tanh" else peaks


class ConditionalCritic(nn.Module):
    """Florez et al. (2022): a score of waveform, log-peaks and conditions."""

    def __init__(self, sizes: ConditionalSizes) -> None:
        super().__init__()
        self.sizes = sizes
        for i in range(sizes.conditions):
            self.add_module(f"embed{i + 1}", _dense((1, *sizes.embedding, sizes.critic_embedding)))
        self.nn_cnorm = _dense((3, *sizes.embedding, sizes.critic_embedding))
        widths = (4 + sizes.conditions, *sizes.critic)
        k = sizes.critic_kernel
        for i, (a, b) in enumerate(itertools.pairwise(widths)):
            self.add_module(f"conv{i + 1}", nn.Conv1d(a, b, k, stride=2, padding=k // 2 - 1))
            self.add_module(f"conv{i + 1}b", nn.Conv1d(b, b, k - 1, padding=k // 2 - 1))
        dense = (sizes.samples // 2 ** len(sizes.critic), *sizes.critic_dense)
        self._dense = ["fc0", *(f"fc1{a}" for a in ["", *ascii_lowercase[1 : len(dense) - 2]])]
        self._dense = self._dense[: len(dense) - 1]
        for name, (a, b) in zip(self._dense, itertools.pairwise(dense), strict=True):
            self.add_module(name, nn.Linear(a, b))
        self.fc2 = nn.Linear(widths[-1] * dense[-1], 1)

    def forward(
        self, wave: torch.Tensor, peaks: torch.Tensor | None, condition: torch.Tensor
    ) -> torch.Tensor:
        """(n, 3, samples), (n, 3), (n, conditions) -> (n, 1)."""
        rows = [self.nn_cnorm(peaks)]
        rows += [
            self.get_submodule(f"embed{i + 1}")(condition[:, i : i + 1])
            for i in range(self.sizes.conditions)
        ]
        times = self.sizes.samples // self.sizes.critic_embedding
        held = torch.stack(rows, dim=1).repeat_interleave(times, dim=2)
        h = torch.cat([wave, held], dim=1)
        for i in range(len(self.sizes.critic)):
            for name in (f"conv{i + 1}", f"conv{i + 1}b"):
                h = functional.leaky_relu(self.get_submodule(name)(h), SLOPE)
        for name in self._dense:
            h = functional.leaky_relu(self.get_submodule(name)(h), SLOPE)
        return self.fc2(h.flatten(1))


class PipelineGenerator(nn.Module):
    """SeismoGen: one latent for three pipelines that do not meet again; ReLU before the norm."""

    def __init__(self, sizes: PipelineSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.label = nn.Linear(1, sizes.latent)
        self.label_up = _Up(sizes)
        self.pipelines = nn.ModuleList(_Pipeline(sizes) for _ in range(3))

    def forward(self, normals: torch.Tensor, condition: torch.Tensor) -> Made:
        """(n, latent), (n, 1) label -> (n, 3, samples), and no peaks."""
        label = self.label_up(self.label(condition)[:, None])
        return torch.cat([p(normals[:, None], label) for p in self.pipelines], dim=1), None


class _Up(nn.Module):
    """Transposed convolution, to the number of samples, ReLU, norm."""

    def __init__(self, sizes: PipelineSizes) -> None:
        super().__init__()
        k, s = sizes.kernel, sizes.stride
        self.samples = sizes.samples
        self.conv = nn.ConvTranspose1d(1, sizes.first, k, s, padding=(k - s) // 2)
        self.norm = nn.BatchNorm1d(sizes.first)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.conv(x)
        if h.shape[2] != self.samples:
            h = functional.interpolate(h, size=self.samples, mode="linear", align_corners=False)
        return self.norm(functional.relu(h))


class _Pipeline(nn.Module):
    def __init__(self, sizes: PipelineSizes) -> None:
        super().__init__()
        self.kernel = k = sizes.kernel
        self.up = _Up(sizes)
        widths = (2 * sizes.first, sizes.hidden, sizes.hidden)
        pairs = list(itertools.pairwise(widths))
        self.conv = nn.ModuleList(nn.Conv1d(a, b, k) for a, b in pairs)
        self.norm = nn.ModuleList(nn.BatchNorm1d(b) for _, b in pairs)
        self.last = nn.Conv1d(sizes.hidden, 1, k)

    def forward(self, normals: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        h = torch.cat([self.up(normals), label], dim=1)
        for conv, norm in zip(self.conv, self.norm, strict=True):
            h = norm(functional.relu(conv(same(h, self.kernel, 1))))
        return self.last(same(h, self.kernel, 1))


class PipelineCritic(nn.Module):
    """SeismoGen: low and high frequencies in branches of their own, and the label."""

    def __init__(self, sizes: PipelineSizes) -> None:
        super().__init__()
        self.sizes = sizes
        k, c = sizes.critic_kernel, sizes.band
        self.frames = -(-sizes.samples // 2)
        self.low = nn.ModuleList([nn.Conv1d(3, c, k, 2), nn.Conv1d(c, c, k)])
        self.high = nn.ModuleList([nn.Conv1d(3, c, k, 2), nn.Conv1d(c, c, k)])
        self.label = nn.Linear(1, self.frames)
        self.label_conv = nn.Conv1d(1, c, k)
        widths = (3 * c, *sizes.critic)
        self.merged = nn.ModuleList(nn.Conv1d(a, b, k, 3) for a, b in itertools.pairwise(widths))

    def bands(self, wave: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What is below the threshold, and the rest; their sum is the waveform."""
        spectrum = torch.fft.rfft(wave)
        hz = torch.fft.rfftfreq(wave.shape[2], 1.0 / self.sizes.sampling_rate_hz)
        below = (hz < self.sizes.threshold_hz).to(wave.device)
        low = torch.fft.irfft(spectrum * below, n=wave.shape[2])
        return low, wave - low

    def forward(
        self, wave: torch.Tensor, peaks: torch.Tensor | None, condition: torch.Tensor
    ) -> torch.Tensor:
        """(n, 3, samples), nothing, (n, 1) -> (n, 1)."""
        branches = []
        for band, layers in zip(self.bands(wave), (self.low, self.high), strict=True):
            for conv in layers:
                band = _leaky(conv, band)
            branches.append(band)
        branches.append(_leaky(self.label_conv, self.label(condition)[:, None]))
        h = torch.cat(branches, dim=1)
        for conv in self.merged:
            h = _leaky(conv, h)
        return h.mean(dim=(1, 2))[:, None]


def generator_of(sizes: Sizes) -> ConditionalGenerator | PipelineGenerator:
    """The generator of some sizes."""
    if isinstance(sizes, ConditionalSizes):
        return ConditionalGenerator(sizes)
    return PipelineGenerator(sizes)


def critic_of(sizes: Sizes) -> ConditionalCritic | PipelineCritic:
    """The critic of some sizes."""
    return (
        ConditionalCritic(sizes) if isinstance(sizes, ConditionalSizes) else PipelineCritic(sizes)
    )


def weight_shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights that inference needs."""
    return {k: tuple(t.shape) for k, t in weights_of(module).items()}


def weights_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that inference needs: no counters of batches."""
    return {k: t for k, t in module.state_dict().items() if t.is_floating_point()}


def same(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Zeros beside the last axis, so that ceil(n / stride) outputs are left: the odd one right."""
    n = x.shape[-1]
    total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
    return functional.pad(x, (total // 2, total - total // 2))


def _leaky(conv: nn.Module, x: torch.Tensor) -> torch.Tensor:
    assert isinstance(conv, nn.Conv1d)
    padded = same(x, conv.kernel_size[0], conv.stride[0])
    return functional.leaky_relu(conv(padded), SLOPE)


def _dense(widths: Sequence[int], last: bool = True) -> nn.Sequential:
    """Linear layers with ReLU after each, after the last one where asked for."""
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*(layers if last else layers[:-1]))
