"""Moments of ln IM: mean, between-event and within-event standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard
from gwm_hazard.core.ensemble_noise import SITES_PER_EVENT
from gwm_hazard.intensity.one_component import rotd50_phi


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


def moments_of(ln: NDArray[np.float64], card: ModelCard, imts: Sequence[str]) -> Moments:
    """Moments of the draws (n_scenarios, realizations, n_imts) of an ensemble.

    tau^2 is the covariance of the two sites of an event, phi^2 the rest of the variance. For a
    model without a between-event term (its card says so) tau is 0.
    """
    n, draws, columns = ln.shape
    ln = ln.reshape(n, draws // SITES_PER_EVENT, SITES_PER_EVENT, columns)
    mean = ln.mean(axis=(1, 2))
    deviation = ln - mean[:, None, None]
    variance = (deviation**2).mean(axis=(1, 2))
    tau2 = np.zeros_like(variance)
    if card.between_event:
        tau2 = (deviation[:, :, 0] * deviation[:, :, 1]).mean(axis=1)
        tau2 = np.clip(tau2, 0.0, variance)
    return rotd50_moments(Moments(mean, np.sqrt(tau2), np.sqrt(variance - tau2)), card, imts)


def rotd50_moments(moments: Moments, card: ModelCard, imts: Sequence[str]) -> Moments:
    """Moments of RotD50 by those of draws: without component-to-component variability.

    Single draws of a model of one horizontal hold it
    (:func:`gwm_hazard.intensity.one_component.rotd50_phi`).
    """
    phi = rotd50_phi(len(card.components), imts, moments.phi)
    return Moments(moments.mean, moments.tau, phi)
