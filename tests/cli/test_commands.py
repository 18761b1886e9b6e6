"""The ``gwm-hazard`` command: files, numbers, exit codes."""

from __future__ import annotations

import json
import logging
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import gwm_hazard as gwm
from gwm_hazard import cli
from gwm_hazard.cli import _options
from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.file import read_surface
from gwm_hazard.distribution.find import find_or_build
from gwm_hazard.distribution.surface import Axis, Surface
from gwm_hazard.intensity import rotd
from gwm_hazard.models.registry import load_model

COMMAND = Path(sys.executable).with_name("gwm-hazard")
SCENARIO = ("-s", "mag=6.0", "-s", "rrup=10,40", "-s", "vs30=400", "-s", "hypo_depth=8")


def run(*arguments: object) -> str:
    """Output of a command that succeeds."""
    done = CliRunner().invoke(cli.cli, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def fails(capsys: Any, monkeypatch: Any, *arguments: object) -> str:
    """The message of a command that fails: short, on stderr, with a non-zero exit code."""
    monkeypatch.setattr(sys, "argv", ["gwm-hazard", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    # A text is what Python prints to stderr before it exits with 1.
    message = code if isinstance(code, str) else capsys.readouterr().err
    assert code != 0 and message
    assert "Traceback" not in message
    lines = [x for x in message.strip().splitlines() if not x.startswith(("Usage:", "Try "))]
    assert len([x for x in lines if x.strip()]) <= 2, message
    return message


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "waveforms.h5"
    run("generate", *SCENARIO, "-n", 3, "--seed", 7, "--device", "cpu", "-o", path)
    return path


@pytest.mark.parametrize("path", list(commands(cli.cli)), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    text = run(*path, "--help")
    assert text.startswith("Usage:") and len(text.splitlines()) > 4


def test_version() -> None:
    assert gwm.__version__ in run("--version")


def test_models_list_and_info() -> None:
    card = load_model("stochastic", "cpu").card
    assert any(
        x.split()[:2] == ["stochastic", card.version] for x in run("models", "list").split("\n")
    )
    text = run("models", "info", "stochastic")
    assert card.licence in text and card.citation[0] in text
    for r in card.conditions:
        assert f"{r.low:g} to {r.high:g} {r.unit}" in text
    # The card through JSON, as tuples become lists.
    assert json.loads(run("models", "info", "stochastic", "--json")) == json.loads(
        json.dumps(card.to_dict())
    )


@pytest.mark.parametrize("model", ["stochastic", "cvae-gan-small"])
def test_generate_for_a_spectrum(model: str, tmp_path: Path) -> None:
    """The spectrum of a code, RotD50, whatever gives the shape."""
    periods, sa = [0.0, 0.1, 0.5, 1.0, 2.0, 4.0], [0.4, 1.0, 1.0, 0.5, 0.25, 0.1]
    table = tmp_path / "code.csv"
    lines = [f"{t},{a}" for t, a in zip(periods[::-1], sa[::-1], strict=True)]
    table.write_text("\n".join(["# a code", "period,SA", *lines]))
    path = tmp_path / "waveforms.h5"
    conditions = ("mag=6.8", "rrup=15", "rhypo=18", "vs30=400", "hypo_depth=10")
    told = [word for c in conditions for word in ("-s", c)]
    run("generate", "--model", model, *told, "--target", table, "-n", 4, "-o", path)
    with gwm.open_catalogue(path) as data:
        waves = data.acceleration.values
        card = json.loads(data.attrs["model_card"])
    found = rotd(waves[:, :2], 0.01, periods)[:, 0]
    assert np.median(np.abs(found / sa - 1.0)) < 0.02
    assert np.abs(found / sa - 1.0).max() < 0.2
    assert card["parameters"]["spectrum"] == {"periods_s": periods, "sa_g": sa}


def test_generate_writes_what_the_library_draws(waveforms: Path) -> None:
    sc = gwm.Scenarios(mag=6.0, rrup=[10.0, 40.0], vs30=400.0, hypo_depth=8.0)
    expected = gwm.load_model("stochastic", device="cpu").generate(sc, n=3, seed=7)
    with gwm.open_catalogue(waveforms) as data:
        assert data.acceleration.dims == ("record", "component", "time")
        drawn = expected.acceleration.values.reshape(6, 3, -1)
        assert data.sizes["time"] == drawn.shape[2]
        np.testing.assert_array_equal(data.acceleration, drawn)
        np.testing.assert_array_equal(data.rrup, np.repeat([10.0, 40.0], 3))
        np.testing.assert_array_equal(data.event, np.repeat([0, 1], 3))
        np.testing.assert_array_equal(data.realization, np.tile([0, 1, 2], 2))
    assert [p.name for p in waveforms.parent.iterdir()] == ["waveforms.h5"]


@pytest.mark.parametrize("component", ["RotD50", "RotD100", "vertical"])
def test_im_writes_the_measures_of_the_library(
    waveforms: Path, tmp_path: Path, component: str
) -> None:
    imts = ["PGA", "PGV", "SA(1.0)", "RSD595"]
    out = tmp_path / "im.csv"
    run("im", waveforms, "--imts", ",".join(imts), "--component", component, "-o", out)
    table = pd.read_csv(out)
    assert len(table) == 6
    with xr.open_dataset(waveforms, engine="h5netcdf") as data:
        expected = gwm.intensity_measures(data, imts, component=component)
        for i in imts:
            np.testing.assert_allclose(table[i], expected[i].values.ravel(), rtol=1e-12)
    np.testing.assert_array_equal(table["rrup"], np.repeat([10.0, 40.0], 3))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("surface") / "tiny.h5"
    axes = tuple(
        Axis(name, nodes, "linear", "linear")
        for name, nodes in (
            ("mag", (5.0, 5.5)),
            ("rrup", (20.0, 40.0)),
            ("vs30", (300.0, 500.0)),
            ("hypo_depth", (0.0, 10.0)),
        )
    )
    model = load_model("stochastic", "cpu")
    build_surface(model, path, axes=axes, imts=("PGA", "SA(0.5)"), realizations=4, held_out=2)
    return path


def test_surface_info(tiny: Path) -> None:
    text = run("surface", "info", tiny)
    assert "4 draws at each of 16 nodes" in text and "20, 40" in text
    errors = read_surface(tiny).errors
    assert f"{errors['sampling_mean'][0]:.4f}" in text and "SA(0.5)" in text


def test_surface_build_is_build_surface(tiny: Path, tmp_path: Path) -> None:
    axes = ("mag=5,5.5", "rrup=20,40", "vs30=300,500", "hypo_depth=0,10")
    options = [x for a in axes for x in ("--axis", a)]
    out = tmp_path / "s.h5"
    run("surface", "build", *options, "--imts", "PGA,SA(0.5)", "--draws", 4, "-o", out)
    made, expected = read_surface(out), read_surface(tiny)
    assert made.ranges == expected.ranges and made.imts == expected.imts
    np.testing.assert_allclose(made.mean, expected.mean, rtol=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["s.h5"]


def test_surface_goes_where_the_gsim_finds_it(tmp_path: Path, monkeypatch: Any) -> None:
    model = load_model("stochastic", "cpu")
    model.card = replace(model.card, parameters={"no": "bundled surface is its own"})
    monkeypatch.setattr("gwm_hazard.models.registry.load_model", lambda *a: model)
    monkeypatch.setenv("GWM_HAZARD_CACHE", str(tmp_path))
    coarse = (Axis("mag", (5.0, 5.5)), Axis("rrup", (20.0, 40.0)), Axis("vs30", (300.0, 500.0)))
    axes = (*coarse, Axis("hypo_depth", (0.0, 10.0)))

    def coarsely(model: Any, path: Path, imts: tuple[str, ...], progress: Any) -> Surface:
        options = {"realizations": 4, "held_out": 2, "shape_scenarios": 0}
        return build_surface(model, path, axes=axes, imts=imts, progress=progress, **options)

    monkeypatch.setattr("gwm_hazard.distribution.find.build_surface", coarsely)
    text = run("surface", "build")
    path = Path(text.splitlines()[0])
    assert path.is_relative_to(tmp_path) and "4 draws at each of 16 nodes" in text
    assert find_or_build(model) == path
    made = path.stat().st_mtime_ns
    assert run("surface", "build") == text and path.stat().st_mtime_ns == made


def test_surface_of_other_options_needs_a_place(capsys: Any, monkeypatch: Any) -> None:
    message = fails(capsys, monkeypatch, "surface", "build", "--draws", 40)
    assert "--output" in message


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Clock]]:
    """Progress without a terminal, by a clock of the test alone."""
    monkeypatch.setattr(_options._Lines, "LOOK_S", 3600.0)
    clock = Clock()
    shown = _options._Lines(clock)
    yield shown, clock
    shown.stop(finished=False)


def test_progress_without_a_terminal(lines: tuple[Any, Clock], capsys: Any) -> None:
    shown, clock = lines
    said: dict[float, str] = {}
    for second in range(241):
        clock.now = float(second)
        shown("candidates", second / 400)
        if text := capsys.readouterr().err:
            said[second] = text
    assert list(said) == [5, 15, 30, 90, 150, 210]
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d candidates: 22 %, 1:30 so far, about 5:10 left\n", said[90]
    )
    clock.now = 300.0
    shown("page", 0.0)  # the next step: the end of the last one is told
    assert capsys.readouterr().err.endswith(" candidates: done in 5:00\n")
    clock.now = 304.0
    shown.stop(finished=True)
    assert capsys.readouterr().err == "", "a short step is not spoken of"


def test_a_step_that_says_nothing_is_spoken_of(lines: tuple[Any, Clock], capsys: Any) -> None:
    shown, clock = lines
    shown("hazard", 0.0)
    clock.now = 3700.0
    shown.look()
    assert capsys.readouterr().err.endswith(" hazard: 0 %, 1:01:40 so far\n")


def test_progress_in_a_log_has_no_bars() -> None:
    """A thread of its own tells of a step whose work calls nothing."""
    script = (
        "import time; from gwm_hazard.cli import _options as o; o._Lines.FIRST_S = (0.2, 5.0);"
        "o._Lines.LOOK_S = 0.05\n"
        "with o.progress_bar('work') as tell:\n    tell(0.5); time.sleep(1.0); tell(1.0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    said = done.stderr.splitlines()
    assert done.returncode == 0 and len(said) == 2, done.stderr
    assert " work: 50 %, 0:0" in said[0] and " work: done in 0:0" in said[1]
    assert done.stderr.isprintable() or set(done.stderr) - set("\n") <= set(string.printable)


def test_every_interruption_says_what_is_kept(capsys: Any, monkeypatch: Any) -> None:
    known = {" ".join(path) for path in commands(cli.cli)}
    assert set(cli.KEPT) <= known, "each is a command"
    for path in known - {""}:
        text = cli.interrupted(path)
        assert text.startswith("interrupted: ") and "the same command" in text
        assert ("surface" in text) == (path == "surface build")
    assert "nothing is kept" in cli.interrupted("im")

    def stopped(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gwm_hazard.models.registry.load_model", stopped)
    monkeypatch.setattr(sys, "argv", ["gwm-hazard", "surface", "build"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == cli.interrupted("surface build")


S = SCENARIO


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("models", "info", "nonesuch"), ("nonesuch", "stochastic")),
        (("generate", "--model", "nonesuch", *S), ("nonesuch", "stochastic")),
        (("generate", "--device", "abacus", *S), ("abacus", "auto")),
        (("generate", *S, "-s", "vs30=-3"), ("vs30 = -3 m/s", "30 to 5000 m/s")),
        (("generate", *S, "-s", "mag=9"), ("mag = 9 Mw", "4 to 8 Mw")),
        (("generate", *S, "-s", "mag=big"), ("mag=big", "NAME=VALUE")),
        (("generate", *S, "-s", "magnitude=6"), ("magnitude", "mag")),
        (("generate", "-s", "mag=6"), ("needs the condition", "rrup")),
        (("generate", *S, "-s", "vs30=400,500,600"), ("3 values",)),
        (("generate", *S, "-n", "0"), ("n = 0", "at least 1")),
        (("generate", *S, "--seed", "-1"), ("seed = -1",)),
        (("generate", *S, "-n", "1000000000"), ("2,000,000,000 waveforms", "TB", "free")),
        (("im", "none.h5"), ("none.h5", "does not exist")),
        (("im", "WAVEFORMS", "--imts", "PGX"), ("PGX",)),
        (("im", "WAVEFORMS", "--component", "RotD500"), ("RotD500",)),
        (("im", "TINY"), ("tiny.h5", "acceleration")),
        (("im", "TEXT"), ("text.h5",)),
        (("surface", "info", "none.h5"), ("none.h5", "surface build")),
        (("surface", "info", "WAVEFORMS"), ("waveforms.h5", "not a surface")),
        (("surface", "info", "TEXT"), ("text.h5", "not a readable HDF5 file")),
        (("surface", "build", "--axis", "rake=0,90"), ("rake", "mag, rrup")),
        (("surface", "build", "--axis", "mag=6,five"), ("mag=6,five",)),
        (("surface", "build", "--axis", "mag=6"), ("mag", "2 increasing")),
        (("surface", "build", "--draws", "7"), ("realizations = 7", "even")),
        (("surface", "build", "--realizations", "7"), ("realizations = 7", "even")),
        (("surface", "build", "--imts", "PGX"), ("PGX",)),
    ],
)
def test_mistake_gives_one_line(
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    waveforms: Path,
    tiny: Path,
    tmp_path: Path,
    capsys: Any,
    monkeypatch: Any,
) -> None:
    text = tmp_path / "text.h5"
    text.write_text("mag,rrup\n")
    named = {"WAVEFORMS": waveforms, "TINY": tiny, "TEXT": text}
    out = tmp_path / "out" / "file.h5"
    full = [named.get(a, a) for a in arguments]
    if "info" not in arguments:
        full += ["--output", out]
    message = fails(capsys, monkeypatch, *full)
    assert [w for w in words if w not in message] == [], message
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("command", ["generate", "surface build", "im", "catalogue"])
def test_outputs_are_looked_at_before_the_work(
    command: str, tmp_path: Path, waveforms: Path, capsys: Any, monkeypatch: Any
) -> None:
    there = tmp_path / "there.h5"
    there.write_text("mine")
    rest = {"generate": S, "im": (waveforms,), "catalogue": ("-1",)}.get(command, ())
    text = fails(capsys, monkeypatch, *command.split(), *rest, "-o", there)
    assert "exists" in text and "--overwrite" in text and there.read_text() == "mine"
    text = fails(capsys, monkeypatch, *command.split(), *rest, "-o", tmp_path / "a.xlsx")
    assert "the suffix tells the format" in text and ".h5" in text


def test_a_fault_of_the_program_is_called_one(capsys: Any, monkeypatch: Any) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise KeyError("rrup")

    monkeypatch.setattr("gwm_hazard.models.registry.load_model", broken)
    message = fails(capsys, monkeypatch, "surface", "build")
    assert "unexpected KeyError: 'rrup'" in message and "--debug" in message
    for words in (("surface", "build", "--debug"), ("--debug", "surface", "build")):
        monkeypatch.setattr(sys, "argv", ["gwm-hazard", *words])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 1
        assert "Traceback" in capsys.readouterr().err


def test_old_words_are_understood_but_not_shown() -> None:
    shown = run("surface", "build", "--help")
    assert "--draws" in shown and "--realizations" not in shown


def test_log_is_shown_once_and_in_full_with_verbose(capsys: Any, monkeypatch: Any) -> None:
    log = logging.getLogger("gwm_hazard.anything")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for verbose, shown in ((True, "a warning\nmore\n"), (False, "a warning\n")):
        _options.show_log(verbose)
        log.warning("a warning")
        log.info("more")
        assert capsys.readouterr().err == shown


def test_exit_codes_of_the_installed_command(tmp_path: Path) -> None:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=120
        )

    good = call("models", "--help")
    assert good.returncode == 0 and "verify" in good.stdout
    bad = call("generate", *SCENARIO, "-s", "vs30=-3", "-o", "x.h5")
    assert bad.returncode == 1 and bad.stdout == ""
    assert len(bad.stderr.strip().splitlines()) == 1 and "vs30 = -3 m/s" in bad.stderr
    usage = call("im", "none.h5", "-o", "x.csv")
    assert usage.returncode == 2 and "Traceback" not in usage.stderr
    assert not list(tmp_path.iterdir())
