"""Samplers against the probability flow of Gaussian data, which is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from gwm_hazard.models.highfem import sampling

S0, MEAN = 0.5, 0.3


def denoiser(x, sigma):
    """Posterior mean of data ~ N(MEAN, S0^2) given data + noise of sd sigma."""
    return (S0**2 * x + sigma**2 * MEAN) / (S0**2 + sigma**2)


def exact(z):
    """The flow moves x - MEAN in proportion to its standard deviation."""
    return MEAN + (80.0 * z - MEAN) * S0 / math.hypot(S0, 80.0)


def error(sampler, steps):
    z = torch.linspace(-3, 3, 13, dtype=torch.float64)[:, None]
    sigmas = sampling.karras_sigmas(steps).double()
    return float((sampler(denoiser, 80.0 * z, sigmas) - exact(z)).abs().max())


def test_karras_sigmas():
    sigmas = sampling.karras_sigmas(25)
    assert sigmas.dtype == torch.float32
    assert len(sigmas) == 26
    assert sigmas[0] == pytest.approx(80.0, rel=1e-6)
    assert sigmas[24] == pytest.approx(0.002, rel=1e-4)
    assert sigmas[25] == 0
    roots = sigmas[:25].double() ** (1 / 7)
    torch.testing.assert_close(roots.diff(), roots.diff().mean().expand(24), rtol=1e-4, atol=0)
    with pytest.raises(ValueError, match="steps = 1: give at least 2"):
        sampling.karras_sigmas(1)


@pytest.mark.parametrize("sampler", [sampling.heun, sampling.dpmpp_2m])
def test_second_order(sampler):
    """Twice the steps, a quarter of the error, once the steps are short."""
    coarse, fine = error(sampler, 80), error(sampler, 160)
    assert 3.5 < coarse / fine < 4.6
    assert fine < 2e-3


def test_multistep_is_better_at_few_evaluations():
    """8 evaluations of DPM-Solver++(2M) against 9 of Heun's method."""
    assert error(sampling.dpmpp_2m, 8) < 0.2 * error(sampling.heun, 5)


def test_higher_last_level_costs_little():
    """Stopping at 0.03 shrinks the deviation by sigma^2 / 2 S0^2 = 0.18 %."""
    z = torch.tensor([[-2.0], [2.0]], dtype=torch.float64)
    sigmas = sampling.karras_sigmas(400, last=sampling.SIGMA_MIN_FEW).double()
    assert sigmas[-2] == pytest.approx(0.03, rel=1e-4)
    got = sampling.dpmpp_2m(denoiser, 80.0 * z, sigmas)
    shrunk = float((got[1] - got[0]) / (exact(z)[1] - exact(z)[0]))
    assert 1 - shrunk == pytest.approx(0.03**2 / (2 * S0**2), rel=0.2)


def test_evaluations():
    calls = []

    def counted(x, sigma):
        calls.append(float(sigma))
        return denoiser(x, sigma)

    z, sigmas = torch.ones(1, 1), sampling.karras_sigmas(25)
    sampling.heun(counted, z, sigmas)
    assert len(calls) == 49
    calls.clear()
    sampling.dpmpp_2m(counted, z, sigmas)
    assert calls == pytest.approx(sigmas[:25].tolist())


def test_stochastic_keeps_the_distribution():
    """With fresh noise at each step the result still has the mean and deviation of the data."""
    generator = torch.Generator().manual_seed(5)
    shape = (20000, 1)

    def noise(step):
        return torch.randn(shape, generator=generator)

    x = 80.0 * noise(-1)
    out = sampling.heun_stochastic(denoiser, x, sampling.karras_sigmas(100), noise, churn_noise=1.0)
    assert float(out.mean()) == pytest.approx(MEAN, abs=0.01)
    assert float(out.std()) == pytest.approx(S0, rel=0.02)
    assert float(torch.corrcoef(torch.cat((x, out), dim=1).T)[0, 1]) < 0.3


def test_stochastic_without_churn_is_heun():
    x, sigmas = 80.0 * torch.ones(3, 1), sampling.karras_sigmas(10)
    got = sampling.heun_stochastic(denoiser, x, sigmas, lambda i: torch.ones(3, 1), churn=0.0)
    torch.testing.assert_close(got, sampling.heun(denoiser, x, sigmas), rtol=0, atol=0)
