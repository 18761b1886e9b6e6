"""``gwm-hazard broadband``: from a simulation's file to a catalogue and pictures."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from gwm_hazard import Scenarios, load_model, open_catalogue
from gwm_hazard.cli import cli
from gwm_hazard.errors import InputError
from gwm_hazard.records.low_frequency import read_simulations
from tests.models.broadband_folder import write_broadband
from tests.records.test_simulated import ACCELERATION, NT, bbp


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_broadband(tmp_path / "tiny")
    bbp(tmp_path / "s01.acc.bbp", 100 * ACCELERATION)
    bbp(tmp_path / "s02.acc.bbp", 300 * ACCELERATION)
    return tmp_path


def run(*words: str):
    return CliRunner().invoke(cli, ["broadband", *words], catch_exceptions=True)


PLAIN = ("--mag", "6.7", "--vs30", "450", "--model", "tiny", "--device", "cpu")


def test_a_catalogue_and_pictures(work):
    words = ("s01.acc.bbp", "s02.acc.bbp", *PLAIN, "--rhypo", "20,30", "--fc", "1", "-n", "3")
    done = run(*words, "-o", "out", "--seed", "4")
    assert done.exit_code == 0, done.output
    assert (work / "out" / "s01.acc.png").stat().st_size > 10_000
    with open_catalogue(work / "out" / "waveforms.h5") as data:
        acc = data["acceleration"].values
        assert acc.shape == (6, 3, NT * 10)
        assert data["low_frequency"].values.tolist() == ["s01.acc"] * 3 + ["s02.acc"] * 3
        assert data["rhypo"].values.tolist() == [20.0] * 3 + [30.0] * 3
        assert np.isfinite(data["SA(2.0)"].values).all()
    low, _ = read_simulations([work / "s01.acc.bbp", work / "s02.acc.bbp"], valid_hz=1.0)
    model = load_model(work / "tiny", "cpu")
    at = Scenarios(mag=6.7, rhypo=[20.0, 30.0], vs30=450.0)
    same = model.generate(at, n=3, seed=4, low_frequency=low)["acceleration"].values
    np.testing.assert_array_equal(same.reshape(acc.shape), acc)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rrup", "20"), "--fc"),
        (("--fc", "1"), "--rrup or --rhypo"),
        (("--rrup", "20", "--fc", "1", "--unit", "counts"), "'counts' is not one of"),
        (("--rrup", "20,30", "--fc", "1"), "rrup: 2 values for 1 motions"),
        (("--rrup", "20", "--fc", "0.1"), "0.25 Hz"),
        (("--rrup", "20", "--fc", "1", "--model", "stochastic"), "takes no low frequencies"),
    ],
)
def test_what_is_wrong_is_said(work, words, said):
    done = run("s01.acc.bbp", *PLAIN, *words, "-o", "out")
    told = f"{done.output} {done.exception}"
    assert done.exit_code != 0 and said in told
    assert done.exc_info is None or isinstance(done.exception, InputError | SystemExit)
    assert not (work / "out").exists()
