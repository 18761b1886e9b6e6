# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""What every kernel needs around it: checks of the records, and threads over the batch."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError

G_M_S2 = 9.80665  # standard gravity, m/s2 per g
N_ANGLES = 180  # rotation angles 0..179 degrees (Boore, 2010)
COS = np.cos(np.radians(np.arange(N_ANGLES)))
SIN = np.sin(np.radians(np.arange(N_ANGLES)))


@numba.njit(cache=True, nogil=True)
def _first_not_finite(bits, exponent):
    """Index of the first row with a NaN or an infinity (all exponent bits set), else -1."""
    for i in range(bits.shape[0]):
        bad = False
        for j in range(bits.shape[1]):
            bad |= (bits[i, j] & exponent) == exponent
        if bad:
            return i
    return -1


def check_records(acc: ArrayLike, dt: float, n_components: int | None = 2) -> NDArray[np.floating]:
    """Return `acc` (n, n_components, nt) m/s2 as a contiguous float array, or say what is wrong.

    n_components None: acc is (n, nt), one component a record. Integer input becomes float64,
    float32 and float64 are kept.
    """
    if not (np.ndim(dt) == 0 and np.isfinite(dt) and dt > 0):
        raise InputError(f"dt = {dt!r} s: must be one finite number > 0, the time step")
    records = np.asarray(acc)
    if records.dtype not in (np.float32, np.float64):
        if not (np.issubdtype(records.dtype, np.integer) or records.dtype == np.float16):
            raise InputError(f"acc has dtype {records.dtype}: give real numbers, m/s2")
        records = records.astype(np.float64)
    expected = "(n, nt)" if n_components is None else f"(n, {n_components}, nt)"
    n_dims = 2 if n_components is None else 3
    if records.ndim != n_dims or (n_components and records.shape[1] != n_components):
        raise InputError(f"acc has shape {records.shape}: must be {expected}, in m/s2")
    if records.shape[-1] < 2:
        raise InputError(f"acc has {records.shape[-1]} samples a record: must be at least 2")
    records = np.ascontiguousarray(records)
    single = records.dtype == np.float32
    bits = records.view(np.int32 if single else np.int64).reshape(
        records.shape[0], math.prod(records.shape[1:])
    )
    exponent = np.int32(0x7F800000) if single else np.int64(0x7FF0000000000000)
    bad = _first_not_finite(bits, exponent)
    if bad >= 0:
        raise InputError(f"acc has NaN or infinite samples in record {bad}: remove or repair it")
    return records


def check_percentiles(percentiles: ArrayLike) -> NDArray[np.float64]:
    """Return the percentiles over the rotation angles as an array, or say what is wrong."""
    values = np.atleast_1d(np.asarray(percentiles, dtype=np.float64))
    if values.ndim != 1 or values.size == 0 or not np.all((values >= 0) & (values <= 100)):
        raise InputError(f"percentiles = {percentiles!r}: must be numbers from 0 to 100")
    return values


def over_angles(values: NDArray[np.float64], percentiles: ArrayLike | None) -> NDArray[np.float64]:
    """Percentiles (n, n_percentiles, m) of values (n, n_angles, m); None keeps every angle."""
    if percentiles is None:
        return values
    return np.moveaxis(np.percentile(values, check_percentiles(percentiles), axis=1), 0, 1)


@lru_cache(maxsize=1)
def sources_digest() -> int:
    """A number that changes with the source of any module of this folder.

    numba's cache sees changes of the file of the cached function only, not of the functions it
    calls. So only kernels called from Python are cached, and those that call other modules are
    closures over this number, which makes it part of the cache's key.
    """
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return int(digest.hexdigest()[:12], 16)


def run_batch(kernel: Callable[..., None], n_records: int, *args: object) -> None:
    """Call the compiled `kernel(first, last, *args)` on the whole batch, in numba's threads.

    Kernels release the GIL and write each record's results in its own row, so that the number of
    threads (numba.set_num_threads, NUMBA_NUM_THREADS) changes the speed only.
    """
    n_threads = 1
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    if n_records > 1 and most > 1:
        n_threads = min(numba.get_num_threads(), n_records)
    if n_threads == 1:
        kernel(0, n_records, *args)
        return
    # a few chunks a thread even out records of different cost
    edges = np.linspace(0, n_records, min(n_records, 4 * n_threads) + 1).astype(int)
    with ThreadPoolExecutor(n_threads) as pool:
        jobs = [pool.submit(kernel, a, b, *args) for a, b in pairwise(edges)]
        for job in jobs:
            job.result()
