"""Files in folders and archives, in the groups in which the files of a record may lie together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gwm_hazard.files.temporary import TemporaryFolder
from gwm_hazard.records.archives import Limits, expand, is_archive
from gwm_hazard.records.record import Failure, Record

#: What lies beside records and is none: pictures and documents, by the end of the name.
IGNORED = (".ps", ".ps.gz", ".png", ".gif", ".jpg", ".jpeg", ".pdf", ".svg", ".html", ".htm", ".md")


@dataclass(frozen=True)
class Group:
    """Files that lie together; a context that takes away what was unpacked for them.

    Attributes
    ----------
    files : those that are no archives
    failures : archives that could not be unpacked whole
    shown : the folder that an archive was expanded to, and the archive's name in its place
    done : takes the folder away; the last group of an archive has it
    """

    files: list[Path]
    failures: tuple[Failure, ...] = ()
    shown: tuple[str, str] | None = None
    done: Callable[[], None] | None = None

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.done:
            self.done()

    def plain(self, text: str) -> str:
        """A text without the folder of an expanded archive."""
        return text.replace(*self.shown) if self.shown else text

    def named(self, item: Record | Failure) -> Record | Failure:
        """A record or failure under the names that the user knows."""
        if self.shown is None:
            return item
        if isinstance(item, Failure):
            return replace(item, record_id=self.plain(item.record_id),
                           reason=self.plain(item.reason))  # fmt: skip
        metadata = {k: self.plain(v) if isinstance(v, str) else v for k, v in item.metadata.items()}
        return replace(item, metadata=metadata)


def find_files(paths: Sequence[str | Path], limits: Limits | None = None) -> Iterator[Group]:
    """Groups of files, of folders (with their subfolders) and of archives, in order.

    An archive is expanded into a temporary folder when its turn comes; a caller closes each group
    when its records are done.
    """
    for files in _folders([Path(p) for p in paths]):
        archives = [path for path in files if is_archive(path)]
        if plain := [path for path in files if path not in archives]:
            yield Group(plain)
        for path in archives:
            yield from _unpacked(path, limits or Limits())


def _unpacked(path: Path, limits: Limits) -> Iterator[Group]:
    temporary = TemporaryFolder()
    folder = temporary.path
    shown = (f"{folder}/", f"{path}::")
    failures: tuple[Failure, ...] = ()
    try:
        expand(path, folder, limits)
    except (ValueError, OSError) as exc:
        # what came out before the damage is read all the same
        failures = (Failure(str(path), str(exc)),)
    try:
        for files in _folders([folder]):
            yield Group(files, failures, shown)
            failures = ()
        yield Group([], failures, shown, temporary.remove)
    except GeneratorExit:  # nobody asks for the rest
        temporary.remove()
        raise


def _folders(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Files that lie together: those given by name, then folder by folder."""
    given = [p for p in paths if not p.is_dir() or _is_seisbench(p)]
    if given:
        yield given
    for folder in paths:
        if not folder.is_dir() or folder in given:
            continue
        files: list[Path] = []
        below: list[Path] = []
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.name.lower().endswith(IGNORED):
                continue
            (below if path.is_dir() and not _is_seisbench(path) else files).append(path)
        if files:
            yield files
        if below:
            yield from _folders(below)


def _is_seisbench(path: Path) -> bool:
    return path.is_dir() and any(path.glob("metadata*.csv")) and any(path.glob("waveforms*.hdf5"))
