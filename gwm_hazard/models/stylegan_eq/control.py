"""What an unconditional generator draws, steered by features of its images.

As published (Xu and Chen 2024): a step in the space of styles along a direction for one feature.
Better: the distribution of styles given all features asked for, a normal one fitted on styles
whose images were measured; what one feature asks for then does not move the others, and draws keep
the scatter that styles have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError

#: Of an image, in pixels: sum; row and column of the maximum; extent in rows and in columns of what
#: is above the threshold.
FEATURES = ("energy", "f_primary", "t_primary", "f_range", "t_range")
THRESHOLD = 0.05
#: Those of which the logarithm is taken: positive, and skewed.
_LOG = frozenset({"energy", "f_range", "t_range"})
#: Features are asked for within these percentiles of those that were measured.
_PERCENTILES = (0.5, 99.5)

Array = NDArray[np.float64]


def features(image: NDArray[np.floating]) -> Array:
    """Features (n, 5) of images (n, rows, columns) with a maximum near 1."""
    n, rows, columns = image.shape
    first = image.reshape(n, -1).argmax(axis=1)
    above = image > THRESHOLD
    made = [image.sum(axis=(1, 2), dtype=np.float64), first // columns, first % columns]
    for axis, length in ((2, rows), (1, columns)):
        hit: NDArray[np.bool_] = np.asarray(above.any(axis=axis))
        made.append(length - hit[:, ::-1].argmax(axis=1) - 1 - hit.argmax(axis=1))
    return np.stack(made, axis=1).astype(float)


def published_directions(w: NDArray[np.floating], measured: NDArray[np.floating]) -> Array:
    """Step in styles for one unit of each feature, (features, w_dim).

    From the first principal component of (style, feature), one feature at a time. Where the
    variance of a feature dwarfs those of the styles it is cov(w, f) / var(f), the slope of a
    regression of the styles; for other units it is not.
    """
    made = []
    for values in np.asarray(measured, dtype=float).T:
        both = np.concatenate([np.asarray(w, dtype=float), values[:, None]], axis=1)
        _, _, axes = np.linalg.svd(both - both.mean(axis=0), full_matrices=False)
        made.append(axes[0, :-1] / axes[0, -1])
    return np.stack(made)


def walked(
    w: NDArray[np.floating],
    current: NDArray[np.floating],
    target: NDArray[np.floating],
    direction: NDArray[np.floating],
) -> Array:
    """Styles after one step from what a feature is to what it shall be; no iteration."""
    return w + (np.asarray(target) - np.asarray(current))[:, None] * direction


@dataclass(frozen=True)
class LatentControl:
    """Styles given features: w ~ N(w_mean + gain (f - f_mean), root root^T).

    Attributes
    ----------
    names : of the features that are asked for, of FEATURES
    w_mean, gain, root : (w_dim,), (w_dim, features), (w_dim, w_dim)
    f_mean : (features,), entering: as logarithms where features are skewed
    low, high : (features,), what may be asked for
    """

    names: tuple[str, ...]
    w_mean: Array
    gain: Array
    root: Array
    f_mean: Array
    low: Array
    high: Array

    @classmethod
    def fit(
        cls,
        w: NDArray[np.floating],
        measured: NDArray[np.floating],
        names: Sequence[str] = ("energy", "f_primary", "t_range"),
    ) -> LatentControl:
        """From styles (n, w_dim) and the features (n, 5) of their images.

        Raises
        ------
        InputError
            An unknown feature, or too few styles.
        """
        for name in names:
            if name not in FEATURES:
                raise InputError(f"feature {name!r}: known are {', '.join(FEATURES)}")
        w = np.asarray(w, dtype=float)
        if len(w) < 10 * (len(names) + 1) or len(w) != len(measured):
            raise InputError(
                f"{len(w)} styles and {len(measured)} rows of features: give as many of both, "
                f"{10 * (len(names) + 1)} or more"
            )
        columns = chosen(measured, names)
        f = entering(columns, names)
        w_mean, f_mean = w.mean(axis=0), f.mean(axis=0)
        gain = np.linalg.lstsq(f - f_mean, w - w_mean, rcond=None)[0].T
        rest = w - w_mean - (f - f_mean) @ gain.T
        scatter = rest.T @ rest / (len(w) - len(names) - 1)
        variance, axes = np.linalg.eigh(scatter)
        root = (axes * np.sqrt(np.maximum(variance, 0.0))) @ axes.T
        low, high = np.percentile(columns, _PERCENTILES, axis=0)
        return cls(tuple(names), w_mean, gain, root, f_mean, low, high)

    @property
    def spread(self) -> Array:
        """Span of the features as they enter, (features,): what a misfit is measured in."""
        ends = entering(np.stack([self.low, self.high]), self.names)
        return np.maximum(ends[1] - ends[0], 1e-9)

    def styles(self, asked: NDArray[np.floating], normals: NDArray[np.floating]) -> Array:
        """Styles (n, w_dim) of features (n, features) in pixels and normals (n, w_dim)."""
        f = entering(np.clip(asked, self.low, self.high), self.names)
        return self.w_mean + (f - self.f_mean) @ self.gain.T + normals @ self.root.T


def chosen(measured: NDArray[np.floating], names: Sequence[str]) -> Array:
    """Columns of features (n, 5) by name."""
    return np.asarray(measured, dtype=float)[:, [FEATURES.index(n) for n in names]]


def entering(values: NDArray[np.floating], names: Sequence[str]) -> Array:
    """Features (n, features) as the regressions take them: skewed ones by logarithm."""
    out = np.array(values, dtype=float)
    for j, name in enumerate(names):
        if name in _LOG:
            out[:, j] = np.log(np.maximum(out[:, j], 0.5))  # an extent of 0 is below a pixel
    return out


def leaving(values: NDArray[np.floating], names: Sequence[str]) -> Array:
    """The inverse of :func:`entering`."""
    out = np.array(values, dtype=float)
    for j, name in enumerate(names):
        if name in _LOG:
            out[:, j] = np.exp(out[:, j])
    return out


@dataclass(frozen=True)
class ScenarioFeatures:
    """Features that scenarios have: linear in magnitude, its square, ln distance and ln Vs30.

    Attributes
    ----------
    conditions : names of magnitude, distance and Vs30
    names : of the features
    coefficients, root : (5, features), (features, features): mean, and root of the scatter
    """

    conditions: tuple[str, ...]
    names: tuple[str, ...]
    coefficients: Array
    root: Array

    @classmethod
    def fit(
        cls,
        columns: dict[str, NDArray[np.float64]],
        measured: NDArray[np.floating],
        names: Sequence[str],
    ) -> ScenarioFeatures:
        """From conditions (magnitude, distance, Vs30 in this order) and features (n, 5)."""
        f, terms = entering(chosen(measured, names), names), _terms(list(columns.values()))
        coefficients = np.linalg.lstsq(terms, f, rcond=None)[0]
        rest = f - terms @ coefficients
        scatter = rest.T @ rest / (len(f) - terms.shape[1])
        variance, axes = np.linalg.eigh(np.atleast_2d(scatter))
        root = (axes * np.sqrt(np.maximum(variance, 0.0))) @ axes.T
        return cls(tuple(columns), tuple(names), np.asarray(coefficients, dtype=float), root)

    def drawn(self, columns: Sequence[Array], normals: NDArray[np.floating]) -> Array:
        """Features (n, features) in pixels, with their scatter."""
        mean = _terms(columns) @ self.coefficients
        return leaving(mean + normals @ self.root.T, self.names)


def _terms(columns: Sequence[Array]) -> Array:
    mag, distance, vs30 = columns
    logs = np.log(np.maximum(distance, 1.0)), np.log(vs30)
    return np.stack([np.ones_like(mag), mag - 6.0, (mag - 6.0) ** 2, *logs], axis=1)
