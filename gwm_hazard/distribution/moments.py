"""Moments of ln IM: mean, between-event and within-event standard deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.ensemble_noise import SITES_PER_EVENT


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviations of ln IM, each (n_scenarios, n_imts)."""

    mean: NDArray[np.float64]
    tau: NDArray[np.float64]
    phi: NDArray[np.float64]

    @property
    def sigma(self) -> NDArray[np.float64]:
        """Total standard deviation."""
        return np.hypot(self.tau, self.phi)


def moments_of(ln: NDArray[np.float64], between_event: bool) -> Moments:
    """Moments of an ensemble's draws (n_scenarios, realizations, n_imts), as :func:`estimate`."""
    n, draws, columns = ln.shape
    ln = ln.reshape(n, draws // SITES_PER_EVENT, SITES_PER_EVENT, columns)
    mean = ln.mean(axis=(1, 2))
    deviation = ln - mean[:, None, None]
    variance = (deviation**2).mean(axis=(1, 2))
    tau2 = np.zeros_like(variance)
    if between_event:
        tau2 = (deviation[:, :, 0] * deviation[:, :, 1]).mean(axis=1)
        tau2 = np.clip(tau2, 0.0, variance)
    return Moments(mean, np.sqrt(tau2), np.sqrt(variance - tau2))
