"""The short-time Fourier transform of real records, forward and inverse, in batched torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from gwm_hazard.errors import InputError


@dataclass(frozen=True)
class STFT:
    """A short-time Fourier transform: frames centred at every ``hop``-th sample.

    The record is extended by zeros at both ends; a periodic Hann window of ``win_length``
    samples stands in the middle of a frame of ``n_fft``; the transform is not normalised
    (librosa's and torch's convention with ``center`` and constant padding). ``n_frames`` frames
    belong to a record of ``hop * (n_frames - 1)`` samples.

    ``n_freq`` rows are kept, from 0 Hz up: ``n_fft / 2`` drops the Nyquist row, which is then
    zero in the inverse.

    Each record's numbers are bit for bit the same in a batch of any size on one CPU; on a GPU
    that holds to rounding.
    """

    n_fft: int
    hop: int
    win_length: int
    n_freq: int

    def __post_init__(self) -> None:
        if self.n_fft % 2 or self.n_fft % self.hop or self.win_length % 2:
            raise InputError(
                f"n_fft = {self.n_fft}, win_length = {self.win_length}, hop = {self.hop}: "
                "n_fft and win_length must be even, and n_fft a multiple of hop"
            )
        if not 2 * self.hop <= self.win_length <= self.n_fft:
            raise InputError(f"win_length = {self.win_length}: must be from 2 hops to n_fft")
        if self.n_freq not in (self.n_fft // 2, self.n_fft // 2 + 1):
            raise InputError(f"n_freq = {self.n_freq}: must be n_fft / 2, or that and 1")

    def samples(self, n_frames: int) -> int:
        """Samples of the record that ``n_frames`` frames describe."""
        return self.hop * (n_frames - 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Records (n, nt), float32 or float64 -> complex (n, n_freq, nt // hop + 1)."""
        return self.analyse(x).transpose(1, 2)

    def inverse(self, spectra: torch.Tensor) -> torch.Tensor:
        """Complex (n, n_freq, n_frames) -> records (n, hop (n_frames - 1)).

        Weighted overlap-add: the record whose transform is nearest to ``spectra`` in the least
        squares sense (Griffin and Lim 1984, eq. 6).
        """
        return self.synthesise(spectra.transpose(1, 2))

    def analyse(self, x: torch.Tensor) -> torch.Tensor:
        """:meth:`forward` in memory order, complex (n, n_frames, n_freq)."""
        half = self.n_fft // 2
        frames = torch.nn.functional.pad(x, (half, half)).unfold(1, self.n_fft, self.hop)
        spectra = torch.fft.rfft(frames * self._window(x.dtype, x.device))
        return spectra[:, :, : self.n_freq]

    def synthesise(self, spectra: torch.Tensor) -> torch.Tensor:
        """:meth:`inverse` of complex (n, n_frames, n_freq)."""
        n, n_frames, _ = spectra.shape
        frames = torch.fft.irfft(spectra, n=self.n_fft)
        window = self._window(frames.dtype, frames.device)
        total = _overlap_add((frames * window).view(n, n_frames, -1, self.hop), self._hops())
        half = self.n_fft // 2
        kept = slice(half, half + self.samples(n_frames))
        return total[:, kept] * self._envelope(n_frames, frames.dtype, frames.device)[kept]

    def _hops(self) -> range:
        """Hops of a frame on which the window is not zero."""
        outside = (self.n_fft - self.win_length) // 2
        return range(outside // self.hop, -(-(outside + self.win_length) // self.hop))

    def _window(self, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        return _window(self.n_fft, self.win_length, dtype, str(device))

    def _envelope(self, n_frames: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        return _envelope(self, n_frames, dtype, str(device))


def _overlap_add(frames: torch.Tensor, hops: range) -> torch.Tensor:
    """Frames (n, n_frames, hops a frame, hop) -> (n, samples under all frames).

    A sum over the few hops of a frame, in a fixed order: the same bits for any batch.
    """
    n, n_frames, per_frame, hop = frames.shape
    total = frames.new_zeros(n, n_frames + per_frame - 1, hop)
    for j in hops:
        total[:, j : j + n_frames] += frames[:, :, j]
    return total.view(n, -1)


@lru_cache(maxsize=32)
def _window(n_fft: int, win_length: int, dtype: torch.dtype, device: str) -> torch.Tensor:
    side = (n_fft - win_length) // 2
    window = torch.hann_window(win_length, dtype=torch.float64)
    return torch.nn.functional.pad(window, (side, side)).to(device, dtype)


@lru_cache(maxsize=32)
def _envelope(stft: STFT, n_frames: int, dtype: torch.dtype, device: str) -> torch.Tensor:
    """One over the sum of the squared windows, samples under all frames."""
    squared = _window(stft.n_fft, stft.win_length, torch.float64, "cpu") ** 2
    frames = squared.view(1, 1, -1, stft.hop).expand(1, n_frames, -1, -1)
    total = _overlap_add(frames, stft._hops())[0]
    return torch.where(total > 0, 1.0 / total, 0.0).to(device, dtype)
