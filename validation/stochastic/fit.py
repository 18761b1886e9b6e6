"""The parts of the calibration: physical parameters, tables of factors, variability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.sparse import coo_array, csr_array

from gwm_hazard.calibration.free import choose, to_vector, with_vector
from gwm_hazard.models.stochastic import spectrum
from gwm_hazard.models.stochastic.parameters import StochasticParameters
from validation.stochastic import random_vibration as rv

Array = NDArray[np.float64]
Conditions = dict[str, Array]

#: Everything of :data:`gwm_hazard.calibration.free.FREE` but the duration.
PHYSICAL = (
    *("stress_bar", "stress_slope_below", "stress_slope_above", "stress_depth_slope"),
    *("fa_intercept", "fa_slope", "epsilon_intercept", "epsilon_slope", "h_slope", "b1", "b2"),
    *("q0", "eta", "kappa_s"),
)
#: Standard deviation of a curvature of ln factor: per node of magnitude, distance, Vs30, frequency.
ROUGHNESS = (0.10, 0.10, 0.10, 0.15)
#: and of the factor itself, where nothing else speaks
SIZE = 0.7


def smooth(c: Conditions) -> Array:
    """Terms of a smooth function of the conditions, (n, 15)."""
    m, r, v = c["mag"] - 6.5, np.log(np.hypot(c["rrup"], 8.0) / 30.0), np.log(c["vs30"] / 500.0)
    terms = (np.ones_like(m), m, m**2, m**3, r, r**2, r**3, m * r, m**2 * r, m * r**2)
    return np.stack([*terms, v, m * v, r * v, r**2 * v, m * r * v], axis=1)


@dataclass(frozen=True)
class Corrected:
    """Random vibration theory with what draws add to it, as a smooth function, (15, m)."""

    imts: tuple[str, ...]
    horizontal: Array
    vertical: Array

    @classmethod
    def of_draws(
        cls, p: StochasticParameters, c: Conditions, imts: Sequence[str], h: Array, v: Array
    ) -> Corrected:
        """From means of ln IM of draws at scenarios, (n, m) each."""
        empty = np.zeros((smooth(c).shape[1], len(imts)))
        none = cls(tuple(imts), empty, empty)
        by_rv = [none(p, c, vertical=k)[0] for k in (False, True)]
        terms = smooth(c)
        left = [d - r for d, r in zip((h, v), by_rv, strict=True)]
        fits = [np.linalg.lstsq(terms, a, rcond=None)[0] for a in left]
        return cls(tuple(imts), *fits)

    def __call__(
        self, p: StochasticParameters, c: Conditions, vertical: bool = False, tables: bool = True
    ) -> tuple[Array, Array]:
        """Mean of ln IM (n, m) and its derivative by ln amplitude, (m, n, n_coarse)."""
        ln = rv.ln_amplitude(p, c, tables)[int(vertical)]
        mean, share = rv.peaks(ln, rv.durations(p, c), self.imts)
        return mean + smooth(c) @ (self.vertical if vertical else self.horizontal), share


def physical(
    start: StochasticParameters, c: Conditions, imts: Sequence[str], target: Array, by: Corrected
) -> StochasticParameters:
    """The point source nearest to targets (n, m), with the priors of the calibration."""
    free = choose(PHYSICAL)
    published = to_vector(replace(start, **{f.name: f.published for f in free}), free)
    sd = np.array([f.sd for f in free])

    def misfit(x: Array) -> Array:
        mean = by(with_vector(start, free, x), c, tables=False)[0]
        data = (mean - target) / 0.25 / np.sqrt(len(imts) / 4.0)
        return np.concatenate([data.ravel(), (x - published) / sd])

    found = least_squares(misfit, to_vector(start, free), loss="linear", max_nfev=40)
    return with_vector(start, free, found.x)


class TableFit:
    """Normal equations for a table of factors: data enter by residuals and their derivatives."""

    def __init__(
        self,
        table: spectrum.NodeTable,
        roughness: tuple[float, ...] = ROUGHNESS,
        size: float = SIZE,
    ) -> None:
        self.table = table
        self.largest = size
        self.roughness = roughness
        self.size = table.values.size
        self.information = np.zeros((self.size, self.size))
        self.score = np.zeros(self.size)
        low, weight = spectrum._interpolation(
            np.log(rv.HZ), np.log(table.freq_hz), rv.torch.device("cpu")
        )
        hats = np.zeros((len(rv.HZ), len(table.freq_hz)))
        rows = np.arange(len(rv.HZ))
        hats[rows, low.numpy()] += 1.0 - weight.numpy()
        hats[rows, low.numpy() + 1] += weight.numpy()
        self.hats = hats

    def design(self, c: Conditions, share: Array) -> csr_array:
        """Derivative of ln IM (n,) by the values of the table, (n, size)."""
        columns = {k: rv.torch.as_tensor(c[k], dtype=rv.torch.float64) for k in c}
        index, weight = (v.numpy() for v in self.table.corners(columns))
        by_node = share @ self.hats
        by_node[np.abs(by_node) < 1e-3] = 0.0
        width = by_node.shape[1]
        column = index[:, :, None] * width + np.arange(width)
        row = np.broadcast_to(np.arange(len(share))[:, None, None], column.shape)
        values = weight[..., None] * by_node[:, None]
        shape = (len(share), self.size)
        return coo_array((values.ravel(), (row.ravel(), column.ravel())), shape=shape).tocsr()

    def add(self, design: csr_array, residual: Array, precision: Array) -> None:
        """Independent data with precisions (n,)."""
        self.information += (design.T @ (design * precision[:, None])).toarray()
        self.score += design.T @ (precision * residual)

    def add_events(
        self,
        design: csr_array,
        residual: Array,
        event: NDArray[np.int64],
        tau: Array | float,
        phi: float,
        power: float,
    ) -> None:
        """Records of events: between-event tau (also one each), within-event phi, to a power."""
        count = np.bincount(event)
        shrink = tau**2 / (phi**2 + count * tau**2)
        one = np.ones(len(event))
        member = coo_array((one, (event, np.arange(len(event))))).tocsr()
        sums = member @ design
        scale = power / phi**2
        within = design.T @ design - sums.T @ (sums * shrink[:, None])
        self.information += scale * within.toarray()
        self.score += scale * (design.T @ residual - sums.T @ (shrink * (member @ residual)))

    def solve(self) -> spectrum.NodeTable:
        """The table plus the step, smooth in every direction."""
        shape = self.table.values.shape
        penalty = np.eye(self.size) / self.largest**2
        for axis, sd in enumerate(self.roughness):
            second = np.zeros((max(shape[axis] - 2, 0), shape[axis]))
            for k in range(len(second)):
                second[k, k : k + 3] = (1.0, -2.0, 1.0)
            parts = [np.eye(n) for n in shape]
            parts[axis] = second.T @ second
            whole = parts[0]
            for part in parts[1:]:
                whole = np.kron(whole, part)
            penalty += whole / sd**2
        old = self.table.values.ravel()
        step = np.linalg.solve(self.information + penalty, self.score - penalty @ old)
        return replace(self.table, values=(old + step).reshape(shape))
