"""Where a grid needs nodes: held-out errors, and the axis that they come from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.distribution.moments import Moments
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.errors import InputError
from gwm_hazard.files.parts import keep, kept

Conditions = Mapping[str, NDArray[np.float64]]
#: Conditions -> what is estimated of each measure, (n_rows, n_scenarios, n_imts).
Estimator = Callable[[dict[str, NDArray[np.float64]]], NDArray[np.float64]]

#: Scenarios with the largest errors whose axis is looked for in a round.
PROBED = 8
#: Scenarios estimated at once: at most, which bounds the records in memory, and no more than take
#: some seconds, so that a slow model shows progress and loses little when it is stopped.
CHUNK = 16
CHUNK_S = 10.0
#: Share of the time that writing checkpoints may take; the first one comes with the first chunk.
SAVING_SHARE = 0.05


class Estimates:
    """What was estimated at each scenario: asked for twice, estimated once.

    Parameters
    ----------
    path : checkpoint beside the surface, read at the start
    plan : what the estimates depend on; a checkpoint of another plan is left aside
    progress : called with the share of the scenarios asked for so far that are done
    """

    def __init__(
        self, path: Path, plan: str, progress: Callable[[float], None] | None = None
    ) -> None:
        self.path, self.plan, self.progress = path, plan, progress
        self.found: dict[str, dict[tuple[float, ...], NDArray[np.float64]]] = {}
        self.asked = self.done = 0
        self.size = 1
        self.saved, self.took = time.monotonic(), 0.0
        self._load()

    def __call__(
        self, kind: str, conditions: Conditions, order: NDArray[Any], make: Estimator
    ) -> NDArray[np.float64]:
        """Rows of ``make`` at the scenarios, (n_rows, n_scenarios, n_imts).

        ``order`` (n,) sorts scenarios of like cost together.
        """
        held = self.found.setdefault(kind, {})
        table = np.stack(list(conditions.values()), axis=1)
        keys = [tuple(row) for row in table.tolist()]
        missing = np.array([i for i in np.argsort(order, kind="stable") if keys[i] not in held])
        self.asked += len(missing)
        while len(missing):
            rows, missing = missing[: self.size], missing[self.size :]
            began = time.monotonic()
            values = make({k: v[rows] for k, v in conditions.items()})
            fits = len(rows) * CHUNK_S / max(time.monotonic() - began, 1e-3)
            self.size = int(np.clip(fits, 1, min(2 * len(rows), CHUNK)))
            held.update((keys[r], values[:, j]) for j, r in enumerate(rows))
            self.done += len(rows)
            self.save()
            if self.progress:
                self.progress(self.done / self.asked)
        return np.stack([held[k] for k in keys], axis=1)

    def put(self, kind: str, conditions: Conditions, values: NDArray[np.float64]) -> None:
        """Take over estimates that were made before, (n_rows, n_scenarios, n_imts)."""
        keys = np.stack(list(conditions.values()), axis=1).tolist()
        held = self.found.setdefault(kind, {})
        for j, key in enumerate(keys):
            held.setdefault(tuple(key), values[:, j])

    def save(self) -> None:
        """Write the estimates so far, if `SAVING_SHARE` of the time is not passed by that."""
        began = time.monotonic()
        if began - self.saved < self.took / SAVING_SHARE:
            return
        arrays: dict[str, Any] = {}
        for kind, held in self.found.items():
            if held:
                arrays[f"at {kind}"] = np.array(list(held))
                arrays[f"of {kind}"] = np.stack(list(held.values()))
        keep(self.path, self.plan, **arrays)
        self.saved = time.monotonic()
        self.took = self.saved - began

    def _load(self) -> None:
        data = kept(self.path, self.plan) or {}
        for name in data:
            if name.startswith("at "):
                kind = name.removeprefix("at ")
                keys = map(tuple, data[name].tolist())
                self.found[kind] = dict(zip(keys, data[f"of {kind}"], strict=True))

    def remove(self) -> None:
        """Forget the checkpoint: the surface is written."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Tolerance:
    """What :func:`interpolation_errors` of every measure must stay below, as rms over scenarios.

    The largest of some thousand differences is stored too, but does not steer: common random
    numbers leave the noise of the waveforms (about 0.01 in ln mean with 280 draws), of which
    the largest is several times the rms on any grid.
    """

    mean: float = 0.03
    sigma: float = 0.05

    def __post_init__(self) -> None:
        for name in ("mean", "sigma"):
            if not getattr(self, name) > 0:
                raise InputError(f"tolerance of the {name} = {getattr(self, name)}: must be > 0")


def differences(got: Moments, true: Moments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Difference of ln mean and relative difference of sigma, (n_scenarios, n_imts) each.

    A sigma of 0 is met by 0 only.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(true.sigma > 0, got.sigma / true.sigma, 1.0 + got.sigma)
    return got.mean - true.mean, ratio - 1.0


def interpolation_errors(
    got: tuple[Moments, ...], true: tuple[Moments, ...]
) -> NDArray[np.float64]:
    """Squares of what interpolation adds to ln mean and sigma, (2, n_scenarios, n_imts).

    The draws of a model that answers to its conditions erratically (phase retrieval, a network)
    leave noise in estimates that common random numbers do not take out of their differences, and
    that no node takes out either. The noise of the two halves of an ensemble is independent: the
    product of their differences has the square of the interpolation error as its expectation,
    and can be negative. Where the halves of a node are not known the square itself, noise and all.

    Parameters
    ----------
    got, true : of all draws, of one half, of the other: interpolated, and estimated at the
        scenarios (:func:`gwm_hazard.distribution.estimate.estimate_with_halves`)
    """
    whole, first, second = (np.stack(differences(g, t)) for g, t in zip(got, true, strict=True))
    product = first * second
    return np.where(np.isfinite(product), product, whole**2)


def node_to_add(
    axes: tuple[Axis, ...],
    conditions: Conditions,
    excess: NDArray[np.float64],
    probe: Callable[[dict[str, NDArray[np.float64]]], NDArray[np.float64]],
) -> tuple[Axis, ...]:
    """The grid with one more node, where the held-out errors come from.

    For the scenarios with the largest errors, ``probe`` gives the errors at the points that
    share one condition with the scenario and have the nearest node in all others: what remains
    there is the interpolation along that one axis. The axis with the largest sum of squares is
    halved in its worst cell, midway on its own scale.

    Parameters
    ----------
    conditions, excess : held-out scenarios and :func:`interpolation_errors` there, in units of
        the squared tolerance, (2, n_scenarios, n_imts)
    probe : conditions -> excess
    """
    # The measures that fail decide.
    failing = excess.mean(axis=1) > 1.0
    score = np.where(failing[:, None], excess, 0.0).sum(axis=(0, 2))
    worst = np.argsort(-score, kind="stable")[:PROBED]
    best: tuple[float, int, int] = (-np.inf, 0, 0)
    for i, axis in enumerate(axes):
        points = {
            a.name: conditions[a.name][worst] if a is axis else _nearest(a, conditions, worst)
            for a in axes
        }
        along = np.where(failing[:, None], probe(points), 0.0).sum(axis=(0, 2))
        nodes = np.array(axis.values)
        cell = np.searchsorted(nodes, points[axis.name], side="right") - 1
        cell = np.clip(cell, 0, len(nodes) - 2)
        sums = np.bincount(cell, weights=along, minlength=len(nodes) - 1)
        candidate = (float(along.sum()), i, int(np.argmax(sums)))
        best = max(best, candidate)
    _, i, cell_index = best
    return tuple(_halved(a, cell_index) if j == i else a for j, a in enumerate(axes))


def _nearest(axis: Axis, conditions: Conditions, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    nodes = np.array(axis.values)
    x = axis.transform(conditions[axis.name][rows])
    return nodes[np.abs(axis.transform(nodes)[None] - x[:, None]).argmin(axis=1)]


def _halved(axis: Axis, cell: int) -> Axis:
    low, high = axis.values[cell], axis.values[cell + 1]
    a, b = axis.transform(np.array([low, high]))
    middle = (a + b) / 2.0
    value = float(np.exp(middle) if axis.scale == "log" else middle)
    short = float(f"{value:.3g}")
    value = short if low < short < high else value
    return replace(axis, values=(*axis.values[: cell + 1], value, *axis.values[cell + 1 :]))
