"""Time of event-based jobs with the branch and with Boore et al. (2014), side by side.

Jobs of ``openquake/qa_tests_data``, the ground-motion models replaced by the one and by the other,
in one process::

    python validation/openquake/event_speed.py

Prints for each job the times, their ratio, and how many pairs of event and site were kept with
each. ``minimum_intensity`` of case_20 and event_based_risk/case_05 drops nearly all pairs, and
what surely will be dropped is not drawn; the other two have no threshold, and every pair costs a
waveform.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OQ_DISTRIBUTE", "no")
sys.path.insert(0, str(Path(__file__).parent))

from qa_jobs import with_branch

from gwm_hazard.openquake.datastore import run

JOBS = ("event_based/case_12", "event_based/case_13", "event_based/case_20",
        "event_based_risk/case_05")  # fmt: skip
GMMS = ("BooreEtAl2014", "GenerativeWaveformGMM")


def timed(job: str, gsim: str) -> tuple[float, int]:
    """Wall time of a job with a GMM, and the number of pairs of event and site that it stored."""
    with tempfile.TemporaryDirectory() as folder:
        ini = with_branch(Path(job, "job.ini"), Path(folder), gsim)
        started = time.perf_counter()
        with run(ini) as dstore:
            return time.perf_counter() - started, len(dstore["gmf_data/eid"])


def main() -> None:
    """Run each job with both, once to warm up and once to time."""
    print(f"{'job':26}{'Boore, s':>10}{'branch, s':>11}{'ratio':>7}{'kept':>14}")
    for job in JOBS:
        for gsim in GMMS:
            timed(job, gsim)
        (boore, n_boore), (branch, n_branch) = (timed(job, gsim) for gsim in GMMS)
        kept = f"{n_boore}, {n_branch}"
        print(f"{job:26}{boore:10.2f}{branch:11.2f}{branch / boore:7.2f}{kept:>14}", flush=True)


if __name__ == "__main__":
    main()
