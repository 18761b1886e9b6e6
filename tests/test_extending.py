"""One of each from outside: a model, a record format, an exporter, a section; a file each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODEL = """
from gwm_hazard.testing import RandomModel

class Mine(RandomModel):
    pass
"""

READER = """
from functools import partial
import numpy as np
from gwm_hazard.records.record import Source

def recognises(path):
    return path.suffix == ".mine"

def scan(paths, options):
    return [Source(str(path), (path,), 1, partial(read, path)) for path in paths]

def read(path):
    return iter(())
"""

EXPORTER = """
from gwm_hazard.catalogue.export import Format

README = "One text file a record."
FORMAT = Format("mine_export", "peaks as text")

def write(records, folder, options):
    for row, name, acceleration in records.each():
        (folder / f"{name}.txt").write_text(str(abs(acceleration).max()))
    return ["peaks only"]
"""

SECTION = """
from gwm_hazard.benchmark.section import Skipped

def section(data):
    return Skipped("mine", "Mine", "nothing to do")
"""

ENTRY_POINTS = """
[gwm_hazard.models]
mine = mine_model:Mine
[gwm_hazard.readers]
mine = mine_reader
[gwm_hazard.exporters]
mine = mine_export:FORMAT
[gwm_hazard.sections]
mine = mine_section
"""

SCRIPT = """
import importlib, sys
from pathlib import Path
import gwm_hazard as gwm
from gwm_hazard.benchmark.sections import MODULES, SECTIONS
from gwm_hazard.catalogue.export import export_catalogue
from gwm_hazard.records.formats import detect

from gwm_hazard.testing import check_model

folder = Path(sys.argv[1])
model = gwm.load_model("mine", "cpu")
check_model(model)
data = model.generate(gwm.Scenarios(mag=[5.0], rrup=[20.0]), n=2)
(folder / "a.mine").write_text("anything")
assert detect(folder / "a.mine") == "mine"
done = export_catalogue(data, "mine", folder / "out")
assert done.records == 2 and done.remarks == ("peaks only",)
assert len(list((folder / "out").glob("*.txt"))) >= 2
assert SECTIONS[-1] == "mine"
assert importlib.import_module(MODULES["mine"]).section(None).reason == "nothing to do"
"""


def test_one_file_adds_one_of_each(tmp_path: Path) -> None:
    site = tmp_path / "site"
    about = site / "mine-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    files = {"model": MODEL, "reader": READER, "export": EXPORTER, "section": SECTION}
    for name, text in files.items():
        (site / f"mine_{name}.py").write_text(text)
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
