"""Response spectra: speed and accuracy of `gwm_hazard.intensity.rotd` beside other programs.

    python validation/kernels/benchmark.py [--records 200] [--seconds 5] [--json results.json]

One run, the same synthetic records, periods and 180 rotation angles for all. Every program runs
on one thread for about the given seconds; ours also on all cores. Programs that are not installed
are named and left out. Accuracy is the largest relative difference from a converged float64
reference: band-limited motion, sampled up to 64 times as densely, exact recursion, every angle.
Programs that join the samples by straight lines differ from it at short periods by meaning, not
by mistake.
"""

# ruff: noqa: E402
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # numpy's products of matrices on one thread too, as everything here

import argparse
import json
import math
import platform
import resource
import sys
import time
import types
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]
Spectra = Callable[[Array, float, Array], Array]  # (2, nt) m/s2, dt s, periods s -> RotD50 g

G = 9.80665
DAMPING = 0.05
PERIODS = [0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5]
PERIODS += [0.6, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0]
BANDS = [(0.01, 0.03), (0.03, 0.1), (0.1, 0.5), (0.5, 2.0), (2.0, 10.1)]
ANGLES = np.radians(np.arange(180))
COS_SIN = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def make_records(n: int, nt: int, dt: float, kappa: float) -> Array:
    """(n, 2, nt) m/s2: noise with a bell-shaped envelope, an omega-squared spectrum and kappa."""
    rng = np.random.default_rng(20240917)
    t = np.arange(nt) / nt
    envelope = t**2 * np.exp(-12 * t) * np.sin(math.pi * t) ** 2
    spectrum = np.fft.rfft(rng.normal(size=(n, 2, nt)) * envelope / envelope.max())
    f = np.fft.rfftfreq(nt, dt)
    ratio = (f / 0.3) ** 2
    acc = np.fft.irfft(spectrum * ratio / (1 + ratio) * np.exp(-math.pi * kappa * f), nt)
    return acc * np.minimum(1, np.minimum(t, t[::-1]) / 0.02) ** 2


@lru_cache(maxsize=256)
def straight_line_filter(period: float, dt: float) -> tuple[Array, Array]:
    """Recursion of the pseudo-acceleration on straight lines (Nigam and Jennings, 1969)."""
    from scipy.linalg import expm

    w = 2 * math.pi / period
    system = np.zeros((4, 4))  # displacement, velocity, ground acceleration and its slope
    system[0, 1], system[2, 3] = 1, 1
    system[1, :3] = -w * w, -2 * DAMPING * w, -1
    step = expm(system * dt)
    a, last = step[:2, :2], step[:2, 3] / dt
    first = step[:2, 2] - last
    b = [
        last[0],
        first[0] + a[0, 1] * last[1] - a[1, 1] * last[0],
        a[0, 1] * first[1] - a[1, 1] * first[0],
    ]
    return -w * w * np.array(b), np.array([1, -np.trace(a), np.linalg.det(a)])


def converged(record: Array, dt: float, periods: Array) -> Array:
    """The reference; see the top of this file."""
    out = np.empty(len(periods))
    for j, period in enumerate(periods):
        factor = 64 if period < 0.2 else 32 if period < 1 else 8
        padded = np.pad(record, [(0, 0), (256, 128 + math.ceil(0.6 * period / dt))])
        nt = padded.shape[1]
        spectrum = np.fft.rfft(padded)
        if nt % 2 == 0:
            spectrum[:, -1] *= 0.5  # the Nyquist bin is now one of a pair
        dense = np.fft.irfft(spectrum, nt * factor) * factor
        b, a = straight_line_filter(period, dt / factor)
        response = lfilter(b, a, dense)
        best = np.zeros(180)
        for start in range(0, response.shape[1], 8192):
            rotated = COS_SIN @ response[:, start : start + 8192]
            best = np.maximum(best, np.abs(rotated).max(axis=1))
        out[j] = np.median(best) / G
    return out


def scipy_pruned(record: Array, dt: float, periods: Array) -> Array:
    """scipy's lfilter; only samples that can decide the median are rotated."""
    out = np.empty(len(periods))
    for j, period in enumerate(periods):
        padded = np.pad(record, [(0, 0), (0, math.ceil(0.5 * period / dt) + 1)])
        response = lfilter(*straight_line_filter(period, dt), padded)
        radius = np.hypot(*response)
        kept = response[:, radius >= math.cos(math.radians(46)) * radius.max()]
        out[j] = np.median(np.abs(COS_SIN @ kept).max(axis=1)) / G
    return out


def load_pyrotd() -> Spectra:
    """pyrotd on one process; it still imports pkg_resources for its version."""
    try:
        import pkg_resources  # noqa: F401
    except ImportError:
        stub = types.ModuleType("pkg_resources")
        stub.get_distribution = lambda name: types.SimpleNamespace(version="0")  # type: ignore
        sys.modules["pkg_resources"] = stub
    import pyrotd

    pyrotd.processes = 1

    def spectra(record: Array, dt: float, periods: Array) -> Array:
        # its response is periodic in time; half the longest period of zeros is the least it needs
        x, y = np.pad(record, [(0, 0), (0, math.ceil(0.5 * periods.max() / dt))]) / G
        result = pyrotd.calc_rotated_spec_accels(dt, x, y, 1 / periods, DAMPING, percentiles=[50])
        return np.asarray(result.spec_accel)

    return spectra


def load_eqsig() -> Spectra:
    """eqsig's response series of both components, every sample rotated by numpy."""
    from eqsig import sdof

    def spectra(record: Array, dt: float, periods: Array) -> Array:
        padded = np.pad(record, [(0, 0), (0, math.ceil(0.5 * periods.max() / dt))])
        x, y = (np.asarray(sdof.response_series(c, dt, periods, DAMPING)[0]) for c in padded)
        peaks = [np.abs(COS_SIN @ np.stack(pair)).max(axis=1) for pair in zip(x, y, strict=True)]
        return (2 * np.pi / periods) ** 2 * np.median(peaks, axis=1) / G

    return spectra


def load_gmprocess() -> Spectra:
    """gmprocess: its compiled oscillator on each of the 180 rotated records.

    It resamples where dt > T / 10; here straight lines as in its oscillator, without resampling.
    """
    from esi_core.gmprocess.metrics.oscillators import calculate_spectrals

    def spectra(record: Array, dt: float, periods: Array) -> Array:
        padded = np.pad(record, [(0, 0), (0, math.ceil(0.5 * periods.max() / dt))])
        turned = np.ascontiguousarray(COS_SIN @ padded)
        peaks = [
            [
                np.abs(calculate_spectrals(r, r.size, dt, 1 / dt, p, DAMPING)[0]).max()
                for r in turned
            ]
            for p in periods
        ]
        return np.median(peaks, axis=1) / G

    return spectra


def rate(run: Callable[[Array], object], acc: Array, seconds: float) -> float:
    """Records a second: the best of repeated runs over all records or as many as fit."""
    start, best, done = time.perf_counter(), 0.0, 0
    size = len(acc)
    while done == 0 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        run(acc[:size])
        best = max(best, size / (time.perf_counter() - begin))
        done += size
    return best


def one_by_one(spectra: Spectra, dt: float, periods: Array) -> Callable[[Array], Array]:
    """A program for single records as one for batches."""
    return lambda acc: np.stack([spectra(record, dt, periods) for record in acc])


def cpu() -> str:
    """Name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Run the benchmark and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--records", type=int, default=200, help="records in a batch of ours")
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--dt", type=float, default=0.01, help="time step, s")
    parser.add_argument("--kappa", type=float, default=0.03, help="high-frequency decay, s")
    parser.add_argument("--seconds", type=float, default=5.0, help="time a program")
    parser.add_argument("--checked", type=int, default=3, help="records with a reference")
    parser.add_argument("--json", type=Path, help="also write the results here")
    args = parser.parse_args()

    import numba

    from gwm_hazard.intensity import rotd

    acc = make_records(args.records, args.samples, args.dt, args.kappa)
    single = acc.astype(np.float32)
    periods = np.array(PERIODS)
    print(f"{cpu()}, {os.cpu_count()} cores, numba {numba.__version__}, numpy {np.__version__}")
    print(
        f"{len(periods)} periods, 2 x {args.samples} samples at {args.dt} s, 180 angles, RotD50\n"
    )

    def ours(records: Array) -> Array:
        return rotd(records, args.dt, periods)[:, 0]

    def ours_linear(records: Array) -> Array:
        return rotd(records, args.dt, periods, interpolation="linear")[:, 0]

    programs: dict[str, tuple[Callable[[Array], Array], Array]] = {
        "gwm_hazard": (ours, single),
        "gwm_hazard, linear": (ours_linear, single),
        "scipy, pruned": (one_by_one(scipy_pruned, args.dt, periods), acc[:3]),
    }
    loaders = {"pyrotd": load_pyrotd, "eqsig": load_eqsig, "gmprocess": load_gmprocess}
    for name, load in loaders.items():
        try:
            programs[name] = one_by_one(load(), args.dt, periods), acc[:1]
        except ImportError as error:
            print(f"{name}: not installed ({error})")
    threads = numba.config.NUMBA_NUM_THREADS
    reference = np.stack([converged(r, args.dt, periods) for r in acc[: args.checked]])
    results: dict[str, dict[str, object]] = {}
    for name, (run, records) in programs.items():
        numba.set_num_threads(1)
        run(records[:2])  # compile
        result: dict[str, object] = {"records_per_s": rate(run, records, args.seconds)}
        if name.startswith("gwm") and threads > 1:
            numba.set_num_threads(threads)
            result["records_per_s_all_cores"] = rate(run, records, args.seconds)
            numba.set_num_threads(1)
        error = np.abs(run(acc[: args.checked]) / reference - 1).max(axis=0)
        result["error_percent"] = [
            100 * float(error[(periods >= low) & (periods < high)].max()) for low, high in BANDS
        ]
        result["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        results[name] = result
    print_table(results, threads)
    if args.json:
        args.json.write_text(json.dumps({"cpu": cpu(), "results": results}, indent=1) + "\n")


def print_table(results: dict[str, dict[str, object]], threads: int) -> None:
    """Speed, ratio, memory so far, and the largest difference from the reference by band."""
    own = float(results["gwm_hazard"]["records_per_s"])  # type: ignore[arg-type]
    bands = "".join(f"{f'{low:g}-{min(high, 10):g} s':>13}" for low, high in BANDS)
    print(f"{'':20}{'1 thread':>10}{f'{threads} threads':>11}{'ours is':>9}{'memory':>9}  largest")
    print(f"{'':20}{'1/s':>10}{'1/s':>11}{'times':>9}{'MB':>9}{bands}   difference, %")
    for name, result in results.items():
        speed = float(result["records_per_s"])  # type: ignore[arg-type]
        every = result.get("records_per_s_all_cores")
        errors = "".join(f"{e:13.3f}" for e in result["error_percent"])  # type: ignore[attr-defined]
        print(
            f"{name:20}{speed:10.1f}{f'{every:.0f}' if every else '':>11}{own / speed:9.1f}"
            f"{result['peak_memory_mb']:9.0f}{errors}"
        )


if __name__ == "__main__":
    main()
