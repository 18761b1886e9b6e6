"""The classifier in the package: what its card says, and what it was trained to tell."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard import Scenarios, load_model
from gwm_hazard.benchmark.classifiers import DEFAULT, find_classifier
from gwm_hazard.datasets.simulation import Simulation
from gwm_hazard.models.highfem.classifier import shipped


def test_it_is_small_and_says_what_it_is():
    assert sum(f.stat().st_size for f in shipped()[DEFAULT].iterdir()) < 2e6
    about = find_classifier().about
    assert about["licence"] == "AGPL-3.0-or-later" and "simulated" in about["training_data"]
    text = " ".join(about["limitations"])
    assert "seen no observed record" in text and "observed records of" in text


def test_it_tells_magnitudes_and_distances_of_the_stochastic_model():
    """New draws for conditions like those it learned: as right as its card says."""
    classifier = find_classifier()
    table = Simulation(seed=8).conditions(np.arange(160), np.zeros(160, dtype=np.int64))
    model = load_model("stochastic", "cpu")
    drawn = model.generate(Scenarios(**{k: table[k].to_numpy() for k in table}), 1, seed=3)
    drawn = drawn["acceleration"].to_numpy()[:, 0]
    found = classifier.embed(drawn)
    assert classifier.accuracy(found, table) == pytest.approx(
        classifier.about["held_out"]["accuracy"], abs=0.15
    )
    bins = len(classifier.classes.mag) - 1
    off = classifier.said(found) % bins - classifier.right(table) % bins
    assert abs(off.mean()) < 0.3 and (np.abs(off) <= 1).mean() > 0.85
