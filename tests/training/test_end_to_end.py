"""Records to hazard by commands alone: prepare, train, surface, a classical job in OpenQuake."""

from __future__ import annotations

import os

import numpy as np
import pytest
from click.testing import CliRunner

from gwm_hazard.cli import cli
from gwm_hazard.openquake import hooks
from gwm_hazard.records.training_set import TrainingSet
from tests.openquake.jobs import OpenQuake, toml

assert hooks


def command(*arguments):
    result = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_records_train_surface_hazard(tmp_path, training_set, config_file):
    # a SeisBench data set, as somebody else's records
    command(
        "data", "prepare", training_set, "-o", tmp_path / "set", "--components", "RTZ",
        "--no-travel-time", "--min-snr", 0, "--no-check-peak", "--no-spikes", "--max-pga", 500,
    )  # fmt: skip
    prepared = TrainingSet.open(tmp_path / "set")
    assert len(prepared) > 30
    text = config_file.read_text().replace(str(training_set), str(tmp_path / "set"))
    config_file.write_text(text)
    command("train", config_file, "-o", tmp_path / "run")

    job = tmp_path / "job"
    job.mkdir()
    axes = ["mag=6,7.5", "rhypo=10,60,150", "vs30=300,600", "hypo_depth=5,20"]
    options = [item for a in axes for item in ("--axis", a)]
    command(
        "surface", "build", "--model", tmp_path / "run" / "model", "-o", job / "mine.h5",
        "--device", "cpu", "--realizations", 8, "--imts", "PGA,SA(0.5),SA(0.7)", *options,
    )  # fmt: skip
    os.environ.setdefault("OQ_DISTRIBUTE", "no")
    (tmp_path / "home").mkdir()
    oq = OpenQuake(tmp_path / "home", job / "mine.h5")
    gwm = toml(model=str(tmp_path / "run" / "model"), surface_file="mine.h5")
    levels = '{"PGA": logscale(1e-8, 3.0, 60), "SA(0.5)": logscale(1e-8, 5.0, 60)}'
    ini = oq.job(job, {"trained": gwm}, intensity_measure_types_and_levels=levels)
    run = oq.run(ini)
    assert run.code == 0, run.text
    curve = oq.datastore(run)["hcurves-rlzs"][:].ravel()
    assert np.isfinite(curve).all() and curve.max() > 0
