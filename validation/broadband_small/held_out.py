"""Held-out records, the low bands that models are given, and baselines through the same splice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.broadband.level import low_grid_hz
from gwm_hazard.models.broadband.splice import low_spectrum, splice
from gwm_hazard.models.registry import load_model
from gwm_hazard.representation.level import ln_amplitude
from gwm_hazard.training.broadband.records import PairedRecords

DT_S, NPTS = 0.01, 4096
PERIODS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
IMTS = [f"SA({t:g})" for t in PERIODS] + ["PGA", "PGV", "CAV", "IA", "RSD575", "RSD595"]


class HeldOut:
    """Test records within the ranges of a model, their low bands and their conditions."""

    def __init__(
        self, folder: Path, fc_hz: float, most: int, ranges: list[tuple[str, float, float]],
        split: str,
    ) -> None:  # fmt: skip
        self.pairs = PairedRecords(str(folder), (fc_hz,))
        self.all = getattr(self.pairs, split)
        rows = self.all[np.isfinite(self.pairs.vs30[self.all])]
        for name, low, high in ranges:
            values = {"mag": self.pairs.mag, "rhypo": self.pairs.distance_km,
                      "vs30": self.pairs.vs30}[name][rows]  # fmt: skip
            rows = rows[(values >= low) & (values <= high)]
        self.rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]
        self.fc_hz = fc_hz
        self.y = self.pairs.set.waveforms(self.rows).astype(np.float64)
        self.event = self.pairs.event[self.rows]
        self.mag, self.distance = self.pairs.mag[self.rows], self.pairs.distance_km[self.rows]
        self.vs30 = self.pairs.vs30[self.rows]
        self.three = self.y[:, 2].any(axis=1)
        self.x = np.fft.irfft(low_spectrum(self.y, DT_S, NPTS, DT_S, fc_hz))[..., :NPTS]
        # what is given has all that the splice takes, up to 1.2 fc, and nothing above 1.8 fc
        self.given = np.fft.irfft(low_spectrum(self.y, DT_S, NPTS, DT_S, 1.5 * fc_hz))[..., :NPTS]
        self.ln = measured(self.y)

    def low(self, rows: np.ndarray) -> LowFrequency:
        """What a model is given."""
        return LowFrequency(self.given[rows], DT_S, self.fc_hz)

    def scenarios(self, rows: np.ndarray) -> Scenarios:
        """Conditions."""
        return Scenarios(mag=self.mag[rows], rhypo=self.distance[rows], vs30=self.vs30[rows])


def measured(waves: np.ndarray) -> np.ndarray:
    """ln of all measures, RotD50 of the horizontals."""
    with np.errstate(divide="ignore"):
        return np.log(intensity_measures_array(waves[:, :2].astype(np.float32), DT_S, IMTS))


def tenth(x: np.ndarray) -> np.ndarray:
    """Samples after which a tenth of the energy of horizontals (n, 3, nt) has come."""
    energy = (x[:, :2] ** 2).sum(axis=1).cumsum(axis=1)
    return (energy < 0.1 * energy[:, -1:]).sum(axis=1)


def moved(wave: np.ndarray, by: int) -> np.ndarray:
    """(3, any) later by samples, cut to NPTS."""
    wave = np.pad(wave, ((0, 0), (max(by, 0), NPTS + max(-by, 0))))
    return wave[:, max(-by, 0) :][:, :NPTS]


def joined(held: HeldOut, i: int, other: np.ndarray, scaled: bool) -> np.ndarray:
    """The low band of record i, and what is above it of another motion (3, any)."""
    nt = max(NPTS, other.shape[1])
    other = np.pad(other, ((0, 0), (0, nt - other.shape[1]))).astype(np.float64)
    low = np.fft.irfft(low_spectrum(other, DT_S, nt, DT_S, held.fc_hz))[:, :nt]
    if scaled:
        other = other * np.sqrt((held.x[i, :2] ** 2).sum() / max((low[:2] ** 2).sum(), 1e-30))
    by = int(tenth(held.x[i : i + 1])[0] - tenth(low[None])[0])
    spectrum = low_spectrum(held.given[i], DT_S, NPTS, DT_S, held.fc_hz)
    return splice(spectrum, moved(other, by), DT_S, held.fc_hz)[:, :NPTS]


def baselines(held: HeldOut, n: int) -> dict[str, list[np.ndarray]]:
    """(k, 3, NPTS) for each record; of B4 none where the event has no other."""
    stochastic = load_model("stochastic", "cpu")
    pairs, fc = held.pairs, held.fc_hz
    train = pairs.train
    train_low, _ = pairs.levels(train, fc)
    own_low = ln_amplitude(held.x, DT_S, low_grid_hz(fc))
    made: dict[str, list[np.ndarray]] = {"B0": [], "B1": [], "B3": [], "B4": []}
    for i in range(len(held.rows)):
        made["B0"].append(held.x[i][None])
        conditions = {
            "mag": held.mag[i], "rhypo": held.distance[i], "rrup": held.distance[i],
            "vs30": held.vs30[i], "hypo_depth": 10.0,
        }  # fmt: skip
        ranges = {r.name: (r.low, r.high) for r in stochastic.card.conditions}
        scenario = Scenarios(**{k: [np.clip(conditions[k], *v)] for k, v in ranges.items()})
        waves = stochastic.generate(scenario, n, seed=1000 + i)["acceleration"].values[0]
        made["B1"].append(np.stack([joined(held, i, w, False) for w in waves]))
        # nearest by magnitude, ln distance and the spectrum of the low band
        apart = (
            (pairs.mag[train] - held.mag[i]) ** 2
            + np.log(pairs.distance_km[train] / held.distance[i]) ** 2
            + ((train_low[:, :2].mean(axis=1) - own_low[i, :2].mean(axis=0)) ** 2).mean(axis=1)
        )
        near = train[np.argsort(apart)[: min(n, 10)]]
        waves = pairs.set.waveforms(near)
        made["B3"].append(np.stack([joined(held, i, w, True) for w in waves]))
        others = held.all[pairs.event[held.all] == held.event[i]]
        others = others[others != held.rows[i]]
        order = np.argsort(np.abs(np.log(pairs.distance_km[others] / held.distance[i])))
        waves = pairs.set.waveforms(others[order[: min(n, 10)]])
        made["B4"].append(np.array([joined(held, i, w, True) for w in waves]))
    return made
