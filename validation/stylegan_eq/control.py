"""Steering a StyleGAN-EQ: what is asked for against what styles then say, two ways.

    python validation/stylegan_eq/control.py walk_sample.npz

The file holds styles ``w`` (n, w_dim) of a trained network and ``feature`` (n, 5) of their images.
Half of the styles are for the two ways of steering. On the other half a ridge regression reads
features of styles; it is what tells what was achieved, since the trained network is not here, and
its own R2, on styles that neither it nor the steering has seen, says how well. For every feature in
turn, each style of the first half is asked for a value of the feature that another style has:

* walked: one published step from what the feature is, for this feature alone
* drawn: styles given the feature and the others as they are, scatter and all
* alone: styles given the feature, the others as they come

Printed: R2 and slope of achieved against asked for, and how far the other features went from what
they were, in their standard deviations (root mean square).
"""

from __future__ import annotations

import sys

import numpy as np

from gwm_hazard.models.stylegan_eq.control import (
    FEATURES,
    LatentControl,
    entering,
    published_directions,
    walked,
)

#: Of the ridge regression, on styles as they are.
PENALTY = 200.0


def ridge(w: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of both, and coefficients (w_dim, features)."""
    mean, level = w.mean(axis=0), f.mean(axis=0)
    x = w - mean
    found = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ (f - level))
    return mean, level, found


def r2(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Of each column."""
    return 1 - ((truth - found) ** 2).sum(axis=0) / ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)


def main(path: str) -> None:
    """Print the table."""
    with np.load(path, allow_pickle=False) as file:
        w, measured = file["w"].astype(float), file["feature"].astype(float)
    names = FEATURES
    f = entering(measured, names)
    half = len(w) // 2
    steer, read = slice(0, half), slice(half, len(w))
    mean, level, coefficients = ridge(w[read], f[read])

    def told(styles: np.ndarray) -> np.ndarray:
        return level + (styles - mean) @ coefficients

    sd = f.std(axis=0)
    control = LatentControl.fit(w[steer], measured[steer], names)
    directions = published_directions(w[steer], measured[steer])
    rng = np.random.default_rng(1)
    order = rng.permutation(half)
    normals = rng.standard_normal((half, w.shape[1]))
    start = told(w[steer])
    own = zip(names, r2(f[steer], start), strict=True)
    print(f"{len(w)} styles; R2 of the reading on styles that it has not seen:")
    print("  " + ", ".join(f"{name} {value:.2f}" for name, value in own))
    print(f"{'feature':10s} {'way':10s} {'R2':>6s} {'slope':>6s} {'others moved':>13s}")
    before = told(control.styles(measured[steer], normals))
    for i, name in enumerate(names):
        asked = measured[steer].copy()
        asked[:, i] = asked[order, i]
        goal = entering(asked, names)[:, i]
        alone = LatentControl.fit(w[steer], measured[steer], (name,))
        ways = {
            # a walk starts from the style's own feature, as published
            "walked": walked(w[steer], measured[steer][:, i], asked[:, i], directions[i]),
            "drawn": control.styles(asked, normals),
            "alone": alone.styles(asked[:, i : i + 1], normals),
        }
        others = np.arange(len(names)) != i
        for way, styles in ways.items():
            found = told(styles)
            moved = ""
            if way != "alone":
                apart = (found - (start if way == "walked" else before))[:, others] / sd[others]
                moved = f"{np.sqrt((apart**2).mean()):13.2f}"
            slope = np.polyfit(goal, found[:, i], 1)[0]
            value = r2(goal[:, None], found[:, i : i + 1])[0]
            print(f"{name:10s} {way:10s} {value:6.2f} {slope:6.2f} {moved}")
    inverse, centre = np.linalg.inv(np.cov(w.T)), w.mean(axis=0)
    for what, styles in (("published", w), ("drawn", control.styles(measured[steer], normals))):
        square = np.einsum("ij,jk,ik->i", styles - centre, inverse, styles - centre)
        print(f"squared Mahalanobis distance, median: {what} {np.median(square):.0f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
