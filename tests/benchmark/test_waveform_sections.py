"""Sections of waveforms in a known world: bad models are caught by the section that should."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.benchmark import classifiers, comparable
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.benchmark.sections import (
    envelopes,
    fourier,
    frechet,
    goodness_of_fit,
    memorisation,
    moments,
    physics,
)
from gwm_hazard.records.training_set import TrainingSet, TrainingSetWriter
from tests.benchmark.waves import DT, EVENTS, Data, made_up, waves


@pytest.fixture(autouse=True)
def few_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparable, "SPLITS", 8)
    monkeypatch.setattr(frechet, "SPLITS", 8)


def of(data: Data, module) -> Section:  # type: ignore[no-untyped-def]
    found = module.section(data)
    assert isinstance(found, Section)
    return found


def test_envelopes_catch_motion_turned_in_time(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = of(made_up(tmp_path, ("good", "reversed", "single")), envelopes)
    (scores,) = found.scores.values()
    assert scores["good"] < 1.3
    assert scores["reversed"] > 2.0
    rise = found.tables["Rise of the energy"]
    good, turned = rise.loc["good, horizontal"], rise.loc["reversed, horizontal"]
    assert good["model, median"] == pytest.approx(good["observed, median"], abs=0.03)
    assert turned["model, median"] > turned["observed, median"] + 0.2
    assert any("one component" in line for line in found.limits)


def test_spectra_catch_motion_that_is_too_strong(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = of(made_up(tmp_path, ("good", "loud")), fourier)
    (scores,) = found.scores.values()
    assert scores["good"] < 1.5
    assert scores["loud"] > 1.5 * scores["good"]
    misfit = found.tables["Misfit of spectra"].loc["loud"]
    assert misfit["means: model against real"] > np.log(2.0) * 0.8


def test_moments_do_not_see_the_level_and_catch_other_samples(tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = made_up(tmp_path, ("good", "loud"))
    table = of(data, moments).tables[moments.TABLE]
    good, loud = table.loc["good, horizontal"], table.loc["loud, horizontal"]
    for name in ("minimum", "maximum", "standard deviation", "skewness"):
        assert good[f"{name}, model"] == pytest.approx(loud[f"{name}, model"], rel=1e-3)
        assert good[f"{name}, distance"] < 1.5 * good["distance by chance"]
    assert -1.0 <= good["minimum, observed"] < -0.5 < 0.5 < good["maximum, observed"] <= 1.0


def test_frechet_distance_and_telling_apart(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = of(made_up(tmp_path, ("good", "reversed", "loud")), frechet)
    distance, told = list(found.scores.values())[:2]
    assert distance["good"] < 1.5
    assert distance["loud"] > 2 * distance["good"]
    # amplitude spectra do not see time, what tells motions apart does
    assert distance["reversed"] < 2.0 < 1.5 * distance["loud"]
    assert told["reversed"] > 0.9
    assert told["good"] < 0.65


def test_physics_catches_a_copied_component(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = of(made_up(tmp_path, ("good", "copied")), physics)
    ratio = found.scores["RotD100 / RotD50, rms ln difference of medians"]
    assert ratio["good"] < 0.02 < 0.1 < ratio["copied"]
    checks = found.tables["Checks"]
    assert checks.loc["|correlation| of the horizontals", "copied"] == pytest.approx(1.0, abs=1e-4)
    assert checks.loc["preferred axis, p", "copied"] < 1e-6
    assert checks.loc["distance over S-P delay (km/s)", "observed"] == pytest.approx(8.0, rel=0.15)
    for name in ("observed", "good"):
        assert checks.loc["preferred axis, p", name] > 1e-3


def test_memorisation_catches_a_copy_of_the_training_set(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(memorisation, "MOST", 80)
    found = of(made_up(tmp_path, ("good", "trained", "single")), memorisation)
    table = found.tables["Nearest records"]
    assert table.loc["trained", "share above 0.9"] == 1.0
    assert table.loc["good", "share above 0.9"] == 0.0
    assert table.loc["good", "correlation, largest"] < 0.7
    assert table.loc["single", "components"] == 1


@pytest.mark.parametrize("held_out", [True, False])
def test_memorisation_looks_into_the_training_set(tmp_path, monkeypatch, held_out) -> None:  # type: ignore[no-untyped-def]
    """A model whose draws repeat its training records, which are not in the benchmark."""
    monkeypatch.setattr(memorisation, "MOST", 90)
    data = made_up(tmp_path, ("good", "trained", "single"))
    # the observed records are the training set of "trained", and the benchmark has none of them
    table, truth = data.observations.table, waves(data.observations.table, 1)
    split = np.where(data.observations.event % 3 == 0, "test", "train") if held_out else "train"
    with TrainingSetWriter(tmp_path / "set", "RTZ", DT, truth.shape[2]) as writer:
        writer.append(truth, table.assign(split=split))
    held = TrainingSet.open(tmp_path / "set")
    data = replace(
        data,
        observations=replace(data.observations, traces=()),
        training_sets=dict.fromkeys(("good", "trained", "single"), held),
    )
    found = of(data, memorisation)
    (table,) = found.tables.values()
    trained = (held.table["split"] == "train").mean()
    assert table.loc["trained", "share above 0.9"] == pytest.approx(trained, abs=0.12)
    assert table.loc["trained", "z"] < -5.0 < -3.0 < table.loc["good", "z"] < 3.0
    for name in ("good", "single"):
        assert table.loc[name, "share above 0.9"] == 0.0
    assert (table["share above 0.9 beside"] == 0.0).all()
    assert table.loc["single", "components"] == 1
    assert table["training records"].eq(trained * len(truth)).all()
    (scores,) = found.scores.values()
    assert scores["trained"] == table.loc["trained", "share above 0.9"]


def test_goodness_of_fit_of_a_copy_and_of_a_reconstruction(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(goodness_of_fit, "MOST", 12)
    monkeypatch.setattr(goodness_of_fit, "MOST_TIME_FREQUENCY", 2)
    data = made_up(tmp_path, ("good", "trained"))
    onsets = []

    def twice(acc, dt_s):  # type: ignore[no-untyped-def]
        onsets.append(np.abs(acc[:, 2]).argmax(axis=1) * dt_s)
        return 2.0 * acc

    data.models["good"] = SimpleNamespace(
        card=data.models["good"].card,
        dt_s=0.01,
        reconstruct=twice,
        represent=lambda acc, dt_s: -acc,
    )
    found = of(data, goodness_of_fit)
    anderson = found.tables["Anderson (2004)"]
    assert anderson.loc["trained, draw", "score"] > 9.8
    assert anderson.loc["good, draw", "score"] < 6.0
    plane = found.tables["Kristekova et al. (2009)"]
    assert plane.loc["good, reconstruction", "envelope"] == pytest.approx(10 / np.e, rel=1e-3)
    assert plane.loc["good, reconstruction", "phase"] == pytest.approx(10.0, abs=1e-3)
    # a change of sign: the envelope is kept, the phase is as wrong as can be
    assert plane.loc["good, representation alone", "envelope"] == pytest.approx(10.0, abs=1e-3)
    assert plane.loc["good, representation alone", "phase"] < 3.0
    assert anderson.loc["good, reconstruction", "C5 PGA"] == pytest.approx(10 / np.e, rel=1e-3)
    assert (onsets[0] > 4.9).all()
    assert any("trained cannot reconstruct" in line for line in found.limits)
    (scores,) = found.scores.values()
    assert set(scores) == {"good", "trained"}


class Bands:
    """A classifier that knows levels of bands, and magnitude from the lowest of them."""

    @property
    def about(self) -> dict[str, object]:
        return {"name": "bands", "training_data": "nothing", "limitations": ["Knows little."]}

    def embed(self, waveforms: np.ndarray) -> np.ndarray:
        assert waveforms.shape[1:] == (3, 4096)
        power = np.abs(np.fft.rfft(waveforms[:, 0])) ** 2
        edges = np.geomspace(4, 1000, 6).astype(int)
        return np.log(np.stack([power[:, a:b].mean(1) for a, b in pairwise(edges)], 1))

    def accuracy(self, embeddings: np.ndarray, conditions: pd.DataFrame) -> float:
        said = embeddings[:, 0] > np.median(embeddings[:, 0])
        return float((said == (conditions["mag"] > conditions["mag"].median())).mean())


def test_embeddings_of_an_installed_classifier(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    data = made_up(tmp_path, ("good", "loud"))
    assert classifiers.find_classifier("none") is None
    entry = SimpleNamespace(name="bands", load=lambda: Bands)
    monkeypatch.setattr(classifiers, "entry_points", lambda group: [entry])
    data = replace(data, classifier=classifiers.find_classifier("bands"))
    found = of(data, frechet)
    table = found.tables["Fréchet distances of embeddings"]
    assert table.loc["loud", "multiple"] > 1.3 * table.loc["good", "multiple"]
    assert 0.5 < table.loc["good", "accuracy, draws"] <= 1.0
    assert table["records"].min() > 100
    assert "Knows little." in found.limits


def test_no_embeddings_without_a_classifier(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = of(made_up(tmp_path), frechet)
    assert len(found.tables) == 1 and any("equation 15" in line for line in found.limits)
    with pytest.raises(ValueError, match="unknown classifier 'nonsense'"):
        classifiers.find_classifier("nonsense")


def test_without_waveforms_there_is_a_reason(tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = made_up(tmp_path, observed=False)
    for module in (envelopes, fourier, frechet, physics, memorisation, goodness_of_fit):
        found = module.section(data)
        assert isinstance(found, Skipped) and "flatfile" in found.reason


def test_misfit_of_the_same_distribution_is_that_of_halves(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Two samples of one distribution: multiple near 1, on average."""
    chosen = comparable.sample(made_up(tmp_path), "", "")
    assert isinstance(chosen, comparable.PairedRecords)
    where, squares = comparable.bins(chosen), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a, b = (
            rng.normal(size=EVENTS)[chosen.event][:, None] + rng.normal(size=(len(chosen), 5))
            for _ in range(2)
        )
        found = comparable.misfit(a, b, where, chosen.event, 10, seed)
        assert found is not None
        squares.append((found.mean**2, found.real_mean**2))
    model, real = np.mean(squares, axis=0)
    assert np.sqrt(model / real) == pytest.approx(1.0, abs=0.1)
