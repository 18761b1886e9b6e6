"""Files that come from others: one way to open each kind, which holds it against what it claims.

HDF5 can point into other files (external links, external and virtual storage), load filters from
other folders, and claim arrays of any size; tables and archives unpack to more than they are; a
name in a table may lead out of its folder; what is no regular file may never end. All of that is
refused before anything is read.
"""

from __future__ import annotations

import gzip
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gwm_hazard.errors import InputError

if TYPE_CHECKING:
    import h5py
    import pandas as pd

#: What a deflate stream can grow to at most, a little more than 1032; and what needs no reason.
LARGEST_RATIO, SMALL_BYTES = 1100, 64 << 20

#: Filters that HDF5 has of itself (and h5py's LZF): deflate, shuffle, fletcher32, szip, nbit,
#: scale-offset. Any other would be looked for in folders of plug-ins.
_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})

#: Objects of a file, rows times columns of a table, and bytes of a table once unpacked.
MOST_OBJECTS, MOST_CELLS, MOST_TABLE_BYTES = 2_000_000, 500_000_000, 4 << 30


def regular(path: Path) -> Path:
    """The path; OSError where there is nothing, InputError for what is no regular file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path}: not a regular file but a folder, a device or a pipe")
    return path


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

    path = regular(Path(path))
    try:
        with h5py.File(path, "r") as file:
            _check(file, path)
            yield file
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError) as exc:
        reason = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise InputError(f"{path}: not a readable HDF5 file ({reason})") from exc


def check_hdf5(path: str | Path) -> None:
    """What `hdf5` raises, for a file that another library opens."""
    with hdf5(path):
        pass


def _check(file: h5py.File, path: Path) -> None:
    import h5py

    seen = set()
    groups: list[h5py.Group] = [file["/"]]
    while groups:
        group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            where = f"{path}: {group.name.rstrip('/')}/{name}"
            if not isinstance(link, h5py.HardLink):
                raise InputError(f"{where} refused: a link, to another place or file")
            found = group[name]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                raise InputError(f"{path}: refused, more than {MOST_OBJECTS:,} objects")
            if isinstance(found, h5py.Group):
                groups.append(found)
            elif isinstance(found, h5py.Dataset):
                _check_dataset(found, where)


def _check_dataset(found: h5py.Dataset, where: str) -> None:
    import h5py

    created = found.id.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count():
        raise InputError(f"{where} refused: its values lie in another file")
    filters = {created.get_filter(i)[0] for i in range(created.get_nfilters())}
    if unknown := filters - _FILTERS:
        raise InputError(f"{where} refused: compressed by a plug-in, filter {min(unknown)}")
    claimed, stored = found.id.get_type().get_size(), found.id.get_storage_size()
    for n in found.shape or ():
        claimed *= n
    if claimed > SMALL_BYTES and claimed > LARGEST_RATIO * stored:
        raise InputError(
            f"{where} refused: an array of {found.shape}, {claimed:,} bytes, of which {stored:,} "
            "are stored"
        )


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
            return pd.read_parquet(path)
        if path.suffix == ".gz":
            _check_gzip(path)
        _check_table(path, path.stat().st_size, 0)
        return pd.read_csv(path, **options)
    except InputError:
        raise
    except (ValueError, OSError, EOFError, RuntimeError, OverflowError, MemoryError) as exc:
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
