# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Fourier transform of two components at once: what lies between the samples of a record.

A complex Fourier transform carries the two horizontal components as real and imaginary part.
Stockham's self-sorting algorithm with radices 2, 3, 4 and 5 on split real and imaginary arrays
(Van Loan, 1992), so that the inner loops vectorise and compiled code can call it.
"""

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

_FAST = {"contract", "reassoc", "nsz"}
_SIN60 = np.sqrt(0.75)
_C1, _C2 = np.cos(0.4 * np.pi), np.cos(0.8 * np.pi)
_S1, _S2 = np.sin(0.4 * np.pi), np.sin(0.8 * np.pi)


@numba.njit(nogil=True, inline="always")
def _turn(re, im, c, s):
    """(re + i im) (c + i s)."""
    return re * c - im * s, re * s + im * c


@numba.njit(nogil=True, inline="always")
def _butterfly2(xr, xi, yr, yi, tc, ts, i, o, m, s, w):
    ar, ai = xr[i], xi[i]
    br, bi = xr[i + m], xi[i + m]
    yr[o], yi[o] = ar + br, ai + bi
    yr[o + s], yi[o + s] = _turn(ar - br, ai - bi, tc[w], ts[w])


@numba.njit(nogil=True, inline="always")
def _butterfly3(xr, xi, yr, yi, tc, ts, i, o, m, s, w):
    ar, ai = xr[i], xi[i]
    br, bi = xr[i + m], xi[i + m]
    cr, ci = xr[i + 2 * m], xi[i + 2 * m]
    tr, ti = br + cr, bi + ci
    ur, ui = _SIN60 * (br - cr), _SIN60 * (bi - ci)
    yr[o], yi[o] = ar + tr, ai + ti
    ar, ai = ar - 0.5 * tr, ai - 0.5 * ti
    yr[o + s], yi[o + s] = _turn(ar + ui, ai - ur, tc[w], ts[w])
    yr[o + 2 * s], yi[o + 2 * s] = _turn(ar - ui, ai + ur, tc[2 * w], ts[2 * w])


@numba.njit(nogil=True, inline="always")
def _butterfly4(xr, xi, yr, yi, tc, ts, i, o, m, s, w):
    ar, ai = xr[i], xi[i]
    br, bi = xr[i + m], xi[i + m]
    cr, ci = xr[i + 2 * m], xi[i + 2 * m]
    dr, di = xr[i + 3 * m], xi[i + 3 * m]
    pr, pi = ar + cr, ai + ci
    qr, qi = br + dr, bi + di
    ur, ui = ar - cr, ai - ci
    vr, vi = bi - di, dr - br  # -i (b - d)
    yr[o], yi[o] = pr + qr, pi + qi
    yr[o + s], yi[o + s] = _turn(ur + vr, ui + vi, tc[w], ts[w])
    yr[o + 2 * s], yi[o + 2 * s] = _turn(pr - qr, pi - qi, tc[2 * w], ts[2 * w])
    yr[o + 3 * s], yi[o + 3 * s] = _turn(ur - vr, ui - vi, tc[3 * w], ts[3 * w])


@numba.njit(nogil=True, inline="always")
def _butterfly5(xr, xi, yr, yi, tc, ts, i, o, m, s, w):
    ar, ai = xr[i], xi[i]
    pr, pi = xr[i + m] + xr[i + 4 * m], xi[i + m] + xi[i + 4 * m]
    qr, qi = xr[i + m] - xr[i + 4 * m], xi[i + m] - xi[i + 4 * m]
    ur, ui = xr[i + 2 * m] + xr[i + 3 * m], xi[i + 2 * m] + xi[i + 3 * m]
    vr, vi = xr[i + 2 * m] - xr[i + 3 * m], xi[i + 2 * m] - xi[i + 3 * m]
    yr[o], yi[o] = ar + pr + ur, ai + pi + ui
    er, ei = ar + _C1 * pr + _C2 * ur, ai + _C1 * pi + _C2 * ui
    fr, fi = _S1 * qr + _S2 * vr, _S1 * qi + _S2 * vi
    yr[o + s], yi[o + s] = _turn(er + fi, ei - fr, tc[w], ts[w])
    yr[o + 4 * s], yi[o + 4 * s] = _turn(er - fi, ei + fr, tc[4 * w], ts[4 * w])
    er, ei = ar + _C2 * pr + _C1 * ur, ai + _C2 * pi + _C1 * ui
    fr, fi = _S2 * qr - _S1 * vr, _S2 * qi - _S1 * vi
    yr[o + 2 * s], yi[o + 2 * s] = _turn(er + fi, ei - fr, tc[2 * w], ts[2 * w])
    yr[o + 3 * s], yi[o + 3 * s] = _turn(er - fi, ei + fr, tc[3 * w], ts[3 * w])


def _make_pass(butterfly, radix):
    @numba.njit(nogil=True, fastmath=_FAST)
    def one_pass(xr, xi, yr, yi, tc, ts, length, s):
        m = length // radix
        if s == 1:  # the inner loop must be the long one
            for p in range(m):
                butterfly(xr, xi, yr, yi, tc, ts, p, radix * p, m, 1, p)
        else:
            for p in range(m):
                for q in range(s):
                    o = q + s * radix * p
                    butterfly(xr, xi, yr, yi, tc, ts, q + s * p, o, s * m, s, s * p)

    return one_pass


_pass2 = _make_pass(_butterfly2, 2)
_pass3 = _make_pass(_butterfly3, 3)
_pass4 = _make_pass(_butterfly4, 4)
_pass5 = _make_pass(_butterfly5, 5)


@numba.njit(nogil=True)
def fft(xr, xi, yr, yi, tc, ts):
    """Forward transform of x; y is scratch. True when the result is in y, False when in x."""
    length, s, in_y = xr.size, 1, False
    while length > 1:
        if length % 4 == 0:
            _pass4(xr, xi, yr, yi, tc, ts, length, s)
            radix = 4
        elif length % 2 == 0:
            _pass2(xr, xi, yr, yi, tc, ts, length, s)
            radix = 2
        elif length % 3 == 0:
            _pass3(xr, xi, yr, yi, tc, ts, length, s)
            radix = 3
        else:
            _pass5(xr, xi, yr, yi, tc, ts, length, s)
            radix = 5
        xr, xi, yr, yi = yr, yi, xr, xi
        length //= radix
        s *= radix
        in_y = not in_y
    return in_y


@numba.njit(nogil=True, fastmath=_FAST)
def shift_half_sample(xr, xi, yr, yi, table):
    """Replace both components x by their band-limited values half a sample later.

    x must end with zeros against wrap-around; y is scratch; table from `transform_table`.
    """
    in_y = fft(xr, xi, yr, yi, table[0], table[1])
    fr, fi, gr, gi = (yr, yi, xr, xi) if in_y else (xr, xi, yr, yi)
    pr, pi = table[2], table[3]
    for k in range(xr.size):
        re, im = fr[k], fi[k]
        fr[k] = re * pr[k] - im * pi[k]
        fi[k] = re * pi[k] + im * pr[k]
    # the inverse transform is the forward one with real and imaginary parts exchanged
    if fft(fi, fr, gi, gr, table[0], table[1]) != in_y:
        xr[:] = yr
        xi[:] = yi


@lru_cache(maxsize=64)
def transform_table(size: int) -> NDArray[np.float64]:
    """(4, size): cosines and sines of the transform; half-sample shift, real and imaginary."""
    k = np.arange(size)
    turn = -2 * np.pi * k / size
    fraction = np.where(2 * k <= size, k, k - size) / size  # cycles a sample
    shift = np.exp(1j * np.pi * fraction) / size
    if size % 2 == 0:
        shift[size // 2] = 0.0  # a real Nyquist wave has its zeros there
    return np.stack([np.cos(turn), np.sin(turn), shift.real, shift.imag])


def transform_size(samples: int) -> int:
    """Smallest size of the form (8, 9, 10, 12 or 15) 2^k that holds so many samples."""
    power = 8
    while 2 * power < samples:
        power *= 2
    return min(m * power // 8 for m in (8, 9, 10, 12, 15, 16) if m * power // 8 >= samples)
