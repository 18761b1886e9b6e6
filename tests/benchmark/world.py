"""A world in which the truth is known: records and predictions made from one distribution."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gwm_hazard.benchmark.data import Comparison, Settings
from gwm_hazard.benchmark.predictions import Prediction, noise_of_records, sample
from gwm_hazard.records.completion import complete
from gwm_hazard.records.observations import Observations

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "RSD595")
TAU, PHI = 0.4, 0.55
CORRELATION = 0.7 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))


def conditions(events=80, stations=25, seed=0):
    rng = np.random.default_rng(seed)
    n = events * stations
    event = np.repeat(np.arange(events), stations)
    station = np.tile(np.arange(stations), events)
    mag = rng.uniform(4.5, 7.5, events)[event]
    depth = rng.uniform(5, 20, events)[event]
    r = np.exp(rng.uniform(np.log(10), np.log(200), n))
    return pd.DataFrame(
        {
            "event_id": [f"e{e}" for e in event], "station_id": [f"s{s}" for s in station],
            "record_id": [f"r{i}" for i in range(n)], "mag": mag, "hypo_depth": depth,
            "rhypo": np.hypot(r, depth), "rrup": r, "rjb": r, "repi": r,
            "vs30": rng.uniform(200, 800, stations)[station], "rake": 0.0, "ztor": 3.0,
        }
    )  # fmt: skip


def ln_median(table):
    mag, r, vs30 = (table[k].to_numpy() for k in ("mag", "rrup", "vs30"))
    base = -1.0 + 1.1 * (mag - 6) - 1.5 * np.log(r + 5) - 0.4 * np.log(vs30 / 500)
    return base[:, None] + np.array([2.0, 5.0, 2.5, 2.5, 1.0, 6.0])


def world(bad=(), seed=0, work=None, settings=None, events=80, stations=25):
    """Observations of a known distribution; "good" predicts it, the bad ones do not.

    bad : of "halved" (amplitudes), "certain" (sigma halved, draws as well), "uncorrelated"
    """
    table = conditions(events, stations, seed)
    mean, n = ln_median(table), len(table)
    tau, phi = np.full(mean.shape, TAU), np.full(mean.shape, PHI)
    observed = sample(mean, tau, phi, noise_of_records(table, 99), IMTS, CORRELATION)
    obs = Observations("world", table, pd.DataFrame(np.exp(observed), columns=list(IMTS)))
    kinds = {
        "good": (mean, 1.0, CORRELATION),
        "halved": (mean - np.log(2.0), 1.0, CORRELATION),
        "certain": (mean, 0.5, CORRELATION),
        "uncorrelated": (mean, 1.0, None),
    }
    predictions = []
    for number, name in enumerate(("good", *bad)):
        said, factor, correlation = kinds[name]
        draw = sample(
            said, factor * tau, factor * phi, noise_of_records(table, number), IMTS, correlation
        )
        outside = np.zeros(n, dtype=bool)
        predictions.append(
            Prediction(name, "gwm", IMTS, said.copy(), factor * tau, factor * phi, draw, outside)
        )
    return Comparison(
        obs, complete(table)[0], predictions, {}, IMTS, 1, work, settings or Settings()
    )
