"""Temporary folders that go even when the run is killed: the next run takes them away."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX, _LOCK = "gwm_hazard-", ".lock"


class TemporaryFolder:
    """A folder of this run alone; those of runs that are gone are removed before it is made.

    A lock beside the folder tells whether its run lives: the system frees it with the process.
    """

    def __init__(self) -> None:
        clean()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = FileLock(self.path.with_name(self.path.name + _LOCK))
        self._lock.acquire(timeout=0)

    def remove(self) -> None:
        """Take the folder away; more than once does no harm."""
        shutil.rmtree(self.path, ignore_errors=True)
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


def clean() -> None:
    """Remove the folders of runs that were killed."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*{_LOCK}"):
        held = FileLock(lock)
        try:
            held.acquire(timeout=0)
        except (Timeout, OSError):  # at work, or another user's
            continue
        shutil.rmtree(lock.with_name(lock.name.removesuffix(_LOCK)), ignore_errors=True)
        lock.unlink(missing_ok=True)
        held.release()
