"""Full disks and kills over all writers, hostile files over all readers: see the modules run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.once import ROOT


def run(module, *arguments):
    """What a module prints that runs in a process without threads, whose children are forked."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"tests.files.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "least"), [("without_room", 20), ("killed_at_any_step", 50)])
def test_all_writers(what, least):
    assert run("crashes", what)[0] >= least


def test_some_hostile_files():
    assert run("hostile", "0", "2")[0] == 12


@pytest.mark.slow
def test_two_hundred_hostile_files():
    done, refused = run("hostile", "0", "35")
    assert done == 210 and refused > 100
