"""Matched waveforms held against what is asked of them.

    python validation/matching/match.py [--records 300] [--fields 20000] [--speed 2000]

Prints, for the shape models that are named: how far drawn spectra are from their targets; what the
correction does to durations, arrivals, rest and the spread over rotation angles (beside the
component ratios of Boore and Kishida 2017, BSSA 107(1): 334-343); V/H before and after, beside
Gulerce and Abrahamson (2011, Earthquake Spectra 27(4): 1023-1047); means, standard deviations and
correlations of fields beside those of the GMM; the time of a waveform with seven measures; and, if
the package ``reqpy-M`` is installed, the same spectra matched by its wavelets (Montejo 2021,
Earthquake Spectra 37(2): 1127-1144).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from gwm_hazard.benchmark.metrics.arrivals import onsets_s
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array, rotd, significant_duration
from gwm_hazard.models.matched import MatchedModel, Targets, achieved, match
from gwm_hazard.openquake.gmm import evaluate, gsim_of, inputs_of, ln_to_rotd50

MEASURES = ("PGA", "PGV", "SA(0.3)", "SA(1.0)", "IA", "CAV", "RSD595")
FIELDS = ("PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.5)", "SA(1)", "SA(2)", "SA(4)")
_VH = gsim_of('[GulerceAbrahamson2011]\ngmpe_name = "BooreEtAl2014"')
_VH_IMTS = ("SA(0.05)", "SA(0.1)", "SA(0.2)", "SA(0.5)", "SA(1.0)", "SA(3.0)")


def scenarios(n: int) -> Scenarios:
    """n scenarios over the range of shape and GMM, the same whenever asked.

    Magnitudes are in bins, as those of the ruptures of hazard models.
    """
    rng = np.random.default_rng(17)
    distance = np.exp(rng.uniform(np.log(8.0), np.log(180.0), n))
    return Scenarios(
        mag=rng.uniform(5.0, 7.8, n).round(1),
        rjb=distance,
        rrup=np.hypot(distance, 5.0),
        rhypo=np.hypot(distance, 10.0),
        vs30=rng.uniform(200.0, 900.0, n),
        hypo_depth=10.0,
        rake=rng.choice([0.0, 90.0, -90.0], n),
    )


def drawn(
    model: MatchedModel, at: Scenarios, noise: Noise
) -> list[tuple[NDArray[np.int64], Any, Any, Targets]]:
    """(rows, raw, matched, targets) by length of record and batch."""
    lengths = model.npts(at)
    out = []
    for npts in np.unique(lengths):
        rows = np.flatnonzero(lengths == npts)
        for part in np.array_split(rows, -(-len(rows) // 64)):
            s, k = at.take(part), noise.take(part)
            raw = model.shape.draw(model.shape_scenarios(s, k), k).numpy()
            targets = model.spectra(s, k)
            out.append((part, raw, match(raw, model.dt_s, targets), targets))
    return out


def one_draw(model: MatchedModel, n: int) -> None:
    """Spectra, durations, arrivals, rest and rotation of n draws."""
    noise = Noise(11, np.arange(n), 0, 0)
    periods = model.spectra.source.periods_s
    band = (periods >= 0.05) & (periods <= 5.0)
    off, duration, moved, rest, rotated, short, r2, rmse, began = ([] for _ in range(9))
    vertical, every = [], scenarios(n)
    for rows, raw, new, targets in drawn(model, every, noise):
        ln, pgv = achieved(new, model.dt_s, targets)
        off.append(np.abs(np.expm1(ln[:, band])))
        short.append(np.column_stack([ln[:, 0], pgv]))
        of = [significant_duration(a[:, :2], model.dt_s, 0.05, 0.95) for a in (raw, new)]
        duration.append(of[1] / of[0])
        began.append(np.subtract(*(_began_s(a, model.dt_s) for a in (new, raw))))
        if raw.shape[1] == 3:
            known = evaluate(_VH, {c: every[c][rows] for c in inputs_of(_VH)}, _VH_IMTS)[0].T
            vertical.append([_ln_vh(a, model.dt_s) - known for a in (raw, new)])
        length = np.full(len(rows), raw.shape[-1])
        moved.append(np.subtract(*(onsets_s(a, length, model.dt_s, 2) for a in (new, raw))))
        velocity = cumulative_trapezoid(new.astype(float), initial=0.0)
        displacement = cumulative_trapezoid(velocity, initial=0.0)
        rest.append([np.abs(x[..., -1]).max() / np.abs(x).max() for x in (velocity, displacement)])
        at = periods[band]
        sa = rotd(new[:, :2], model.dt_s, at, percentiles=(50, 100))
        rotated.append(sa[:, 1] / sa[:, 0])
        target, got = np.exp(targets.ln_sa[:, band]), np.exp(targets.ln_sa + ln)[:, band]
        squares = ((target - got) ** 2).sum(axis=1)
        r2.append(1.0 - squares / ((target - target.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
        rmse.append(np.sqrt(squares / target.shape[1]) * 9.80665)
    o = np.concatenate(off)
    q = np.quantile(o, [0.5, 0.95, 0.99, 1.0])
    print(f"  {n} draws, {band.sum()} periods, 0.05 to 5 s: absolute difference from the target")
    print("    median {:.2%}, 95 % within {:.2%}, 99 % within {:.2%}, most {:.1%}".format(*q))
    worst = periods[band][np.argsort(-(o > 0.05).mean(axis=0))[:4]]
    print(
        f"    beyond 5 %: {np.mean(o > 0.05):.2%} of ordinates, most often at "
        f"{', '.join(f'{t:g}' for t in worst)} s"
    )
    all_r2, all_rmse = np.concatenate(r2), np.concatenate(rmse)
    print(
        f"    R2 > 0.8: {np.mean(all_r2 > 0.8):.2%} of draws; RMSE < 0.1 m/s2: "
        f"{np.mean(all_rmse < 0.1):.2%}"
    )
    s = np.concatenate(short)
    print(
        f"    ln PGA {np.nanmean(s[:, 0]):+.3f} +- {np.nanstd(s[:, 0]):.3f}, ln PGV "
        f"{np.nanmean(s[:, 1]):+.3f} +- {np.nanstd(s[:, 1]):.3f} from the target"
    )
    d = np.concatenate(duration)
    print(
        f"    D5-95 after / before: median {np.median(d):.3f}, within 10 % "
        f"{np.mean(np.abs(d - 1.0) < 0.1):.1%}, 5 to 95 %: {np.quantile(d, 0.05):.2f} to "
        f"{np.quantile(d, 0.95):.2f}"
    )
    b = np.abs(np.concatenate(began))
    print(
        f"    first 1 and 5 % of the energy: moved by {np.quantile(b, 0.99):.2f} s in 99 %, "
        f"{np.mean(b < 0.1):.1%} by less than 0.1 s"
    )
    m = np.abs(np.concatenate(moved))
    for name, column in zip("PS", m.T, strict=True):
        seen = column[np.isfinite(column)]
        if len(seen):
            print(
                f"    {name} onset picked: moved by {np.median(seen):.2f} s in the median, "
                f"{np.mean(seen < 0.1):.1%} by less than 0.1 s"
            )
    r = np.max(rest, axis=0)
    print(f"    at the end, share of the peak: velocity {r[0]:.1e}, displacement {r[1]:.1e}")
    ratio = np.exp(np.log(np.concatenate(rotated)).mean(axis=0))
    from openquake.hazardlib.const import IMC

    known = np.exp([-ln_to_rotd50(IMC.RotD100, f"SA({t:g})") for t in periods[band]])
    print(
        f"    RotD100/RotD50: {ratio.min():.3f} to {ratio.max():.3f}; from Boore and Kishida by "
        f"{np.abs(ratio / known - 1.0).max():.1%} at most"
    )
    if vertical:
        means = np.concatenate(vertical, axis=1).mean(axis=1)
        print("    ln V/H from Gulerce and Abrahamson at " + ", ".join(_VH_IMTS))
        for when, row in zip(("before", "after "), means, strict=True):
            print(f"      {when} " + ", ".join(f"{x:+.2f}" for x in row))


def _began_s(acc: NDArray[np.float32], dt_s: float) -> NDArray[np.float64]:
    """When 1 and 5 % of the energy of the horizontals have arrived, s, (n, 2)."""
    arrived = np.cumsum((acc[:, :2].astype(np.float64) ** 2).sum(axis=1), axis=1)
    arrived /= arrived[:, -1:]
    return dt_s * np.stack([(arrived < share).sum(axis=1) for share in (0.01, 0.05)], axis=1)


def _ln_vh(acc: NDArray[np.float32], dt_s: float) -> NDArray[np.float64]:
    """ln V/H of SA at the periods of ``_VH_IMTS``, (n, periods)."""
    periods = [float(i[3:-1]) for i in _VH_IMTS]
    single = np.stack([acc[:, 2], np.zeros_like(acc[:, 2])], axis=1)  # of which RotD100 is V
    v = rotd(single, dt_s, periods, percentiles=(100,))[:, 0]
    return np.log(v / rotd(acc[:, :2], dt_s, periods)[:, 0])


def fields(model: MatchedModel, n: int) -> None:
    """Moments and correlations of n draws at 20 scenarios beside those of the GMM."""
    at = scenarios(20)
    each = n // 20 // 2 * 2
    source = model.spectra.source
    moments = source(at)
    columns = [source.imts.index(i) for i in FIELDS if i in source.imts]
    names = [source.imts[c] for c in columns]
    ln = np.empty((20, each, len(names)))
    for i in range(20):
        noise = Noise(12 + i, np.repeat(np.arange(each // 2), 2), np.tile([0, 1], each // 2), 0)
        row = at.take(np.full(each, i))
        for rows, acc in model.batches(row, noise):
            ln[i, rows] = np.log(intensity_measures_array(acc, model.dt_s, names))
    mean = ln.mean(axis=1) - moments.mean[:, columns]
    residual = (ln - ln.mean(axis=1, keepdims=True)).reshape(20, -1, 2, len(names))
    tau = np.sqrt((residual[:, :, 0] * residual[:, :, 1]).mean(axis=(0, 1)))
    sigma = np.sqrt((residual**2).mean(axis=(0, 1, 2)))
    phi = np.sqrt(sigma**2 - tau**2)
    of = [np.sqrt((x[:, columns] ** 2).mean(axis=0)) for x in (moments.tau, moments.phi)]
    both = np.hypot(*of)
    print(f"  {20 * each} draws at 20 scenarios, beside the GMM:")
    print("    measure    ln mean (least, most)     sigma     tau     phi")
    for j, name in enumerate(names):
        t = f"{tau[j] / of[0][j] - 1.0:+7.1%}" if of[0][j] > 0 else "      -"
        print(
            f"    {name:9s} {mean[:, j].mean():+.3f} ({mean[:, j].min():+.3f}, "
            f"{mean[:, j].max():+.3f})   {sigma[j] / both[j] - 1.0:+7.1%} {t} "
            f"{phi[j] / of[1][j] - 1.0:+7.1%}"
        )
    flat = (residual / residual.std(axis=(1, 2), keepdims=True)).reshape(-1, len(names))
    away = np.corrcoef(flat.T) - source.correlation[np.ix_(columns, columns)]
    j, k = np.unravel_index(np.argmax(np.abs(away)), away.shape)
    spectral = [i for i, name in enumerate(names) if name != "PGV"]
    print(
        "    correlation: from that of the spectra by "
        f"{np.abs(away[np.ix_(spectral, spectral)]).max():.3f} "
        f"at most, with PGV {np.abs(away).max():.3f} ({names[j]}, {names[k]})"
    )


def speed(model: MatchedModel, n: int) -> None:
    """Time of a waveform with seven measures."""
    at, noise = scenarios(n), Noise(13, np.arange(n), 0, 0)
    warm = at.take(slice(0, 40))
    for _, acc in model.batches(warm, noise.take(slice(0, 40))):
        intensity_measures_array(acc, model.dt_s, MEASURES)
    start, used = time.perf_counter(), time.process_time()
    for _, acc in model.batches(at, noise):
        intensity_measures_array(acc, model.dt_s, MEASURES)
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    print(
        f"  {n} waveforms with {len(MEASURES)} measures: {wall:.0f} s, {cpu:.0f} s of CPU: 10,000 "
        f"in {wall / n * 1e4:.0f} s, or {cpu / n * 1e4 / 2:.0f} s of two idle cores"
    )


def published(model: MatchedModel, n: int = 5) -> None:
    """The same spectra by the wavelets of reqpy-M."""
    try:
        import reqpy_M as reqpy
    except ImportError:
        print("  reqpy-M is not installed: no comparison with published code")
        return
    at, noise = scenarios(60), Noise(11, np.arange(60), 0, 0)
    periods = model.spectra.source.periods_s
    band = (periods >= 0.05) & (periods <= 5.0)
    off, took = [[], []], [0.0, 0.0]
    for rows, raw, _, targets in drawn(model, at, noise)[:1]:
        for i in range(min(n, len(rows))):
            one = targets.take(slice(i, i + 1))
            start = time.perf_counter()
            ours = match(raw[i : i + 1], model.dt_s, one)
            took[0] += time.perf_counter() - start
            start = time.perf_counter()
            theirs = _reqpy(reqpy, raw[i], model.dt_s, periods[1:], np.exp(one.ln_sa[0, 1:]))
            took[1] += time.perf_counter() - start
            for k, acc in enumerate((ours, theirs[None])):
                off[k].append(np.abs(np.expm1(achieved(acc, model.dt_s, one)[0][:, band])))
    for k, name in enumerate(("this match", "reqpy-M")):
        o = np.concatenate(off[k])
        print(
            f"    {name:10s} {took[k] / n:.3f} s a record; median {np.median(o):.2%}, 95 % within "
            f"{np.quantile(o, 0.95):.2%}"
        )


def _reqpy(
    reqpy: Any, raw: NDArray[np.float32], dt_s: float, periods: Any, sa: Any
) -> NDArray[np.float32]:
    """Both horizontals of a record (3, npts) matched to RotD50."""
    s1, s2 = (raw[c].astype(np.float64) / 9.80665 for c in (0, 1))
    found = reqpy.generate_rotdnn_compatible_record(
        s1, s2, 1.0 / dt_s, periods, sa, nn=50, T1PSA=0.05
    )
    both = [found[k] for k in ("sc1", "sc2")] if isinstance(found, dict) else found[:2]
    return np.stack([np.asarray(x)[: raw.shape[-1]] for x in both]).astype(np.float32) * 9.80665


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gmm", default="BooreEtAl2014")
    parser.add_argument("--shape", action="append", help="one or more; by default stochastic")
    parser.add_argument("--records", type=int, default=300)
    parser.add_argument("--fields", type=int, default=20000, help="0 for none")
    parser.add_argument("--speed", type=int, default=2000, help="0 for none")
    args = parser.parse_args()
    for shape in args.shape or ["stochastic"]:
        model = MatchedModel(args.gmm, shape)
        print(f"{args.gmm}, shape {shape}")
        one_draw(model, args.records)
        if args.fields:
            fields(model, args.fields)
        if args.speed:
            speed(model, args.speed)
        published(model)


if __name__ == "__main__":
    main()
