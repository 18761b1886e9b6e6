"""Made-up waveforms of a known world, and models of it that are good or bad in one way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.kept import KeptWaveforms
from gwm_hazard.benchmark.predictions import Prediction
from gwm_hazard.records.completion import complete
from gwm_hazard.records.observations import Observations
from gwm_hazard.records.waveform_source import TraceSource

DT, NPTS = 0.01, 3000
EVENTS, STATIONS = 20, 9


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    event = np.repeat(np.arange(EVENTS), STATIONS)
    mag = rng.uniform(5.1, 6.9, EVENTS)[event]
    r = rng.uniform(22, 95, len(event))
    return pd.DataFrame(
        {
            "event_id": [f"e{e:02d}" for e in event], "station_id": [f"s{i}" for i in
            range(len(event))], "record_id": [f"r{i}" for i in range(len(event))], "mag": mag,
            "hypo_depth": 8.0, "rhypo": r, "rrup": r, "rjb": r, "repi": r, "vs30": 400.0,
        }
    )  # fmt: skip


def waves(conditions: pd.DataFrame, seed: int) -> np.ndarray:
    """(n, 3, NPTS) m/s2: P and S packets of coloured noise, an event term, a site term."""
    rng = np.random.default_rng(seed)
    mag, r = (conditions[k].to_numpy()[:, None, None] for k in ("mag", "rrup"))
    _, event = np.unique(conditions["event_id"], return_inverse=True)
    level = 0.3 * rng.normal(size=event.max() + 1)[event] + 0.4 * rng.normal(size=len(event))
    t = np.arange(NPTS) * DT
    onset, delay, length = 4.0, r / 8.0, 0.8 + 0.4 * (mag - 5) + 0.02 * r
    x, y = np.maximum(t - onset, 0), np.maximum(t - onset - delay, 0)
    part = np.array([0.15, 0.15, 0.3])[:, None], np.array([1.0, 1.0, 0.5])[:, None]
    envelope = 1e-3 + part[0] * (x > 0) * np.exp(-x / (2 * length))
    envelope = envelope + part[1] * y / length * np.exp(1 - y / length)
    noise = rng.normal(size=(len(event), 3, NPTS))
    f = np.fft.rfftfreq(NPTS, DT)
    corner = 10 ** (1.2 - 0.35 * (mag - 5))
    shape = (f > 0.15) * f**0.5 / (1 + (f / corner) ** 2) ** 0.5 / (1 + (f / 25) ** 4)
    coloured = np.fft.irfft(np.fft.rfft(noise) * shape, NPTS)
    coloured /= coloured.std(axis=-1, keepdims=True)
    size = np.exp(level[:, None, None] + 1.1 * (mag - 6) - 1.3 * np.log(r / 40))
    return (coloured * envelope * size).astype(np.float32)


@dataclass(frozen=True)
class Data(Comparison):
    """Benchmark data whose draws are held in memory."""

    held: dict[str, np.ndarray] = field(default_factory=dict)

    def drawn(self, name: str) -> Iterator[KeptWaveforms]:
        acc = self.held[name]
        for start in range(0, len(acc), 50):
            rows = np.arange(start, min(start + 50, len(acc)))
            yield KeptWaveforms(rows, acc[rows], np.full(len(rows), acc.shape[2]), DT)


def made_up(work: Path, names: tuple[str, ...] = ("good",), observed: bool = True) -> Data:
    """Observed waveforms, and models by name.

    good : drawn from the truth; reversed : good, turned in time; copied : good, its first
    horizontal also as its second; trained : the observed records themselves, a little noisy; loud :
    good, twice as strong; single : good, its first horizontal only
    """
    conditions = table()
    truth, good = waves(conditions, 1), waves(conditions, 2)
    copied = good.copy()
    copied[:, 1] = copied[:, 0]
    noise = np.random.default_rng(3).normal(size=truth.shape) * 0.01
    kinds = {
        "good": good, "reversed": good[..., ::-1], "copied": copied, "loud": 2.0 * good,
        "trained": truth * (1 + noise).astype(np.float32), "single": good[:, :1],
    }  # fmt: skip
    n = len(conditions)
    source = TraceSource(
        np.full(n, NPTS),
        np.full(n, DT),
        np.full(n, 3),
        np.full(n, np.nan),
        lambda rows: list(truth[rows]),
    )
    obs = Observations(
        "made up", conditions, pd.DataFrame({"PGA": np.ones(n)}), [], [],
        [(source, np.arange(n))] if observed else [],
    )  # fmt: skip
    predictions, models = [], {}
    for name in names:
        empty = [np.full((n, 1), 1.0) for _ in range(4)]
        predictions.append(Prediction(name, "gwm", ("PGA",), *empty, np.zeros(n, dtype=bool)))
        components = ("H1", "H2", "V")[: kinds[name].shape[1]]
        models[name] = SimpleNamespace(card=SimpleNamespace(components=components), dt_s=DT)
    return Data(
        obs, complete(conditions)[0], predictions, models, ("PGA",), 1, work,
        held={name: np.ascontiguousarray(kinds[name]) for name in names},
    )  # fmt: skip
