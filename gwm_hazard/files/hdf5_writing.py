"""HDF5 that is written: a full disk, or a limit on files, arrives as the error that it is.

HDF5 that meets such an error inside cannot close its file any more, and brings the process down.
It writes through :class:`_Held` instead, which keeps the first error and from then on takes
everything without writing it, so that the library always comes to an orderly end. The layout is
that of HDF5 1.10, whose headers and indices carry checksums.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py
    import xarray as xr


class _Held(io.RawIOBase):
    """An open file for h5py, whose first error is kept in ``error``."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int:
        """What was written; zeros for what was lost, and behind the end."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and (n := self._file.readinto(view[done:])):
            done += n
        view[done:] = bytes(len(view) - done)
        return len(view)

    def write(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        done = 0
        try:
            while done < len(view) and self.error is None:
                done += self._file.write(view[done:]) or 0
        except OSError as exc:
            self.error = exc
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return self._file.truncate(size) if self.error is None else size or 0
        except OSError as exc:
            self.error = exc
            return size or 0

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@contextmanager
def writing(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to write; OSError where the disk does not take it."""
    import h5py

    held = _Held(path)
    try:
        with h5py.File(held, "w", libver=("v110", "v110"), track_order=True) as file:
            yield file
    except Exception as exc:
        if held.error is None:
            raise
        raise _told(held.error, path) from exc  # which the disk was the cause of
    finally:
        held.close()
    if held.error is not None:
        raise _told(held.error, path)


def _told(error: OSError, path: Path) -> OSError:
    return OSError(error.errno, error.strerror, str(path))


def save_netcdf(data: xr.Dataset, path: Path, **options: Any) -> None:
    """Write a data set for xarray; ``options`` are those of ``Dataset.dump_to_store``."""
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    with writing(path) as file, h5netcdf.File(file, "r+") as held:
        data.dump_to_store(H5NetCDFStore(held), **options)
