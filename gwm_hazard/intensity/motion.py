# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Peak ground motion: PGA, PGV and PGD with the rotation of the response spectra."""

from collections.abc import Callable
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.intensity._batch import (
    N_ANGLES,
    check_records,
    run_batch,
    sources_digest,
)
from gwm_hazard.intensity._filters import HALF, STEPS, interpolators
from gwm_hazard.intensity._rotation import BLOCK, ranks_and_look, rotated_peaks, store_peaks
from gwm_hazard.intensity.oscillator import rotd

_LEAD = HALF + 2
_MARGIN = 0.9  # squared radius of a sample to that of the peak beside it, safe at 10 Hz, 0.02 s


@numba.njit(nogil=True)
def _integrate(acc, i, dt, u, block_r2):
    """Velocity and displacement from row _LEAD of u: columns v_x, d_x, v_y, d_y."""
    block_r2[:] = 0.0
    u[_LEAD, :] = 0.0
    for t in range(1, acc.shape[2]):
        row = _LEAD + t
        for c in range(2):
            a = np.float64(acc[i, c, t - 1]) + np.float64(acc[i, c, t])
            u[row, 2 * c] = u[row - 1, 2 * c] + 0.5 * dt * a
            v = u[row - 1, 2 * c] + u[row, 2 * c]
            u[row, 2 * c + 1] = u[row - 1, 2 * c + 1] + 0.5 * dt * v
        for lane in range(2):
            r2 = u[row, lane] ** 2 + u[row, lane + 2] ** 2
            block_r2[t // BLOCK, lane] = max(block_r2[t // BLOCK, lane], r2)


@numba.njit(nogil=True)
def _velocity(first, last, acc, dt, weights, lowest, cosine2, enough, ranks, out):
    """RotDnn of velocity and displacement (n, n_ranks, 2), in cm/s and cm."""
    nt = acc.shape[2]
    u = np.zeros((nt + 2 * _LEAD, 4))
    block_r2 = np.empty(((nt - 1) // BLOCK + 1, 2))
    scratch = np.empty((5, max(N_ANGLES, 4 * BLOCK + 2 * HALF + 16)))
    best = np.empty(N_ANGLES)
    for i in range(first, last):
        _integrate(acc, i, dt, u, block_r2)
        for lane in range(2):
            rotated_peaks(
                u,
                _LEAD,
                _LEAD + nt,
                lane,
                2,
                block_r2,
                STEPS,
                _MARGIN,
                lowest,
                cosine2,
                enough,
                weights,
                scratch,
                best,
            )
            store_peaks(best, ranks, 100.0, scratch[4], out[i, :, lane])


@lru_cache(maxsize=1)
def _kernel() -> Callable[..., None]:
    """`_velocity`, compiled once and cached on disk; see `sources_digest`."""
    digest = sources_digest()

    @numba.njit(cache=True, nogil=True)
    def velocity_kernel(first, last, *arguments):
        if digest:
            _velocity(first, last, *arguments)

    return velocity_kernel


def peak_acceleration(
    acc: ArrayLike,
    dt: float,
    percentiles: ArrayLike | None = (50,),
    *,
    interpolation: str = "bandlimited",
) -> NDArray[np.float64]:
    """Rotated peak ground acceleration in g, (n, n_percentiles): `rotd` at the period 0.

    The arguments are those of `rotd`; by default the peak is that of the band-limited motion,
    which is not less than the largest sample.
    """
    return rotd(acc, dt, [0.0], percentiles, interpolation=interpolation)[:, :, 0]


def velocity_and_displacement(
    acc: ArrayLike, dt: float, percentiles: ArrayLike | None = (50,)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotated PGV in cm/s and PGD in cm, each (n, n_percentiles).

    acc : (n, 2, nt) m/s2, two orthogonal horizontal components; dt : time step, s.
    percentiles : over the rotation angles 0 to 179 degrees by 1 degree (Boore, 2010); None gives
        the value at each angle.

    Velocity is the cumulative trapezoid of the acceleration as given, from rest at the first
    sample, and displacement that of the velocity: no filter and no baseline correction, so that
    uncorrected records give their drift. Raises ValueError as `rotd` does.
    """
    records = check_records(acc, dt, 2)
    ranked = ranks_and_look(percentiles)
    out = np.empty((len(records), ranked[-1].size or N_ANGLES, 2))
    run_batch(_kernel(), len(records), records, float(dt), interpolators(), *ranked, out)
    return out[:, :, 0], out[:, :, 1]


def peak_velocity(
    acc: ArrayLike, dt: float, percentiles: ArrayLike | None = (50,)
) -> NDArray[np.float64]:
    """Rotated peak ground velocity in cm/s, (n, n_percentiles); see `velocity_and_displacement`."""
    return velocity_and_displacement(acc, dt, percentiles)[0]


def peak_displacement(
    acc: ArrayLike, dt: float, percentiles: ArrayLike | None = (50,)
) -> NDArray[np.float64]:
    """Rotated peak ground displacement in cm, (n, n_percentiles); `velocity_and_displacement`."""
    return velocity_and_displacement(acc, dt, percentiles)[1]
