"""What every section of the benchmark works from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.kept import KeptWaveforms
from gwm_hazard.benchmark.predictions import Prediction
from gwm_hazard.records.observations import Observations
from gwm_hazard.report.style import LINES, colour
from gwm_hazard.statistics.bootstrap import EventBootstrap

if TYPE_CHECKING:
    from gwm_hazard.benchmark.classifiers import Classifier
    from gwm_hazard.models.base import WaveformModel
    from gwm_hazard.records.training_set import TrainingSet


#: Measures that figures show first.
SHOWN = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)")


@dataclass(frozen=True)
class Settings:
    """What can be chosen of a run; all of it stands in ``run.json``.

    Attributes
    ----------
    draws : realizations a record from which the moments of a model without a surface are
        estimated
    waveforms : records, at most, for which drawn waveforms are kept and compared
    convergence : draws of one scenario from which convergence and normality are judged
    resamples : of the bootstrap over events
    min_records : records below which a bin is hatched
    """

    draws: int = 20
    waveforms: int = 2000
    convergence: int = 1000
    resamples: int = 500
    min_records: int = 10


@dataclass(frozen=True)
class Comparison:
    """Observations and what each model says of them.

    Attributes
    ----------
    observations : the records
    conditions : their conditions with gaps filled (:mod:`gwm_hazard.records.completion`)
    predictions : of every model and GMM, in the order in which they are shown
    models : {prediction's name: model} of the generative ones
    imts : measures that are compared, OpenQuake's names
    seed : of the draws and of the bootstrap
    work : folder of what is kept between runs; a section may keep files of its own in
        ``work / key``
    classifier : whose embeddings are compared, where there is one
    training_sets : {prediction's name: records that trained the model}, where at hand
    """

    observations: Observations
    conditions: pd.DataFrame
    predictions: list[Prediction]
    models: dict[str, WaveformModel]
    imts: tuple[str, ...]
    seed: int
    work: Path
    settings: Settings = field(default_factory=Settings)
    classifier: Classifier | None = None
    training_sets: dict[str, TrainingSet] = field(default_factory=dict)

    def prediction(self, name: str) -> Prediction:
        """The prediction of this name."""
        return next(p for p in self.predictions if p.name == name)

    @cached_property
    def observed(self) -> NDArray[np.float64]:
        """ln of the observed measures, (n, n_imts); NaN where unknown or outside the band."""
        return self.observations.ln(self.imts)

    @cached_property
    def common(self) -> NDArray[np.bool_]:
        """Records, by measure, that are observed and inside the range of every model, (n, n_imts).

        A model that does not give a measure at all is not counted for it. Models are ranked on
        these, so that none has easier records.
        """
        out = np.isfinite(self.observed)
        for p in self.predictions:
            given = np.array([p.gives(i) for i in self.imts])
            out &= np.isfinite(p.mean) | ~given
        return out

    @cached_property
    def bootstrap(self) -> EventBootstrap:
        """Resamples of the events, the same in every section."""
        return EventBootstrap(self.observations.event, self.settings.resamples, self.seed)

    def column(self, imt: str) -> int:
        """Column of a measure."""
        return self.imts.index(imt)

    @property
    def distance_km(self) -> NDArray[np.float64]:
        """Closest distance to the rupture, km, else the hypocentral distance, (n,)."""
        rrup = self.conditions["rrup"].to_numpy(np.float64)
        return np.where(np.isfinite(rrup), rrup, self.conditions["rhypo"].to_numpy(np.float64))

    @property
    def several_magnitudes(self) -> bool:
        """Whether there is anything to show against magnitude."""
        return bool(self.conditions["mag"].nunique() > 1)

    @property
    def shown(self) -> tuple[str, ...]:
        """The measures of figures with a panel each: at most six."""
        peaks = [i for i in self.imts if not i.startswith("RSD")]
        preferred = [i for i in SHOWN if i in peaks]
        return tuple((preferred + [i for i in peaks if i not in preferred])[:6])

    @property
    def generative(self) -> list[Prediction]:
        """The predictions of generative waveform models."""
        return [p for p in self.predictions if p.kind == "gwm"]

    def colour(self, name: str) -> str:
        """The colour of a prediction in every figure."""
        return colour([p.name for p in self.predictions].index(name))

    def line(self, name: str) -> str:
        """The line style of a prediction in every figure."""
        return LINES[self.prediction(name).kind]

    def drawn(self, name: str) -> Iterator[KeptWaveforms]:
        """The waveforms that a model drew, block by block, the same in every section.

        One a record, for at most ``settings.waveforms`` of the records inside the model's range
        (those with observed waveforms first): the very draws behind ``prediction.draw``.
        """
        from gwm_hazard.benchmark.kept import stored

        yield from stored(self.work, name, self.models[name].dt_s)
