"""Waveforms drawn for observed records: measured, and some kept, chunk by chunk.

Each chunk is a file of its own in the work folder, written under a temporary name, so that an
interrupted run goes on where it was. What a record gets depends on its own key and conditions
only, not on the chunk that it falls into.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from gwm_hazard.benchmark.kept import kept_rows
from gwm_hazard.benchmark.predictions import Prediction, noise_of_records
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.file import read_surface
from gwm_hazard.distribution.find import bundled_surface
from gwm_hazard.distribution.mixing import uniform_points
from gwm_hazard.distribution.surface import Surface, fingerprint
from gwm_hazard.errors import SurfaceError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.user_folders import cache_folder
from gwm_hazard.intensity.one_component import rotd50_phi
from gwm_hazard.models.measuring import ln_measures, ln_of, measured

if TYPE_CHECKING:
    from gwm_hazard.core.card import ModelCard
    from gwm_hazard.models.base import WaveformModel
    from gwm_hazard.records.flatfile import Observations

#: Records of a chunk of draws, and of one of moments.
CHUNK = 256
MOMENT_CHUNK = 64

#: Width of the bins of magnitude over which sigma is pooled where it comes from draws.
POOL_WIDTH = 0.5

#: Conditions that no flatfile tells: drawn from a uniform prior over the model's range, once for
#: each event, as ground-motion fields do.
PRIORS = ("azimuthal_gap",)

Progress = Callable[[float], None]


def predict(
    name: str,
    model: WaveformModel,
    observations: Observations,
    completed: pd.DataFrame,
    imts: tuple[str, ...],
    *,
    seed: int,
    draws: int,
    waveforms: int,
    work: Path,
    stamp: Mapping[str, Any],
    progress: Progress = lambda share: None,
) -> Prediction:
    """What a generative model says of the records: see :class:`Prediction`.

    Parameters
    ----------
    completed : the conditions with their gaps filled (:mod:`gwm_hazard.records.completion`)
    draws : realizations a record for moments, where there is no surface of the model; even
    waveforms : records, at most, whose drawn waveforms are kept
    work, stamp : where chunks are kept, and what they were made from; chunks of another stamp
        are deleted
    """
    n = len(observations)
    noise = noise_of_records(completed, seed)
    columns, missing, notes = _conditions(model.card, completed, noise)
    outside = np.ones(n, dtype=bool)
    known = np.flatnonzero(~missing)
    if known.size:
        outside[known] = model.card.outside(Scenarios(**{k: v[known] for k, v in columns.items()}))
    notes += _counted(model.card, columns, missing, outside)
    rows = np.flatnonzero(~outside)
    folder = work / "draws" / name
    _start(folder, {**stamp, "model": fingerprint(model.card), "seed": seed, "imts": list(imts)})
    shape = (n, len(imts))
    mean, tau, phi, drawn = (np.full(shape, np.nan) for _ in range(4))
    if rows.size:
        scenarios = Scenarios(**{k: v[rows] for k, v in columns.items()})
        kept = kept_rows(observations, rows, waveforms)
        surface = find_surface(model)
        share = 1.0 if surface is not None else 0.25
        drawn[rows] = _draw(
            model, Draws(scenarios, noise.take(rows)), rows, kept, imts, folder,
            lambda s: progress(share * s),
        )  # fmt: skip
        if surface is not None:
            moments, note = _from_surface(surface, model.card, scenarios, imts)
        else:
            moments, note = _from_draws(
                model, scenarios, imts, draws, noise.take(rows), folder,
                lambda s: progress(share + (1.0 - share) * s),
            )  # fmt: skip
        notes.append(note)
        mean[rows], tau[rows], phi[rows] = moments
    if len(model.card.components) == 1:
        notes.append(
            "Draws one horizontal component: RotD50 by published ratios; single draws vary by "
            "the component as well, sigma does not hold it."
        )
    if not model.card.between_event:
        notes.append("Has no between-event term: tau is 0.")
    card = model.card.to_dict()
    return Prediction(name, "gwm", imts, mean, tau, phi, drawn, outside, notes, card)


def _conditions(
    card: ModelCard, table: pd.DataFrame, noise: Noise
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_], list[str]]:
    """The model's conditions, the rows that lack one, and notes."""
    columns: dict[str, NDArray[np.float64]] = {}
    missing = np.zeros(len(table), dtype=bool)
    notes = []
    names = list(card.condition_names)
    if "rrup" in names:
        names.append("rhypo")  # for the onset of S waves, where it is known
    for name in names:
        values = table[name].to_numpy(np.float64) if name in table else np.full(len(table), np.nan)
        gap = ~np.isfinite(values)
        if name in PRIORS and gap.any():
            limit = next(r for r in card.conditions if r.name == name)
            u = ndtr(noise.normal(f"prior {name}", 1, per_event=True)[:, 0].astype(np.float64))
            values = np.where(gap, limit.low + (limit.high - limit.low) * u, values)
            notes.append(
                f"{name} of {int(gap.sum())} records is unknown: drawn for each event from a "
                f"uniform prior, {limit.low:g} to {limit.high:g}."
            )
        elif name == "rhypo" and "rrup" in columns:
            values = np.where(gap, columns["rrup"], values)
        else:
            missing |= gap
            if gap.any():
                notes.append(f"{name} of {int(gap.sum())} records is unknown: they are left out.")
        columns[name] = values
    return columns, missing, notes


def _counted(
    card: ModelCard,
    columns: Mapping[str, NDArray[np.float64]],
    missing: NDArray[np.bool_],
    outside: NDArray[np.bool_],
) -> list[str]:
    left = int((outside & ~missing).sum())
    if not left:
        return []
    parts = []
    for r in card.conditions:
        beyond = (columns[r.name] < r.low) | (columns[r.name] > r.high)
        if (beyond & ~missing).any():
            parts.append(f"{r.name} {r.low:g} to {r.high:g}: {int((beyond & ~missing).sum())}")
    return [f"{left} records outside the model's range are left out ({'; '.join(parts)})."]


def _start(folder: Path, stamp: Mapping[str, Any]) -> None:
    """An empty folder, or one whose chunks were made from the same."""
    path = folder / "stamp.json"
    text = json.dumps(dict(stamp), indent=1, sort_keys=True, default=str)
    if folder.exists() and (not path.is_file() or path.read_text(encoding="utf-8") != text):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _draw(
    model: WaveformModel,
    draws: Draws,
    rows: NDArray[np.int64],
    kept: NDArray[np.int64],
    imts: tuple[str, ...],
    folder: Path,
    progress: Progress,
) -> NDArray[np.float64]:
    """ln IM of one draw for each scenario, (n, n_imts); waveforms of ``kept`` go to files."""
    out = np.empty((len(rows), len(imts)))
    keep = np.isin(rows, kept)
    lengths = model.npts(draws.scenarios)
    order = np.argsort(lengths, kind="stable")
    for number, start in enumerate(range(0, len(order), CHUNK)):
        part = order[start : start + CHUNK]
        path = folder / f"chunk-{number:05d}.npz"
        if path.is_file():
            with np.load(path) as held:
                if np.array_equal(held["rows"], rows[part]) and np.array_equal(
                    held["kept"], rows[part[keep[part]]]
                ):
                    out[part] = held["ln"]
                    continue
        ln = np.empty((len(part), len(imts)))
        waves: list[tuple[int, NDArray[np.float32]]] = []
        for place, acc, values in measured(model, draws.take(part), imts):
            ln[place] = ln_of(values)
            waves += [
                (int(i), a) for i, a in zip(place, acc, strict=True) if keep[part[i]]
            ]  # fmt: skip
        waves.sort(key=lambda pair: pair[0])
        npts = np.array([a.shape[1] for _, a in waves], dtype=np.int64)
        stack = np.zeros(
            (len(waves), len(model.card.components), int(npts.max(initial=0))), np.float32
        )
        for i, (_, a) in enumerate(waves):
            stack[i, :, : a.shape[1]] = a
        with replacing(path.with_suffix(".npy")) as temporary, temporary.open("wb") as file:
            np.save(file, stack)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, rows=rows[part], ln=ln, kept=rows[part[keep[part]]], npts=npts)
        out[part] = ln
        progress(min(1.0, (start + CHUNK) / len(order)))
    return out


# -- moments ---------------------------------------------------------------------------------------

_Moments = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def find_surface(model: WaveformModel) -> Surface | None:
    """The surface of this very model that ships or stands in the user's cache; none is built."""
    if (path := bundled_surface(model)) is not None:
        return read_surface(path)
    for path in sorted((cache_folder() / "surfaces").glob(f"{model.card.name}-*.h5")):
        surface = read_surface(path)
        if surface.model == fingerprint(model.card):
            return surface
    return None


def _from_surface(
    surface: Surface, card: ModelCard, scenarios: Scenarios, imts: tuple[str, ...]
) -> tuple[_Moments, str]:
    for name in PRIORS:
        if name in card.condition_names:
            surface = surface.marginal(name, *uniform_points(*surface.ranges[name]))
    held = []
    for imt in imts:
        try:
            surface.columns((imt,))
        except SurfaceError:
            continue
        held.append(imt)
    out = tuple(np.full((len(scenarios), len(imts)), np.nan) for _ in range(3))
    at = {a.name: scenarios[a.name] for a in surface.axes}
    found = surface(at, tuple(held))
    place = [imts.index(i) for i in held]
    for values, got in zip(out, (found.mean, found.tau, found.phi), strict=True):
        values[:, place] = got
    note = (
        f"Moments from the model's surface ({surface.attrs['realizations']} draws at each of "
        f"{surface.mean[..., 0].size} nodes)."
    )
    return (out[0], out[1], out[2]), note


def _from_draws(
    model: WaveformModel,
    scenarios: Scenarios,
    imts: tuple[str, ...],
    draws: int,
    noise: Noise,
    folder: Path,
    progress: Progress,
) -> tuple[_Moments, str]:
    """Moments from draws of each record; tau and phi are pooled by magnitude.

    The draws of a record are events of two sites, keyed by the record, so that the sampling errors
    of two records are independent. Variances by analysis of variance: half the mean square
    between the sites of an event is phi^2, the rest of that between events tau^2.
    """
    n = len(scenarios)
    found = np.empty((3, n, len(imts)))  # mean, mean squares within and between events
    order = np.argsort(model.npts(scenarios), kind="stable")
    own = noise.event ^ (noise.site.astype(np.uint64) << np.uint64(32))
    for number, start in enumerate(range(0, n, MOMENT_CHUNK)):
        part = order[start : start + MOMENT_CHUNK]
        path = folder / f"moments-{draws}-{number:05d}.npz"
        if path.is_file():
            with np.load(path) as held:
                found[:, part] = held["found"]
            continue
        each = np.tile(np.arange(draws), len(part))
        here = Noise(noise.seed + 1, np.repeat(own[part], draws), each % 2, each // 2)
        repeated = _prior_of_each(model.card, scenarios.take(part).repeat(draws), here)
        ln = ln_measures(model, Draws(repeated, here), imts)
        pairs = ln.reshape(len(part), draws // 2, 2, len(imts))
        within = (0.5 * (pairs[:, :, 0] - pairs[:, :, 1]) ** 2).mean(axis=1)
        between = 2.0 * pairs.mean(axis=2).var(axis=1, ddof=1)
        found[:, part] = pairs.mean(axis=(1, 2)), within, between
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, found=found[:, part])
        progress(min(1.0, (start + MOMENT_CHUNK) / n))
    mean, within, between = found
    bins = np.floor(scenarios["mag"] / POOL_WIDTH)
    tau, phi = np.zeros_like(mean), np.empty_like(mean)
    for value in np.unique(bins):
        mine = bins == value
        phi2, square = within[mine].mean(axis=0), between[mine].mean(axis=0)
        if model.card.between_event:
            tau[mine] = np.sqrt(np.maximum(0.5 * (square - phi2), 0.0))
            phi[mine] = np.sqrt(phi2)
        else:
            phi[mine] = np.sqrt(0.5 * (phi2 + square))
    phi = rotd50_phi(len(model.card.components), imts, phi)
    note = (
        f"Moments from {draws} draws a record; tau and phi are pooled over records within "
        f"{POOL_WIDTH:g} units of magnitude. The sampling error of the means adds "
        f"{0.5 / draws / np.log(2.0):.3f} to LLH."
    )
    return (mean, tau, phi), note


def _prior_of_each(card: ModelCard, scenarios: Scenarios, noise: Noise) -> Scenarios:
    """Conditions with a prior, drawn anew for each event of the draws."""
    columns = {name: scenarios[name] for name in scenarios}
    for limit in card.conditions:
        if limit.name in PRIORS:
            z = noise.normal(f"prior {limit.name}", 1, per_event=True)[:, 0]
            u = ndtr(z.astype(np.float64))
            columns[limit.name] = limit.low + (limit.high - limit.low) * u
    return Scenarios(**columns)
