"""Build surfaces: estimate the moments at the nodes of a grid, measure the error, keep the file.

A build writes its progress beside the target (``NAME.partial.npz``) and goes on from there when
it is started again with the same model, grid and ensemble.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.models.base import WaveformModel
from gwm_hazard.provenance import replacing
from gwm_hazard.scenario import Scenarios
from gwm_hazard.surface.ensemble import Ensemble, Moments, estimate
from gwm_hazard.surface.surface import Axis, Surface, SurfaceError, fingerprint

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
SEED = 1
SAVE_EVERY_S = 30.0

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
    progress: Callable[[float], None] | None = None,
) -> Surface:
    """Estimate a surface and write it.

    Parameters
    ----------
    model : the model
    path : file to write
    axes : grid; by default one over the ranges on the model's card
    imts : intensity measures, in OpenQuake's names
    realizations : draws at each node (common random numbers, :class:`Ensemble`)
    seed : seed of the draws
    held_out : random scenarios at which interpolation and sampling errors are measured
    progress : called with the share of the work that is done, 0 to 1
    """
    path = Path(path)
    axes = axes or default_axes(model)
    grid = np.meshgrid(*(a.values for a in axes), indexing="ij")
    nodes = {a.name: g.ravel() for a, g in zip(axes, grid, strict=True)}
    rng = np.random.default_rng(seed)
    inside = {a.name: _between(a, rng.random(held_out)) for a in axes}
    n = grid[0].size
    plan = f"{fingerprint(model.card)} {axes} {imts} {realizations} {seed} {held_out}"

    # Nodes, then the held-out scenarios with the same and with other random numbers.
    jobs = [(nodes, seed, n), (inside, seed, held_out), (inside, seed + 1, held_out)]
    total = sum(size for _, _, size in jobs)
    out = np.full((3, total, len(imts)), np.nan)
    partial = _Partial(path.with_name(path.name + ".partial.npz"), plan, out)
    offset = 0
    for conditions, job_seed, size in jobs:
        ensemble = Ensemble(realizations, job_seed)
        scenarios = Scenarios(**conditions)
        # Records of like length together, a few scenarios at once: bounded memory.
        order = np.argsort(model.npts(scenarios), kind="stable")
        for start in range(0, size, 16):
            rows = order[start : start + 16]
            rows = rows[np.isnan(out[0, offset + rows, 0])]
            if rows.size:
                m = estimate(model, scenarios.take(rows), list(imts), ensemble)
                out[:, offset + rows] = m.mean, m.tau, m.phi
                partial.save()
            if progress:
                progress(float(np.mean(~np.isnan(out[0, :, 0]))))
        offset += size

    shape = (*grid[0].shape, len(imts))
    surface = Surface(
        axes,
        tuple(imts),
        mean=out[0, :n].reshape(shape).astype(np.float32),
        tau=out[1, :n].reshape(shape).astype(np.float32),
        phi=out[2, :n].reshape(shape).astype(np.float32),
        errors={},
        model=fingerprint(model.card),
        attrs={"realizations": realizations, "seed": seed, "held_out": held_out},
    )
    same, other = (Moments(*out[:, n + k * held_out : n + (k + 1) * held_out]) for k in (0, 1))
    surface.errors.update(_errors(surface(inside, tuple(imts)), same, other))
    surface.save(path, model.card)
    partial.remove()
    return surface


def _between(axis: Axis, u: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = axis.transform(np.array([axis.values[0], axis.values[-1]]))
    x = low + u * (high - low)
    return np.exp(x) if axis.scale == "log" else x


def _errors(got: Moments, same: Moments, other: Moments) -> dict[str, NDArray[np.float64]]:
    def rms(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt((x**2).mean(axis=0))

    return {
        "interpolation_mean": rms(got.mean - same.mean),
        "interpolation_sigma": rms(got.sigma / same.sigma - 1.0),
        "largest_mean": np.abs(got.mean - same.mean).max(axis=0),
        "largest_sigma": np.abs(got.sigma / same.sigma - 1.0).max(axis=0),
        # Two independent estimates differ by sqrt(2) standard errors.
        "sampling_mean": rms(other.mean - same.mean) / np.sqrt(2.0),
        "sampling_sigma": rms(other.sigma / same.sigma - 1.0) / np.sqrt(2.0),
    }


class _Partial:
    """Checkpoint of a build."""

    def __init__(self, path: Path, plan: str, out: NDArray[np.float64]) -> None:
        self.path, self.plan, self.out = path, plan, out
        self.saved = time.monotonic()
        if path.is_file():
            try:
                with np.load(path, allow_pickle=False) as data:
                    if str(data["plan"]) == plan:
                        out[:] = data["out"]
            except (OSError, ValueError, KeyError):
                log.warning("%s is not readable: the surface is built from the start", path)

    def save(self) -> None:
        """Write the estimates so far, now and then."""
        if time.monotonic() - self.saved > SAVE_EVERY_S:
            with replacing(self.path) as temporary, temporary.open("wb") as stream:
                np.savez(stream, plan=self.plan, out=self.out)
            self.saved = time.monotonic()

    def remove(self) -> None:
        """Forget the checkpoint: the surface is written."""
        self.path.unlink(missing_ok=True)


def cache_folder() -> Path:
    """Where surfaces that were built on demand are kept: GWM_HAZARD_CACHE, else the user's."""
    if chosen := os.environ.get("GWM_HAZARD_CACHE"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("gwm_hazard")


def bundled_surface(model: WaveformModel) -> Path | None:
    """The surface that ships with the package for this very model, if there is one."""
    path = Path(str(files("gwm_hazard.surface"))) / "bundled" / f"{model.card.name}.h5"
    if path.is_file() and Surface.load(path).model == fingerprint(model.card):
        return path
    return None


def find_or_build(model: WaveformModel, imts: tuple[str, ...] = IMTS) -> Path:
    """Path of a surface for the model: bundled, else cached, else built now under a lock.

    Processes that ask at the same time wait for the one that builds.
    """
    if (path := bundled_surface(model)) is not None:
        return path
    from filelock import FileLock

    key = hashlib.sha256(f"{fingerprint(model.card)} {imts} {REALIZATIONS}".encode()).hexdigest()
    path = cache_folder() / "surfaces" / f"{model.card.name}-{key[:12]}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            log.warning("no surface for model %r: building it once, %s", model.card.name, path)
            build_surface(model, path, imts=imts, progress=LogProgress())
    return path


class LogProgress:
    """Log the progress of a build at every 5 %, with the time that is left."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.next = 0.05

    def __call__(self, share: float) -> None:
        """Take the share of the work that is done, 0 to 1."""
        if share >= self.next:
            left = (time.monotonic() - self.start) * (1.0 / share - 1.0)
            log.warning("surface: %.0f %% done, about %.0f min left", 100 * share, left / 60)
            self.next = share + 0.05


def load_for(model: WaveformModel, path: str | Path) -> Surface:
    """Load a surface and check that it was made from this model.

    Raises
    ------
    SurfaceError
        An unreadable file, or the surface of another model.
    """
    surface = Surface.load(path)
    if surface.model != fingerprint(model.card):
        raise SurfaceError(
            f"surface {path}: made from another model (fingerprint {surface.model}) than "
            f"{model.card.name!r} ({fingerprint(model.card)}); build one with "
            "`gwm-hazard surface build`"
        )
    return surface
