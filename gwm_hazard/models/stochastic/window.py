"""When the energy arrives: P and S onsets, durations, and the envelope of the noise."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.models.stochastic.parameters import StochasticParameters

#: Boore and Thompson (2014), table 1, active crustal regions: distance, km; path duration, s.
PATH_KM = np.array([0.0, 7.0, 45.0, 125.0, 175.0, 270.0])
PATH_S = np.array([0.0, 2.4, 8.4, 10.9, 17.4, 34.2])
PATH_SLOPE_S_KM = 0.156  # beyond the last distance

#: Saragoni and Hart (1974) window in the form of Boore (2003), eq. 22-25.
SH_EPSILON = 0.2
SH_ETA = 0.05
SH_WIDTH = 2.0

#: Envelopes are smooth: they are evaluated at every fifth sample.
ENVELOPE_STEP = 5

#: Share of the record over which the noise fades out at its end.
END_TAPER = 0.1

#: Record lengths, samples: products of small primes, for fast Fourier transforms. A short list
#: keeps records of like scenarios in one batch.
LENGTHS = np.array(
    [2048, 2560, 3072, 4096, 5120, 6144, 8192, 10240, 12288, 16384, 20480, 24576, 32768, 40960]
)


def path_duration_s(r_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Path duration for an effective distance."""
    beyond = np.maximum(r_km - PATH_KM[-1], 0.0)
    return np.interp(r_km, PATH_KM, PATH_S) + PATH_SLOPE_S_KM * beyond


def arrivals_s(
    p: StochasticParameters, rhypo: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P and S onsets in the record: straight rays through a Poisson solid."""
    onset_p = np.full_like(rhypo, p.pre_p_s)
    return onset_p, onset_p + rhypo * (1.0 / p.beta_km_s - 1.0 / p.alpha_km_s)


def saragoni_hart_squared(x: torch.Tensor) -> torch.Tensor:
    """Square of the window at x = t / t_eta, not normalised; 0 for x <= 0."""
    b = -SH_EPSILON * math.log(SH_ETA) / (1.0 + SH_EPSILON * (math.log(SH_EPSILON) - 1.0))
    c = b / SH_EPSILON
    x = torch.clamp(x, min=1e-6)
    return torch.exp(2.0 * b * torch.log(x) - 2.0 * c * x)


def envelopes(
    p: StochasticParameters,
    duration_s: torch.Tensor,
    onset_p_s: torch.Tensor,
    onset_s_s: torch.Tensor,
    npts: int,
    dt_s: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Standard deviation of the windowed noise, horizontal and vertical, (n, npts) each.

    P, S and coda packets with independent noise sum to one noise whose variance is the sum of
    theirs. Each envelope is normalised so that the expected power of its spectrum is 1.
    """
    coarse = -(-npts // ENVELOPE_STEP) + 1
    t = torch.arange(coarse, device=duration_s.device, dtype=duration_s.dtype)
    t = t * (ENVELOPE_STEP * dt_s)
    width = (SH_WIDTH * duration_s)[:, None]

    # Tapering the noise, not the motion, leaves the spectrum's zero at 0 Hz.
    left = (1.0 - t / (npts * dt_s)) / END_TAPER
    taper = torch.sin(0.5 * math.pi * torch.clamp(left, 0.0, 1.0)) ** 2

    def unit(e: torch.Tensor) -> torch.Tensor:
        e = e * taper
        return e / (ENVELOPE_STEP * e.sum(dim=1, keepdim=True))

    after_s = t - onset_s_s[:, None]
    s_packet = unit(saragoni_hart_squared(after_s / width))
    p_packet = unit(saragoni_hart_squared((t - onset_p_s[:, None]) / width))
    # The coda grows in over the S packet and then decays at its own rate.
    since = torch.clamp(after_s, min=0.0)
    coda = unit(-torch.expm1(-since / duration_s[:, None]) * torch.exp(-since / p.coda_decay_s))
    s_wave = (1.0 - p.coda_energy) * s_packet + p.coda_energy * coda
    horizontal = (1.0 - p.p_energy_horizontal) * s_wave + p.p_energy_horizontal * p_packet
    vertical = (1.0 - p.p_energy_vertical) * s_wave + p.p_energy_vertical * p_packet
    return _to_samples(torch.sqrt(horizontal), npts), _to_samples(torch.sqrt(vertical), npts)


def _to_samples(coarse: torch.Tensor, npts: int) -> torch.Tensor:
    """Linear interpolation of an envelope from every ENVELOPE_STEP-th sample to every one."""
    u = torch.arange(ENVELOPE_STEP, device=coarse.device, dtype=coarse.dtype) / ENVELOPE_STEP
    steps = coarse[:, :-1, None] + (coarse[:, 1:] - coarse[:, :-1])[:, :, None] * u
    return steps.reshape(len(coarse), -1)[:, :npts]


def record_samples(
    p: StochasticParameters,
    duration_s: NDArray[np.float64],
    onset_s_s: NDArray[np.float64],
    dt_s: float,
) -> NDArray[np.int64]:
    """Samples to hold the motion, given its median duration.

    3 durations hold the S window to where its amplitude has fallen below 5 % of its peak, also
    for a draw of + 1 sigma in duration; the coda is followed to e^-2 of its energy.
    """
    end = onset_s_s + np.maximum(3.0 * duration_s, duration_s + 2.0 * p.coda_decay_s)
    wanted = np.ceil(end / dt_s).astype(np.int64)
    return LENGTHS[np.minimum(np.searchsorted(LENGTHS, wanted), len(LENGTHS) - 1)]


def returned(acceleration: torch.Tensor) -> torch.Tensor:
    """Motions that come back to where they started, as those of a far-field source do.

    White noise of finite length leaves an offset of the displacement, centimetres for large
    earthquakes. One sine over the whole record takes it away: the record's lowest frequency
    alone is touched, 0.01 to 0.05 Hz, by some 1e-4 m/s2.

    acceleration : (..., npts), its mean 0
    """
    npts = acceleration.shape[-1]
    # displacement at the end by two trapezoidal rules, in units of dt**2
    at = torch.arange(npts, device=acceleration.device, dtype=torch.float64)
    weight = npts - 1 - at
    weight[0] = 0.5 * (npts - 1) - 0.25
    weight[-1] = 0.25
    sine = torch.sin(2.0 * math.pi / npts * at)
    weighted = acceleration * weight.to(acceleration.dtype)
    # summed in float64, so that the sum is the same in every batch
    offset = weighted.sum(dim=-1, keepdim=True, dtype=torch.float64)
    factor = offset / (sine @ weight)
    return acceleration.addcmul(
        factor.to(acceleration.dtype), sine.to(acceleration.dtype), value=-1.0
    )
