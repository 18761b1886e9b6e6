"""From the command to a results folder."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from gwm_hazard.benchmark import run
from gwm_hazard.benchmark.data import Settings
from gwm_hazard.cli.benchmark import benchmark
from gwm_hazard.errors import ModelError
from gwm_hazard.records.flatfile import read_observations
from gwm_hazard.records.training_set import TrainingSetWriter
from tests.benchmark.world import conditions
from tests.toy import ToyModel

IMTS = ["PGV", "IA"]


@pytest.fixture
def flat(tmp_path):
    """Records that the toy model drew itself, under another seed."""
    table = conditions(events=12, stations=8)
    rng = np.random.default_rng(5)
    event = rng.normal(size=12)[np.repeat(np.arange(12), 8)]
    record = rng.normal(size=96)
    model = ToyModel()
    for imt, power in (("PGV", 1), ("IA", 2)):
        ln = model.ln_mean(table, imt) + power * (model.tau * event + model.phi * record)
        table[imt] = np.exp(ln)
    path = tmp_path / "flat.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture
def loaded(monkeypatch, tmp_path):
    monkeypatch.setenv("GWM_HAZARD_CACHE", str(tmp_path / "cache"))
    models = {"toy": ToyModel(), "halved": ToyModel(a=-3.0 - np.log(2.0))}
    models["halved"].card = ToyModel(a=-3.0).card
    monkeypatch.setattr(run, "load_model", lambda name, device: models[name])
    return models


def go(flat, folder, **kwargs):
    options = {"gmms": ["BooreEtAl2014"], "imts": IMTS, "sections": ["bias", "probabilities"]}
    options |= {"settings": Settings(draws=20, waveforms=10, resamples=50)}
    return run.run(["toy", "halved"], [flat], folder, **(options | kwargs))


def test_run(flat, tmp_path, loaded):
    steps = []
    page = go(flat, tmp_path / "out", progress=lambda what, share: steps.append(what))
    out = tmp_path / "out"
    assert page == out / "index.html" and page.is_file()
    about = json.loads((out / "run.json").read_text())
    assert about["observations"]["records"] == 96 and about["observations"]["events"] == 12
    names = [p["name"] for p in about["predictions"]]
    assert names == ["toy", "toy (2)", "BooreEtAl2014"]  # two models of one name
    assert about["predictions"][0]["card"]["licence"] == "CC0-1.0"
    assert about["software"]["gwm_hazard"] and about["imts"] == IMTS
    scores = pd.read_csv(out / "scores.csv", index_col="model")
    assert scores.loc["toy", "bias, mean |log10|"] < 0.2 < scores.loc["toy (2)"].iloc[0]
    assert scores["LLH"].idxmin() == "toy"
    table = pd.read_parquet(out / "records.parquet")
    assert len(table) == 96
    assert table["toy mean ln PGV"].to_numpy() == pytest.approx(
        ToyModel().ln_mean(table, "PGV"), abs=0.6
    )
    assert {"reading records", "drawing toy", "section bias"} <= set(steps)
    # again: nothing is made twice, and the numbers are the same
    before = {p: p.stat().st_mtime_ns for p in (out / "sections").rglob("*.png")}
    go(flat, out)
    assert before and before == {p: p.stat().st_mtime_ns for p in (out / "sections").rglob("*.png")}
    # other settings: made anew
    go(flat, out, seed=2)
    assert before != {p: p.stat().st_mtime_ns for p in (out / "sections").rglob("*.png")}


def test_figures_and_tables_are_reproducible(flat, tmp_path, loaded):
    go(flat, tmp_path / "a", sections=["bias"])
    go(flat, tmp_path / "b", sections=["bias"])
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a/sections").rglob("*.*"))
    assert len(files) >= 7
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_a_sample_takes_whole_events(flat):
    o = read_observations([flat], IMTS)
    few = run.sampled(o, 40, 1)
    assert len(few) == 40 and len(np.unique(few.event)) == 5
    assert run.sampled(o, 40, 1).table.equals(few.table)
    assert len(run.sampled(o, 1000, 1)) == 96
    assert any("A sample of 40 of 96" in n for n in few.notes)
    with pytest.raises(ValueError, match="records = 0"):
        run.sampled(o, 0, 1)


def test_mistakes_come_before_the_work(flat, tmp_path, loaded):
    with pytest.raises(ValueError, match="section 'byas': give one of bias, "):
        go(flat, tmp_path / "out", sections=["byas"])
    with pytest.raises(ValueError, match="GMM 'Nobody2020'"):
        go(flat, tmp_path / "out", gmms=["Nobody2020"])
    with pytest.raises(ValueError, match="unknown intensity measure 'PGX'"):
        go(flat, tmp_path / "out", imts=["PGX"])
    with pytest.raises(ModelError, match="unknown classifier 'nobody'"):
        go(flat, tmp_path / "out", classifier="nobody")
    with pytest.raises(ValueError, match="training set of 'other': not among"):
        go(flat, tmp_path / "out", training_sets={"other": tmp_path})
    with pytest.raises(OSError, match="data simulate"):
        go(flat, tmp_path / "out", training_sets={"toy": tmp_path})
    assert not (tmp_path / "out").exists()


def test_command(flat, tmp_path, loaded):
    arguments = ["--model", "toy", "--data", str(flat), "--output", str(tmp_path / "out")]
    arguments += ["--gmm", "BooreEtAl2014", "--imts", "PGV,IA", "--sections", "bias"]
    arguments += ["--draws", "20", "--waveforms", "5", "--records", "50"]
    result = CliRunner().invoke(benchmark, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "bias, mean |log10|" in result.output and "index.html" in result.output
    odd = CliRunner().invoke(benchmark, [*arguments, "--draws", "21"])
    assert odd.exit_code != 0 and "must be even" in odd.output


def test_training_sets_go_to_their_model(flat, tmp_path, loaded):
    with TrainingSetWriter(tmp_path / "set", "RTZ", 0.01, 64) as writer:
        table = pd.DataFrame({"record_id": ["r"], "event_id": ["e"], "split": ["train"]})
        writer.append(np.ones((1, 3, 64)), table)
    found = run.open_training_sets(
        {"halved": tmp_path / "set"}, ["toy", "halved"], ["toy", "toy (2)"]
    )
    assert list(found) == ["toy (2)"] and len(found["toy (2)"]) == 1
    go(flat, tmp_path / "out", sections=["bias"], training_sets={"halved": tmp_path / "set"})
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["training_sets"]["toy (2)"]["records"] == 1
    assert about["classifier"]["name"] == "classifier-small"
    # another training set is another input
    stamp = json.loads((tmp_path / "out/sections/bias/section.json").read_text())["stamp"]
    go(flat, tmp_path / "out", sections=["bias"], classifier="none")
    assert stamp != json.loads((tmp_path / "out/sections/bias/section.json").read_text())["stamp"]


def test_training_sets_by_command(flat, tmp_path, loaded):
    arguments = ["--model", "toy", "--data", str(flat), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(benchmark, [*arguments, "--training-set", "toy"])
    assert result.exit_code != 0 and "give MODEL=FOLDER" in result.output
    result = CliRunner().invoke(
        benchmark, [*arguments, "--training-set", f"toy={tmp_path / 'a=b'}"]
    )
    assert isinstance(result.exception, OSError) and "a=b" in str(result.exception)


def test_unknown_model(flat, tmp_path):
    with pytest.raises(ModelError, match="unknown model 'nowhere'"):
        run.run(["nowhere"], [flat], tmp_path / "out", imts=IMTS)
