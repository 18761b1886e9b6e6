"""The README's Python runs, links lead somewhere, the table of a branch agrees with the code."""

import inspect
import re
import shlex
from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.cli import cli
from gwm_hazard.models.registry import BUNDLED, IMPORTED_AS
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]


def test_python_blocks_run(capsys) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    pga_g, unit = capsys.readouterr().out.split()
    # M 6.5 at 30 km on Vs30 400 m/s: about 0.1 g by any active-crust GMM.
    assert unit == "g"
    assert 0.05 < float(pga_g) < 0.2


def test_commands_for_a_first_catalogue_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [shlex.split(x) for x in re.findall(r"^    gwm-hazard (.*)$", README, re.MULTILINE)]
    for line in (x for x in lines if x[0] in ("generate", "export")):
        done = CliRunner().invoke(cli, line)
        assert done.exit_code == 0, done.output
    with open_catalogue("waveforms.h5") as catalogue:
        assert catalogue.sizes["record"] == 10
    assert len(pd.read_csv("records/records.csv")) == 10
    (suite,) = (x for x in lines if x[0] == "suite")  # tests/demos runs it on a smaller job
    monkeypatch.chdir(ROOT)
    command = cli.get_command(click.Context(cli), "suite")
    given = command.make_context("suite", suite[1:]).params
    assert given["poe"] and given["imt"]


def test_commands_and_models_are_all_named() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    context = click.Context(cli)
    assert not [c for c in cli.list_commands(context) if f"`{c} " not in page]
    named = set(re.findall(r"`([\w-]+)`", README))
    assert not [m for m in BUNDLED if IMPORTED_AS.get(m, m) not in named]


def test_parameters_of_the_branch_are_documented_with_their_defaults() -> None:
    page = (ROOT / "docs" / "openquake.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, flags=re.MULTILINE))
    signature = inspect.signature(GenerativeWaveformGMM.__init__).parameters
    actual = {k: p.default for k, p in signature.items() if k != "self"}
    assert documented.keys() == actual.keys()
    for name, text in documented.items():
        shown = text.strip().strip("`").strip('"')
        assert shown == (str(actual[name]) or "none"), name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_scripts_of_the_pages_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = {t.split("#")[0] for t in re.findall(r"\]\(([^)]+)\)", text) if "://" not in t}
    assert not [t for t in links if t and not (page.parent / t).exists()]
    scripts = re.findall(r"(?:validation|demos|docs|tests)/[\w/]+\.(?:py|sh)", text)
    assert not [t for t in scripts if not (ROOT / t).exists()]
