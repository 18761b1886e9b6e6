"""Rates summed over ruptures against OpenQuake's own curves, on OpenQuake's own test jobs.

Runs every classical job in ``openquake/qa_tests_data`` with ``GenerativeWaveformGMM`` in place of
its ground-motion models, and tells how the rates that range accounting, waveforms and suites sum
over ruptures compare with OpenQuake's curves: for every tectonic region and GSIM, site, measure
and level. What is refused is told with the reason::

    python validation/openquake/qa_jobs.py --output validation/openquake/qa_jobs.csv [NAME ...]

``NAME``: parts of paths of jobs, by default all of them. A job that takes longer than ``--limit``
is told as such.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OQ_DISTRIBUTE", "no")

import numpy as np
import openquake.calculators  # noqa: F401  (finds the hooks of this package)
from openquake import qa_tests_data
from openquake.commonlib import readinput
from openquake.hazardlib.const import TRT

from gwm_hazard.intensity import parse_imt
from gwm_hazard.openquake.curves import Curves
from gwm_hazard.openquake.datastore import run
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from gwm_hazard.openquake.rates import Comparison, branches, rates_of
from gwm_hazard.openquake.ruptures import pairs

ROOT = Path(qa_tests_data.__file__).parent
_CLASSICAL = re.compile(r"^\s*calculation_mode\s*[=:]\s*classical\s*$", re.MULTILINE)

_BRANCHES = """<?xml version="1.0" encoding="UTF-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5"><logicTree logicTreeID="lt">{sets}
</logicTree></nrml>
"""
_SET = """
<logicTreeBranchSet uncertaintyType="gmpeModel" branchSetID="bs{n}"
 applyToTectonicRegionType="{trt}"><logicTreeBranch branchID="gwm{n}">
<uncertaintyModel>[{gsim}]</uncertaintyModel>
<uncertaintyWeight>1</uncertaintyWeight></logicTreeBranch></logicTreeBranchSet>"""

#: Site parameters of a job that has none for the branch.
_SITE = {
    "reference_vs30_type": "measured",
    "reference_vs30_value": "760.0",
    "reference_depth_to_1pt0km_per_sec": "30.0",
    "reference_depth_to_2pt5km_per_sec": "0.6",
}

#: Parameters that the branch does without, among them words of former releases.
_DROPPED = (
    *("gsim", "intensity_measure_types", "intensity_measure_levels", "postproc_func"),
    *("postproc_args", "individual_curves", "mean_hazard_curves"),
)


@dataclass(frozen=True)
class Row:
    """What became of a job: ``low`` and ``high`` are summed rate over curve."""

    job: str
    outcome: str
    pairs: int = 0
    sites: int = 0
    realizations: int = 0
    low: float = float("nan")
    high: float = float("nan")
    seconds: float = 0.0


def jobs(parts: list[str]) -> Iterator[Path]:
    """Classical jobs below OpenQuake's test data, relative to it."""
    for path in sorted(ROOT.rglob("*.ini")):
        name = path.relative_to(ROOT)
        text = path.read_text(encoding="utf-8", errors="replace")
        if _CLASSICAL.search(text) and (not parts or any(p in str(name) for p in parts)):
            yield name


def with_branch(job: Path, folder: Path, gsim: str = "GenerativeWaveformGMM") -> Path:
    """Copy a job's folder, with the branch, or another GMM, in place of its ground-motion models.

    Raises
    ------
    ValueError
        A job without a measure that the branch has.
    """
    source = ROOT / job.parent
    target = folder / source.parent.name
    target.mkdir()
    for beside in source.parent.iterdir():  # some jobs take files from other folders
        if beside != source:
            (target / beside.name).symlink_to(beside)
    shutil.copytree(source, target / source.name)
    ini = target / source.name / job.name
    text = ini.read_text(encoding="utf-8")
    oq = readinput.get_oqparam(str(ROOT / job))
    trts = _regions(oq, source)
    sets = "".join(_SET.format(n=n, trt=trt, gsim=gsim) for n, trt in enumerate(trts))
    (ini.parent / "gwm.xml").write_text(_BRANCHES.format(sets=sets), encoding="utf-8")
    levels = {imt: list(map(float, v)) for imt, v in oq.imtls.items() if _has(imt)}
    if oq.imtls and not levels:
        raise ValueError(f"no measure of the branch among {', '.join(oq.imtls)}")
    given = {
        "gsim_logic_tree_file": "gwm.xml",
        "individual_rlzs": "false",
        "mean": "true",
        "export_dir": str(folder / "out"),
    }
    if levels:  # a job with risk has those of its functions
        given["intensity_measure_types_and_levels"] = repr(levels)
    sites = oq.inputs.get("site_model", [])
    if not any("vs30" in Path(f).read_text(encoding="utf-8") for f in sites):
        given |= {k: v for k, v in _SITE.items() if k not in text}
    dropped = {*given, *_DROPPED}
    ini.write_text(rewritten(text, given, dropped), encoding="utf-8")
    return ini


def _regions(oq: Any, folder: Path) -> list[str]:
    """Tectonic regions that a job may speak of, from its logic tree, sources and distances."""
    texts = [p.read_text("utf-8", "replace") for p in folder.rglob("*.xml")]
    named = re.findall(
        r'(?:tectonicRegion|applyToTectonicRegionType)\s*=\s*"([^"]+)"', "".join(texts)
    )
    distances = dict(oq.maximum_distance)
    named += [trt for trt in distances if trt != "default"]
    if "default" in distances:
        named += [trt.value for trt in TRT]
    return [trt for trt in dict.fromkeys(named) if trt != "*"]


def rewritten(text: str, given: dict[str, str], dropped: set[str]) -> str:
    """A job.ini without the parameters ``dropped`` and with those ``given``."""
    lines, skipping = [], False
    for line in text.splitlines():
        starts = re.match(r"\s*([A-Za-z0-9_]+)\s*[=:]", line)
        if starts and not line[:1].isspace():
            skipping = starts[1] in dropped
        elif line.startswith("[") or not line.strip():
            skipping = False
        if not skipping:
            lines.append(line)
    first = next((i for i, x in enumerate(lines) if x.strip().startswith("[")), -1)
    lines[first + 1 : first + 1] = [f"{k} = {v}" for k, v in given.items()]
    return "\n".join(lines) + "\n"


def _has(imt: str) -> bool:
    """Whether the branch's surface has a measure."""
    try:
        parsed = parse_imt(imt)
    except ValueError:
        return False
    known = {m.__name__ for m in GenerativeWaveformGMM.DEFINED_FOR_INTENSITY_MEASURE_TYPES}
    return parsed.name in known and (parsed.name != "SA" or 0.01 <= parsed.period <= 10.0)


def compared(curves: Curves) -> tuple[Comparison, int]:
    """All pairs of the GWM branches summed at all levels; and their number."""
    found = branches(curves)
    gids = tuple(g.number for g in curves.gids for b in found if g.gsim == b.gsim)
    n_sites, n_imts, n_levels, _ = curves.rates.shape
    rows = np.broadcast_to(np.arange(n_levels), (n_sites, n_imts, n_levels))
    comparison, count = Comparison(curves, gids, rows), 0
    for part in pairs(curves, gsims=[b.gsim for b in found]):
        for branch in found:
            if (gid := part.gid(branch.gsim)) is not None:
                imts = tuple(curves.imtls)
                rates = rates_of(part, branch.gsim, imts, comparison.at(part))
                comparison.add(part, gid, rates)
                count += len(part)
    return comparison, count


class _TooLongError(Exception):
    pass


def _alarm(*_: object) -> None:
    raise _TooLongError


def row_of(job: Path, limit_s: int) -> Row:
    """Run a job and compare."""
    started = time.perf_counter()
    signal.signal(signal.SIGALRM, _alarm)
    with tempfile.TemporaryDirectory() as folder:
        try:
            ini = with_branch(job, Path(folder))
            signal.alarm(limit_s)
            with run(ini) as dstore:
                curves = Curves(dstore)
                comparison, count = compared(curves)
                signal.alarm(0)
                ratio = comparison.ratio
        except _TooLongError:
            return Row(str(job), f"over {limit_s} s")
        except Exception as exc:
            signal.alarm(0)
            text = " ".join(str(exc).split())
            text = re.sub(
                r"calculation \d+", "calculation", text.replace(folder, "").replace(str(ROOT), "")
            )
            name = "" if isinstance(exc, ValueError) else f"{type(exc).__name__}: "
            return Row(str(job), f"refused: {name}{text}"[:300])
        seconds = round(time.perf_counter() - started, 1)
        there = np.isfinite(ratio)
        low, high = (ratio[there].min(), ratio[there].max()) if there.any() else (np.nan, np.nan)
        return Row(
            str(job),
            "compared" if there.any() else "no hazard",
            count,
            len(curves.sites),
            curves.n_realizations,
            round(float(low), 4),
            round(float(high), 4),
            seconds,
        )


def main() -> None:
    """Run the jobs and write the table, a row as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of paths of jobs; by default all")
    parser.add_argument("--output", type=Path, default=Path("qa_jobs.csv"))
    parser.add_argument("--limit", type=int, default=120, help="seconds a job, at most")
    args = parser.parse_args()
    columns = list(Row.__dataclass_fields__)
    temporary = args.output.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        for job in jobs(args.names):
            row = row_of(job, args.limit)
            writer.writerow(vars(row))
            stream.flush()
            print(row.job, row.outcome, row.low, row.high, row.seconds, file=sys.stderr)
    temporary.replace(args.output)


if __name__ == "__main__":
    main()
