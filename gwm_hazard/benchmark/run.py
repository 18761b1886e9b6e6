"""The benchmark from records to page: draws, moments, sections, numbers.

A results folder holds

    run.json                 what was compared: data, models and their cards, settings, software
    scores.csv               one line a model or GMM, a column a score (smaller is better)
    records.parquet          conditions, observed ln IM, and each model's moments and draw
    sections/KEY/            section.json, tables as CSV, figures as PNG and PDF
    index.html               the page
    work/                    what is kept so that an interrupted run goes on

Everything is a function of the inputs, the settings and the seed. A run started again takes over
the chunks of draws and the sections that were made from the same inputs by the same code.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gwm_hazard.benchmark import classifiers, draws
from gwm_hazard.benchmark.data import Comparison, Settings
from gwm_hazard.benchmark.predictions import Prediction, noise_of_records, sample
from gwm_hazard.benchmark.section import Section, Skipped, load, save, stamp_of
from gwm_hazard.benchmark.sections import MODULES, SECTIONS
from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.parts import digest
from gwm_hazard.files.provenance import code, software_versions
from gwm_hazard.intensity import canonical
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.registry import load_model
from gwm_hazard.records.completion import complete
from gwm_hazard.records.flatfile import DEFAULT_IMTS, read_observations
from gwm_hazard.records.observations import Observations
from gwm_hazard.records.training_set import TrainingSet

log = logging.getLogger(__name__)

DEFAULT_GMMS = ("BooreEtAl2014", "Kanno2006Shallow")

#: progress(what, share from 0 to 1)
Progress = Callable[[str, float], None]


def run(
    models: Sequence[str],
    data: Sequence[str | Path],
    output: str | Path,
    *,
    gmms: Sequence[str] = DEFAULT_GMMS,
    imts: Sequence[str] = DEFAULT_IMTS,
    sections: Sequence[str] = (),
    settings: Settings | None = None,
    seed: int = 1,
    device: str = "auto",
    records: int | None = None,
    classifier: str = classifiers.DEFAULT,
    training_sets: Mapping[str, str | Path] | None = None,
    progress: Progress = lambda what, share: None,
) -> Path:
    """Compare models with observed records and write a results folder; returns its page.

    Parameters
    ----------
    models : names or folders of generative models
    data : flatfiles, training files, folders of waveforms
    gmms : GSIMs of OpenQuake by TOML name
    imts : measures
    sections : keys of the sections to make; by default all
    records : take a sample of so many records at random, by events
    classifier : whose embeddings are compared: a folder, a name, or "none"
    training_sets : {one of ``models``: the training file that it was trained on}, which its draws
        are looked up in

    Raises
    ------
    ValueError, OSError
        Unknown models, GMMs, sections, measures or classifiers; data that cannot be read.
    """
    output, chosen = Path(output), settings or Settings()
    wanted = _sections(sections)
    names = tuple(dict.fromkeys(canonical(i) for i in imts))
    loaded = load_models(models, device)
    trained_on = open_training_sets(training_sets or {}, models, list(loaded))
    embedding = classifiers.find_classifier(classifier)
    from gwm_hazard.openquake import gmm

    for text in gmms:
        gmm.check(text)
    progress("reading records", 0.0)
    observations = read_observations(data, names)
    if records is not None:
        observations = sampled(observations, records, seed)
    made = assemble(
        observations, loaded, gmms, tuple(i for i in names if i in observations.ims),
        seed=seed, settings=chosen, work=output / "work", progress=progress,
    )  # fmt: skip
    made = replace(made, classifier=embedding, training_sets=trained_on)
    about = describe(made)
    with replacing(output / "run.json") as temporary:
        temporary.write_text(json.dumps(about, indent=1, default=str) + "\n", encoding="utf-8")
    with replacing(output / "records.parquet") as temporary:
        records_table(made).to_parquet(temporary)
    stamp = _stamp(about)
    for number, key in enumerate(wanted):
        progress(f"section {key}", number / len(wanted))
        make_section(made, key, output / "sections" / key, stamp)
    progress("sections", 1.0)
    scores(output).to_csv(output / "scores.csv")
    from gwm_hazard.benchmark.page import write_report

    return write_report(output)


def load_models(names: Sequence[str], device: str = "auto") -> dict[str, WaveformModel]:
    """Models by the name that the page calls them; two of one name get numbers."""
    found: dict[str, WaveformModel] = {}
    for name in names:
        model = load_model(name, device)
        found[_numbered(model.card.name, found)] = model
    return found


def _numbered(name: str, taken: Collection[str]) -> str:
    """The name, with a number where it is taken."""
    numbered = (f"{name} ({number})" for number in itertools.count(2))
    return next(n for n in itertools.chain([name], numbered) if n not in taken)


def open_training_sets(
    given: Mapping[str, str | Path], models: Sequence[str], names: Sequence[str]
) -> dict[str, TrainingSet]:
    """Training files by the name that the page calls their model.

    Raises ValueError or OSError for a model that is not compared, or a file that is none.
    """
    found = {}
    for model, folder in given.items():
        places = [i for i, pair in enumerate(zip(models, names, strict=True)) if model in pair]
        if not places:
            raise InputError(
                f"training set of {model!r}: not among the models that are compared "
                f"({', '.join(models)})"
            )
        for i in places:
            found[names[i]] = TrainingSet.open(folder)
    return found


def sampled(observations: Observations, most: int, seed: int) -> Observations:
    """At most ``most`` records, the same for the same seed, whole events as far as they fit."""
    if most < 1:
        raise InputError(f"records = {most}: give at least 1")
    rng = np.random.default_rng(seed)
    event = observations.event
    rank = rng.permutation(event.max() + 1)[event]
    keep = np.zeros(len(observations), dtype=bool)
    keep[np.lexsort((rng.random(len(event)), rank))[:most]] = True
    note = f"A sample of {int(keep.sum())} of {len(keep)} records, by events."
    return replace(observations.take(keep), notes=[*observations.notes, note])


def assemble(
    observations: Observations,
    models: dict[str, WaveformModel],
    gmms: Sequence[str],
    imts: tuple[str, ...],
    *,
    seed: int,
    settings: Settings,
    work: Path,
    progress: Progress = lambda what, share: None,
) -> Comparison:
    """Predictions of all models at the records, as the sections take them."""
    completed, filled = complete(observations.table)
    said = [f"Filled in where a model asks for it: {n}" for n in filled]
    observations = replace(observations, notes=[*observations.notes, *said])
    stamp = {
        "files": observations.files,
        "rows": _digest(observations.table.to_csv().encode()),
        "settings": asdict(settings),
        "code": code(),
    }
    predictions: dict[str, Prediction] = {}

    def step(what: str) -> Callable[[float], None]:
        return lambda share: progress(what, share)

    for name, model in models.items():
        what = f"drawing {name}"
        progress(what, 0.0)
        predictions[name] = draws.predict(
            name, model, observations, completed, imts, seed=seed, draws=settings.draws,
            waveforms=settings.waveforms, work=work, stamp=stamp, progress=step(what),
        )  # fmt: skip
        progress(what, 1.0)
    for text in gmms:
        found = gmm_prediction(text, completed, imts, seed)
        name = _numbered(found.name, predictions)
        predictions[name] = replace(found, name=name)
    return Comparison(
        observations, completed, [*predictions.values()], models, imts, seed, work, settings
    )


def gmm_prediction(
    text: str, completed: pd.DataFrame, imts: tuple[str, ...], seed: int
) -> Prediction:
    """What a ground-motion model of OpenQuake says of the records."""
    from gwm_hazard.openquake import gmm

    m = gmm.moments(text, completed, imts)
    drawn = sample(m.mean, m.tau, m.phi, noise_of_records(completed, seed), imts)
    notes = [*m.notes, "Its draws are lognormal, independent between measures."]
    return Prediction(
        m.name, "gmm", imts, m.mean, m.tau, m.phi, drawn, m.outside, notes, dict(m.about)
    )


def make_section(data: Comparison, key: str, folder: Path, stamp: str) -> Section | Skipped:
    """Make and store a section, unless it stands there from the same inputs and code."""
    if stamp_of(folder) == {"inputs": stamp}:
        return load(folder)  # type: ignore[return-value]
    module = importlib.import_module(MODULES[key])
    found: Section | Skipped = module.section(data)
    save(found, folder, {"inputs": stamp})
    return found


def _sections(asked: Sequence[str]) -> tuple[str, ...]:
    for key in asked:
        if key not in SECTIONS:
            raise InputError(f"section {key!r}: give one of {', '.join(SECTIONS)}")
    return tuple(k for k in SECTIONS if k in asked) if asked else SECTIONS


def describe(data: Comparison) -> dict[str, Any]:
    """What was compared, for ``run.json`` and the page."""
    obs, table = data.observations, data.observations.table
    ranges = {
        name: [float(table[name].min()), float(table[name].max())]
        for name in ("mag", "rrup", "rhypo", "vs30", "hypo_depth")
        if table[name].notna().any()
    }
    return {
        "title": "Benchmark of generative waveform models",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": data.seed,
        "imts": list(data.imts),
        "settings": asdict(data.settings),
        "software": software_versions(),
        "observations": {
            "name": obs.name,
            "files": obs.files,
            "records": len(obs),
            "events": int(obs.event.max()) + 1,
            "stations": int(obs.station.max()) + 1,
            "with_waveforms": int(obs.with_waveforms.sum()),
            "ranges": ranges,
            "measured": {i: int(obs.ims[i].notna().sum()) for i in data.imts},
            "notes": obs.notes,
        },
        "predictions": [
            {
                "name": p.name,
                "kind": p.kind,
                "colour": data.colour(p.name),
                "inside": int(p.inside.sum()),
                "outside": int(p.outside.sum()),
                "notes": p.notes,
                "card": p.card,
            }
            for p in data.predictions
        ],
        "sections": list(SECTIONS),
        "classifier": None if data.classifier is None else dict(data.classifier.about),
        "training_sets": {
            name: {
                "name": held.folder.name,
                "records": len(held),
                "sha256 of metadata.csv": _digest((held.folder / "metadata.csv").read_bytes()),
            }
            for name, held in data.training_sets.items()
        },
    }


def records_table(data: Comparison) -> pd.DataFrame:
    """Conditions, observed ln IM, and mean, tau, phi and draw of each model, a row a record."""
    parts = [data.observations.table]
    parts.append(
        pd.DataFrame(data.observations.ln(data.imts), columns=[f"ln {i}" for i in data.imts])
    )
    for p in data.predictions:
        for kind in ("mean", "tau", "phi", "draw"):
            columns = [f"{p.name} {kind} ln {i}" for i in p.imts]
            parts.append(pd.DataFrame(getattr(p, kind), columns=columns))
        parts.append(pd.DataFrame({f"{p.name} outside": p.outside}))
    return pd.concat(parts, axis=1)


def scores(output: Path) -> pd.DataFrame:
    """The scores of all stored sections: a row a prediction, a column a score."""
    columns: dict[str, dict[str, float]] = {}
    for key in SECTIONS:
        folder = output / "sections" / key
        if (folder / "section.json").is_file():
            found = load(folder)
            if not isinstance(found, Skipped):
                columns |= found.scores
    return pd.DataFrame(columns).rename_axis("model")


def _stamp(about: dict[str, Any]) -> str:
    """Identity of a run's inputs and of the code and tables that its sections' numbers come from:
    measures, models, statistics and the benchmark alike, the whole package."""
    inputs = {k: v for k, v in about.items() if k != "created"}
    return digest([inputs, code()])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
