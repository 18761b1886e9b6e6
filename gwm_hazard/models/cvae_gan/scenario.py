"""Spectra and durations of scenarios, for draws without a target: a regression on the conditions.

ln SA at each ordinate and ln D5-95 are a quadratic form of the conditions plus a multivariate
normal residual, the same everywhere. A model keeps the coefficients with its weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import ModelError

#: Share of the mean variance that is added where a duration is inferred from a spectrum: of
#: ordinates that stand as close as these the covariance alone is nearly singular.
_RIDGE = 1e-2
NAMES = ("centre", "coefficients", "covariance")
_PREFIX = "scenario."


class ScenarioSpectra:
    """ln SA (ln m/s2) and ln D5-95 (ln s) given conditions.

    Parameters
    ----------
    conditions : names
    centre : (2, n), mean and standard deviation of what enters
    coefficients : (n_terms, ordinates + 1)
    covariance : (ordinates + 1, ordinates + 1) of the residuals
    """

    def __init__(
        self,
        conditions: Sequence[str],
        centre: NDArray[np.float64],
        coefficients: NDArray[np.float64],
        covariance: NDArray[np.float64],
    ) -> None:
        self.conditions = tuple(conditions)
        self.centre, self.coefficients, self.covariance = centre, coefficients, covariance
        value, vector = np.linalg.eigh(covariance)
        self._root = vector * np.sqrt(np.clip(value, 0.0, None))
        spectral = covariance[:-1, :-1]
        ridge = _RIDGE * np.trace(spectral) / len(spectral) * np.eye(len(spectral))
        self._slope = np.linalg.solve(spectral + ridge, covariance[:-1, -1])
        explained = 2.0 * self._slope @ covariance[:-1, -1] - self._slope @ spectral @ self._slope
        self._duration_sd = float(np.sqrt(max(covariance[-1, -1] - explained, 0.0)))

    @property
    def draws(self) -> int:
        """Standard normals that a spectrum takes."""
        return len(self.covariance)

    def mean(self, scenarios: Scenarios) -> NDArray[np.float64]:
        """Means, (n, ordinates + 1)."""
        terms = _terms({name: scenarios[name] for name in self.conditions}, self.centre)
        return np.asarray(terms @ self.coefficients)

    def spectra(self, scenarios: Scenarios, normal: NDArray[np.float32]) -> NDArray[np.float64]:
        """ln SA of draws, (n, ordinates); ``normal`` (n, ordinates + 1)."""
        return (self.mean(scenarios) + normal.astype(np.float64) @ self._root.T)[:, :-1]

    def duration(
        self, scenarios: Scenarios, ln_sa: NDArray[np.float64], normal: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """ln D5-95 of draws given their spectra, (n,); ``normal`` (n, 1)."""
        mean = self.mean(scenarios)
        given = mean[:, -1] + (ln_sa - mean[:, :-1]) @ self._slope
        return np.asarray(given + self._duration_sd * normal[:, 0])

    def tensors(self) -> dict[str, torch.Tensor]:
        """The regression as named tensors."""
        return {_PREFIX + k: torch.from_numpy(getattr(self, k)).float() for k in NAMES}

    @classmethod
    def of(
        cls, conditions: Sequence[str], tensors: Mapping[str, torch.Tensor]
    ) -> ScenarioSpectra | None:
        """What :meth:`tensors` gave, or None where there is none."""
        if not any(name.startswith(_PREFIX) for name in tensors):
            return None
        found = [tensors[_PREFIX + k].double().numpy() for k in NAMES]
        return cls(conditions, *found)

    @classmethod
    def shapes(cls, conditions: int, ordinates: int) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors."""
        terms = 1 + conditions + conditions * (conditions + 1) // 2
        size = ordinates + 1
        shapes = {"centre": (2, conditions), "coefficients": (terms, size)}
        return {_PREFIX + k: v for k, v in (shapes | {"covariance": (size, size)}).items()}

    @classmethod
    def fit(
        cls, conditions: Mapping[str, NDArray[np.float64]], values: NDArray[np.float64]
    ) -> ScenarioSpectra:
        """Least squares.

        Parameters
        ----------
        conditions : columns (n,) by name
        values : (n, ordinates + 1), ln SA and ln D5-95

        Raises
        ------
        ModelError
            Fewer records than the regression has terms.
        """
        entering = np.stack(list(_entering(conditions).values()), axis=1)
        sd = entering.std(axis=0)
        centre = np.stack([entering.mean(axis=0), np.where(sd > 0, sd, 1.0)]).astype(np.float64)
        terms = _terms(conditions, centre)
        if len(terms) < 2 * terms.shape[1]:
            raise ModelError(
                f"spectra of scenarios: {len(terms)} records for {terms.shape[1]} terms of a "
                f"regression on {', '.join(conditions)}; give more records or fewer conditions"
            )
        coefficients = np.asarray(np.linalg.lstsq(terms, values, rcond=None)[0])
        residual = values - terms @ coefficients
        covariance = np.asarray(residual.T @ residual / (len(terms) - terms.shape[1]))
        return cls(tuple(conditions), centre, coefficients, covariance)


def _entering(conditions: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Conditions as they enter: logarithms, of the effective distance where rrup is given."""
    made = {}
    for name, values in conditions.items():
        if name == "rrup" and "mag" in conditions:
            made[name] = np.log(effective_distance_km(conditions["mag"], values))
        elif name in ("rrup", "rhypo", "vs30"):
            made[name] = np.log(np.maximum(values, 1e-3))
        else:
            made[name] = np.asarray(values, dtype=np.float64)
    return made


def _terms(
    conditions: Mapping[str, NDArray[np.float64]], centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """1, each condition, and their products, (n, n_terms)."""
    entering = np.stack(list(_entering(conditions).values()), axis=1)
    x = (entering - centre[0]) / centre[1]
    count = x.shape[1]
    products = [x[:, i] * x[:, j] for i in range(count) for j in range(i, count)]
    return np.stack([np.ones(len(x)), *x.T, *products], axis=1)
