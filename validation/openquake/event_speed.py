"""Time of event-based jobs with the branch and with Boore et al. (2014), side by side.

Jobs of ``openquake/qa_tests_data`` of which a threshold drops nearly all fields, the ground-motion
models replaced by the one and by the other, in one process::

    python validation/openquake/event_speed.py [--minimum 0.05]

Prints for each job the times, their ratio, and the share of pairs of event and site that is kept.
``--minimum``: ``minimum_intensity`` (g) of the jobs, for all measures.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OQ_DISTRIBUTE", "no")
sys.path.insert(0, str(Path(__file__).parent))

from qa_jobs import rewritten, with_branch

from gwm_hazard.openquake.datastore import run

JOBS = ("event_based/case_12", "event_based/case_13", "event_based/case_20",
        "event_based_risk/case_05")  # fmt: skip
GMMS = ("BooreEtAl2014", "GenerativeWaveformGMM")


def seconds(job: str, gsim: str, minimum: float) -> tuple[float, int]:
    """Wall time of a job with a GMM, and how many rows of fields it stored."""
    with tempfile.TemporaryDirectory() as folder:
        ini = with_branch(Path(job, "job.ini"), Path(folder), gsim)
        given = {"minimum_intensity": str(minimum)}
        ini.write_text(rewritten(ini.read_text("utf-8"), given, set(given)), encoding="utf-8")
        started = time.perf_counter()
        with run(ini) as dstore:
            took = time.perf_counter() - started
            return took, len(dstore["gmf_data/eid"]) if "gmf_data/eid" in dstore else 0


def main() -> None:
    """Run each job with both, once to warm up and once to time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minimum", type=float, default=0.05)
    args = parser.parse_args()
    print(f"{'job':26}{'Boore, s':>10}{'branch, s':>11}{'ratio':>7}{'fields':>16}")
    for job in JOBS:
        told = []
        for gsim in GMMS:
            seconds(job, gsim, args.minimum)
            told.append(seconds(job, gsim, args.minimum))
        (boore, n_boore), (branch, n_branch) = told
        fields = f"{n_boore} and {n_branch}"
        print(f"{job:26}{boore:10.2f}{branch:11.2f}{branch / boore:7.2f}{fields:>16}", flush=True)


if __name__ == "__main__":
    main()
