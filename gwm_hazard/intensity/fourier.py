# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Fourier amplitudes, and the smoothed effective amplitude spectrum (EAS)."""

import math
from functools import lru_cache

import numba
import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity._batch import (
    COS,
    G_M_S2,
    N_ANGLES,
    SIN,
    check_records,
    over_angles,
    run_batch,
)

#: Konno and Ohmachi's b of the EAS: 2 pi over a bandwidth of 1/30 decade (Goulet et al., 2018).
EAS_BANDWIDTH = 188.5

_BLOCK_BYTES = 2**26  # of the transforms held at a time
_FINE = 16  # spectral samples, at least, in the window of the lowest frequency


def _check_frequencies(frequencies: ArrayLike, dt: float) -> NDArray[np.float64]:
    values = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    nyquist = 0.5 / dt
    if values.ndim != 1 or not np.all((values > 0) & (values <= nyquist)):
        raise InputError(
            f"frequencies = {frequencies!r} Hz: must be numbers > 0, up to the Nyquist frequency "
            f"{nyquist:g} Hz of dt = {dt:g} s"
        )
    return values


@numba.njit(nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _products(x, y, c, s):
    """Sums over the samples of x c, x s, y c and y s."""
    xc = xs = yc = ys = 0.0
    for t in range(x.size):
        xc += x[t] * c[t]
        xs += x[t] * s[t]
        yc += y[t] * c[t]
        ys += y[t] * s[t]
    return xc, xs, yc, ys


@numba.njit(cache=True, nogil=True)
def _fourier(first, last, acc, turn_cos, turn_sin, cos, sin, out):
    """Modulus of the transform of every rotated component, (n, n_angles, n_frequencies)."""
    nt = acc.shape[2]
    x, y = np.empty(nt), np.empty(nt)
    for i in range(first, last):
        x[:] = acc[i, 0]
        y[:] = acc[i, 1]
        for j in range(turn_cos.shape[0]):
            xc, xs, yc, ys = _products(x, y, turn_cos[j], turn_sin[j])
            for k in range(cos.size):
                re, im = cos[k] * xc + sin[k] * yc, cos[k] * xs + sin[k] * ys
                out[i, k, j] = math.sqrt(re * re + im * im)


def fourier_amplitude(
    acc: ArrayLike, dt: float, frequencies: ArrayLike, percentiles: ArrayLike | None = (50,)
) -> NDArray[np.float64]:
    """Fourier amplitudes in g s, (n, n_percentiles, n_frequencies): |integral of a exp(-i w t)|.

    acc : (n, 2, nt) m/s2, two horizontal components. dt : s. frequencies : (n_frequencies,) Hz.
    percentiles : over the rotation angles 0 to 179 degrees; None gives the value at each of them.

    The integral is the sum of the samples times dt, exact for a band-limited record, at the
    frequencies themselves. Raises ValueError as `rotd`, and for a frequency above Nyquist.
    """
    records = check_records(acc, dt, 2)
    f = _check_frequencies(frequencies, dt)
    turn = 2 * np.pi * dt * np.outer(f, np.arange(records.shape[2]))
    out = np.empty((len(records), N_ANGLES, f.size))
    run_batch(_fourier, len(records), records, np.cos(turn), np.sin(turn), COS, SIN, out)
    return over_angles(out * (dt / G_M_S2), percentiles)


def konno_ohmachi(frequency: NDArray[np.float64], centre: float, b: float) -> NDArray[np.float64]:
    """Weights of Konno and Ohmachi (1998), (sin x / x)^4 with x = b lg(f / centre), not scaled.

    Zero beyond the first zeros of the sine, where less than 0.3 % of the weight lies.
    """
    with np.errstate(divide="ignore"):
        x = b * np.log10(frequency / centre) / np.pi
    return np.where(np.abs(x) < 1, np.sinc(x) ** 4, 0.0)


@lru_cache(maxsize=16)
def _smoothing(
    frequencies: tuple[float, ...], size: int, dt: float, b: float
) -> scipy.sparse.csr_matrix:
    """Sparse (size // 2 + 1, n_frequencies): weights of the transform's samples, sum one."""
    grid = scipy.fft.rfftfreq(size, dt)
    reach = 10 ** (math.pi / b)
    columns, rows, weights = [], [], []
    for column, centre in enumerate(frequencies):
        first, last = np.searchsorted(grid, [centre / reach, centre * reach])
        w = konno_ohmachi(grid[first:last], centre, b)
        rows.append(np.arange(first, last))
        columns.append(np.full(last - first, column))
        weights.append(w / w.sum())
    return scipy.sparse.csr_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))),
        shape=(grid.size, len(frequencies)),
    )


def effective_amplitude(
    acc: ArrayLike, dt: float, frequencies: ArrayLike, b: float = EAS_BANDWIDTH
) -> NDArray[np.float64]:
    """Smoothed effective amplitude spectrum in g s, (n, n_frequencies).

    acc : (n, n_components, nt) m/s2; the two horizontal components for the EAS. dt : s.
    frequencies : (n_frequencies,) Hz. b : of the Konno-Ohmachi window.

    EAS(f)^2 is the mean of the components' squared Fourier amplitudes, so it does not depend on
    the orientation of the sensor (Goulet et al., 2018, eq. 1). The amplitude is smoothed on the
    linear grid of a transform so long that the window of the lowest frequency holds 16 samples.
    Raises ValueError as `rotd`, and for a frequency above Nyquist.
    """
    records = np.asarray(acc)
    if records.ndim != 3 or records.shape[1] < 1:
        raise InputError(f"acc has shape {records.shape}: must be (n, n_components, nt), in m/s2")
    records = check_records(records, dt, records.shape[1])
    f = _check_frequencies(frequencies, dt)
    n, components, nt = records.shape
    out = np.empty((n, f.size))
    if out.size == 0:
        return out
    width = f.min() * (10 ** (math.pi / b) - 10 ** (-math.pi / b))
    size = scipy.fft.next_fast_len(max(2 * nt, math.ceil(_FINE / (width * dt))), real=True)
    weights = _smoothing(tuple(f.tolist()), size, float(dt), float(b))
    step = max(1, _BLOCK_BYTES // (8 * size * components))
    for i in range(0, n, step):
        block = records[i : i + step].astype(np.float64)
        power = np.abs(scipy.fft.rfft(block, size)) ** 2
        out[i : i + step] = np.sqrt(power.mean(axis=1)) @ weights * (dt / G_M_S2)
    return out
