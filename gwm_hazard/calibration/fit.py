"""Penalised maximum likelihood of the stochastic model's parameters, by Gauss-Newton.

The residuals of each measure, ln observed - mean of ln IM of the model, follow a mixed model
(:mod:`gwm_hazard.statistics.mixed_effects`) whose standard deviations are estimated with the
parameters. Measures of one record are correlated. Their joint density would let the fit trade the
level of the spectrum against differences between near periods, which a simple physical model gets
least right; so the measures enter as a *composite likelihood*, the product of their marginal ones
(Varin, Reid and Firth 2011, Statistica Sinica 21: 5-42), with two corrections:

- against a prior the product would count m correlated measures as m records; it is raised to the
  power ``1 / (1 + (m - 1) rho)`` with the mean correlation rho of the residuals (the design effect
  of Kish 1965);
- standard errors come from the sandwich (Godambe) information with the scores of whole events,
  which is right under any correlation between measures and between records of an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from gwm_hazard.calibration.free import Free, with_vector
from gwm_hazard.calibration.medians import Medians
from gwm_hazard.calibration.variability import coordinates
from gwm_hazard.models.stochastic import StochasticParameters
from gwm_hazard.records.observations import Observations
from gwm_hazard.statistics import mixed_effects
from gwm_hazard.statistics.mixed_effects import Estimate, Groups

Array = NDArray[np.float64]

#: The fit ends where a step would gain less than this much penalised log-likelihood a parameter:
#: the optimum is then within 0.2 standard errors of each, on average.
TOLERANCE = 0.02
#: As good as this where no step gains: the interpolated derivatives are not exact to more.
STALLED = 0.1
#: Prior standard deviations that a parameter may move before the Jacobian is renewed.
RENEW = 0.3
#: Scenarios, at most, at which derivatives are drawn.
NODES = 300
#: Step of the central differences and longest step of an iteration, in prior standard deviations.
DIFFERENCE, LONGEST = 0.15, 1.5


@dataclass(frozen=True)
class Problem:
    """What is fitted: records, free parameters, prior (centre and precision), random terms.

    ``medians`` evaluates the model at the records with ``draws`` waveforms each, ``nodes`` at the
    scenarios between which its derivatives are interpolated (None: at the records themselves).
    """

    observations: Observations
    medians: Medians
    draws: int
    nodes: Medians | None
    free: tuple[Free, ...]
    base: StochasticParameters
    centre: Array
    precision: Array
    site_terms: bool = False

    def parameters(self, x: Array) -> StochasticParameters:
        """The parameters of a vector."""
        return with_vector(self.base, self.free, x)

    def groups(self) -> list[tuple[NDArray[np.bool_], Groups]]:
        """Known rows of each measure, and their grouping."""
        table = self.observations.table
        event, site = table["event_id"].to_numpy(str), table["station_id"].to_numpy(str)
        found = []
        for column in self.observations.ln().T:
            known = np.isfinite(column)
            sites = site[known] if self.site_terms else None
            found.append((known, Groups(event[known], sites)))
        return found


@dataclass(frozen=True)
class State:
    """The likelihood at one vector: residuals (n, m), estimates by measure, composite power."""

    x: Array
    residuals: Array
    simulation_variance: Array
    estimates: tuple[Estimate, ...]
    power: float
    penalty: float

    def objective(self, power: float) -> float:
        """Penalised composite log-likelihood under a power."""
        return power * sum(e.ln_likelihood for e in self.estimates) - self.penalty


@dataclass(frozen=True)
class Fit:
    """The result: covariances are of the vector, Hessian and sandwich; history by iteration."""

    state: State
    jacobian: Array
    hessian_covariance: Array
    sandwich_covariance: Array
    history: tuple[tuple[float, float], ...]
    converged: bool


def fit(
    problem: Problem,
    x: Array,
    shift: Array,
    *,
    iterations: int = 8,
    jacobian: Array | None = None,
    told: Callable[[str], None] | None = None,
) -> Fit:
    """Maximise the penalised composite likelihood.

    Parameters
    ----------
    problem : what is fitted
    x : where to start
    shift : (n, m) what the random terms add to the model's mean of ln IM
    iterations : at most
    jacobian : (n, m, p) of the residuals' model at a vector near ``x``, renewed where need be
    told : called with a line an iteration
    """
    groups = problem.groups()
    told = told or (lambda line: None)
    state = evaluate(problem, groups, x, shift)
    widths = np.array([f.sd for f in problem.free])
    moved_by = np.zeros(len(x))  # since the Jacobian
    history, converged = [], False
    for iteration in range(iterations):
        if jacobian is None or (np.abs(moved_by) > RENEW * widths).any():
            jacobian, moved_by = differences(problem, state.x), np.zeros(len(x))
        gradient, hessian, _ = score(problem, groups, state, jacobian)
        step: Array = np.asarray(np.linalg.solve(hessian, gradient), np.float64)
        gain = 0.5 * float(gradient @ step)
        value = state.objective(state.power)
        history.append((value, gain))
        told(f"iteration {iteration + 1}: log-likelihood {value:.2f}, a step would gain {gain:.2f}")
        if gain < TOLERANCE * len(x):
            converged = True
            break
        step = step * min(1.0, LONGEST / np.abs(step / widths).max())
        moved = _search(problem, groups, state, step, shift)
        if moved is not None:
            moved_by = moved_by + moved.x - state.x
            state = moved
        elif moved_by.any():
            jacobian = None
        else:
            told("no step gains anything: the fit ends")
            converged = gain < STALLED * len(x)
            break
    if jacobian is None:
        jacobian = differences(problem, state.x)
    _, hessian, meat = score(problem, groups, state, jacobian)
    inverse: Array = np.asarray(np.linalg.inv(hessian), np.float64)
    return Fit(state, jacobian, inverse, inverse @ meat @ inverse, tuple(history), converged)


def evaluate(
    problem: Problem, groups: Sequence[tuple[NDArray[np.bool_], Groups]], x: Array, shift: Array
) -> State:
    """Residuals and likelihood at a vector."""
    drawn = problem.medians(problem.parameters(x), problem.draws)
    residuals = problem.observations.ln() - drawn.mean - shift
    estimates = tuple(
        mixed_effects.fit(g, residuals[known, j]) for j, (known, g) in enumerate(groups)
    )
    penalty = 0.5 * float(problem.precision @ (x - problem.centre) ** 2)
    return State(
        x, residuals, drawn.variance.mean(axis=0), estimates, composite_power(residuals), penalty
    )


def composite_power(residuals: Array) -> float:
    """1 / (1 + (m - 1) rho): m measures a record on average, rho their mean correlation."""
    m = float(np.isfinite(residuals).sum(axis=1).mean())
    if residuals.shape[1] < 2:
        return 1.0
    correlation = pd.DataFrame(residuals).corr(min_periods=10).to_numpy()
    pairs = correlation[np.triu_indices(len(correlation), 1)]
    rho = float(np.nanmean(pairs)) if np.isfinite(pairs).any() else 1.0
    return 1.0 / (1.0 + max(m - 1.0, 0.0) * min(max(rho, 0.0), 1.0))


def differences(problem: Problem, x: Array) -> Array:
    """Derivatives of the model's mean of ln IM at the records, (n, m, p).

    Central differences with common random numbers, one draw a node, and linear radial basis
    functions between nodes. The residuals that they weigh stay those of the records: an error in
    a derivative costs efficiency but no bias.
    """
    medians = problem.nodes or problem.medians
    columns = []
    for j, f in enumerate(problem.free):
        step = DIFFERENCE * f.sd * (np.arange(len(x)) == j)
        above, below = (medians(problem.parameters(x + s), 1) for s in (step, -step))
        columns.append((above.mean - below.mean) / (2.0 * DIFFERENCE * f.sd))
    found = np.stack(columns, axis=2)
    if problem.nodes is None:
        return found
    at, to = (coordinates(m.points.scenarios) for m in (medians, problem.medians))
    flat = RBFInterpolator(at, found.reshape(len(at), -1), kernel="linear", smoothing=0.1)(to)
    return flat.reshape(len(to), *found.shape[1:])


def score(
    problem: Problem,
    groups: Sequence[tuple[NDArray[np.bool_], Groups]],
    state: State,
    jacobian: Array,
) -> tuple[Array, Array, Array]:
    """Gradient (p,), Gauss-Newton Hessian (p, p), and variance of the gradient by events (p, p)."""
    p = len(state.x)
    events, code = np.unique(
        problem.observations.table["event_id"].to_numpy(str), return_inverse=True
    )
    by_event = np.zeros((len(events), p))
    hessian = np.zeros((p, p))
    for j, (known, g) in enumerate(groups):
        spread = state.estimates[j].spread
        design = jacobian[known, j]
        weighted = g.solve(np.column_stack([design, state.residuals[known, j]]), spread)
        hessian += design.T @ weighted[:, :p]
        np.add.at(by_event, code[known], design * weighted[:, p:])
    power = state.power
    gradient = power * by_event.sum(axis=0) + problem.precision * (problem.centre - state.x)
    prior = np.diag(problem.precision)
    # The prior is a datum with its own variance: it stands in the meat as in the bread.
    meat = power**2 * by_event.T @ by_event * len(events) / max(len(events) - 1, 1) + prior
    hessian = power * hessian + prior
    # A parameter that neither data nor prior know stays where it is.
    hessian[np.diag_indices(p)] += 1e-9 * max(float(np.trace(hessian)) / p, 1e-9)
    return gradient, hessian, meat


def _search(
    problem: Problem,
    groups: Sequence[tuple[NDArray[np.bool_], Groups]],
    state: State,
    step: Array,
    shift: Array,
) -> State | None:
    """The first of the full, half ... step that gains, or None."""
    for halving in range(4):
        try:
            moved = evaluate(problem, groups, state.x + step * 0.5**halving, shift)
        except ValueError:  # parameters that the model does not take
            continue
        if moved.objective(state.power) > state.objective(state.power):
            return moved
    return None
