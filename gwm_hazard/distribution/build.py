"""Build surfaces: estimate the nodes of a grid, measure the error, refine, keep the file.

A build writes its progress beside the target (``NAME.partial.npz``) and goes on from there when
it is started again with the same model, grid and ensemble.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.estimate import estimate_with_halves
from gwm_hazard.distribution.file import write_surface
from gwm_hazard.distribution.moments import Moments
from gwm_hazard.distribution.refine import (
    Conditions,
    Estimates,
    Tolerance,
    differences,
    interpolation_errors,
    node_to_add,
)
from gwm_hazard.distribution.shape import Shape, pooled_shape, sample_shape
from gwm_hazard.distribution.surface import Axis, Surface, fingerprint
from gwm_hazard.errors import SurfaceError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_measures

log = logging.getLogger(__name__)

PERIODS_S = (
    *(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
    *(0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0),
)
IMTS = (
    *("PGA", "PGV", "IA", "CAV", "RSD595", "RSD575", "RSD2080"),
    *(f"SA({t})" for t in PERIODS_S),
)

#: Draws at each node, and scenarios inside the grid at which the errors are measured.
REALIZATIONS = 280
HELD_OUT = 60
#: Of these, at which the sampling error is measured: with common random numbers it differs little
#: from one scenario to the next.
SAMPLED = 20
SEED = 1
#: Scenarios, at most, from whose draws the shape of the distribution is pooled, and nodes a one.
SHAPE_SCENARIOS = 256
NODES_A_SHAPE = 8
#: Nodes at which refinement stops: some hours of estimation on a desktop.
MAX_NODES = 20_000

#: Preferred nodes by condition, cut to the range of the model; interpolation scale and order.
_NODES: dict[str, tuple[tuple[float, ...], str, str]] = {
    "mag": (tuple(np.arange(3.0, 9.01, 0.5).tolist()), "linear", "cubic"),
    "rrup": (
        (1.0, 3.0, 8.0, 16.0, 30.0, 50.0, 80.0, 130.0, 200.0, 300.0, 500.0),
        "log",
        "cubic",
    ),
    "vs30": ((150.0, 260.0, 430.0, 760.0, 1000.0, 1500.0, 2000.0), "log", "linear"),
    "hypo_depth": ((0.0, 10.0, 20.0, 100.0, 300.0), "linear", "linear"),
}
_NODES["rhypo"] = _NODES["rrup"]


def default_axes(model: WaveformModel) -> tuple[Axis, ...]:
    """Grid over the ranges of validity on the model's card."""
    axes = []
    for r in model.card.conditions:
        if r.name in _NODES:
            nodes, scale, order = _NODES[r.name]
            inside = [v for v in nodes if r.low < v < r.high]
            axes.append(Axis(r.name, (r.low, *inside, r.high), scale, order))
        else:
            axes.append(Axis(r.name, tuple(np.linspace(r.low, r.high, 5).tolist())))
    return tuple(axes)


def build_surface(
    model: WaveformModel,
    path: str | Path,
    *,
    axes: tuple[Axis, ...] | None = None,
    imts: tuple[str, ...] = IMTS,
    realizations: int = REALIZATIONS,
    seed: int = SEED,
    held_out: int = HELD_OUT,
    tolerance: Tolerance | None = None,
    max_nodes: int = MAX_NODES,
    shape_scenarios: int | None = None,
    start_from: Surface | None = None,
    progress: Callable[[float], None] | None = None,
) -> Surface:
    """Estimate a surface, refine it until it is exact enough, and write it.

    A round estimates the nodes that are new and measures the errors at held-out scenarios; where
    a measure's rms error is not within the tolerance, one axis gets one node
    (:func:`gwm_hazard.distribution.refine.node_to_add`). The build ends with errors at scenarios
    that have put no node: once the grid is good enough for those that have, others take their
    place.

    Parameters
    ----------
    model : the model
    path : file to write
    axes : grid; by default one over the ranges on the model's card, which is then refined
    imts : intensity measures, in OpenQuake's names
    realizations : draws at each node (common random numbers, :class:`Ensemble`)
    seed : seed of the draws
    held_out : random scenarios at which interpolation and sampling errors are measured
    tolerance : of the held-out errors, by default 3 % of the median and 5 % of sigma; a grid of
        your own is refined only where a tolerance is given
    max_nodes : refinement stops here, with a warning where the tolerance is not met
    shape_scenarios : ensembles of ``realizations`` independent draws from which skewness and
        kurtosis are pooled, by default one for 8 nodes, from 8 to 256; 0 for moments only
    start_from : a surface of the same model, ensemble and measures whose nodes are taken over;
        its grid is the first one where ``axes`` is not given
    progress : called with the share of the work of this round that is done, 0 to 1

    Raises
    ------
    SurfaceError
        ``start_from`` was made from another model or ensemble.
    InputError
        A model without a level.
    """
    model.card.require_level()
    path = Path(path)
    if tolerance is None:
        tolerance = Tolerance() if axes is None else Tolerance(np.inf, np.inf)
    if start_from is not None:
        _check_start(start_from, model, imts, realizations, seed)
    if axes is None:
        axes = start_from.axes if start_from is not None else default_axes(model)
    plan = f"halves {fingerprint(model.card)} {[a.name for a in axes]} {imts} {realizations} {seed}"
    found = Estimates(path.with_name(path.name + ".partial.npz"), plan, progress)
    if start_from is not None:
        held = np.stack([start_from.mean, start_from.tau, start_from.phi]).astype(np.float64)
        unknown = np.full((6, *held.shape[1:]), np.nan)  # a surface does not hold the halves
        held = np.concatenate([held, unknown]).reshape(9, -1, len(imts))
        found.put("common", _nodes(start_from.axes), held)

    def moments(conditions: Conditions, kind: str = "common") -> tuple[Moments, ...]:
        """Of all draws and of each half."""
        ensemble = Ensemble(realizations, seed if kind == "common" else seed + 1)

        def make(part: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
            parts = estimate_with_halves(model, Scenarios(**part), list(imts), ensemble)
            return np.stack([x for m in parts for x in (m.mean, m.tau, m.phi)])

        rows = found(kind, conditions, model.npts(Scenarios(**conditions)), make)
        return tuple(Moments(*rows[i : i + 3]) for i in (0, 3, 6))

    def interpolation(surfaces: list[Surface], points: Conditions) -> NDArray[np.float64]:
        return interpolation_errors(tuple(s(points, imts) for s in surfaces), moments(points))

    card = fingerprint(model.card)
    squared = np.array([tolerance.mean, tolerance.sigma])[:, None, None] ** 2
    rounds = held_sets = 0
    unseen = True
    while True:
        surfaces = [_surface(axes, imts, m, card) for m in moments(_nodes(axes))]
        rng = np.random.default_rng([seed, held_sets])
        inside = {a.name: _between(a, rng.random(held_out)) for a in axes}
        squares = interpolation(surfaces, inside)
        by_measure = np.sqrt(np.maximum(squares.mean(axis=1), 0.0))
        errors = by_measure.max(axis=1)
        rounds += 1
        log.info(
            "round %d, %d nodes: worst rms error %.4f of ln mean, %.4f of sigma",
            rounds,
            surfaces[0].mean[..., 0].size,
            *errors,
        )

        def probe(points: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
            return interpolation(surfaces, points) / squared  # noqa: B023

        exact = errors[0] <= tolerance.mean and errors[1] <= tolerance.sigma
        finer = axes if exact else node_to_add(axes, inside, squares / squared, probe)
        full = np.prod([len(a.values) for a in finer]) > max_nodes
        if not (exact or full):
            axes, unseen = finer, False
        elif not unseen:
            held_sets, unseen = held_sets + 1, True
        else:
            break
    surface, got, same = surfaces[0], surfaces[0](inside, imts), moments(inside)[0]
    if not exact:
        log.warning(
            "surface: %d nodes leave a held-out error of %.3f in ln mean and %.3f in sigma "
            "(tolerance %g and %g); raise max_nodes = %d",
            surface.mean[..., 0].size,
            *errors,
            tolerance.mean,
            tolerance.sigma,
            max_nodes,
        )

    surface.attrs.update(
        realizations=realizations,
        seed=seed,
        held_out=held_out,
        rounds=rounds,
        tolerance_mean=tolerance.mean,
        tolerance_sigma=tolerance.sigma,
    )
    few = {name: values[:SAMPLED] for name, values in inside.items()}
    surface.errors.update(_errors(by_measure, got, same, moments(few, "other")[0]))
    if shape_scenarios is None:
        nodes = surface.mean[..., 0].size
        shape_scenarios = min(SHAPE_SCENARIOS, max(NODES_A_SHAPE, nodes // NODES_A_SHAPE))
    if shape_scenarios:
        _add_shape(surface, model, found, shape_scenarios, realizations, seed)
    write_surface(surface, path, model.card)
    found.remove()
    return surface


def _nodes(axes: tuple[Axis, ...]) -> dict[str, NDArray[np.float64]]:
    grid = np.meshgrid(*(a.values for a in axes), indexing="ij")
    return {a.name: g.ravel() for a, g in zip(axes, grid, strict=True)}


def _surface(axes: tuple[Axis, ...], imts: tuple[str, ...], m: Moments, model: str) -> Surface:
    shape = (*(len(a.values) for a in axes), len(imts))
    fields = {k: getattr(m, k).reshape(shape).astype(np.float32) for k in ("mean", "tau", "phi")}
    return Surface(axes, tuple(imts), errors={}, model=model, **fields)


def _check_start(
    start: Surface, model: WaveformModel, imts: tuple[str, ...], realizations: int, seed: int
) -> None:
    found = (start.model, start.imts, start.attrs.get("realizations"), start.attrs.get("seed"))
    wanted = (fingerprint(model.card), tuple(imts), realizations, seed)
    names = ("model", "measures", "realizations", "seed")
    for name, a, b in zip(names, found, wanted, strict=True):
        if a != b:
            raise SurfaceError(
                f"the surface to start from has {name} {a}, the new one {b}: nodes can be taken "
                "over where model, measures, realizations and seed are the same"
            )


def _add_shape(
    surface: Surface, model: WaveformModel, found: Estimates, n: int, draws: int, seed: int
) -> None:
    """Skewness and kurtosis at the nodes, pooled over scenarios with independent draws."""
    from scipy.stats import qmc

    axes, imts = surface.axes, list(surface.imts)
    with np.errstate(all="ignore"):
        u = qmc.Sobol(len(axes), seed=seed).random(1 << (n - 1).bit_length())[:n]
    conditions = {a.name: _between(a, u[:, i]) for i, a in enumerate(axes)}
    event = {tuple(r): i for i, r in enumerate(np.stack(list(conditions.values()), 1).tolist())}

    def make(part: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        # Every draw of every scenario is an earthquake of its own, apart from those of the nodes.
        first = [event[tuple(r)] * draws for r in np.stack(list(part.values()), 1).tolist()]
        events = (np.array(first)[:, None] + np.arange(draws)).ravel()
        noise = Noise(seed + 2, events, 0, 0)
        ln = ln_measures(model, Draws(Scenarios(**part).repeat(draws), noise), imts)
        shape = sample_shape(ln.reshape(len(first), draws, len(imts)))
        return np.stack([shape.skewness, shape.kurtosis])

    kind = f"shape {n} {draws}"
    sample = Shape(*found(kind, conditions, model.npts(Scenarios(**conditions)), make))
    pooled, degrees = pooled_shape(_scaled(axes, conditions), sample, _scaled(axes, _nodes(axes)))
    for name in ("skewness", "kurtosis"):
        values = getattr(pooled, name).reshape(surface.mean.shape).astype(np.float32)
        setattr(surface, name, values)
    surface.attrs.update(shape_scenarios=n, shape_degrees=degrees.tolist())


def _scaled(axes: tuple[Axis, ...], conditions: Conditions) -> NDArray[np.float64]:
    """Conditions (n, d) on the scales of the axes, from -1 to 1."""
    columns = []
    for a in axes:
        low, high = a.transform(np.array([a.values[0], a.values[-1]]))
        columns.append(2.0 * (a.transform(conditions[a.name]) - low) / (high - low) - 1.0)
    return np.stack(columns, axis=1)


def _between(axis: Axis, u: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = axis.transform(np.array([axis.values[0], axis.values[-1]]))
    x = low + u * (high - low)
    return np.exp(x) if axis.scale == "log" else x


def _errors(
    interpolation: NDArray[np.float64], got: Moments, same: Moments, other: Moments
) -> dict[str, NDArray[np.float64]]:
    """Errors by measure; ``other`` has other random numbers, at the first of the scenarios."""
    first = Moments(*(getattr(same, k)[: len(other.mean)] for k in ("mean", "tau", "phi")))
    largest = dict(zip(("mean", "sigma"), differences(got, same), strict=True))
    sampling = dict(zip(("mean", "sigma"), differences(other, first), strict=True))
    return {
        **{f"interpolation_{k}": interpolation[i] for i, k in enumerate(("mean", "sigma"))},
        **{f"largest_{k}": np.abs(v).max(axis=0) for k, v in largest.items()},
        # Two independent estimates differ by sqrt(2) standard errors.
        **{f"sampling_{k}": np.sqrt((v**2).mean(axis=0) / 2.0) for k, v in sampling.items()},
    }
