"""Covariances between and within events."""

from __future__ import annotations

import numpy as np

from gwm_hazard.statistics.covariance import between


def test_covariances_between_and_within_events():
    """Made-up residuals of known covariances, in events of unequal size."""
    rng = np.random.default_rng(3)
    event = np.repeat(np.arange(400), rng.integers(1, 9, 400))
    tau = np.array([[0.3, 0.2], [0.2, 0.4]])
    phi = np.array([[0.5, -0.1], [-0.1, 0.2]])
    off = rng.multivariate_normal([0, 0], tau, 400)[event]
    off = off + rng.multivariate_normal([0, 0], phi, len(event))
    for bounded in (True, False):
        a, b = between(off, event, 0, bounded)
        np.testing.assert_allclose(a, tau, atol=0.07)
        np.testing.assert_allclose(b, phi, atol=0.04)


def test_a_variance_below_zero_is_kept_or_bounded():
    """Events that share nothing: half of the estimates fall below zero."""
    rng = np.random.default_rng(5)
    event = np.repeat(np.arange(30), 3)
    found = [between(rng.normal(size=(90, 2)), event, 0, bounded=False)[0] for _ in range(40)]
    assert 10 < sum(t[0, 0] < 0 for t in found) < 30
    assert abs(np.mean(found, axis=0)).max() < 0.1
    rng = np.random.default_rng(5)
    kept = [between(rng.normal(size=(90, 2)), event, 0)[0] for _ in range(40)]
    assert min(np.linalg.eigvalsh(t).min() for t in kept) > -1e-12
