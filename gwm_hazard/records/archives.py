"""Archives of records: tar (also compressed), zip and gzip files, expanded with care.

Only plain files are taken, under names that stay inside the folder; sizes are counted while they
are unpacked, so that a small archive cannot fill the disk. Archives in archives (as NIED
distributes K-NET and KiK-net data) are expanded too.
"""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import SMALL_BYTES, regular

_BLOCK = 1 << 20

#: How much larger than the archive what comes out of it may be; records of text shrink to a tenth.
MOST_RATIO = 200


@dataclass
class Limits:
    """What an archive may hold: bytes a file and of all, files, archives in archives."""

    file_bytes: int = 2 << 30
    total_bytes: int = 50 << 30
    files: int = 1_000_000
    depth: int = 3


def is_archive(path: Path) -> bool:
    """Whether a file is a tar, zip or gzip file, by content."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(262)
    return _compressed(head) or head.startswith(b"PK\x03\x04") or head[257:262] == b"ustar"


def _compressed(head: bytes) -> bool:
    return head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"))


def expand(path: Path, folder: Path, limits: Limits | None = None) -> None:
    """Unpack an archive, and the archives in it, into a folder.

    Raises ValueError for a damaged archive, one that holds more than ``limits``, or names that
    lead out of the folder; what was unpacked before is left.
    """
    limits = limits or Limits()
    _expand(regular(path), folder, limits, _Count(limits, path.stat().st_size), 1)


class _Count:
    """What has come out of an archive of ``packed`` bytes."""

    def __init__(self, limits: Limits, packed: int) -> None:
        self.limits, self.bytes, self.files, self.packed = limits, 0, 0, packed

    def announce(self, n: int) -> None:
        """Refuse before it is unpacked what will be too large."""
        if self.bytes + n > max(SMALL_BYTES, MOST_RATIO * self.packed):
            raise InputError(f"unpacks to more than {MOST_RATIO} times its size")

    def add(self, n: int) -> None:
        self.announce(n)
        self.bytes += n
        if self.bytes > self.limits.total_bytes:
            raise InputError(f"unpacks to more than {self.limits.total_bytes:,} bytes")


def _expand(path: Path, folder: Path, limits: Limits, count: _Count, depth: int) -> None:
    try:
        for name, stream in _members(path, count):
            count.files += 1
            if count.files > limits.files:
                raise InputError(f"holds more than {limits.files:,} files")
            target = folder / _safe(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(stream, target, limits, count, name)
            if is_archive(target) and not target.name.lower().endswith(".ps.gz"):
                if depth >= limits.depth:
                    raise InputError(f"holds archives in archives, {depth + 1} deep")
                inner = target.with_name(target.name + ".d")
                inner.mkdir()
                _expand(target, inner, limits, count, depth + 1)
                target.unlink()
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError,
            gzip.BadGzipFile, NotImplementedError, RuntimeError, OSError) as exc:  # fmt: skip
        raise InputError(f"{path.name}: damaged or not readable archive ({exc})") from exc
    except ValueError as exc:
        text = str(exc)
        raise InputError(text if text.startswith(path.name) else f"{path.name}: {text}") from exc


def _members(path: Path, count: _Count) -> Iterator[tuple[str, IO[bytes] | gzip.GzipFile]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    count.announce(info.file_size)
                    if info.file_size > count.limits.file_bytes:
                        raise InputError(
                            f"member {info.filename!r} unpacks to {info.file_size:,} bytes"
                        )
                    with archive.open(info) as stream:
                        yield info.filename, stream
        return
    try:
        archive_ = tarfile.open(path, "r:*")  # noqa: SIM115
    except tarfile.ReadError:
        # not a tar: one compressed file
        with gzip.open(path) as stream:
            yield path.name.removesuffix(".gz") + ("" if path.suffix == ".gz" else ".data"), stream
        return
    with archive_:
        for member in archive_:
            opened = archive_.extractfile(member) if member.isreg() else None
            if opened is not None:
                yield member.name, opened


def _safe(name: str) -> Path:
    parts = [p for p in PurePosixPath(name.replace("\\", "/")).parts if p != "."]
    if not parts or name.startswith("/") or ".." in parts or "\0" in name or ":" in parts[0]:
        raise InputError(f"member {name!r} leads out of the archive")
    return Path(*parts)


def _copy(
    stream: IO[bytes] | gzip.GzipFile, target: Path, limits: Limits, count: _Count, name: str
) -> None:
    size = 0
    with target.open("wb") as file:
        while block := stream.read(_BLOCK):
            size += len(block)
            if size > limits.file_bytes:
                raise InputError(
                    f"member {name!r} unpacks to more than {limits.file_bytes:,} bytes"
                )
            count.add(len(block))
            file.write(block)
