"""Kernels of :mod:`gwm_hazard.core.noise`: Philox words and the standard normals made of them.

The logarithm, sine and cosine of Box and Muller are polynomials in additions, multiplications,
divisions and square roots of float64, which IEEE 754 rounds alike on every machine: no number
depends on a mathematical library. Their error is below 1e-12, of which float32 keeps nothing. The
loops are written so that a compiler turns them into vector instructions.
"""

from __future__ import annotations

import numba as nb
import numpy as np

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOW, _HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)

#: Philox blocks of 4 words that are made together, and the parts that rows are dealt out in.
LANES, PARTS = 64, 64

_LN2, _QUARTER_TURN = 0.6931471805599453, 1.5707963267948966
#: Bits of sqrt(1/2), of 2, and of 2**52: of float64.
_ROOT, _TWO, _INTEGERS = (np.uint64(x) for x in (0x3FE6A09E667F3BCD, 1 << 62, 0x433 << 52))
_MANTISSA = np.uint64(52)


@nb.njit(cache=True)
def philox(c0, c1, c2, c3, k0, k1, n):  # type: ignore[no-untyped-def]
    """Philox4x32 with 10 rounds, in place: the words of n counters, uint32 each; a common key."""
    for _ in range(10):
        for b in range(n):
            p0, p1 = _M0 * np.uint64(c0[b]), _M1 * np.uint64(c2[b])
            c0[b] = np.uint32(p1 >> _HIGH) ^ c1[b] ^ k0
            c2[b] = np.uint32(p0 >> _HIGH) ^ c3[b] ^ k1
            c1[b], c3[b] = np.uint32(p1 & _LOW), np.uint32(p0 & _LOW)
        k0, k1 = np.uint32(k0 + _W0), np.uint32(k1 + _W1)


@nb.njit(cache=True, error_model="numpy")
def box_muller(radius, angle, first, second, work, n):  # type: ignore[no-untyped-def]
    """Two standard normals from each of n pairs of words.

    radius, angle : (n,) uint32; first, second : (n,) float32, out; work : (3, n) float64
    """
    bits = work.view(np.uint64)
    for b in range(n):
        work[0, b] = np.float64(radius[b]) + 0.5  # 2**32 times a number in (0, 1)
        work[1, b] = np.float64(angle[b]) + 0.5
    for b in range(n):
        # work[0] = m 2**e with m from sqrt(1/2) to sqrt(2); work[2] = 2**52 + 1024 + e
        exponent = (bits[0, b] - _ROOT + _TWO) >> _MANTISSA
        bits[2, b] = exponent | _INTEGERS
        bits[0, b] = bits[0, b] - (exponent << _MANTISSA) + _TWO
    for b in range(n):
        e, m = work[2, b] - 4503599627371520.0, work[0, b]
        s = (m - 1.0) / (m + 1.0)  # ln m = 2 artanh s, its series to s**21
        z = s * s
        p = 2.0 / 21.0
        p = p * z + 2.0 / 19.0
        p = p * z + 2.0 / 17.0
        p = p * z + 2.0 / 15.0
        p = p * z + 2.0 / 13.0
        p = p * z + 2.0 / 11.0
        p = p * z + 2.0 / 9.0
        p = p * z + 2.0 / 7.0
        p = p * z + 2.0 / 5.0
        p = p * z + 2.0 / 3.0
        p = p * z + 2.0
        r = np.sqrt(-2.0 * ((e - 32.0) * _LN2 + s * p))

        turn = work[1, b] * (1.0 / 1073741824.0)  # in quarters
        q = np.floor(turn + 0.5)
        t = (turn - q) * _QUARTER_TURN  # from -45 to 45 degrees: Taylor series
        y = t * t
        sine = 1.0 / 6227020800.0
        sine = sine * y - 1.0 / 39916800.0
        sine = sine * y + 1.0 / 362880.0
        sine = sine * y - 1.0 / 5040.0
        sine = sine * y + 1.0 / 120.0
        sine = sine * y - 1.0 / 6.0
        sine = t * (sine * y + 1.0)
        cosine = -1.0 / 87178291200.0
        cosine = cosine * y + 1.0 / 479001600.0
        cosine = cosine * y - 1.0 / 3628800.0
        cosine = cosine * y + 1.0 / 40320.0
        cosine = cosine * y - 1.0 / 720.0
        cosine = cosine * y + 1.0 / 24.0
        cosine = cosine * y - 0.5
        cosine = cosine * y + 1.0
        crossed = (q == 1.0) | (q == 3.0)
        along, across = (sine, cosine) if crossed else (cosine, sine)
        first[b] = -r * along if (q == 1.0) | (q == 2.0) else r * along
        second[b] = -r * across if (q == 2.0) | (q == 3.0) else r * across


@nb.njit(parallel=True, cache=True)
def fill_normals(seed, event, site, realization, stream, out):  # type: ignore[no-untyped-def]
    """Standard normals into out (n, size); keys: seed, event uint64; site, realization uint32."""
    n, size = out.shape
    parts = min(n, PARTS)
    for part in nb.prange(parts):
        counter, key = np.empty((4, LANES), np.uint32), np.empty((4, 1), np.uint32)
        work, made = np.empty((3, LANES)), np.empty((4, LANES), np.float32)
        for i in range(part * n // parts, (part + 1) * n // parts):
            # Hash the whole key once into a sub-key and half a counter, then count along the row.
            key[0], key[1] = np.uint32(event[i] & _LOW), np.uint32(event[i] >> _HIGH)
            key[2], key[3] = site[i], realization[i]
            philox(
                key[0], key[1], key[2], key[3],
                np.uint32(seed & _LOW), np.uint32(seed >> _HIGH), 1,
            )  # fmt: skip
            for start in range(0, size, 4 * LANES):
                left = min(4 * LANES, size - start)
                lanes = (left + 3) // 4
                for b in range(lanes):
                    counter[0, b], counter[1, b] = np.uint32(start // 4 + b), np.uint32(0)
                counter[2, :lanes], counter[3, :lanes] = np.uint32(key[2, 0] ^ stream), key[3, 0]
                philox(counter[0], counter[1], counter[2], counter[3], key[0, 0], key[1, 0], lanes)
                box_muller(counter[0], counter[1], made[0], made[1], work, lanes)
                box_muller(counter[2], counter[3], made[2], made[3], work, lanes)
                for b in range(left // 4):
                    for k in range(4):
                        out[i, start + 4 * b + k] = made[k, b]
                for k in range(left // 4 * 4, left):
                    out[i, start + k] = made[k % 4, k // 4]
