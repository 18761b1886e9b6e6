"""Work that resumes: what a long run has finished, kept on disk until the whole is there.

All of it is written under a temporary name and renamed: what carries its name is complete. Two
kinds:

- :func:`working`, a folder of parts that one run holds alone. It says in ``plan.json`` what decides
  the parts; a run with another plan refuses them, so that no part is taken for what it is not. A
  run that was stopped, at any moment and by any means, goes on at the first part that is missing.
  The plan is the last file to go.
- :func:`keep` and :func:`kept`, arrays in a file that says what they were made of. Those of
  something else count as not there.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing

PLAN = "plan.json"

_MADE_OF = "made_of"


class Parts:
    """The work folder of one run; made by :func:`working`."""

    def __init__(self, folder: Path, plan: str = PLAN) -> None:
        self.folder, self._plan = folder, plan

    def __truediv__(self, name: str) -> Path:
        """Path of a part."""
        return self.folder / name

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary path to write a part to; it gets its name when all is written."""
        with replacing(self.folder / name) as temporary:
            yield temporary

    def remove(self) -> None:
        """Take away the parts, the plan last, and the folder."""
        for path in sorted(self.folder.iterdir(), key=lambda p: (p.name == self._plan, p.name)):
            path.unlink()
        self.folder.rmdir()

    def become(self, output: Path, parts: Iterable[str] = ()) -> None:
        """Give the folder, which now holds the whole, its last name; then take away the parts."""
        self.folder.rename(output)
        for name in (*parts, self._plan):
            (output / name).unlink(missing_ok=True)


@contextmanager
def working(
    output: Path,
    folder: Path,
    plan: Mapping[str, Any],
    *,
    record: str = PLAN,
    free: Collection[str] = (),
    anew: bool = False,
) -> Iterator[Parts]:
    """The work folder of ``output``, held by this run alone.

    Parameters
    ----------
    output : what is being made, for messages
    folder : its work folder, made where it is not there; the lock lies beside it
    plan : values for JSON by name, all that decides the parts
    record : name of the file with the plan
    free : names in the plan that may differ from one run to the next
    anew : forget what lies there

    Raises
    ------
    InputError
        Parts of a run with another plan lie there; the message names what differs.
    OSError
        Another run is at work.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OSError(f"{output}: another run is writing it; wait, or give another name") from None
    try:
        if anew and folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(exist_ok=True)
        _check(folder / record, json.loads(json.dumps(dict(plan))), free)
        yield Parts(folder, record)
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _check(record: Path, plan: dict[str, Any], free: Collection[str]) -> None:
    if not record.exists():
        with replacing(record) as temporary:
            temporary.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
        return
    before, now = (
        _flat({name: value for name, value in each.items() if name not in free})
        for each in (json.loads(record.read_text(encoding="utf-8")), plan)
    )
    for name in now | before:
        if before.get(name) != now.get(name):
            raise InputError(
                f"{record.parent}: holds a run with another {name} ({_short(before.get(name))}, "
                f"now {_short(now.get(name))}): give the output another name, or remove the "
                "folder to start anew"
            )


def _flat(plan: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Values of nested tables under names with dots."""
    out: dict[str, Any] = {}
    for name, value in plan.items():
        out |= (
            _flat(value, f"{within}{name}.") if isinstance(value, dict) else {within + name: value}
        )
    return out


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def keep(path: Path, made_of: str, **arrays: ArrayLike) -> None:
    """Write arrays, without pickles, and what they were made of, to an ``.npz``."""
    whole = io.BytesIO()  # an archive that cannot be closed leaves more than its own error
    np.savez(whole, **{_MADE_OF: made_of, **arrays})  # type: ignore[arg-type]
    with replacing(path) as temporary:
        temporary.write_bytes(whole.getbuffer())


def kept(path: Path, made_of: str) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, by name; None where it is not there, damaged, or made of other."""
    try:
        with np.load(path, allow_pickle=False) as data:
            if str(data[_MADE_OF]) != made_of:
                return None
            return {name: data[name] for name in data.files if name != _MADE_OF}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def once(path: Path, made_of: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array that is kept in a file; made and kept where it is not."""
    if (found := kept(path, made_of)) is not None:
        return found["array"]
    made = make()
    keep(path, made_of, array=made)
    return made


def digest(words: Any, *arrays: ArrayLike) -> str:
    """SHA-256 of plain values and of arrays with their types and shapes."""
    found = hashlib.sha256(json.dumps(words, sort_keys=True, default=str).encode())
    for array in arrays:
        held = np.ascontiguousarray(array)
        found.update(f"{held.dtype}{held.shape}".encode())
        found.update(held.tobytes())
    return found.hexdigest()
