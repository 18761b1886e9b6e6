"""Compiled kernels of a run side by side: made once, then each worker has its own.

No two processes write one index of compiled kernels. On a machine that has none, OpenQuake's and
ours take a minute each: two processes compile them, into one folder that the workers copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".pytest_cache" / "kernels"
MADE = FOLDER / "made"


def of_worker(name: str) -> Path:
    """The folder of a worker, with what was made for all."""
    folder = FOLDER / name
    if MADE.is_dir() and not folder.exists():
        shutil.copytree(MADE, folder)
    return folder


def make() -> None:
    """Compile, where no run has yet; what fails here is compiled where it is needed."""
    if MADE.exists():
        return
    env = os.environ | {"NUMBA_CACHE_DIR": str(MADE)}
    command = [sys.executable, "-m", "tests.kernels"]
    both = [subprocess.Popen([*command, part], cwd=MADE.parents[2], env=env) for part in PARTS]
    for process in both:
        process.wait()


def openquakes() -> None:
    """All but a few are compiled when they are imported."""
    import openquake.calculators.base
    import openquake.hazardlib.gsim

    assert openquake


def ours() -> None:
    """Draws, phases, matching and measures, by their use."""
    import numpy as np

    from gwm_hazard.core.noise import Noise
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.intensity import intensity_measures_array
    from gwm_hazard.models.matched import MatchedModel
    from tests.openquake.jobs import build_tiny_surface

    with tempfile.TemporaryDirectory() as folder:
        build_tiny_surface(Path(folder) / "tiny.h5")
    intensity_measures_array(np.ones((1, 3, 300)), 0.01, ["PGA", "PGV", "SA(1.0)", "RSD595"])
    periods_s = np.geomspace(0.01, 10.0, 50)
    spectrum = {"periods_s": periods_s.tolist(), "sa_g": (0.2 / (1.0 + periods_s)).tolist()}
    row = Scenarios(mag=6.0, rrup=40.0, rhypo=42.0, vs30=500.0, hypo_depth=8.0)
    MatchedModel(shape="highfem-small", spectrum=spectrum).draw(row, Noise(1, 0, 0, 0))


PARTS = {"openquake": openquakes, "ours": ours}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
