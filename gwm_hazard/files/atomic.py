"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: A full disk, a quota, and a limit on the size of a file.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it on success, remove it on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with needing_room(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def needing_room(path: Path) -> Iterator[None]:
    """Say of a full disk, a quota or a limit on files what could not be written."""
    try:
        yield
    except OSError as exc:
        # numpy tells how much it could write, and not why
        if exc.errno not in NO_ROOM and "requested and" not in str(exc):
            raise
        raise OSError(
            f"{path}: cannot be written ({exc.strerror or exc}); make room, and start the same "
            "command again"
        ) from exc
