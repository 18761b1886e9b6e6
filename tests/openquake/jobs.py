"""A tiny surface, a tiny job and ``oq`` in a folder of its own: see the fixtures of conftest.py."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.models.registry import load_model

OQ = Path(sys.executable).with_name("oq")
SERVER = Path(__file__).with_name("oq_server.py")
IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.5)", "SA(1.0)", "RSD595")
AXES = (
    Axis("mag", (6.0, 7.0, 8.0)),
    Axis("rrup", (1.0, 10.0, 50.0, 300.0), "log"),
    Axis("vs30", (300.0, 500.0), "log", "linear"),
    Axis("hypo_depth", (0.0, 30.0), "linear", "linear"),
)

SOURCES = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5" xmlns:gml="http://www.opengis.net/gml">
  <sourceModel name="two points">
    <sourceGroup rup_interdep="indep" src_interdep="indep"
                 tectonicRegion="Active Shallow Crust">{points}
    </sourceGroup>
  </sourceModel>
</nrml>
"""

POINT = """
      <pointSource id="{name}" name="{name}" tectonicRegion="Active Shallow Crust">
        <pointGeometry>
          <gml:Point><gml:pos>{lon} 0.0</gml:pos></gml:Point>
          <upperSeismoDepth>0</upperSeismoDepth>
          <lowerSeismoDepth>20</lowerSeismoDepth>
        </pointGeometry>
        <magScaleRel>WC1994</magScaleRel>
        <ruptAspectRatio>1.5</ruptAspectRatio>
        <incrementalMFD binWidth="0.2" minMag="{mag}"><occurRates>{rates}</occurRates>
        </incrementalMFD>
        <nodalPlaneDist>
          <nodalPlane probability="0.5" strike="0" dip="90" rake="0"/>
          <nodalPlane probability="0.5" strike="60" dip="60" rake="90"/>
        </nodalPlaneDist>
        <hypoDepthDist><hypoDepth probability="1" depth="8"/></hypoDepthDist>
      </pointSource>"""

LOGIC_TREE = """<?xml version="1.0" encoding="UTF-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">
  <logicTree logicTreeID="lt">
    <logicTreeBranchSet branchSetID="bs1" uncertaintyType="{kind}">{branches}
    </logicTreeBranchSet>
  </logicTree>
</nrml>
"""

BRANCH = """
      <logicTreeBranch branchID="{name}">
        <uncertaintyModel>
{text}
        </uncertaintyModel>
        <uncertaintyWeight>{weight}</uncertaintyWeight>
      </logicTreeBranch>"""

JOB: dict[str, object] = {
    "description": "two point sources",
    "calculation_mode": "classical",
    "random_seed": 23,
    "sites": "0 0",
    "reference_vs30_type": "inferred",
    "reference_vs30_value": 400.0,
    "rupture_mesh_spacing": 5.0,
    "width_of_mfd_bin": 0.2,
    "source_model_logic_tree_file": "ssm.xml",
    "gsim_logic_tree_file": "gmm.xml",
    "investigation_time": 50.0,
    "truncation_level": 3.0,
    "maximum_distance": 200.0,
    "intensity_measure_types_and_levels": (
        '{"PGA": logscale(0.005, 3.0, 60), "SA(0.5)": logscale(0.005, 5.0, 60), '
        '"SA(0.7)": logscale(0.005, 5.0, 60)}'
    ),
    "individual_rlzs": "true",
    "poes": "0.10 0.02",
    "export_dir": "output",
}

GWM = {"model": "stochastic", "surface_file": "tiny.h5"}


def toml(**arguments: object) -> str:
    """Branch of the logic tree with GenerativeWaveformGMM."""
    lines = [f"{k} = {v}" if isinstance(v, int) else f'{k} = "{v}"' for k, v in arguments.items()]
    return "\n".join(["[GenerativeWaveformGMM]", *lines])


@dataclass
class Run:
    """A finished ``oq`` command."""

    code: int
    text: str

    @property
    def calc_id(self) -> int:
        found = re.findall(r"calc_(\d+)\.hdf5", self.text)
        assert found, self.text
        return int(found[-1])

    @property
    def last(self) -> str:
        """The last line: what a user reads first."""
        return self.text.strip().splitlines()[-1]


class OpenQuake:
    """``oq`` and ``gwm-hazard``, with database and datastores in ``home``, by `oq_server.py`."""

    def __init__(self, home: Path, surface: Path) -> None:
        self.home, self.surface = home, surface
        self._server: subprocess.Popen[str] | None = None
        (home / "oq.cfg").write_text(f"[dbserver]\nfile = {home / 'db.sqlite3'}\n")
        self.env = {
            **os.environ,
            "OQ_DATADIR": str(home),
            "OQ_CONFIG_FILE": str(home / "oq.cfg"),
            "GWM_HAZARD_CACHE": str(home / "cache"),
        }

    def job(
        self,
        folder: Path,
        branches: dict[str, str] | None = None,
        min_mag: float = 6.1,
        **more: Any,
    ) -> Path:
        """Write a job; a value of None takes a line of JOB out. Returns the job.ini."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.surface, folder / "tiny.h5")
        points = [
            POINT.format(name="near", lon=0.2, mag=min_mag, rates="0.01 0.006 0.004 0.002"),
            POINT.format(name="far", lon=-0.6, mag=min_mag + 0.6, rates="0.01 0.006 0.004"),
        ]
        (folder / "sources.xml").write_text(SOURCES.format(points="".join(points)))
        source = BRANCH.format(name="b", text="sources.xml", weight=1.0)
        (folder / "ssm.xml").write_text(LOGIC_TREE.format(kind="sourceModel", branches=source))
        branches = branches or {"GWM": toml(**GWM)}
        text = "".join(
            BRANCH.format(name=name, text=text, weight=1.0 / len(branches))
            for name, text in branches.items()
        )
        kind = 'gmpeModel" applyToTectonicRegionType="Active Shallow Crust'
        (folder / "gmm.xml").write_text(LOGIC_TREE.format(kind=kind, branches=text))
        lines = [f"{k} = {v}" for k, v in (JOB | more).items() if v is not None]
        (folder / "job.ini").write_text("\n".join(["[general]", *lines]) + "\n")
        return folder / "job.ini"

    def __call__(self, *arguments: object, distribute: str = "no", cwd: Path | None = None) -> Run:
        return self.command("oq", *arguments, distribute=distribute, cwd=cwd)

    def gwm_hazard(self, *arguments: object, cwd: Path | None = None) -> Run:
        return self.command("gwm-hazard", *arguments, cwd=cwd)

    def command(self, *words: object, distribute: str = "no", cwd: Path | None = None) -> Run:
        env = self.env | {"OQ_DISTRIBUTE": distribute}
        output = self.home / "output.txt"
        request = {
            "words": list(map(str, words)),
            "env": env,
            "cwd": str(cwd or self.home),
            "output": str(output),
        }
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, str(SERVER)],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._server.stdin is not None and self._server.stdout is not None
        print(json.dumps(request), file=self._server.stdin, flush=True)
        code = self._server.stdout.readline()
        return Run(int(code), output.read_text(errors="replace"))

    def run(self, ini: Path, *arguments: object, distribute: str = "no") -> Run:
        return self("engine", "--run", ini, *arguments, distribute=distribute, cwd=ini.parent)

    def datastore(self, run: Run) -> Any:
        from openquake.commonlib import datastore

        # By its path, its parent's too: a number is looked up in the user's own database.
        original = datastore.read

        def by_path(calc_id: int, *arguments: Any, **options: Any) -> Any:
            return original(str(self.home / f"calc_{calc_id}.hdf5"), *arguments, **options)

        with mock.patch.object(datastore, "read", by_path):
            dstore = by_path(run.calc_id, read_parent=False)
            if parent := dstore["oqparam"].hazard_calculation_id:
                dstore.parent = by_path(parent, read_parent=False)
        return dstore


class PlainOpenQuake(OpenQuake):
    """The script ``oq`` of an environment, in a process of its own."""

    def __init__(self, home: Path, surface: Path, script: Path = OQ) -> None:
        super().__init__(home, surface)
        self.script = script

    def __call__(self, *arguments: object, distribute: str = "no", cwd: Path | None = None) -> Run:
        done = subprocess.run(
            [str(self.script), *map(str, arguments)],
            env=self.env | {"OQ_DISTRIBUTE": distribute},
            cwd=cwd or self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,  # the first run in an environment compiles all kernels
        )
        return Run(done.returncode, done.stdout)


def build_tiny_surface(path: Path) -> None:
    """A coarse surface of the bundled model: quick to make, no substitute for the real one."""
    model = load_model("stochastic", "cpu")
    build_surface(model, path, axes=AXES, imts=IMTS, realizations=16, held_out=2)
