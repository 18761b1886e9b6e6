"""``oq`` commands, each in a process forked from this one, which has imported what they need.

Importing OpenQuake and torch takes longer than most jobs of the tests. A line of JSON on stdin is a
command: its arguments, environment, folder and the file that takes its output; the line on stdout
that answers is its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any

TIMEOUT_S = 300
IMPORTED = (
    "openquake.commands.__main__",
    "openquake.commands.engine",
    "openquake.calculators.base",
    "openquake.hazardlib.gsim",
    "gwm_hazard.models.stochastic",
)


def command(arguments: list[str], env: dict[str, str], cwd: str, output: str) -> Any:
    """What the script ``oq`` does, from its own folder, into a file."""
    signal.alarm(TIMEOUT_S)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["oq", *arguments]
    return importlib.import_module("openquake.commands.__main__").oq()


def main() -> None:
    """Serve until stdin is closed."""
    for name in IMPORTED:
        importlib.import_module(name)
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            sys.exit(command(**json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
