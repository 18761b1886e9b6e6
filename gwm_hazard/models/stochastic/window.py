"""When the energy arrives: P and S onsets, durations, and the envelope of the noise."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaincinv

from gwm_hazard.models.stochastic.parameters import StochasticParameters

#: Afshari and Stewart (2016, Earthquake Spectra 32(4): 2057-2081), tables 2 and 3, unknown style of
#: faulting: m1, m2, b0, b1, b2, b3, c1, c2, c3, c4, vref of D5-75 and of D5-95.
AFSHARI_STEWART = {
    "RSD575": (5.35, 7.15, 1.280, 5.576, 0.9011, -1.684, 0.1159, 0.1065, 0.0682, -0.2246, 368.2),
    "RSD595": (5.2, 7.40, 2.182, 3.628, 0.9443, -3.911, 0.3165, 0.2539, 0.0932, -0.3183, 369.9),
}

#: Shapes of the envelope, a gamma density of the energy (Saragoni and Hart 1974).
SHAPES = np.geomspace(1.0, 12.0, 60)

#: Envelopes are smooth: they are evaluated at every fifth sample.
ENVELOPE_STEP = 5

#: Motions fade in over this time, s, and out over this share of the record.
FADE_IN_S = 1.0
END_TAPER = 0.1

#: Record lengths, samples: products of small primes, for fast Fourier transforms. A short list
#: keeps records of like scenarios in one batch.
LENGTHS = np.array(
    [2048, 2560, 3072, 4096, 5120, 6144, 8192, 10240, 12288, 16384, 20480, 24576, 32768, 40960]
)


def significant_duration_s(
    kind: str, mag: NDArray[np.float64], rrup: NDArray[np.float64], vs30: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Median RSD575 or RSD595, s, after Afshari and Stewart (2016), eq. 3-9, (n,).

    Basins are those usual for the Vs30.
    """
    m1, m2, b0, b1, b2, b3, c1, c2, c3, c4, vref = AFSHARI_STEWART[kind]
    # ln of the stress index, bar, and its corner for a shear-wave velocity of 3.2 km/s
    ln_stress = b1 + b2 * (np.minimum(mag, m2) - 6.0) + b3 * np.maximum(mag - m2, 0.0)
    corner_hz = 4.9e6 * 3.2 * (np.exp(ln_stress) / 10.0 ** (1.5 * mag + 16.05)) ** (1.0 / 3.0)
    source = np.where(mag <= m1, b0, 1.0 / corner_hz)
    near, middle, far = (np.clip(rrup - a, 0.0, b - a) for a, b in _PATH_KM)
    site = c4 * np.log(np.minimum(vs30, 600.0) / vref)
    return (source + c1 * near + c2 * middle + c3 * far) * np.exp(site)


_PATH_KM = ((0.0, 10.0), (10.0, 50.0), (50.0, np.inf))


@lru_cache(maxsize=1)
def _gamma_quantiles() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of gamma densities of SHAPES and unit scale: D5-75 / D5-95, and D5-95."""
    q05, q75, q95 = (gammaincinv(SHAPES, q) for q in (0.05, 0.75, 0.95))
    return (q75 - q05) / (q95 - q05), q95 - q05


def shape_and_scale(
    d575_s: NDArray[np.float64], d595_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shape and scale, s, of the gamma density of energy with these significant durations, (n,).

    A ratio of the two beyond those of SHAPES gets the nearest shape and keeps D5-95.
    """
    ratio, width = _gamma_quantiles()
    shape = np.interp(d575_s / d595_s, ratio, SHAPES)
    return shape, d595_s / np.interp(shape, SHAPES, width)


def arrivals_s(
    p: StochasticParameters, rhypo: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P and S onsets in the record: straight rays through a Poisson solid."""
    onset_p = np.full_like(rhypo, p.pre_p_s)
    return onset_p, onset_p + rhypo * (1.0 / p.beta_km_s - 1.0 / p.alpha_km_s)


def gamma_density(x: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    """Gamma density of unit scale, not normalised; 0 for x <= 0."""
    positive = torch.clamp(x, min=1e-6)
    return torch.exp((shape - 1.0) * torch.log(positive) - positive) * (x > 0)


def envelopes(
    p: StochasticParameters,
    shape: torch.Tensor,
    scale_s: torch.Tensor,
    onset_p_s: torch.Tensor,
    onset_s_s: torch.Tensor,
    npts: int,
    dt_s: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Standard deviation of the windowed noise: horizontal, S and P packet, (n, npts) each.

    P, S and coda packets with independent noise sum to one noise whose variance is the sum of
    theirs. Each envelope is normalised so that the expected power of its spectrum is 1.
    """
    coarse = -(-npts // ENVELOPE_STEP) + 1
    t = torch.arange(coarse, device=scale_s.device, dtype=scale_s.dtype)
    t = t * (ENVELOPE_STEP * dt_s)
    scale, shape = scale_s[:, None], shape[:, None]

    # Tapering the noise, not the motion, leaves the spectrum's zero at 0 Hz.
    left = (1.0 - t / (npts * dt_s)) / END_TAPER
    taper = torch.sin(0.5 * math.pi * torch.clamp(left, 0.0, 1.0)) ** 2

    def unit(e: torch.Tensor) -> torch.Tensor:
        e = e * taper
        return e / (ENVELOPE_STEP * e.sum(dim=1, keepdim=True))

    after_s = t - onset_s_s[:, None]
    s_packet = unit(gamma_density(after_s / scale, shape))
    p_packet = unit(gamma_density((t - onset_p_s[:, None]) / scale, shape))
    # The coda grows in over the S packet and then decays at its own rate.
    since = torch.clamp(after_s, min=0.0)
    coda = unit(-torch.expm1(-since / (2.0 * scale)) * torch.exp(-since / p.coda_decay_s))
    s_wave = (1.0 - p.coda_energy) * s_packet + p.coda_energy * coda
    horizontal = (1.0 - p.p_energy_horizontal) * s_wave + p.p_energy_horizontal * p_packet
    parts = (torch.sqrt(e) for e in (horizontal, s_wave, p_packet))
    of_horizontal, of_s, of_p = (_to_samples(e, npts) for e in parts)
    return of_horizontal, of_s, of_p


def _to_samples(coarse: torch.Tensor, npts: int) -> torch.Tensor:
    """Linear interpolation of an envelope from every ENVELOPE_STEP-th sample to every one."""
    u = torch.arange(ENVELOPE_STEP, device=coarse.device, dtype=coarse.dtype) / ENVELOPE_STEP
    steps = coarse[:, :-1, None] + (coarse[:, 1:] - coarse[:, :-1])[:, :, None] * u
    return steps.reshape(len(coarse), -1)[:, :npts]


def record_samples(
    p: StochasticParameters,
    d595_s: NDArray[np.float64],
    onset_s_s: NDArray[np.float64],
    dt_s: float,
) -> NDArray[np.int64]:
    """Samples to hold the motion, given its median D5-95.

    3 times D5-95 leaves 1e-4 of the energy of a draw of + 1 sigma in duration outside; the coda
    is followed to e^-2 of its energy.
    """
    end = onset_s_s + np.maximum(3.0 * d595_s, d595_s + 2.0 * p.coda_decay_s)
    wanted = np.ceil(end / dt_s).astype(np.int64)
    return LENGTHS[np.minimum(np.searchsorted(LENGTHS, wanted), len(LENGTHS) - 1)]


#: Samples whose sum is taken in float32; sums of these are taken in float64.
BLOCK = 32


@lru_cache(maxsize=64)
def _at_rest(
    npts: int, dt_s: float, device: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Fade in and out, two slow functions that are 0 at both ends, and their weights.

    The functions (2, npts) are a bell over the whole record and the same with two lobes. The
    weights (2, 3) make their factors from the sum of a motion that begins and ends at 0, the sum
    over its blocks times their starts, and that over samples times their place in the block.
    """
    at = torch.arange(npts, dtype=torch.float64)
    length = npts - 1
    fades = (
        torch.clamp(at[: round(FADE_IN_S / dt_s)] / (FADE_IN_S / dt_s), max=1.0),
        torch.clamp((length - at[-math.ceil(END_TAPER * npts) :]) / (END_TAPER * npts), max=1.0),
    )
    fade_in, fade_out = (torch.sin(0.5 * math.pi * v) ** 2 for v in fades)
    bell = torch.sin(math.pi * at / length) ** 2
    functions = torch.stack([bell, bell * torch.cos(math.pi * at / length)])
    functions[:, [0, -1]] = 0.0
    # Trapezoidal rules: the final velocity is the sum, the final displacement that of what is left.
    # They leave out ends, which are 0.
    integrals = torch.stack([torch.ones(npts, dtype=torch.float64), length - at])
    of_sums = torch.tensor([[1.0, 0.0, 0.0], [length, -1.0, -1.0]], dtype=torch.float64)
    weights = torch.linalg.solve(integrals @ functions.T, of_sums)
    single = (v.to(device, torch.float32) for v in (fade_in, fade_out, functions))
    return *single, weights.to(device)  # type: ignore[return-value]


def brought_to_rest(acceleration: torch.Tensor, dt_s: float) -> torch.Tensor:
    """Motions that begin and end at 0, with velocity and displacement at rest at the end: in place.

    Noise of finite length leaves offsets: after short fades at both ends, two bells over the whole
    record take the final velocity and displacement away. They touch the lowest frequencies of the
    record alone, 0.01 to 0.05 Hz.

    acceleration : (..., npts), npts a multiple of BLOCK
    """
    npts = acceleration.shape[-1]
    fade_in, fade_out, functions, weights = _at_rest(npts, dt_s, str(acceleration.device))
    acceleration[..., : len(fade_in)] *= fade_in
    acceleration[..., -len(fade_out) :] *= fade_out
    blocks = acceleration.view(*acceleration.shape[:-1], -1, BLOCK)
    # Sums over a block or over blocks in float32, then in float64: the same in every batch.
    by_block = blocks.sum(dim=-1).double()
    by_place = blocks.sum(dim=-2).double()
    starts = torch.arange(0, npts, BLOCK, device=by_block.device, dtype=torch.float64)
    sums = torch.stack(
        [
            by_block.sum(-1),
            (by_block * starts).sum(-1),
            (by_place * starts.new_tensor(range(BLOCK))).sum(-1),
        ],
        dim=-1,
    )
    factors = (sums[..., None, :] * weights).sum(-1).to(acceleration.dtype)
    for k in range(2):
        acceleration.addcmul_(factors[..., k : k + 1], functions[k], value=-1.0)
    return acceleration
