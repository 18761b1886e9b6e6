"""The README's Python runs, links lead somewhere, the table of a branch agrees with the code."""

import inspect
import re
from pathlib import Path

import pytest

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
