"""The picture of a catalogue's accelerograms, of models with one and with three components."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.stochastic import StochasticModel
from gwm_hazard.openquake.figures import GALLERY_PERIODS_S, gallery
from tests.toy import OneHorizontal


class Few(OneHorizontal):
    """Without a site condition."""

    def __init__(self) -> None:
        super().__init__()
        self.card = replace(self.card, conditions=self.card.conditions[:2])

    def draw(self, scenarios: Scenarios, noise: Noise) -> Any:
        rock = np.full(len(scenarios), 760.0)
        return super().draw(Scenarios(**{k: scenarios[k] for k in scenarios}, vs30=rock), noise)


IMTS = {"PGA": "g", "PGV": "cm/s", "RSD595": "s"}


def catalogue(path: Path, model: WaveformModel, n: int = 4) -> Any:
    """A catalogue as post-processing writes it, and its first record."""
    table = {"mag": np.linspace(5, 5.5, n), "rrup": 20.0, "vs30": 400.0, "hypo_depth": 10.0}
    sc = Scenarios(**{k: v for k, v in table.items() if k in model.card.condition_names})
    noise = Noise(1, np.arange(n), 0, 0)
    extra: dict[str, Any] = {
        "branch": np.full(n, "b1", dtype=object),
        "imt": np.full(n, "PGA", dtype=object),
        "poe": np.repeat([0.1, 0.02], n // 2),
    }
    with CatalogueWriter(path, model, 0, 1, IMTS, {k: {} for k in extra}) as writer:
        for rows, acc in model.batches(sc, noise, 1):
            values = intensity_measures_array(acc, model.dt_s, list(IMTS))
            columns = {imt: values[:, i] for i, imt in enumerate(IMTS)}
            writer.append(acc, sc.take(rows), noise.take(rows), columns,
                          {k: v[rows] for k, v in extra.items()})  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        (OneHorizontal(), ["RotD50, from H1 alone"]),
        (Few(), ["RotD50, from H1 alone"]),
        (StochasticModel(), ["RotD50", "vertical"]),
    ],
)
def test_spectra_of_what_there_is(tmp_path: Path, model: WaveformModel, lines: list[str]) -> None:
    figure = gallery(catalogue(tmp_path / "waveforms.h5", model), per_poe=1)
    figure.savefig(tmp_path / "waveforms.png")
    traces, spectra = figure.axes[0], figure.axes[1]
    assert len(traces.lines) == len(model.card.components)
    assert [str(line.get_label()) for line in spectra.lines] == lines
    assert all(np.isfinite(np.asarray(line.get_ydata())).all() for line in spectra.lines)
    assert traces.get_title(loc="left").startswith("10 %: M 5.")
    assert ("Vs30 400 m/s" in traces.get_title(loc="left")) is (
        "vs30" in model.card.condition_names
    )
    assert len(np.asarray(spectra.lines[0].get_xdata())) == len(GALLERY_PERIODS_S)
