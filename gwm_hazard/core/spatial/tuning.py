"""What noise gives a published correlation: mixtures of lattice fields, residual by residual.

A stream that carries the level of a record has ``size`` standard normals z, of which p residuals
of variance 1 are made, L z with L (p, size): those of Fourier amplitudes by frequency, say. Let
residual i have the correlation sum_k w_ki exp(-(h/c_k)^2). With R = L L' the correlation of the
residuals at one site and b_ij = sum_k sqrt(w_ki w_kj), the linear model of coregionalization

    B_k = (R / b) * sqrt(w_k w_k')   (element by element)

has sum_k B_k = R: the residuals at one site stay what they were, and only between sites do they
differ by frequency. A_k with (L A_k) (L A_k)' = B_k mixes z = sum_k A_k g_k from lattice fields.

An intensity measure follows residuals of many frequencies, and a part of it is of the phases.
With its sensitivities a (size,) to z, found from draws, its correlation is
sum_k |a A_k|^2 exp(-(h/c_k)^2) in first order (:func:`achieved`). Where that is not yet the
published one the matrices are tuned once for a waveform model (validation/spatial/tune.py), and
stored with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from gwm_hazard.core.spatial import published
from gwm_hazard.core.spatial.lattice import LENGTHS_KM

Array = NDArray[np.float64]

#: Distances at which correlations are fitted, km.
FITTED_KM = np.array(
    [0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 80.0, 120.0]
)
#: How firmly weights add up to 1.
_FIRM = 30.0


def fields_at(h_km: ArrayLike) -> Array:
    """Correlation of each lattice field at distances, (n_lengths, n)."""
    found: Array = np.exp(-((np.asarray(h_km) / LENGTHS_KM[:, None]) ** 2))
    return found


def weights_of(name: str, measure: str) -> Array:
    """Weights of the lattice fields, (n_lengths,), with the published correlation of a measure."""
    wanted = published.correlation(name, measure, FITTED_KM)
    rows = np.concatenate([fields_at(FITTED_KM).T, np.full((1, len(LENGTHS_KM)), _FIRM)])
    found = nnls(rows, np.append(wanted, _FIRM))[0]
    return np.asarray(found / found.sum())


def mixing(weights: Array, factor: Array) -> Array:
    """The matrices A_k of a stream, (n_lengths, size, size).

    Parameters
    ----------
    weights : (n_lengths, p), columns add up to 1
    factor : L, (p, size); rows have length 1
    """
    roots = np.sqrt(weights)
    shared = (factor @ factor.T) / (roots.T @ roots)
    values, vectors = np.linalg.eigh(shared)
    half = vectors * np.sqrt(np.clip(values, 0.0, None))
    inverse = np.linalg.pinv(factor, rcond=1e-6)
    free = np.eye(factor.shape[1]) - inverse @ factor
    out = np.zeros((len(weights), factor.shape[1], factor.shape[1]))
    for k in range(len(weights)):
        if roots[k].any():
            # (inverse diag(root) half) is (size, p); any square root of its square does.
            part = inverse @ (roots[k][:, None] * half)
            out[k] = _root(part @ part.T + weights[k].mean() * free @ free.T)
    # What clipping took away: the numbers at one site are independent and of variance 1.
    whole = np.einsum("kij,klj->il", out, out)
    values, vectors = np.linalg.eigh(whole)
    whitening = (vectors / np.sqrt(values)) @ vectors.T
    # Rounded, so that machines whose sums round differently make the same noise.
    rounded: Array = np.round(whitening @ out, 7)
    return rounded


def _root(square: Array) -> Array:
    values, vectors = np.linalg.eigh(square)
    root: Array = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return root


def achieved(matrices: Array, first: Array, second: Array, h_km: ArrayLike) -> Array:
    """Correlation of two measures at distances (n,), in first order.

    Parameters
    ----------
    matrices : of :func:`mixing`
    first, second : (size,), sensitivity of a measure over its standard deviation within events
    """
    by_field = np.einsum("kij,i,klj,l->k", matrices, first, matrices, second)
    found: Array = by_field @ fields_at(h_km)
    return found
