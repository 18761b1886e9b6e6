"""Outputs, looked at before the work: not there yet, of a known format, and with room for them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.errors import InputError


def check_output(path: Path, suffixes: Sequence[str] = (), overwrite: bool = False) -> None:
    """InputError for a suffix that tells no format of ``suffixes``, and for a file that exists.

    Beside the parts of an unfinished run it is what that run had begun to give.
    """
    if suffixes and path.suffix not in suffixes:
        raise InputError(f"{path}: the suffix tells the format; give one of {', '.join(suffixes)}")
    if path.exists() and not overwrite and not path.with_name(f"{path.name}.parts").exists():
        raise InputError(f"{path} exists: give another output, or replace it with --overwrite")


def check_room(path: Path, size: float, what: str) -> None:
    """InputError where the disk of ``path`` has less room than ``size`` bytes.

    what : what is written, and what to do, for the message
    """
    folder = next(p for p in [path.absolute(), *path.absolute().parents] if p.is_dir())
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{path}: {what} would take about {amount(size)}, {amount(free)} are free there"
        )


def amount(size: float) -> str:
    """A number of bytes as people write it: 12 kB, 3.4 GB."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000 or unit == "PB":
            break
        size /= 1000
    return f"{size:.3g} {unit}"
