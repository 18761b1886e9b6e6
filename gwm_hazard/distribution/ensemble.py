"""The conditional distribution of ln IM at given scenarios, estimated from draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.base import WaveformModel

#: Numbers a draw that are matched, at most, as a share of the events: nearer to 1 the matching
#: would bend the numbers too far from independent normals.
MATCHED_SHARE = 0.7

#: Sites that share an event of the ensemble: the least that separates tau from phi.
SITES_PER_EVENT = 2


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


@dataclass
class Ensemble:
    """Common random numbers for all scenarios: ``realizations`` draws in events of two sites.

    Short streams of noise (event and record terms) are moment-matched over the ensemble: their
    sample means are exactly 0 and their sample covariance, between events and between the two
    sites of an event, exactly the identity (second-order moment matching; Glasserman 2004,
    *Monte Carlo Methods in Financial Engineering*, section 4.5). For a model whose ln IM is
    close to linear in such terms this takes most of the sampling error out of mean, tau and
    phi. Long streams (waveform noise) stay plain.
    """

    realizations: int
    seed: int
    _matched: dict[tuple[str, int, bool], NDArray[np.float32] | None] = field(default_factory=dict)
    _basis: list[NDArray[np.float64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.realizations < 4 or self.realizations % SITES_PER_EVENT:
            raise ValueError(
                f"realizations = {self.realizations}: must be an even number, at least 4"
            )
        self.events = self.realizations // SITES_PER_EVENT
        self.noise = Noise(
            self.seed,
            np.repeat(np.arange(self.events), SITES_PER_EVENT),
            np.tile(np.arange(SITES_PER_EVENT), self.events),
            0,
        )

    def matched(self, stream: str, size: int, per_event: bool) -> NDArray[np.float32] | None:
        """The stream over the whole ensemble, (realizations, size), or None if left plain."""
        key = (stream, size, per_event)
        if key not in self._matched:
            self._matched[key] = self._match(stream, size, per_event)
        return self._matched[key]

    def _match(self, stream: str, size: int, per_event: bool) -> NDArray[np.float32] | None:
        width = size if per_event else size * SITES_PER_EVENT
        used = sum(b.shape[1] for b in self._basis)
        if used + width > MATCHED_SHARE * self.events:
            return None
        raw = self.noise.normal(stream, size, per_event=per_event).astype(np.float64)
        rows = raw[::SITES_PER_EVENT] if per_event else raw.reshape(self.events, width)
        rows = rows - rows.mean(axis=0)
        for basis in self._basis:  # uncorrelated with the streams that came before
            rows = rows - basis @ (basis.T @ rows) / self.events
        # Symmetric whitening moves the numbers least.
        values, vectors = np.linalg.eigh(rows.T @ rows / self.events)
        rows = rows @ (vectors / np.sqrt(values)) @ vectors.T
        self._basis.append(rows)
        full = np.repeat(rows, SITES_PER_EVENT, axis=0) if per_event else rows.reshape(-1, size)
        return full.astype(np.float32)

    def tile(self, scenarios: int) -> _EnsembleNoise:
        """The whole ensemble for each of ``scenarios`` scenarios in succession."""
        return _EnsembleNoise(self, np.tile(np.arange(self.realizations), scenarios))


class _EnsembleNoise(Noise):
    """Rows of an ensemble, with the interface of :class:`Noise`."""

    def __init__(self, ensemble: Ensemble, rows: NDArray[np.int64]) -> None:
        base = ensemble.noise.take(rows)
        super().__init__(base.seed, base.event, base.site, base.realization)
        object.__setattr__(self, "_ensemble", ensemble)
        object.__setattr__(self, "_rows", rows)

    def take(self, rows: Any) -> _EnsembleNoise:
        return _EnsembleNoise(self._ensemble, self._rows[rows])  # type: ignore[attr-defined]

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        matched = self._ensemble.matched(stream, size, per_event)  # type: ignore[attr-defined]
        if matched is None:
            return super().normal(stream, size, per_event=per_event)
        return matched[self._rows]  # type: ignore[attr-defined]


def draw_ln_measures(
    model: WaveformModel,
    scenarios: Scenarios,
    noise: Noise,
    imts: list[str],
    component: str = "RotD50",
    batch_size: int | None = None,
) -> NDArray[np.float64]:
    """ln IM of one drawn waveform for each row, (n, n_imts), in OpenQuake's units."""
    from gwm_hazard.intensity import intensity_measures_array

    out = np.empty((len(scenarios), len(imts)))
    for rows, acceleration in model.batches(scenarios, noise, batch_size):
        measures = intensity_measures_array(acceleration, model.dt_s, imts, component)
        with np.errstate(divide="ignore"):
            out[rows] = np.log(measures)
    if not np.isfinite(out).all():
        row, column = np.argwhere(~np.isfinite(out))[0]
        conditions = ", ".join(f"{k} = {scenarios[k][row]:g}" for k in scenarios)
        raise ValueError(
            f"model {model.card.name!r} drew a waveform with {imts[column]} = "
            f"{np.exp(out[row, column]):g} at {conditions}: it has no logarithm"
        )
    return out


def estimate(
    model: WaveformModel, scenarios: Scenarios, imts: list[str], ensemble: Ensemble
) -> Moments:
    """Mean, between-event and within-event standard deviation of ln IM at each scenario.

    tau^2 is the covariance of the two sites of an event, phi^2 the rest of the variance. For a
    model without a between-event term (its card says so) tau is 0; for one that draws one
    horizontal, phi is without the component-to-component variability.
    """
    return estimate_with_halves(model, scenarios, imts, ensemble)[0]


def estimate_with_halves(
    model: WaveformModel, scenarios: Scenarios, imts: list[str], ensemble: Ensemble
) -> tuple[Moments, Moments, Moments]:
    """:func:`estimate` of all events, and of the first and the second half of them alone."""
    from gwm_hazard.intensity.one_component import rotd50_phi

    n, draws = len(scenarios), ensemble.realizations
    ln = draw_ln_measures(model, scenarios.repeat(draws), ensemble.tile(n), imts)
    ln = ln.reshape(n, draws, len(imts))
    half = ensemble.events // 2 * SITES_PER_EVENT

    def moments(part: NDArray[np.float64]) -> Moments:
        m = moments_of(part, model.card.between_event)
        return Moments(m.mean, m.tau, rotd50_phi(len(model.card.components), imts, m.phi))

    return moments(ln), moments(ln[:, :half]), moments(ln[:, half:])


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
