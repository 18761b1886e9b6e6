"""Samplers of the probability flow of a diffusion model, as pure functions.

Each takes a denoiser ``(x, sigma) -> expected clean x``, a start ``x`` that is noise of standard
deviation ``sigmas[0]``, and the noise levels, falling, the last one 0. None draws a random number.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from gwm_hazard.errors import InputError

Denoiser = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0
#: Last noise level where steps are few. What lies below it is 0.2 % of the standard deviation of
#: a latent (sigma^2 / 2 sigma_data^2), while the steps saved there count above it
#: (validation/highfem/sampling_error.py).
SIGMA_MIN_FEW = 0.03


def karras_sigmas(steps: int, rho: float = RHO, last: float = SIGMA_MIN) -> torch.Tensor:
    """Noise levels (steps + 1,) float32 from 80 to ``last``, and 0 (Karras et al. 2022, eq. 5).

    Raises
    ------
    ValueError
        Fewer than 2 steps.
    """
    if steps < 2:
        raise InputError(f"steps = {steps}: give at least 2")
    ramp = torch.arange(steps, dtype=torch.float32) / (steps - 1)
    high, low = SIGMA_MAX ** (1.0 / rho), last ** (1.0 / rho)
    sigmas = (high + ramp * (low - high)) ** rho
    return torch.cat((sigmas, torch.zeros(1)))


def heun(denoiser: Denoiser, x: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    """Heun's second-order method, 2 n - 1 evaluations for n steps.

    Karras et al. (2022), algorithm 1. The state is float64, as in the published sampler.
    """
    x, sigmas = x.double(), sigmas.to(x.device, torch.float64)
    for i in range(len(sigmas) - 1):
        x = _heun_step(denoiser, x, sigmas[i], sigmas[i + 1])
    return x


def heun_stochastic(
    denoiser: Denoiser,
    x: torch.Tensor,
    sigmas: torch.Tensor,
    noise: Callable[[int], torch.Tensor],
    churn: float = 40.0,
    churn_min: float = 0.05,
    churn_max: float = 50.0,
    churn_noise: float = 1.003,
) -> torch.Tensor:
    """Heun's method with fresh noise at each step (Karras et al. 2022, algorithm 2).

    Parameters
    ----------
    noise : callable
        Step -> standard normal of the shape of x.
    churn, churn_min, churn_max, churn_noise : float
        S_churn, S_min, S_max, S_noise; defaults as published with the model.
    """
    x, sigmas = x.double(), sigmas.to(x.device, torch.float64)
    steps = len(sigmas) - 1
    for i in range(steps):
        sigma = sigmas[i]
        gamma = min(churn / steps, 2.0**0.5 - 1.0) if churn_min <= sigma <= churn_max else 0.0
        raised = sigma * (1.0 + gamma)
        x = x + torch.sqrt(raised**2 - sigma**2) * churn_noise * noise(i).double()
        x = _heun_step(denoiser, x, raised, sigmas[i + 1])
    return x


def _heun_step(
    denoiser: Denoiser, x: torch.Tensor, sigma: torch.Tensor, following: torch.Tensor
) -> torch.Tensor:
    slope = (x - denoiser(x, sigma)) / sigma
    step = following - sigma
    euler = x + step * slope
    if following == 0.0:
        return euler
    return x + step * 0.5 * (slope + (euler - denoiser(euler, following)) / following)


def dpmpp_2m(denoiser: Denoiser, x: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    """DPM-Solver++(2M): second-order multistep, n evaluations for n steps.

    Lu, Zhou, Bao, Chen, Li and Zhu (2022), *DPM-Solver++: fast solver for guided sampling of
    diffusion probabilistic models*, arXiv:2211.01095, algorithm 2, in the parametrisation of
    Karras et al. (alpha = 1, lambda = -ln sigma).
    """
    x, sigmas = x.double(), sigmas.to(x.device, torch.float64)
    previous = None
    for i in range(len(sigmas) - 1):
        clean = denoiser(x, sigmas[i]).double()
        if sigmas[i + 1] == 0.0:
            return clean
        h = torch.log(sigmas[i] / sigmas[i + 1])
        target = clean
        if previous is not None:
            ratio = torch.log(sigmas[i - 1] / sigmas[i]) / h
            target = clean + (clean - previous) / (2.0 * ratio)
        x = (sigmas[i + 1] / sigmas[i]) * x - torch.expm1(-h) * target
        previous = clean
    return x
