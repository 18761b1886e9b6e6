"""Where the training of a steered decoder starts: at a regression of the records' envelopes.

Each level makes noise of its own octave, whose envelope is that which records of like conditions
have on average. What the fit then learns is the rest: most of it is known before its first step.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from gwm_hazard.core.noise import Noise
from gwm_hazard.models.cvae_gan.steered import TIMES, SteeredDecoder
from gwm_hazard.training.cvae_gan.records import SpectralRecords, normals

#: Records of the regression, and conditions at which the network's own level is taken.
EXAMPLES, DRAWS = 4096, 64
#: Share of the mean variance of the conditions that is added to them.
_RIDGE = 1e-3
#: ln of the level at which the network's own is taken: far from where the tanh bends.
_LOW = -5.0
#: A high-pass of 5 taps: 1 less a binomial mean.
_OCTAVE = (-1 / 16, -4 / 16, 10 / 16, -4 / 16, -1 / 16)


@torch.no_grad()
def regression(decoder: SteeredDecoder, records: SpectralRecords, seed: int) -> None:
    """Set the envelopes of a new decoder; the hidden layer moves none of them yet."""
    torch.manual_seed(seed)
    for level, conv in enumerate(decoder.wave):
        _octave(conv.get_parameter("weight"), decoder.noisy[level][0], level > 0)
    # features that are not 0, so that noise passes all through the record
    decoder.dense.bias.fill_(1.0)
    for conv in decoder.conv:
        conv.get_parameter("bias").fill_(0.5)
    decoder.envelope.weight.zero_()
    decoder.direct.weight.zero_()
    decoder.direct.bias.fill_(_LOW)

    wave, condition = records.batch(records.train[:EXAMPLES])
    few = condition[:: max(1, len(condition) // DRAWS)][:DRAWS]
    noise = Noise(seed, 0, torch.arange(len(few)).numpy(), 0)
    latent = normals(noise, "start", records.sizes.latent)
    drawn = decoder(latent, few, normals(noise, "start texture", decoder.texture))
    levels = len(decoder.wave)
    own = ln_envelopes(drawn, levels).mean(dim=0) - _LOW
    goal = torch.cat([ln_envelopes(part, levels) for part in torch.split(wave, 256)]) - own

    x = condition.double()
    centre, middle = x.mean(dim=0), goal.mean(dim=0).double()
    square = (x - centre).T @ (x - centre)
    square += _RIDGE * square.trace() / len(square) * torch.eye(len(square), dtype=torch.float64)
    slope = torch.linalg.solve(square, (x - centre).T @ (goal.double() - middle))
    decoder.direct.weight.copy_(slope.T)
    decoder.direct.bias.copy_(middle - centre @ slope)


def _octave(weight: torch.Tensor, noisy: int, above: bool) -> None:
    """A kernel (out, in, taps) that mixes the noisy channels, of the upper octave or of all."""
    taps = weight.shape[2]
    kernel = torch.zeros(taps)
    kernel[taps // 2] = 1.0
    if above and taps >= len(_OCTAVE):
        edge = (taps - len(_OCTAVE)) // 2
        kernel[edge : edge + len(_OCTAVE)] = torch.tensor(_OCTAVE)
    weight.zero_()
    mixed = torch.randn(weight.shape[0], noisy) / noisy**0.5
    weight[:, :noisy] = mixed[:, :, None] * kernel


def ln_envelopes(wave: torch.Tensor, levels: int) -> torch.Tensor:
    """ln rms by octave, component and time, (n, levels * components * TIMES).

    Level ``levels - 1`` is the octave below the Nyquist frequency, each one before it an octave
    lower, and the first all that is left. ``wave`` (n, components, samples).
    """
    spectrum = torch.fft.rfft(wave)
    place = torch.arange(spectrum.shape[-1]) / (spectrum.shape[-1] - 1)  # of the Nyquist frequency
    found = []
    for level in range(levels):
        high = 0.5 ** (levels - 1 - level)
        low = high / 2.0 if level else -1.0
        band = torch.fft.irfft(spectrum * ((place > low) & (place <= high)), n=wave.shape[-1])
        energy = functional.adaptive_avg_pool1d(band.square(), TIMES)
        found.append(0.5 * torch.log(energy + 1e-12))
    return torch.stack(found, dim=1).flatten(1)
