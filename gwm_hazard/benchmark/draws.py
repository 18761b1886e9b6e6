"""Waveforms drawn for observed records: measured, and some kept, chunk by chunk.

Each chunk is a file of its own in the work folder, written under a temporary name, so that an
interrupted run goes on where it was. What a record gets depends on its own key and conditions
only, not on the chunk that it falls into.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.kept import kept_rows
from gwm_hazard.benchmark.predictions import Prediction, noise_of_records
from gwm_hazard.core.conditioning import Columns, Conditioning, conditioning_of
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.estimator import (
    SurfaceEstimator,
    independent_moments,
    pooled_moments,
)
from gwm_hazard.distribution.find import find_surface
from gwm_hazard.distribution.moments import Moments
from gwm_hazard.distribution.surface import Surface, fingerprint
from gwm_hazard.errors import SurfaceError
from gwm_hazard.files import parts
from gwm_hazard.files.atomic import replacing
from gwm_hazard.models.measuring import ln_of, measured

if TYPE_CHECKING:
    from gwm_hazard.models.base import WaveformModel
    from gwm_hazard.records.flatfile import Observations

#: Records of a chunk of draws, and of one of moments.
CHUNK = 256
MOMENT_CHUNK = 64

#: Width of the bins of magnitude over which sigma is pooled where it comes from draws.
POOL_WIDTH = 0.5

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
    surface = find_surface(model)
    given = conditioning_of(model.card, within=None if surface is None else surface.ranges)
    columns = given.of_records(completed, given.drawn(noise))
    missing = ~np.all([np.isfinite(v) for v in columns.values()], axis=0)
    beyond = {
        k: (columns[k] < low) | (columns[k] > high) for k, (low, high) in given.ranges.items()
    }
    outside = missing | np.any(list(beyond.values()), axis=0)
    notes = _counted(given, columns, completed, beyond, missing)
    rows = np.flatnonzero(~outside)
    folder = work / "draws" / name
    made_from = {"model": fingerprint(model.card), "distance": given.distance}
    _start(folder, {**stamp, **made_from, "seed": seed, "imts": list(imts)})
    shape = (n, len(imts))
    mean, tau, phi, drawn = (np.full(shape, np.nan) for _ in range(4))
    if rows.size:
        scenarios = Scenarios(**{k: v[rows] for k, v in columns.items()})
        kept = kept_rows(observations, rows, waveforms)
        share = 1.0 if surface is not None else 0.25
        drawn[rows] = _draw(
            model, Draws(scenarios, noise.take(rows)), rows, kept, imts, folder,
            lambda s: progress(share * s),
        )  # fmt: skip
        if surface is not None:
            moments, note = _from_surface(surface, given, scenarios, imts)
        else:
            moments, note = _from_draws(
                model, given, scenarios, imts, draws, noise.take(rows), folder,
                lambda s: progress(share + (1.0 - share) * s),
            )  # fmt: skip
        notes.append(note)
        mean[rows], tau[rows], phi[rows] = moments.mean, moments.tau, moments.phi
    if len(model.card.components) == 1:
        notes.append(
            "Draws one horizontal component: RotD50 by published ratios; single draws vary by "
            "the component as well, sigma does not hold it."
        )
    if not model.card.between_event:
        notes.append("Has no between-event term: tau is 0.")
    card = model.card.to_dict()
    return Prediction(name, "gwm", imts, mean, tau, phi, drawn, outside, notes, card)


def _counted(
    given: Conditioning,
    columns: Columns,
    table: pd.DataFrame,
    beyond: Mapping[str, NDArray[np.bool_]],
    missing: NDArray[np.bool_],
) -> list[str]:
    """What is drawn from a prior, and what is left out, in words."""
    notes = []
    for name, (low, high) in given.ranges.items():
        known = np.isfinite(columns[name])
        if name in given.priors:
            known = table[name].notna().to_numpy() if name in table else np.zeros_like(missing)
        if known.all():
            continue
        what = (
            f"drawn for each event from a uniform prior, {low:g} to {high:g}"
            if name in given.priors
            else "they are left out"
        )
        notes.append(f"{name} of {int((~known).sum())} records is unknown: {what}.")
    left = [
        f"{name} {low:g} to {high:g}: {int((beyond[name] & ~missing).sum())}"
        for name, (low, high) in given.ranges.items()
        if (beyond[name] & ~missing).any()
    ]
    if left:
        n = int((np.any(list(beyond.values()), axis=0) & ~missing).sum())
        notes.append(f"{n} records outside the model's range are left out ({'; '.join(left)}).")
    return notes


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
        chosen = rows[part[keep[part]]]
        made_of = parts.digest(number, rows[part], chosen)
        if (found := parts.kept(path, made_of)) is not None:
            out[part] = found["ln"]
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
        parts.keep(path, made_of, ln=ln, kept=chosen, npts=npts)
        out[part] = ln
        progress(min(1.0, (start + CHUNK) / len(order)))
    return out


# -- moments ---------------------------------------------------------------------------------------


def _from_surface(
    surface: Surface, given: Conditioning, scenarios: Scenarios, imts: tuple[str, ...]
) -> tuple[Moments, str]:
    """Moments by interpolation, NaN of measures that the surface does not hold."""
    held = []
    for imt in imts:
        try:
            surface.columns((imt,))
        except SurfaceError:
            continue
        held.append(imt)
    found, _ = SurfaceEstimator.of(surface, given)(scenarios, tuple(held))
    shape = (len(scenarios), len(imts))
    moments = Moments(*(np.full(shape, np.nan) for _ in range(3)))
    place = [imts.index(i) for i in held]
    for name in ("mean", "tau", "phi"):
        getattr(moments, name)[:, place] = getattr(found, name)
    note = (
        f"Moments from the model's surface ({surface.attrs['realizations']} draws at each of "
        f"{surface.mean[..., 0].size} nodes)."
    )
    return moments, note


def _from_draws(
    model: WaveformModel,
    given: Conditioning,
    scenarios: Scenarios,
    imts: tuple[str, ...],
    draws: int,
    noise: Noise,
    folder: Path,
    progress: Progress,
) -> tuple[Moments, str]:
    """Moments from draws of each record; tau and phi are pooled by magnitude."""
    n = len(scenarios)
    found = np.empty((3, n, len(imts)))
    order = np.argsort(model.npts(scenarios), kind="stable")
    for number, start in enumerate(range(0, n, MOMENT_CHUNK)):
        part = order[start : start + MOMENT_CHUNK]
        path = folder / f"moments-{draws}-{number:05d}.npz"
        make = partial(
            independent_moments, model, scenarios.take(part), noise.take(part), draws, imts, given
        )
        found[:, part] = parts.once(path, str(draws), make)
        progress(min(1.0, (start + MOMENT_CHUNK) / n))
    bins = np.floor(scenarios["mag"] / POOL_WIDTH).astype(np.int64)
    note = (
        f"Moments from {draws} draws a record; tau and phi are pooled over records within "
        f"{POOL_WIDTH:g} units of magnitude. The sampling error of the means adds "
        f"{0.5 / draws / np.log(2.0):.3f} to LLH."
    )
    return pooled_moments(model, found, bins, imts), note
