"""A work folder: what a long run has finished, kept beside its output until the whole is there.

A part is written under a temporary name and renamed: what carries its name is complete. The folder
says in ``plan.json`` what decides the parts; a run with another plan refuses them, so that no part
is taken for what it is not. A run that was stopped, at any moment and by any means, goes on at the
first part that is missing. The plan is the last file to go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gwm_hazard.files.atomic import replacing

PLAN = "plan.json"
LOCK = "lock"


class Parts:
    """The work folder of one run; made by :func:`working`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __truediv__(self, name: str) -> Path:
        """Path of a part."""
        return self.folder / name

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary path to write a part to; it gets its name when all is written."""
        with replacing(self.folder / name) as temporary:
            yield temporary

    def remove(self) -> None:
        """Take away the parts, the plan last; the lock goes with its holder."""
        for path in sorted(self.folder.iterdir(), key=lambda p: (p.name == PLAN, p.name)):
            if path.name != LOCK:
                path.unlink()


@contextmanager
def working(output: Path, folder: Path, plan: Mapping[str, Any]) -> Iterator[Parts]:
    """The work folder of ``output``, held by this run alone.

    Parameters
    ----------
    output : what is being made, for messages
    folder : its work folder; made where it is not there
    plan : plain values by name, all that decides the parts

    Raises
    ------
    OSError
        Parts of a run with another plan lie there, or another run is at work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OSError(f"{output}: another run is writing it; wait, or give another name") from None
    try:
        _check(folder, {name: str(value) for name, value in plan.items()})
        yield Parts(folder)
    finally:
        lock.release()
    if not (folder / PLAN).exists():  # the whole is there
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()


def _check(folder: Path, plan: dict[str, str]) -> None:
    record = folder / PLAN
    if not record.exists():
        with replacing(record) as temporary:
            temporary.write_text(json.dumps(plan, indent=1), encoding="utf-8")
        return
    found = json.loads(record.read_text(encoding="utf-8"))
    for name in plan | found:
        if found.get(name) != plan.get(name):
            raise OSError(
                f"{folder}: holds an unfinished run with another {name} "
                f"({_short(found.get(name))}, now {_short(plan.get(name))}): remove the "
                "folder to start anew, or give the output another name"
            )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
