"""Response spectra: speed and accuracy of `gwm_hazard.intensity.rotd` beside other programs.

    python validation/kernels/benchmark.py [--records 200] [--seconds 5] [--json results.json]

One run, the same synthetic records, periods and 180 rotation angles for all. Every program runs
in a process of its own, one after the other: on one thread for about the given seconds, and on all
cores (ours in threads, the others as one process a core). Programs that are not installed are
named and left out; gmprocess wants an environment of its own, in which this file runs with
PYTHONPATH set to the root of the repository. Memory is the peak of the whole process.

Accuracy is the largest relative difference from a converged float64 reference: band-limited
motion, sampled up to 64 times as densely, exact recursion, every angle. Programs that join the
samples by straight lines differ from it at short periods by meaning, not by mistake.
"""

# ruff: noqa: E402
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # numpy's products of matrices on one thread too, as everything here

import argparse
import json
import math
import multiprocessing
import platform
import resource
import sys
import time
import types
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
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


def load_ours(interpolation: str = "bandlimited") -> Callable[[Array, float, Array], Array]:
    """This package, which takes a batch."""
    from gwm_hazard.intensity import rotd

    def spectra(records: Array, dt: float, periods: Array) -> Array:
        return rotd(records, dt, periods, interpolation=interpolation)[:, 0]

    return spectra


#: Name, how to get the program, and the records it gets at a time (None: a batch).
PROGRAMS: dict[str, tuple[Callable[[], Callable[[Array, float, Array], Array]], int | None]] = {
    "gwm_hazard": (load_ours, None),
    "gwm_hazard, linear": (lambda: load_ours("linear"), None),
    "scipy, pruned": (lambda: scipy_pruned, 3),
    "pyrotd": (load_pyrotd, 1),
    "eqsig": (load_eqsig, 1),
    "gmprocess": (load_gmprocess, 1),
}


def peak_memory_mb() -> float:
    """Largest memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rate(run: Callable[[Array], object], acc: Array, seconds: float) -> float:
    """Records a second: the best of repeated runs."""
    start, best = time.perf_counter(), 0.0
    while best == 0 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        run(acc)
        best = max(best, len(acc) / (time.perf_counter() - begin))
    return best


def measure(name: str, args: argparse.Namespace, threads: int = 1) -> dict[str, float]:
    """Speed and memory of a program, in a process of its own."""
    import numba

    load, at_once = PROGRAMS[name]
    acc = make_records(args.records, args.samples, args.dt, args.kappa)
    periods = np.array(PERIODS)
    spectra = load()
    numba.set_num_threads(threads)

    def run(records: Array) -> Array:
        if at_once is None:
            return spectra(records, args.dt, periods)
        return np.stack([spectra(record, args.dt, periods) for record in records])

    records = acc.astype(np.float32) if at_once is None else acc[:at_once]
    run(records[:2])  # compile
    speed = rate(run, records, args.seconds)
    result = {"records_per_s": speed, "peak_memory_mb": peak_memory_mb()}
    if threads == 1 and args.checked:
        result["values"] = run(acc[: args.checked])
    return result


def alone(name: str, args: argparse.Namespace, threads: int, copies: int) -> list[dict[str, float]]:
    """`measure` in fresh processes, so many at the same time."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(copies, mp_context=context) as pool:
        jobs = [pool.submit(measure, name, args, threads) for _ in range(copies)]
        return [job.result() for job in jobs]


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

    cores = numba.config.NUMBA_NUM_THREADS
    periods = np.array(PERIODS)
    print(f"{cpu()}, {cores} cores, numba {numba.__version__}, numpy {np.__version__}")
    print(
        f"{len(periods)} periods, 2 x {args.samples} samples at {args.dt} s, 180 angles, RotD50\n"
    )
    acc = make_records(args.records, args.samples, args.dt, args.kappa)
    reference = np.stack([converged(r, args.dt, periods) for r in acc[: args.checked]])
    results: dict[str, dict[str, object]] = {}
    for name, (_, at_once) in PROGRAMS.items():
        try:
            (one,) = alone(name, args, 1, 1)
        except ImportError as error:
            print(f"{name}: not installed ({error})")
            continue
        every = alone(name, args, cores, 1) if at_once is None else alone(name, args, 1, cores)
        error = np.abs(np.asarray(one.pop("values")) / reference - 1).max(axis=0)
        results[name] = {
            **one,
            "records_per_s_all_cores": sum(r["records_per_s"] for r in every),
            "error_percent": [
                100 * float(error[(periods >= low) & (periods < high)].max()) for low, high in BANDS
            ],
        }
    print_table(results, cores)
    if args.json:
        args.json.write_text(json.dumps({"cpu": cpu(), "results": results}, indent=1) + "\n")


def print_table(results: dict[str, dict[str, object]], cores: int) -> None:
    """Speed, ratios, memory, and the largest difference from the reference by band of period."""
    own = results["gwm_hazard"]
    bands = "".join(f"{f'{low:g}-{min(high, 10):g} s':>12}" for low, high in BANDS)
    print(
        f"{'':19}{'1 core':>9}{'ours is':>9}{f'{cores} cores':>10}{'ours is':>9}{'memory':>9}",
        end="",
    )
    print("  largest difference from the reference, %")
    print(f"{'':19}{'1/s':>9}{'times':>9}{'1/s':>10}{'times':>9}{'MB':>9}{bands}")
    for name, result in results.items():
        line = f"{name:19}"
        for key, width in (("records_per_s", 9), ("records_per_s_all_cores", 10)):
            speed = float(result[key])  # type: ignore[arg-type]
            line += f"{speed:{width}.1f}{float(own[key]) / speed:9.1f}"  # type: ignore[arg-type]
        errors = "".join(f"{e:12.3f}" for e in result["error_percent"])  # type: ignore[attr-defined]
        print(f"{line}{result['peak_memory_mb']:9.0f}{errors}")


if __name__ == "__main__":
    main()
