"""Event and record terms of the stochastic model from residuals, and their correlation.

Linear theory: ln IM is the mean of ln Fourier amplitude over frequency, weighted by its share of
the oscillator's power (``random_vibration.peaks``), plus the scatter of random phases. Standard
deviations of amplitudes at two magnitudes and their correlation between frequencies are those
near to Bayless and Abrahamson (2019) that give the observed ones of ln IM and the correlation
of Baker and Jayaram (2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gwm_hazard.models.stochastic import spectrum
from gwm_hazard.models.stochastic.parameters import StochasticParameters
from gwm_hazard.statistics.mixed_effects import Groups, fit
from validation.stochastic import published
from validation.stochastic import random_vibration as rv

Array = NDArray[np.float64]

#: Magnitudes of the classes in which standard deviations are estimated.
CLASSES = ((4.0, 4.6), (4.6, 5.4), (5.4, 8.1))
#: Nodes of the factors on published standard deviations, Hz.
NODES_HZ = np.array([0.1, 0.3, 1.0, 3.0, 8.0, 24.0])
#: Scenarios of the correlation: magnitude, rrup, Vs30.
SCENARIOS = ((6.5, 30.0, 400.0), (6.5, 30.0, 760.0), (7.0, 50.0, 400.0))
#: Part of the standard deviation of a normal that is left when it is cut at 2 sigma.
CUT = 0.88
#: Rank of the smooth part of the correlation.
RANK = 6
PERIODS = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0)


@dataclass(frozen=True)
class Observed:
    """tau and phi of ln IM in a class of magnitudes, and the mean conditions of its rows."""

    tau: Array
    phi: Array
    conditions: dict[str, Array]


def observed(
    c: dict[str, Array], event: Array, residual: Array, well_known: NDArray[np.bool_]
) -> list[Observed]:
    """Class after class; NaN where fewer than 50 rows are.

    tau by mixed effects on well-known rows; phi is the rest of the variance of all rows, so that
    sigma is theirs.
    """
    out = []
    for low, high in CLASSES:
        here = (c["mag"] >= low) & (c["mag"] < high)
        spreads = np.full((2, residual.shape[1]), np.nan)
        for j in range(residual.shape[1]):
            every = here & np.isfinite(residual[:, j])
            has = every & well_known
            if has.sum() >= 50:
                found = fit(Groups(event[has]), residual[has, j], np.ones((int(has.sum()), 1)))
                rest = residual[every, j].var() - found.spread.tau**2
                spreads[:, j] = found.spread.tau, np.sqrt(max(rest, found.spread.phi**2))
        mean = {k: np.array([np.exp(np.log(v[here]).mean())]) for k, v in c.items()}
        out.append(Observed(*spreads, mean))
    return out


def weights(p: StochasticParameters, c: dict[str, Array], imts: Sequence[str]) -> Array:
    """Weights of ln amplitude at the table's frequencies in ln IM at one scenario, (m, 31)."""
    share = rv.peaks(rv.ln_amplitude(p, c)[0], rv.durations(p, c), imts)[1][:, 0]
    size = len(spectrum.bayless_abrahamson()["freq_hz"])
    spread = spectrum.to_coarse(torch.eye(size, dtype=torch.float64)).numpy()
    return np.asarray(share @ spread.T, dtype=np.float64)


def factors(
    p: StochasticParameters, imts: Sequence[str], seen: list[Observed], phase: Array, rho: Array
) -> Array:
    """ln factors on published tau and phi at M 4 and M 6, (4, 31): tau, tau, phi, phi.

    phase : variance of ln IM by random phases, (m,)
    """
    table = spectrum.bayless_abrahamson()
    ln_f = np.log(table["freq_hz"])
    at = np.array([weights(p, o.conditions, imts) for o in seen])
    share = np.clip((np.array([o.conditions["mag"][0] for o in seen]) - 4.0) / 2.0, 0.0, 1.0)

    def spreads(x: Array) -> tuple[Array, Array]:
        ln = x.reshape(4, len(NODES_HZ))
        by = np.array([np.interp(ln_f, np.log(NODES_HZ), row) for row in ln])
        w = share[:, None]
        parts = [table[f"s{i}"] + w * (table[f"s{i + 1}"] - table[f"s{i}"]) for i in (1, 3, 5)]
        published_s = (parts[0], np.hypot(parts[1], parts[2]))
        out = []
        for k, added in ((0, 0.0), (1, phase)):
            s = published_s[k] * np.exp(by[2 * k] + w * (by[2 * k + 1] - by[2 * k]))
            field = np.einsum("cmf,cf,fg,cg,cmg->cm", at, s, rho, s, at, optimize=True)
            out.append(np.sqrt(field + added))
        return out[0], out[1]

    def misfit(x: Array) -> Array:
        parts = []
        for model, theirs in zip(spreads(x), ("tau", "phi"), strict=True):
            data = np.array([getattr(o, theirs) for o in seen])
            error = 0.10 if theirs == "tau" else 0.03
            left = np.log(model / np.maximum(data, 0.05)) / error
            parts.append(left[np.isfinite(left)] / np.sqrt(3.0))
        rough = np.diff(x.reshape(4, -1), axis=1) / 0.15
        return np.concatenate([*parts, rough.ravel(), x / 0.6])

    found = least_squares(misfit, np.zeros(4 * len(NODES_HZ)))
    ln = found.x.reshape(4, -1)
    return np.array([np.interp(ln_f, np.log(NODES_HZ), row) for row in ln])


def correlation(p: StochasticParameters, phase: Array, near: Array, draws: Array) -> Array:
    """Correlation between the table's frequencies, (31, 31), near to a given one.

    A matrix of rank RANK, smooth over frequency, mixed with the given one, that brings the
    correlation of SA near to that of Baker and Jayaram: sixth powers of the differences count.

    phase : covariance of ln SA at PERIODS by random phases, (m, m)
    draws : correlation of SA of draws with the given one, (n_scenarios, m, m): what linear theory
        leaves out is taken to stay
    """
    imts = [f"SA({t:g})" for t in PERIODS]
    goal = torch.as_tensor(published.correlation(PERIODS))
    start = torch.as_tensor(near)
    at = []
    for mag, rrup, vs30 in SCENARIOS:
        c = {"mag": mag, "rrup": rrup, "vs30": vs30, "hypo_depth": 8.0}
        c = {k: np.array([v]) for k, v in c.items()}
        columns = {k: torch.as_tensor(v) for k, v in c.items()}
        tau, phi = (s[0] for s in spectrum.standard_deviations(p, columns["mag"]))
        median = spectrum.stress_bar(p, columns["mag"], columns["hypo_depth"])
        more = median * np.exp(p.stress_sigma_ln)
        stress = spectrum.at_table(
            spectrum.ln_source(p, columns["mag"], more)
            - spectrum.ln_source(p, columns["mag"], median)
        )[0]
        rest = torch.sqrt(torch.clamp(tau**2 - stress**2, min=0.0))
        w = torch.as_tensor(weights(p, c, imts))
        # longer motions have smaller peaks at all periods
        ln, d = rv.ln_amplitude(p, c)[0], rv.durations(p, c)
        by_duration = rv.peaks(ln, d * 1.05, imts)[0] - rv.peaks(ln, d / 1.05, imts)[0]
        sd = CUT * np.hypot(p.duration_tau, p.duration_phi) / np.log(1.05**2)
        shared = torch.stack([w @ stress, torch.as_tensor(by_duration[0] * sd)], dim=1)
        at.append((w * rest, w * phi, shared @ shared.T + torch.as_tensor(phase)))
    ln_f = np.log(spectrum.bayless_abrahamson()["freq_hz"])
    nodes = np.linspace(ln_f[0], ln_f[-1], 9)
    hats = torch.as_tensor(np.array([np.interp(ln_f, nodes, row) for row in np.eye(9)]).T)
    values, vectors = np.linalg.eigh(start.numpy())
    first = vectors[:, -RANK:] * np.sqrt(values[-RANK:])
    x = torch.as_tensor(np.linalg.lstsq(hats.numpy(), first, rcond=None)[0]).requires_grad_()
    share = torch.zeros((), dtype=torch.float64).requires_grad_()

    def matrix() -> torch.Tensor:
        u = hats @ x
        u = u / torch.sqrt((u**2).sum(dim=1, keepdim=True))
        own = torch.sigmoid(share)
        return own * (u @ u.T) + (1.0 - own) * start

    def by_linear_theory(rho: torch.Tensor) -> list[torch.Tensor]:
        out = []
        for between, within, more in at:
            field = between @ rho @ between.T + within @ rho @ within.T + more
            sd = torch.sqrt(torch.diagonal(field))
            out.append(field / sd[:, None] / sd)
        return out

    left_out = torch.as_tensor(draws) - torch.stack(by_linear_theory(start))

    def loss() -> torch.Tensor:
        rho = matrix()
        total = 0.01 * ((rho - start) ** 2).sum()
        for found, more in zip(by_linear_theory(rho), left_out, strict=True):
            total = total + (((found + more - goal) / 0.1) ** 6).mean()
        return total + 0.002 * ((x[2:] - 2 * x[1:-1] + x[:-2]) ** 2).sum()

    optimizer = torch.optim.LBFGS(
        [x, share], max_iter=150, history_size=30, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
    return matrix().detach().numpy()
