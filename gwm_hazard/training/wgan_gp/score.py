"""A proper score of draws, beside the critic: what a short training needs to find the level.

A critic finds the distribution of a batch slowly, and that of one condition more slowly. The
energy score (Gneiting and Raftery 2007, JASA 102: 359-378, eq. 22) of two draws x, x' beside the
record y of their conditions,

    |f(x) - f(y)| - |f(x) - f(x')| / 2,

is smallest, on average, where f(x) is distributed as f(y) given the conditions. f are logarithms of
peaks, of Fourier amplitudes by band, and of energy by time and band.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import torch

#: Bands of the whole record; windows in time, and bands in each.
BANDS, WINDOWS, WINDOW_BANDS = 24, 16, 6
#: Share of a record's energy below which a window's does not count.
_LEAST = 1e-4


def energy_score(
    first: torch.Tensor, second: torch.Tensor, wave: torch.Tensor,
    ln_first: torch.Tensor, ln_second: torch.Tensor, ln_peaks: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Mean over a batch, and over the kinds of features, of the score.

    Parameters
    ----------
    first, second, wave : (n, 3, samples)
        Two draws, and the records of their conditions, as the critic sees them.
    ln_first, ln_second, ln_peaks : (n, 3) or (n, 0)
        ln of their peaks; none for shapes.
    """
    made = [features(w, p) for w, p in ((first, ln_first), (second, ln_second), (wave, ln_peaks))]
    total = wave.new_zeros(())
    for x, other, y in zip(*made, strict=True):
        distance = 0.5 * (_norm(x - y) + _norm(other - y)) - 0.5 * _norm(x - other)
        total = total + distance.mean() / math.sqrt(x.shape[1])
    return total / len(made[0])


def features(wave: torch.Tensor, ln_peaks: torch.Tensor) -> list[torch.Tensor]:
    """Each kind, (n, its size): ln peaks, ln Fourier amplitudes, ln shares of the energy."""
    n, _, samples = wave.shape
    length = samples // WINDOWS
    power = torch.fft.rfft(wave).abs().square() / samples
    spectrum = 0.5 * torch.log(_banded(power, BANDS) + 1e-12)
    parts = wave[:, :, : WINDOWS * length].reshape(n, 3, WINDOWS, length)
    energy = _banded(torch.fft.rfft(parts).abs().square(), WINDOW_BANDS)
    shares = energy / (energy.sum(dim=(2, 3), keepdim=True) + 1e-12)
    found = [0.5 * torch.log(shares + _LEAST / WINDOWS).flatten(1)]
    if ln_peaks.shape[1]:
        spectrum = spectrum + ln_peaks[:, :, None]
        found.append(ln_peaks)
    return [spectrum.flatten(1), *found]


def _norm(x: torch.Tensor) -> torch.Tensor:
    return (x.square().sum(dim=1) + 1e-12).sqrt()  # a derivative at 0 too


def _banded(power: torch.Tensor, bands: int) -> torch.Tensor:
    """Means over bands of equal width in log frequency, without that of 0 Hz."""
    return power @ _averages(power.shape[-1], bands).to(power)


@functools.cache
def _averages(bins: int, bands: int) -> torch.Tensor:
    edges = np.unique(np.geomspace(1, bins, bands + 1).astype(int))
    made = np.zeros((bins, len(edges) - 1), dtype=np.float32)
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        made[low:high, k] = 1.0 / (high - low)
    return torch.from_numpy(made)
