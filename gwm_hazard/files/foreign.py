"""Files that come from others: one way to open each kind, which holds it against what it claims.

HDF5 can point into other files (external links, external and virtual storage), load filters from
other folders, and claim arrays of any size; tables and archives unpack to more than they are; a
name in a table may lead out of its folder; what is no regular file may never end. All of that is
refused before anything is read. HDF5 is gone through in a child first (:mod:`.trial`), which may
crash on it.
"""

from __future__ import annotations

import gzip
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gwm_hazard.errors import InputError
from gwm_hazard.files.trial import tried

if TYPE_CHECKING:
    import h5py
    import pandas as pd

#: What a deflate stream can grow to at most, a little more than 1032; and what needs no reason.
LARGEST_RATIO, SMALL_BYTES = 1100, 64 << 20

#: Deflate, shuffle, fletcher32, and h5py's LZF. Others would be looked for in folders of plug-ins,
#: or (szip, nbit, scale-offset) trust their parameters.
_FILTERS = frozenset({1, 2, 3, 32000})

#: Objects of a file, rows times columns of a table, and bytes of a table once unpacked.
MOST_OBJECTS, MOST_CELLS, MOST_TABLE_BYTES = 2_000_000, 500_000_000, 4 << 30

#: Bytes of a card or of settings.
MOST_TEXT_BYTES = 16 << 20

#: Bytes of what HDF5 unpacks at once.
MOST_CHUNK_BYTES = 256 << 20


def regular(path: Path) -> Path:
    """The path; OSError where there is nothing, InputError for what is no regular file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path}: not a regular file but a folder, a device or a pipe")
    return path


def read_text(path: Path, encoding: str = "utf-8", errors: str = "strict") -> str:
    """What a card or a file of settings says; InputError for one that is not of a card's size."""
    if (size := regular(path).stat().st_size) > MOST_TEXT_BYTES:
        raise InputError(f"{path}: {size:,} bytes, at most {MOST_TEXT_BYTES:,} are read")
    return path.read_text(encoding, errors)


def inside(folder: Path, name: str) -> Path:
    """A file that a table names; InputError for a name that leads out of the table's folder."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{folder}: the name {name!r} leads out of the folder")
    return path


@contextmanager
def hdf5(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file to read, which holds all that it has: see the module.

    Raises
    ------
    InputError
        Not a regular or readable HDF5 file; links or storage in other files; a filter of a
        plug-in; an array larger than its storage can unpack to.
    """
    import h5py

    check_hdf5(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError) as exc:
        raise _unreadable(Path(path), exc) from exc


def check_hdf5(path: str | Path) -> None:
    """What `hdf5` raises, for a file that another library opens."""
    path = regular(Path(path))
    about = path.stat()
    _check_hdf5(path, (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns))


@lru_cache(maxsize=1000)
def _check_hdf5(path: Path, stamp: tuple[int, ...]) -> None:
    """Once for each file and state of it."""
    tried(lambda: _walk(path), path)


def _walk(path: Path) -> None:
    """Go to every object, and read all but the values of large arrays."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _check(file, path)
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path}: refused, it asks for more memory than it can need") from None
    except Exception as exc:  # what damage leads h5py to: any of Python's and some of its own
        raise _unreadable(path, exc) from exc


def _unreadable(path: Path, exc: Exception) -> InputError:
    reason = (str(exc).splitlines() or [type(exc).__name__])[0]
    return InputError(f"{path}: not a readable HDF5 file ({reason})")


def _check(file: h5py.File, path: Path) -> None:
    import h5py

    seen = set()
    groups: list[h5py.Group] = [file["/"]]
    _read_attributes(file["/"])
    while groups:
        group = groups.pop()
        links = group.id.links
        for name in group:
            where = f"{path}: {group.name.rstrip('/')}/{name}"
            if links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
                raise InputError(f"{where} refused: a link, to another place or file")
            found = group[name]
            about = h5py.h5o.get_info(found.id)
            if about.addr in seen:
                continue
            seen.add(about.addr)
            if len(seen) > MOST_OBJECTS:
                raise InputError(f"{path}: refused, more than {MOST_OBJECTS:,} objects")
            if about.num_attrs:
                _read_attributes(found)
            if isinstance(found, h5py.Group):
                groups.append(found)
            elif isinstance(found, h5py.Dataset):
                _check_dataset(found, where)


def _read_attributes(found: h5py.HLObject) -> None:
    for name in found.attrs:
        with suppress(TypeError):  # of a type that numpy has not
            found.attrs[name]
        if name == "DIMENSION_LIST":
            for dim in found.dims:
                list(dim.keys())


def _check_dataset(found: h5py.Dataset, where: str) -> None:
    import h5py

    created = found.id.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count():
        raise InputError(f"{where} refused: its values lie in another file")
    filters = {created.get_filter(i)[0] for i in range(created.get_nfilters())}
    if unknown := filters - _FILTERS:
        raise InputError(f"{where} refused: packed by filter {min(unknown)}, not by gzip or LZF")
    each, stored = found.id.get_type().get_size(), found.id.get_storage_size()
    shape, chunks = found.shape, found.chunks
    claimed, chunk = (each * prod(n) if n else each for n in (shape, chunks))
    if claimed > SMALL_BYTES and claimed > LARGEST_RATIO * stored:
        raise InputError(
            f"{where} refused: an array of {shape}, {claimed:,} bytes, of which {stored:,} "
            "are stored"
        )
    if chunk > MOST_CHUNK_BYTES:
        raise InputError(f"{where} refused: chunks of {chunks}, {chunk:,} bytes")
    if chunks:
        found.id.chunk_iter(lambda chunk: None)
    if shape and found.dtype.hasobject:  # texts: each may claim any length
        rows = max(1, SMALL_BYTES // (each * prod(shape[1:]) or 1))
        for start in range(0, shape[0], rows):
            found[start : start + rows]
    elif claimed <= SMALL_BYTES:
        found[()]


def table(path: str | Path, **options: Any) -> pd.DataFrame:
    """A table of CSV (also gzipped) or Parquet; ``options`` are those of ``pandas.read_csv``.

    Raises
    ------
    InputError
        Not a regular file, not a table, or one that unpacks to more than `MOST_TABLE_BYTES` or
        has more than `MOST_CELLS` cells.
    """
    import pandas as pd

    path = regular(Path(path))
    try:
        if ".parquet" in path.suffixes:
            import pyarrow.parquet as pq

            about = pq.ParquetFile(path).metadata
            unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
            _check_table(path, unpacked, about.num_rows * about.num_columns)
            return pd.read_parquet(path, page_checksum_verification=True)
        if path.suffix == ".gz":
            _check_gzip(path)
        _check_table(path, path.stat().st_size, 0)
        return pd.read_csv(path, **options)
    except InputError:
        raise
    except Exception as exc:  # what damage leads the libraries to: any of Python's, some of theirs
        reason = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise InputError(f"{path}: not a readable table ({reason})") from exc


def _check_gzip(path: Path) -> None:
    size, packed = 0, path.stat().st_size
    with gzip.open(path) as file:
        while block := file.read(1 << 20):
            size += len(block)
            if size > SMALL_BYTES and size > 200 * packed:
                raise InputError(f"{path}: refused, it unpacks to 200 times its size")
            _check_table(path, size, 0)


def _check_table(path: Path, size: int, cells: int) -> None:
    if size > MOST_TABLE_BYTES or cells > MOST_CELLS:
        raise InputError(
            f"{path}: refused, {size:,} bytes and {cells:,} cells once unpacked; at most "
            f"{MOST_TABLE_BYTES:,} and {MOST_CELLS:,} are read"
        )
