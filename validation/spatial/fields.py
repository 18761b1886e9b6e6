"""Correlation of the residuals of waveform fields in space, beside the published one.

    python validation/spatial/fields.py draw OUT [--correlation NAME] [--coherency NAME]
                                             [--events 200] [--seed S]
    python validation/spatial/fields.py compare PLAIN CORRELATED
    python validation/spatial/fields.py marginals [--draws 10000] [--correlation NAME]
    python validation/spatial/fields.py cost

``draw`` writes ln IM of fields at 300 sites (100 groups of three, 1 and 5 km apart, in a square of
150 km), all at the same distance on the same ground, so that only residuals differ. ``compare``
prints 1 - gamma(h) / gamma of uncorrelated fields, gamma the semivariogram (its differences do not
see the between-event term), with standard errors over events; for LB2013 also between measures.
``marginals`` holds draws at one site, each of an event of its own, against uncorrelated ones.
``cost`` times the noise by site, and fields with five measures, for 10 to 10,000 sites.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, skew

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial import coherency, published
from gwm_hazard.core.spatial.lattice import EARTH_RADIUS_KM
from gwm_hazard.core.spatial.noise import SpatialNoise
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.registry import load_model

Array = NDArray[np.float64]

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(2.0)", "SA(3.0)")
FIVE = ("PGA", "PGV", "SA(0.3)", "SA(1.0)", "SA(3.0)")
KM = (1.0, 5.0, 10.0, 20.0, 40.0, 80.0)


def sites(groups: int = 100) -> tuple[Array, Array]:
    """Longitudes and latitudes, degrees: groups of three."""
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0.0, 150.0, (2, groups))
    angle = rng.uniform(0.0, 2 * np.pi, (2, groups))
    step = np.array([[1.0], [5.0]])
    x = np.concatenate([x, (x + step * np.cos(angle)).ravel()])
    y = np.concatenate([y, (y + step * np.sin(angle)).ravel()])
    lat = 36.0 + np.degrees(y / EARTH_RADIUS_KM)
    return 10.0 + np.degrees(x / EARTH_RADIUS_KM / np.cos(np.radians(lat))), lat


def distances(lon: Array, lat: Array) -> Array:
    """Great-circle distances, km, (n, n)."""
    x, y = np.radians(lon), np.radians(lat)
    across = np.sin((y[:, None] - y) / 2) ** 2
    across += np.cos(y)[:, None] * np.cos(y) * np.sin((x[:, None] - x) / 2) ** 2
    found: Array = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(across))
    return found


def drawn(
    name: str,
    lon: Array,
    lat: Array,
    events: Array,
    seed: int,
    imts: Sequence[str] = IMTS,
    coherency: str = "none",
) -> Array:
    """ln IM of fields, (events, sites, measures)."""
    model = load_model("stochastic", "cpu")
    correlation = None if name == "none" else model.spatial_correlation(name, coherency)
    out = np.empty((len(events), len(lon), len(imts)))
    for i, event in enumerate(events):
        noise = SpatialNoise.of(
            Noise(seed, int(event), np.arange(len(lon)), 0), lon, lat, correlation
        )
        at = Scenarios(mag=np.full(len(lon), 6.5), rrup=30.0, vs30=400.0, hypo_depth=10.0)
        out[i] = ln_measures(model, Draws(at, noise), imts)
        if i % 20 == 0:
            print(f"{i} of {len(events)}", file=sys.stderr, flush=True)
    return out


def semivariogram(ln: Array, a: int, b: int, pairs: NDArray[np.int64]) -> Array:
    """Mean over pairs of half the product of differences, by event, (events,)."""
    i, j = pairs
    found: Array = 0.5 * ((ln[:, i, a] - ln[:, j, a]) * (ln[:, i, b] - ln[:, j, b])).mean(axis=1)
    return found


def compare(plain: Path, correlated: Path) -> None:
    """Print what is achieved beside what is published."""
    with np.load(plain) as base, np.load(correlated) as other:
        name, before, after = str(other["name"]), base["ln"], other["ln"]
    apart = distances(*sites())
    whole = np.stack(np.triu_indices(len(apart), 1))
    print(f"{name}: {len(after)} fields at {after.shape[1]} sites; achieved, published, error")
    columns = [(i, i) for i in range(len(IMTS))]
    if name == "LB2013":
        columns += list(combinations(range(len(IMTS)), 2))
    worst = [0.0, 0.0]
    for a, b in columns:
        spread = [semivariogram(before, k, k, whole).mean() for k in (a, b)]
        own = semivariogram(before, a, b, whole).mean() / np.sqrt(spread[0] * spread[1])
        row = [f"{IMTS[a]:8}" + (f" x {IMTS[b]:8}" if a != b else "")]
        for h in KM:
            i, j = whole
            pairs = whole[:, np.abs(apart[i, j] / h - 1.0) < 0.03]
            gamma = semivariogram(after, a, b, pairs) / np.sqrt(spread[0] * spread[1])
            found = own - gamma.mean()
            error = gamma.std() / np.sqrt(len(gamma))
            wanted = float(published.correlation(name, IMTS[a], h, IMTS[b] if a != b else ""))
            worst[a != b] = max(worst[a != b], abs(found - wanted))
            row.append(f"{found:+.2f} {wanted:+.2f} {error:.2f}")
        print(" | ".join(row))
    print(f"largest difference: {worst[0]:.3f}" + (f", between measures {worst[1]:.3f}"
                                                    if name == "LB2013" else ""))  # fmt: skip


def marginals(name: str, draws: int) -> None:
    """Print moments at one site with and without correlation."""
    at = np.array([10.0]), np.array([36.0])
    found = {n: drawn(n, *at, np.arange(draws), 9)[:, 0] for n in ("none", name)}
    print(f"{draws} draws: mean, standard deviation, skewness of ln IM, without and with {name}")
    print(f"standard errors {1 / np.sqrt(draws):.4f} sigma, {1 / np.sqrt(2 * draws):.4f} sigma, "
          f"{np.sqrt(6 / draws):.3f}")  # fmt: skip
    for i, imt in enumerate(IMTS):
        x, y = (found[n][:, i] for n in ("none", name))
        print(
            f"{imt:8} {x.mean():+.3f} {y.mean():+.3f}  {x.std():.3f} {y.std():.3f}  "
            f"{skew(x):+.3f} {skew(y):+.3f}  KS p {ks_2samp(x, y).pvalue:.2f}"
        )
    a, b = (np.corrcoef(found[n].T) for n in ("none", name))
    print(f"largest difference of correlations between measures {np.abs(a - b).max():.3f}")


def cost() -> None:
    """Print time by site."""
    model = load_model("stochastic", "cpu")
    correlation = model.spatial_correlation("JB2009")
    rng = np.random.default_rng(3)
    for n in (10, 100, 1000, 10000):
        lon, lat = rng.uniform(10, 12, n), rng.uniform(42, 44, n)
        noise = SpatialNoise(1, 1, np.arange(n), 0, lon, lat, correlation)
        size = correlation.mixing["record"].shape[1]
        noise.take(slice(0, 1)).normal("record", size)
        start = time.perf_counter()
        noise.normal("record", size)
        of_noise = (time.perf_counter() - start) / n
        of_field = {}
        for name in ("none", "JB2009"):
            some = min(n, 1000)
            start = time.perf_counter()
            drawn(name, lon[:some], lat[:some], np.arange(1), 1, FIVE)
            of_field[name] = (time.perf_counter() - start) / some
        print(
            f"{n:6} sites: noise {1e6 * of_noise:.0f} us a site; fields of five measures "
            f"{1e3 * of_field['none']:.2f} ms without, {1e3 * of_field['JB2009']:.2f} ms with "
            "(at most 1000 sites)"
        )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("draw", "compare", "marginals", "cost"))
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--correlation", default="none", choices=("none", *published.NAMES))
    parser.add_argument("--coherency", default="none", choices=("none", *coherency.NAMES))
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--draws", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=4)
    given = parser.parse_args()
    if given.what == "draw":
        events = np.arange(given.events)
        ln = drawn(given.correlation, *sites(), events, given.seed, IMTS, given.coherency)
        np.savez_compressed(given.paths[0], ln=ln.astype(np.float32), name=given.correlation)
    elif given.what == "compare":
        compare(*given.paths)
    elif given.what == "marginals":
        marginals(given.correlation, given.draws)
    else:
        cost()


if __name__ == "__main__":
    main()
