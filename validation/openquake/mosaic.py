"""GEM's regional models with a generative branch in every tectonic region: time, and what holds.

Takes the models that the openquake.engine package ships (``qa_tests_data/mosaic``: Japan, Korea,
West Africa, Central America, Europe), adds ``GenerativeWaveformGMM`` to each set of ground-motion
branches, and runs the job as it is shipped, the job with the branch, and the same with range
accounting, one after the other::

    python validation/openquake/mosaic.py [JPN KOR WAF CCA EUR]

It prints the times, their ratios, and the largest relative difference between the rates summed
over ruptures and OpenQuake's own.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from openquake import qa_tests_data

MODELS = Path(qa_tests_data.__file__).parent / "mosaic"
OQ = Path(sys.executable).with_name("oq")
#: Weight of the branch in each set.
WEIGHT = 0.2


def prepare(model: str, folder: Path, branch: bool, postproc: str) -> Path:
    """Copy a model; with the branch, and with a post-processing function."""
    shutil.copytree(MODELS / model / "in", folder)
    ini = folder / "job_vs30.ini"
    text = ini.read_text(encoding="utf-8")
    # Risk-targeted motions (West Africa) need what the package does not ship.
    text = re.sub(r"^(export_dir|postproc_func)\s*=.*$", "", text, flags=re.MULTILINE)
    extra = [f"export_dir = {folder / 'out'}"]
    if not re.search(r"^poes\s*=", text, re.MULTILINE):
        yearly = re.search(r"^investigation_time\s*=\s*1(\.0)?\s*$", text, re.MULTILINE)
        extra.append("poes = 0.0021 0.0004" if yearly else "poes = 0.1 0.02")
    if model == "CCA":  # the site of the shipped job is not in its site model
        text = re.sub(r"^sites\s*=.*$", "sites = -84.786 10.019", text, flags=re.MULTILINE)
    if postproc:
        extra.append(f"postproc_func = gwm_hazard.{postproc}")
    first = text.index("\n", text.index("[general]")) + 1
    ini.write_text(text[:first] + "\n".join(extra) + "\n" + text[first:], encoding="utf-8")
    if branch:
        for tree in folder.glob("gmmLT*.xml"):
            with_branch(tree)
    return ini


def with_branch(path: Path) -> None:
    """Add the branch to each set, at the cost of the others' weights."""
    tree = ET.parse(path)
    tag = tree.getroot().tag  # with the namespace of NRML 0.4 or 0.5, or with none
    q, added = tag[: tag.index("}") + 1] if "}" in tag else "", 0
    if q:
        ET.register_namespace("", q[1:-1])
    for n, branches in enumerate(tree.iter(f"{q}logicTreeBranchSet")):
        if branches.get("uncertaintyType") != "gmpeModel":
            continue
        for weight in branches.iter(f"{q}uncertaintyWeight"):
            weight.text = repr(float(weight.text or 0) * (1.0 - WEIGHT))
        one = ET.SubElement(branches, f"{q}logicTreeBranch", branchID=f"gwm{n}")
        ET.SubElement(one, f"{q}uncertaintyModel").text = "[GenerativeWaveformGMM]"
        ET.SubElement(one, f"{q}uncertaintyWeight").text = repr(WEIGHT)
        added += 1
    if not added:
        raise SystemExit(f"{path}: no set of ground-motion branches found")
    tree.write(path, encoding="utf-8", xml_declaration=True)


def timed(ini: Path) -> tuple[float, str]:
    """Wall time of ``oq engine --run`` and what it said."""
    started = time.perf_counter()
    done = subprocess.run(
        [str(OQ), "engine", "--run", str(ini)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{ini}: exit code {done.returncode}\n{done.stderr[-3000:]}")
    return time.perf_counter() - started, done.stdout + done.stderr


def main() -> None:
    """Run the models and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["JPN", "KOR", "WAF", "CCA", "EUR"])
    args = parser.parse_args()
    header = f"{'model':6}{'as shipped':>11}{'branch':>8}{'accounting':>11}{'ratio':>7}"
    print(f"{header}  times in s; ratio: accounting over as shipped")
    for model in args.models:
        with tempfile.TemporaryDirectory() as temporary:
            times, said = [], ""
            for name, branch, postproc in (
                ("plain", False, ""),
                ("branch", True, ""),
                ("accounting", True, "range_accounting"),
            ):
                ini = prepare(model, Path(temporary, name), branch, postproc)
                seconds, said = timed(ini)
                times.append(seconds)
            told = [line for line in said.splitlines() if "range_accounting stopped" in line]
            told += re.findall(r"summed rates within [^\n]*", said)
            print(
                f"{model:6}{times[0]:11.1f}{times[1]:8.1f}{times[2]:11.1f}"
                f"{times[2] / times[0]:7.2f}  {told[0] if told else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
