"""Slow, plain computations that the kernels are compared with, and synthetic records."""

import math
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

G = 9.80665
ANGLES = np.radians(np.arange(180))


def shared_data() -> Path:
    """The folder of observed records; skips the test where it is absent."""
    default = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("GWM_SHARED", default)) / "data" / "waveforms"
    if not (folder / "observed_3c.h5").exists():
        pytest.skip(f"no observed records in {folder}: set GWM_SHARED to the shared folder")
    return folder


def import_pyrotd():
    """pyrotd, which still imports pkg_resources for its version only."""
    stub = None
    try:
        import pkg_resources  # noqa: F401
    except ImportError:
        stub = types.ModuleType("pkg_resources")
        stub.get_distribution = lambda name: types.SimpleNamespace(version="0")
        sys.modules["pkg_resources"] = stub
    try:
        pyrotd = pytest.importorskip("pyrotd")
    finally:
        if stub is not None:  # others look whether there is one
            del sys.modules["pkg_resources"]
    pyrotd.processes = 1
    return pyrotd


def records(n, nt, dt, seed=0, kappa=0.04, corner_hz=0.3):
    """(n, 2, nt) m/s2: noise with a bell-shaped envelope, an omega-squared spectrum and kappa."""
    rng = np.random.default_rng(seed)
    t = np.arange(nt) / nt
    envelope = t**2 * np.exp(-12 * t) * np.sin(math.pi * t) ** 2
    spectrum = np.fft.rfft(rng.normal(size=(n, 2, nt)) * envelope / envelope.max())
    f = np.fft.rfftfreq(nt, dt)
    ratio = (f / corner_hz) ** 2
    acc = np.fft.irfft(spectrum * ratio / (1 + ratio) * np.exp(-math.pi * kappa * f), nt)
    taper = np.minimum(1, np.minimum(t, t[::-1]) / 0.02) ** 2
    return acc * taper


def upsample(acc, factor):
    """Band-limited interpolation of the last dimension by zeros in its transform."""
    nt = acc.shape[-1]
    spectrum = np.fft.rfft(acc)
    if nt % 2 == 0:
        spectrum[..., -1] *= 0.5  # the Nyquist bin is now one of a pair
    return np.fft.irfft(spectrum, nt * factor) * factor


def step_response(acc, dt, period, damping):
    """Pseudo-acceleration on straight lines between samples, by the matrix exponential."""
    from scipy.linalg import expm

    w = 2 * math.pi / period
    system = np.zeros((4, 4))  # displacement, velocity, ground acceleration, its slope
    system[0, 1] = 1
    system[1, :3] = -w * w, -2 * damping * w, -1
    system[2, 3] = 1
    step = expm(system * dt)
    # u[t] from the states of two steps: the recursion of the displacement alone
    a, load, slope = step[:2, :2], step[:2, 2], step[:2, 3] / dt
    first, last = load - slope, slope  # on the sample before and the sample after the step
    b = np.array([last[0], first[0] + (a[0, 1] * last[1] - a[1, 1] * last[0]), 0.0])
    b[2] = a[0, 1] * first[1] - a[1, 1] * first[0]
    poles = [1, -np.trace(a), np.linalg.det(a)]
    return -w * w * lfilter(b, poles, acc)


def rotated_percentiles(x, y, percentiles):
    """numpy percentiles of the peaks at 180 angles, every sample at every angle."""
    best = np.zeros(180)
    for start in range(0, x.size, 4096):
        part = slice(start, start + 4096)
        rotated = np.outer(np.cos(ANGLES), x[part]) + np.outer(np.sin(ANGLES), y[part])
        best = np.maximum(best, np.abs(rotated).max(axis=1))
    return np.percentile(best, percentiles)


def trapezoid(values, dt):
    """Cumulative integral, from 0."""
    return np.concatenate([[0], np.cumsum((values[1:] + values[:-1]) * dt / 2)])


def converged(acc, dt, periods, percentiles=(50,), damping=0.05):
    """RotDnn in g of band-limited records: dense samples, exact recursion, no pruning."""
    out = np.empty((len(acc), len(percentiles), len(periods)))
    for j, period in enumerate(periods):
        factor = 64 if period < 0.2 else 32 if period < 1 else 8
        zeros = [(0, 0), (0, 0), (256, 128 + math.ceil(0.6 * period / dt))]
        dense = upsample(np.pad(acc, zeros), factor)
        if period > 0:
            dense = step_response(dense, dt / factor, period, damping)
        for i, (x, y) in enumerate(dense):
            keep = np.hypot(x, y) > 0.3 * np.hypot(x, y).max() if min(percentiles) >= 50 else ...
            out[i, :, j] = rotated_percentiles(x[keep], y[keep], percentiles) / G
    return out
