"""Held-out earthquakes: how well draws from low frequencies are like the records.

    python validation/broadband_small/evaluate.py --data SET [--model NAME] [--fc 1.0]

SET is what `observed.py` wrote; its test events are in no training. x is the record through the
zero-phase mask of the splice, with nothing of the record above it. Tables: residuals of intensity
measures (ln record - mean of ln draws) with the sigma that draws state, by period, by event, and by
baseline; Fourier amplitudes across the crossover; correlations between bands; onsets and envelopes;
components; EG and PG in the published settings, where draws stand beside the honest ceiling.

Baselines: B0 x alone; B1 x and the stochastic model; B3 the training record nearest in magnitude,
distance and low band; B4 another record of the same earthquake. All through the same splice,
aligned where a tenth of the energy of the low band's horizontals has come; B3 and B4 scaled by the
low band.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from held_out import DT_S, IMTS, NPTS, PERIODS, HeldOut, baselines, measured

from gwm_hazard.benchmark.metrics.arrivals import onsets_s
from gwm_hazard.benchmark.metrics.leak import leak
from gwm_hazard.benchmark.metrics.time_frequency import eg_pg
from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.core.noise import Noise
from gwm_hazard.intensity import effective_amplitude
from gwm_hazard.models.broadband.envelope import carried, envelope, normals
from gwm_hazard.models.broadband.level import grid_hz
from gwm_hazard.models.broadband.splice import low_spectrum, splice
from gwm_hazard.models.devices import keep_one_thread
from gwm_hazard.models.registry import load_model
from gwm_hazard.representation.level import at_level, ln_amplitude
from gwm_hazard.statistics.likelihood import llh
from gwm_hazard.statistics.mixed_effects import Groups, fit
from gwm_hazard.training.broadband.records import turned

#: Draws of the scores of one signal against another.
BEST_OF = 20


def model_draws(model: object, held: HeldOut, n: int, seed: int) -> np.ndarray:
    """(records, n, 3, NPTS), float32."""
    out = np.empty((len(held.rows), n, 3, NPTS), dtype=np.float32)
    for i in range(len(held.rows)):
        row = np.full(n, i)
        # sites of an event share what is of the event
        event = int(np.unique(held.event).searchsorted(held.event[i]))
        noise = Noise(seed, event * 1000 + np.arange(n), i, 0)
        for part, acc in model.batches(  # type: ignore[attr-defined]
            held.scenarios(row), noise, low_frequency=held.low(row)
        ):
            out[i, part] = acc
    return out


def of_unequal(waves: list[np.ndarray]) -> np.ndarray:
    """ln of measures, (records, most, m), NaN where a record has fewer motions than others."""
    out = np.full((len(waves), max(len(w) for w in waves), len(IMTS)), np.nan)
    for row, w in zip(out, waves, strict=True):
        if len(w):
            row[: len(w)] = measured(w)
    return out


def residual_table(held: HeldOut, ln: np.ndarray) -> pd.DataFrame:
    """By measure: bias and its parts, sd, sigma that draws state, coverage; ln (records, n, m)."""
    count = np.isfinite(ln[..., 0]).sum(axis=1)
    n = float(np.median(count[count > 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # records without any, or with one
        mean, sd = np.nanmean(ln, axis=1), np.nanstd(ln, axis=1, ddof=1)
    off = held.ln - mean
    rows = {}
    for k, imt in enumerate(IMTS):
        good = np.isfinite(off[:, k])
        best = fit(Groups(held.event[good]), off[good, k], np.ones((good.sum(), 1)))
        share = (ln[good, :, k] < held.ln[good, None, k]).mean(axis=1)
        stated = np.sqrt(np.nanmean(sd[good, k] ** 2)) if n > 1 else np.nan
        # the mean of n draws scatters too
        found = off[good, k].std(ddof=1) / np.sqrt(1.0 + 1.0 / n)
        rows[imt] = {
            "bias": off[good, k].mean(), "bias, events": best.beta[0], "+-": best.error[0],
            "tau": best.spread.tau, "phi": best.spread.phi, "sd": found, "stated": stated,
            "stated/sd": stated / found,
            "16-84": ((share > 0.16) & (share < 0.84)).mean(),
            "5-95": ((share > 0.05) & (share < 0.95)).mean(),
            # one sigma for all records, that of the draws: theirs is of few draws each
            "LLH": float(llh(held.ln[good, k], mean[good, k],
                             np.full(good.sum(), stated * np.sqrt(1.0 + 1.0 / n)))),
        }  # fmt: skip
    return pd.DataFrame(rows).T


def across(held: HeldOut, waves: np.ndarray) -> None:
    """EAS of draws over records by frequency in crossovers, and the slope from 10 to 30 Hz."""
    f = held.fc_hz * np.geomspace(0.5, 2.0, 13)
    high = np.array([10.0, 15.0, 20.0, 25.0, 30.0])
    both = np.concatenate([f, high])
    b = 30.0
    mean = np.log(effective_amplitude(held.y[:, :2], DT_S, both, b))
    drawn = np.stack([np.log(effective_amplitude(waves[:, j, :2], DT_S, both, b))
                      for j in range(waves.shape[1])])  # fmt: skip
    off = drawn.mean(axis=0) - mean
    one = np.ones((len(off), 1))
    found = [
        fit(Groups(held.event), column, one) for column in off.T
    ]  # records of events are alike
    cells = [f"{np.exp(v.mean()):.2f} (events {np.exp(e.beta[0]):.2f}+-{e.error[0]:.2f})"
             for v, e in zip(off.T, found, strict=True)]  # fmt: skip
    print("EAS of draws over records, by f / fc; mean over records, over events with its error:")
    print("  " + "\n  ".join(f"{x / held.fc_hz:.2f}: {c}" for x, c in zip(f, cells, strict=False)))
    print("  " + ", ".join(f"{x:g} Hz: {c}" for x, c in zip(high, cells[13:], strict=True)))
    slope = [np.polyfit(high, v.mean(axis=0)[13:], 1)[0] / -np.pi for v in (drawn[0], mean)]
    print(f"  kappa from 10 to 30 Hz: draws {slope[0]:.4f} s, records {slope[1]:.4f} s")


def between_bands(held: HeldOut, waves: np.ndarray) -> None:
    """Correlation of residuals (a fit in M, ln R and ln Vs30) of SA below and above fc."""
    at = {f"{t:g} s": IMTS.index(f"SA({t:g})") for t in (3.0, 1.5, 0.5, 0.2, 0.1)}
    m = held.mag - 6.0
    design = np.stack([np.ones_like(m), m, m**2, np.log(held.distance + 6.0),
                       m * np.log(held.distance + 6.0), np.log(held.vs30)], axis=1)  # fmt: skip

    def epsilon(ln: np.ndarray) -> np.ndarray:
        return ln - design @ np.linalg.lstsq(design, ln, rcond=None)[0]

    obs = np.corrcoef(epsilon(held.ln).T)
    draws = np.mean([np.corrcoef(epsilon(measured(waves[:, j])).T)
                     for j in range(min(8, waves.shape[1]))], axis=0)  # fmt: skip
    print("correlation of residuals of SA, records / draws:")
    worst = 0.0
    for a in ("3 s", "1.5 s"):
        cells = []
        for b in ("0.5 s", "0.2 s", "0.1 s"):
            o, d = obs[at[a], at[b]], draws[at[a], at[b]]
            worst = max(worst, abs(o - d))
            cells.append(f"{b}: {o:.2f} / {d:.2f}")
        print(f"  {a} with " + "   ".join(cells))
    print(f"  largest difference {worst:.2f}")


def high_band(waves: np.ndarray, low_hz: float = 2.0, high_hz: float = 8.0) -> np.ndarray:
    from scipy.signal import butter, sosfiltfilt

    return sosfiltfilt(butter(3, (low_hz, high_hz), "bandpass", fs=1 / DT_S, output="sos"), waves)


def timing(held: HeldOut, waves: np.ndarray) -> None:
    """Onsets of the high band, envelopes, and what is there before P."""
    three = np.flatnonzero(held.three)
    y, d = high_band(held.y[three]), high_band(waves[three, 0].astype(np.float64))
    npts = np.full(len(three), NPTS)
    a, b = (onsets_s(v.astype(np.float32), npts, DT_S, 2) for v in (y, d))
    off = np.abs(a - b)
    print(f"onsets at 2-8 Hz, draw against record ({len(three)} of three components): median |dt| "
          f"P {np.nanmedian(off[:, 0]):.2f} s ({np.isfinite(off[:, 0]).sum()} clear), "
          f"S {np.nanmedian(off[:, 1]):.2f} s ({np.isfinite(off[:, 1]).sum()})")  # fmt: skip
    size = round(0.5 / DT_S)
    kernel = np.ones(size) / size
    y, d = high_band(held.y), high_band(waves[:, 0].astype(np.float64))

    def ln_envelope(w: np.ndarray) -> np.ndarray:
        power = (w[:, :2] ** 2).sum(axis=1)
        smooth = np.stack([np.convolve(p, kernel, "same") for p in power])
        return np.log(np.sqrt(np.maximum(smooth, 1e-6 * smooth.max(axis=1, keepdims=True))))

    e, g = ln_envelope(y), ln_envelope(d)
    r = np.array([np.corrcoef(p, q)[0, 1] for p, q in zip(e, g, strict=True)])
    print(f"correlation of ln envelopes at 2-8 Hz: mean {r.mean():.2f}, above 0.8 for "
          f"{(r > 0.8).mean():.0%}")  # fmt: skip
    early = []
    for i, p in zip(three, a[:, 0], strict=True):
        k = int(np.nan_to_num(p) / DT_S) - 50
        if k > 100:
            w = high_band(waves[i, 0].astype(np.float64), held.fc_hz * 1.25, 30.0)
            rms = np.sqrt((w[:, :k] ** 2).mean(axis=1).max())
            early.append(20 * np.log10(rms / np.abs(w).max()))
    print(f"before the record's P: rms above fc {np.median(early):.0f} dB of the peak (median of "
          f"{len(early)}; below -40 dB for {(np.array(early) < -40).mean():.0%})")  # fmt: skip


def components(held: HeldOut, waves: np.ndarray, model: object) -> None:
    """V/H, H1 with H2, and what turning x about the vertical does."""
    three = held.three
    for name, w in (("records", held.y), ("draws", waves[:, 0].astype(np.float64))):
        cells = []
        for low, high in ((1.25, 3.0), (3.0, 8.0), (8.0, 20.0)):
            b = high_band(w, low, high)
            rms = np.sqrt((b**2).mean(axis=2))
            vh = np.log(rms[three, 2] / np.sqrt((rms[three, :2] ** 2).mean(axis=1)))
            r = np.abs([np.corrcoef(v[0], v[1])[0, 1] for v in b])
            cells.append(f"{low:g}-{high:g} Hz V/H {np.exp(vh.mean()):.2f} |r12| {r.mean():.2f}")
        print(f"  {name:<8}" + "; ".join(cells))
    some = np.arange(0, len(held.rows), max(1, len(held.rows) // 20))
    kept = held.given[some]
    off = []
    for k, angle in enumerate((0.0, np.pi / 4, np.pi / 2)):
        low = LowFrequency(turned(kept, np.full(len(some), angle)), DT_S, held.fc_hz)
        made = []
        for j in range(10):
            noise = Noise(77 + k, np.arange(len(some)), 0, j)
            for _, acc in model.batches(held.scenarios(some), noise, low_frequency=low):  # type: ignore[attr-defined]
                made.append(measured(acc))
        flat = np.concatenate(made).reshape(10, len(some), -1).mean(axis=0)
        off.append(flat)
    print("  turned by 45, 90 degrees: mean change of ln RotD50 "
          + ", ".join(f"{t} {(off[1] - off[0])[:, IMTS.index(t)].mean():+.2f} "
                      f"{(off[2] - off[0])[:, IMTS.index(t)].mean():+.2f}"
                      for t in ("PGA", "SA(0.2)", "SA(0.5)", "RSD595")))  # fmt: skip


def oracle(held: HeldOut, rows: np.ndarray) -> np.ndarray:
    """Motions with the envelope and level of the record itself, phases of their own."""
    y = held.y[rows]
    _, high = held.pairs.bands(y, np.full(len(rows), held.fc_hz))
    noise = normals(Noise(9, rows, 0, 0).normal("phases", 3 * NPTS), len(rows), NPTS)
    made = carried(envelope(torch.from_numpy(high.astype(np.float32))), noise).numpy()
    level = ln_amplitude(y, DT_S, grid_hz(held.fc_hz))
    made = at_level(made.astype(np.float64), DT_S, level, grid_hz(held.fc_hz))
    spectrum = low_spectrum(held.given[rows], DT_S, NPTS, DT_S, held.fc_hz)
    return splice(spectrum, made, DT_S, held.fc_hz)[..., :NPTS]


def signals(held: HeldOut, waves: np.ndarray, most: int) -> None:
    """EG and PG in the published settings, 0.1 to 30 Hz, and 1 to 30 Hz."""
    three = np.flatnonzero(held.three)
    three = three[np.linspace(0, len(three) - 1, min(most, len(three))).astype(int)]
    names = ("prior mean", "best of 20", "x alone", "two draws", "oracle")
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
    told = oracle(held, three)

    def score(a: np.ndarray, b: np.ndarray) -> tuple[float, ...]:
        e, p = eg_pg(a, b, DT_S)
        e2, p2 = eg_pg(a, b, DT_S, fmin_hz=1.0, n_frequencies=50)
        return float(e.mean()), float(p.mean()), float(e2.mean()), float(p2.mean())

    for k, i in enumerate(three):
        scale = np.abs(held.y[i]).max(axis=1, keepdims=True)  # as published: each by its peak
        each = np.array([score(w / scale, held.y[i] / scale) for w in waves[i, :BEST_OF]])
        found["prior mean"].append(tuple(each.mean(axis=0)))
        found["best of 20"].append(tuple(each[each[:, :2].sum(axis=1).argmax()]))
        found["x alone"].append(score(held.x[i] / scale, held.y[i] / scale))
        found["oracle"].append(score(told[k] / scale, held.y[i] / scale))
        found["two draws"].append(score(waves[i, 0] / scale, waves[i, 1] / scale))
    print(f"EG / PG, {len(three)} records of three components (0.1-30 Hz; 1-30 Hz apart):")
    for name, values in found.items():
        m, s = np.mean(values, axis=0), np.std(values, axis=0)
        print(f"  {name:<12} {m[0]:.2f} +- {s[0]:.2f} / {m[1]:.2f} +- {s[1]:.2f};   "
              f"{m[2]:.2f} / {m[3]:.2f}")  # fmt: skip
    print("  oracle: envelope and level of the record itself, phases of its own\n"
          "  honest ceiling (true envelope and spectrum, own phases) about 6.9 / 6.7; published:\n"
          "  Pix2Pix 7.45 / 8.63, BicycleGAN 6.87 / 8.08, MUST 6.28 / 8.24, factorised 5.80 / "
          "8.32\n"
          "  (their input is a record through a causal Butterworth filter, which can be inverted,\n"
          "  and their codes are of the target: not comparable)")  # fmt: skip


def undone(model: object, held: HeldOut, most: int) -> None:
    """Whether the model undoes a Butterworth filter."""
    rows = np.flatnonzero(held.three)
    rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
    scale = np.abs(held.y[rows]).max(axis=2, keepdims=True)

    def translate(motion: np.ndarray) -> np.ndarray:
        out = np.empty_like(motion)
        low = LowFrequency(motion * scale, DT_S, held.fc_hz)
        noise = Noise(13, rows, 0, 0)
        for part, acc in model.batches(held.scenarios(rows), noise, low_frequency=low):  # type: ignore[attr-defined]
            out[part] = acc / scale[part]
        return out

    told = leak(translate, held.y[rows] / scale, DT_S, held.fc_hz)
    (eg, pg), (eg_2, pg_2) = told.filtered, told.limited
    print(f"asked twice: EG / PG {eg:.2f} / {pg:.2f} from input through a Butterworth filter, "
          f"{eg_2:.2f} / {pg_2:.2f} from strictly limited input: "
          f"{'it undoes the filter' if told.exposed else 'no leak'}")  # fmt: skip


def speed(model: object, held: HeldOut) -> None:
    """Time of 50 realizations for one motion, on one thread."""
    low, scenario = held.low(np.arange(1)), held.scenarios(np.arange(1))
    model.generate(scenario, 1, low_frequency=low)  # type: ignore[attr-defined]
    start = time.perf_counter()
    model.generate(scenario, 50, low_frequency=low)  # type: ignore[attr-defined]
    print(f"50 realizations of 3 x {NPTS} samples: {time.perf_counter() - start:.1f} s on 1 thread")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="broadband-small")
    parser.add_argument("--fc", type=float, default=1.0)
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--signals", type=int, default=25, help="records of EG and PG")
    parser.add_argument("--only-residuals", action="store_true")
    args = parser.parse_args()
    keep_one_thread()
    logging.getLogger("gwm_hazard").setLevel(logging.ERROR)
    pd.set_option("display.width", 160)
    model = load_model(args.model, "cpu")
    ranges = [(r.name, r.low, r.high) for r in model.card.conditions]
    held = HeldOut(args.data, args.fc, args.records, ranges, args.split)
    events = len(np.unique(held.event))
    print(f"{len(held.rows)} records of {events} {args.split} events, fc = {args.fc:g} Hz, "
          f"{args.draws} draws each", flush=True)  # fmt: skip
    waves = model_draws(model, held, args.draws, seed=5)
    ln = measured(waves.reshape(-1, 3, NPTS)).reshape(len(held.rows), args.draws, -1)
    table = residual_table(held, ln)
    print(table.round(3).to_string(), flush=True)
    across(held, waves)
    between_bands(held, waves)
    if args.only_residuals:
        return
    timing(held, waves)
    print("components at fc and above:")
    components(held, waves, model)
    sd = ln.std(axis=1).mean(axis=0)
    some = ("PGA", "SA(0.2)", "SA(0.5)", "SA(1)", "SA(2)", "SA(3)", "RSD595")
    cells = [f"{t} {sd[IMTS.index(t)]:.2f}" for t in some]
    print("sd of ln over draws of one x: " + ", ".join(cells))
    off = held.ln - ln.mean(axis=1)
    columns = {t: off[:, IMTS.index(t)] for t in some}
    by_event = pd.DataFrame({"event": held.event, "mag": held.mag} | columns).groupby("event")
    print(by_event.mean().assign(records=by_event.size()).round(2).to_string(), flush=True)
    speed(model, held)
    print("baselines: bias / sd, LLH (mean over SA at T < 1/fc)")
    short = [i for i, t in enumerate(PERIODS) if t < 1.0 / args.fc]
    rows = {"model": table}
    for name, each in baselines(held, args.draws).items():
        rows[name] = residual_table(held, of_unequal(each))
    for name, found in rows.items():
        cells = [f"{t} {found.loc[t, 'bias']:+.2f} / {found.loc[t, 'sd']:.2f}" for t in some]
        mean = found.iloc[short]["LLH"].mean()
        print(f"  {name:<6}" + "  ".join(cells) + f"  LLH {mean:.2f}", flush=True)
    signals(held, waves, args.signals)
    undone(model, held, args.signals)


if __name__ == "__main__":
    main()
