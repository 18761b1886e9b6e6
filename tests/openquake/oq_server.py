"""``oq`` and ``gwm-hazard``, each in a process forked from this one, which has what they import.

Importing OpenQuake and torch takes longer than most jobs of the tests. A line of JSON on stdin is a
command: its words, environment, folder and the file that takes its output; the line on stdout
that answers is its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sqlite3
import sys
from typing import Any

TIMEOUT_S = 300
PROGRAMS = {"oq": ("openquake.commands.__main__", "oq"), "gwm-hazard": ("gwm_hazard.cli", "main")}
#: What they import only where it is needed.
IMPORTED = (
    "openquake.commands.engine",
    "openquake.commands.webui",
    "openquake.calculators.base",
    "openquake.hazardlib.gsim",
    "gwm_hazard.models.stochastic.model",
    "gwm_hazard.openquake.postproc",
    "gwm_hazard.openquake.event_catalogue",
    "gwm_hazard.openquake.suites",
)
connect = sqlite3.connect


def connect_without_waiting(*arguments: Any, **options: Any) -> sqlite3.Connection:
    """OpenQuake's database, which takes each line of the log, need not outlive the machine."""
    connection = connect(*arguments, **options)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def command(words: list[str], env: dict[str, str], cwd: str, output: str) -> Any:
    """What a script does, from its own folder, into a file."""
    signal.alarm(TIMEOUT_S)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = words
    module, function = PROGRAMS[words[0]]
    return getattr(importlib.import_module(module), function)()


def main() -> None:
    """Serve until stdin is closed."""
    sqlite3.connect = connect_without_waiting
    for name in (*(module for module, _ in PROGRAMS.values()), *IMPORTED):
        importlib.import_module(name)
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            sys.exit(command(**json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
