"""Simulated training sets: records of the stochastic model over a distribution of conditions.

Every number of a record follows from (seed, event, site): a longer set begins with the records of
a shorter one, and an interrupted run goes on where it stopped. The sites of an event share its
magnitude, depth and between-event terms.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import signal, special, stats

from gwm_hazard.core.distance import rupture_distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.datasets.balance import MOST, Balance
from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import read_text
from gwm_hazard.files.provenance import attributes
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.registry import load_model
from gwm_hazard.records.training_set import TrainingSet, TrainingSetWriter, split_by_event

#: Least distance to the rupture that is drawn, km: the stochastic model's own bound.
_NEAREST_KM = 1.0

#: Records drawn at once.
_CHUNK = 256


@dataclass(frozen=True)
class Simulation:
    """What is drawn; the defaults are those of the bundled model's training set.

    Conditions are a mixture, chosen event by event. The *network* part is fitted to the
    conditions of the K-NET and KiK-net records that Palgunadi et al. (2025) trained on
    (``validation/highfem_small/conditions.py`` prints the fit): truncated exponential magnitudes;
    depths lognormal (shallow) or truncated normal (deep); epicentral distances of Weibull
    distribution whose scale grows with magnitude; lognormal Vs30. There large magnitudes, short
    distances and shallow events are rare, so the *even* part is uniform in magnitude, ln distance,
    ln Vs30 and the square root of depth.

    ``rhypo`` is the distance to the equivalent point source: the model draws with the rupture
    distance sqrt(rhypo^2 - h(M)^2), h of Boore and Thompson (2015), as OpenQuake branches with
    ``distance = "effective"`` turn it the other way (:mod:`gwm_hazard.core.distance`). The P wave
    arrives 5 s after the start, where the stochastic model puts it.

    Attributes
    ----------
    records, sites_per_event : how many records, and how many of them share an event
    seed : of all that is drawn
    even_share : share of events from the even part
    mag, rhypo, vs30, hypo_depth : lowest and highest value, of both parts (km, m/s)
    mag_b : b value of the network part
    shallow_share, shallow_km, shallow_sigma_ln : its lognormal depths: share, median, ln sd
    deep_km, deep_sd_km : its normal depths
    distance_shape, distance_km, distance_slope_km, distance_most_km : Weibull epicentral
        distances: shape, scale at the lowest magnitude, growth with magnitude, largest scale
    vs30_median, vs30_sigma_ln : its Vs30
    highpass_hz : causal second-order Butterworth, as records are prepared; 0 for none
    ambient_m_s2, ambient_sigma_ln : white ambient noise: median rms and its ln sd; 0 for none
    npts : samples of each record, at 100 Hz
    shares : of events in train, dev and test
    balance : feature -> [lowest, highest, number of bins]: candidates are drawn until all bins
        hold equally many records (:mod:`gwm_hazard.datasets.balance`); none for all candidates
    """

    records: int = 10_000
    sites_per_event: int = 4
    seed: int = 0
    even_share: float = 0.6
    mag: tuple[float, float] = (4.0, 8.0)
    rhypo: tuple[float, float] = (3.0, 200.0)
    vs30: tuple[float, float] = (150.0, 1500.0)
    hypo_depth: tuple[float, float] = (0.0, 100.0)
    mag_b: float = 0.68
    shallow_share: float = 0.16
    shallow_km: float = 9.7
    shallow_sigma_ln: float = 0.27
    deep_km: float = 43.0
    deep_sd_km: float = 21.5
    distance_shape: float = 2.3
    distance_km: float = 75.0
    distance_slope_km: float = 35.0
    distance_most_km: float = 145.0
    vs30_median: float = 326.0
    vs30_sigma_ln: float = 0.50
    highpass_hz: float = 0.1
    ambient_m_s2: float = 5e-5
    ambient_sigma_ln: float = 0.7
    npts: int = 4096
    shares: tuple[float, float, float] = (0.9, 0.05, 0.05)
    balance: dict[str, tuple[float, float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, f.name, value)
            default = f.default
            if f.name == "balance":
                good = isinstance(value, dict)
                Balance(value if good else {}, self.records)
            elif isinstance(default, tuple):
                good = isinstance(value, tuple) and len(value) == len(default)
                good = good and all(isinstance(v, int | float) and v >= 0 for v in value)
            elif isinstance(default, int):
                good = isinstance(value, int) and value >= (f.name != "seed")
            else:
                good = isinstance(value, int | float) and value >= 0 and math.isfinite(value)
            if not good or isinstance(value, bool):
                like = "a table of bins" if f.name == "balance" else f"a value like {default!r}"
                raise InputError(f"{f.name} = {value!r}: give {like}")
        for name in ("mag", "rhypo", "vs30", "hypo_depth"):
            low, high = getattr(self, name)
            if not low < high:
                raise InputError(f"{name} = [{low}, {high}]: the first must be below the second")
        for name in ("even_share", "shallow_share"):
            if getattr(self, name) > 1:
                raise InputError(f"{name} = {getattr(self, name)}: give a share from 0 to 1")
        for name in ("rhypo", "vs30"):
            if getattr(self, name)[0] <= 0:
                raise InputError(f"{name} = {list(getattr(self, name))}: must be above 0")

    @classmethod
    def read(cls, path: Path) -> Simulation:
        """From a TOML file of the attributes; ValueError for an unknown name or a wrong value."""
        try:
            values = tomllib.loads(read_text(path))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise InputError(f"{path}: not TOML ({exc})") from exc
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                raise InputError(f"{path}: unknown setting {name!r}; known: {', '.join(known)}")
        return cls(**values)

    def conditions(self, event: NDArray[np.int64], site: NDArray[np.int64]) -> pd.DataFrame:
        """Conditions of records by their keys (n,): mag, rhypo, vs30, hypo_depth, rrup."""
        noise = Noise(self.seed, event, site, 0)
        # chosen part, magnitude, depth twice: of the event; distance, Vs30: of the record
        e = special.ndtr(noise.normal("event conditions", 4, per_event=True).astype(float))
        r = special.ndtr(noise.normal("record conditions", 2).astype(float))
        even = e[:, 0] < self.even_share

        mag = np.where(even, _between(self.mag, e[:, 1]), self._network_mag(e[:, 1]))
        depth = np.where(
            even, _between(self.hypo_depth, e[:, 2] ** 2), self._network_depth(e[:, 2], e[:, 3])
        )
        rhypo = np.where(
            even,
            np.exp(_between(np.log(self.rhypo), r[:, 0])),
            self._network_distance(r[:, 0], mag, depth),
        )
        vs30 = np.where(
            even, np.exp(_between(np.log(self.vs30), r[:, 1])), self._network_vs30(r[:, 1])
        )
        return pd.DataFrame(
            {
                "mag": mag,
                "rhypo": rhypo,
                "vs30": vs30,
                "hypo_depth": depth,
                "rrup": rupture_distance_km(mag, rhypo, _NEAREST_KM),
            }
        )

    def _network_mag(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high = self.mag
        rate = self.mag_b * math.log(10.0)
        return low - np.log1p(-u * -math.expm1(-rate * (high - low))) / rate

    def _network_depth(
        self, u: NDArray[np.float64], which: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        shallow = stats.lognorm(self.shallow_sigma_ln, scale=self.shallow_km)
        deep = stats.norm(self.deep_km, self.deep_sd_km)
        return np.where(
            which < self.shallow_share,
            _within(shallow, self.hypo_depth, u),
            _within(deep, self.hypo_depth, u),
        )

    def _network_distance(
        self, u: NDArray[np.float64], mag: NDArray[np.float64], depth: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Hypocentral distances of epicentral ones that keep within the bounds."""
        grown = self.distance_km + self.distance_slope_km * (mag - self.mag[0])
        scale = np.minimum(grown, self.distance_most_km)
        bounds = [np.sqrt(np.maximum(b**2 - depth**2, 0.0)) for b in self.rhypo]
        low, high = (stats.weibull_min.cdf(b, self.distance_shape, scale=scale) for b in bounds)
        repi = stats.weibull_min.ppf(low + u * (high - low), self.distance_shape, scale=scale)
        return np.clip(np.hypot(repi, depth), *self.rhypo)

    def _network_vs30(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return _within(stats.lognorm(self.vs30_sigma_ln, scale=self.vs30_median), self.vs30, u)


def simulate(
    simulation: Simulation,
    folder: str | Path,
    model: str | Path | WaveformModel = "stochastic",
    *,
    resume: bool = False,
    progress: Callable[[float], None] | None = None,
) -> TrainingSet:
    """Write a training set of simulated records.

    Parameters
    ----------
    simulation : Simulation
    folder : path
        To write; must not exist.
    model : str, path or WaveformModel
        A model that takes mag, rrup or rhypo, vs30 and hypo_depth, at 100 Hz.
    resume : bool
        Go on where an interrupted run of the same settings stopped.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    ValueError
        A model of another sampling rate or number of components, or whose ranges the settings
        leave; a folder that exists.
    """
    drawn_by = model if isinstance(model, WaveformModel) else load_model(model)
    card = drawn_by.card
    if len(card.components) != 3 or card.sampling_rate_hz != 100.0:
        raise InputError(
            f"model {card.name!r}: {len(card.components)} components at {card.sampling_rate_hz:g} "
            "Hz; training sets are of three at 100 Hz"
        )
    notes = attributes(card) | {"simulation": asdict(simulation)}
    writer = TrainingSetWriter(folder, npts=simulation.npts, attributes=notes, resume=resume)
    with writer:
        chunks = _balanced if simulation.balance else _chunks
        for acceleration, table in chunks(simulation, drawn_by, writer.table):
            writer.append(acceleration, table)
            if progress is not None:
                progress(len(writer) / simulation.records)
    return TrainingSet.open(folder)


Chunk = tuple[NDArray[np.float32], pd.DataFrame]


def _chunks(simulation: Simulation, model: WaveformModel, made: pd.DataFrame) -> Iterator[Chunk]:
    """Records after those that are made: acceleration (n, 3, npts) m/s2 and their table."""
    for first in range(len(made), simulation.records, _CHUNK):
        rows = np.arange(first, min(first + _CHUNK, simulation.records))
        yield _candidates(simulation, model, rows)


def _balanced(simulation: Simulation, model: WaveformModel, made: pd.DataFrame) -> Iterator[Chunk]:
    """As :func:`_chunks`, of the candidates that fall into bins that are not full.

    The features of a record stand in the table, so that the bins are known after a kill.
    """
    balance = Balance(simulation.balance, simulation.records)
    names, last = list(balance.names), -1
    if len(made):
        balance.take(made[names].to_numpy(dtype=np.float64))
        event, site = made["record_id"].iloc[-1].removeprefix("e").split("_s")
        last = int(event) * simulation.sites_per_event + int(site)
    first = (last + 1) // _CHUNK * _CHUNK
    while balance.wanted:
        if first > MOST * simulation.records:
            raise InputError(
                f"balance: {simulation.records - balance.wanted} of {simulation.records} records "
                f"after {first} candidates; hardly any has {balance.missing()}: take bins that "
                "the conditions reach, or other conditions"
            )
        rows = np.arange(first, first + _CHUNK)
        acceleration, table = _candidates(simulation, model, rows)
        table[names] = balance.features(acceleration, model.dt_s)
        new = np.flatnonzero(rows > last)
        kept = new[balance.take(table[names].to_numpy()[new])]
        if len(kept):
            yield acceleration[kept], table.iloc[kept]
        first += _CHUNK


def _candidates(simulation: Simulation, model: WaveformModel, row: NDArray[np.int64]) -> Chunk:
    """Records by their numbers."""
    event, site = np.divmod(row, simulation.sites_per_event)
    table = simulation.conditions(event, site)
    acceleration = drawn(simulation, model, table, Noise(simulation.seed, event, site, 0))
    names = [f"e{e:08d}" for e in event]
    table["event_id"] = names
    table["record_id"] = [f"{e}_s{s:03d}" for e, s in zip(names, site, strict=True)]
    table["station"] = [f"s{s:03d}" for s in site]
    table["split"] = split_by_event(names, simulation.shares, simulation.seed)
    table["p_sample"] = round(5.0 / model.dt_s)
    return acceleration, table


def drawn(
    simulation: Simulation, model: WaveformModel, table: pd.DataFrame, noise: Noise
) -> NDArray[np.float32]:
    """Records (n, 3, npts), m/s2, of conditions (n rows), as they would have been recorded."""
    scenarios = Scenarios(**{str(k): v.to_numpy() for k, v in table.items()})
    model.card.check(scenarios)
    acceleration = np.zeros((len(table), 3, simulation.npts), dtype=np.float32)
    for rows, made in model.batches(scenarios, noise):
        kept = min(simulation.npts, made.shape[2])
        acceleration[rows, :, :kept] = made[:, :, :kept]
    return _as_recorded(simulation, acceleration, noise, model.dt_s)


def _as_recorded(
    simulation: Simulation, acceleration: NDArray[np.float32], noise: Noise, dt_s: float
) -> NDArray[np.float32]:
    """Ambient noise added, and the high-pass of prepared records."""
    if simulation.ambient_m_s2:
        z = noise.normal("ambient level", 1)
        level = simulation.ambient_m_s2 * np.exp(simulation.ambient_sigma_ln * z)
        white = noise.normal("ambient", 3 * simulation.npts).reshape(acceleration.shape)
        acceleration = acceleration + level[:, :, None].astype(np.float32) * white
    if simulation.highpass_hz:
        sos = signal.butter(2, simulation.highpass_hz, "highpass", fs=1.0 / dt_s, output="sos")
        acceleration = signal.sosfilt(sos, acceleration, axis=-1).astype(np.float32)
    return acceleration


def _between(bounds: tuple[float, float] | NDArray[np.float64], u: NDArray[np.float64]):  # type: ignore[no-untyped-def]
    return bounds[0] + u * (bounds[1] - bounds[0])


def _within(
    distribution: stats.rv_continuous, bounds: tuple[float, float], u: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles of a distribution cut at bounds."""
    low, high = distribution.cdf(np.asarray(bounds))
    return np.clip(distribution.ppf(low + u * (high - low)), *bounds)
