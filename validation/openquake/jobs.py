"""Jobs made from the demo's: its source model, one GMM branch each, run by stock ``oq``."""

from __future__ import annotations

import configparser
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEMO = Path(__file__).parents[2] / "demos" / "managua"

LOGIC_TREE = """<?xml version="1.0" encoding="UTF-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">
  <logicTree logicTreeID="gmms">
    <logicTreeBranchSet branchSetID="bs1" uncertaintyType="gmpeModel"
                        applyToTectonicRegionType="Active Shallow Crust">
{branches}
    </logicTreeBranchSet>
  </logicTree>
</nrml>
"""

BRANCH = """      <logicTreeBranch branchID="{name}">
        <uncertaintyModel>
{text}
        </uncertaintyModel>
        <uncertaintyWeight>{weight}</uncertaintyWeight>
      </logicTreeBranch>"""


def write_job(folder: Path, branches: dict[str, str], **changed: Any) -> Path:
    """Copy the demo's job to ``folder`` as a classical one with these branches.

    ``changed`` sets job parameters; None removes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (DEMO / "source_model.xml").is_file():
        subprocess.run([sys.executable, str(DEMO / "prepare.py")], check=True)
    for name in ("source_model.xml", "source_model_logic_tree.xml"):
        (folder / name).write_text((DEMO / name).read_text("utf-8"), "utf-8")
    weight = 1.0 / len(branches)
    text = "\n".join(BRANCH.format(name=n, text=t, weight=weight) for n, t in branches.items())
    (folder / "gmm_logic_tree.xml").write_text(LOGIC_TREE.format(branches=text), "utf-8")
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(DEMO / "job.ini", encoding="utf-8")
    ini.remove_section("disaggregation")
    merged = {k: v for section in ini.sections() for k, v in ini[section].items()}
    merged |= {"calculation_mode": "classical", "export_dir": str(folder / "output")}
    for name in ("postproc_func", "postproc_args", "uniform_hazard_spectra"):
        merged.pop(name, None)
    merged |= changed
    # The lines of a value that goes on are indented.
    lines = [f"{k} = {v}".replace("\n", "\n  ") for k, v in merged.items() if v is not None]
    (folder / "job.ini").write_text("\n".join(["[general]", *lines]) + "\n", "utf-8")
    return folder / "job.ini"


@dataclass(frozen=True)
class Run:
    """A finished calculation."""

    wall_s: float
    cpu_s: float
    datastore: Path


def run(ini: Path, home: Path) -> Run:
    """``oq engine --run`` with the database and datastores in ``home``."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "oq.cfg").write_text(f"[dbserver]\nfile = {home / 'db.sqlite3'}\n")
    env = {**os.environ, "OQ_DATADIR": str(home), "OQ_CONFIG_FILE": str(home / "oq.cfg")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    oq = Path(sys.executable).with_name("oq")
    done = subprocess.run(
        [str(oq), "engine", "--run", str(ini)],
        env=env,
        cwd=ini.parent,
        capture_output=True,
        text=True,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.findall(r"calc_\d+\.hdf5", done.stdout + done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"{ini}: oq failed\n{done.stdout}\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, home / found[-1])
