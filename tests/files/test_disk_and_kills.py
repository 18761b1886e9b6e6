"""Full disks and kills, over all writers: see crashes.py."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.once import ROOT


@pytest.mark.slow
@pytest.mark.parametrize(("what", "least"), [("without_room", 20), ("killed_at_any_step", 50)])
def test_all_writers(what, least):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "tests.files.crashes", what], cwd=ROOT, env=env,
                          capture_output=True, text=True, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) >= least
