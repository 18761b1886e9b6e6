"""Sections in a world of known truth: the good model is good, bad ones are caught, and where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gwm_hazard.benchmark import section as stored
from gwm_hazard.benchmark.sections import (
    bias,
    correlations,
    durations,
    probabilities,
    scaling,
    variability,
)
from tests.benchmark.world import IMTS, PHI, TAU, world


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return world(("halved", "certain", "uncorrelated"), work=tmp_path_factory.mktemp("work"))


def best(scores):
    return min(scores, key=scores.get)


def test_bias_catches_halved_amplitudes(data):
    found = bias.section(data)
    table = found.tables["Bias, records inside the range of all models"]
    halved = table.loc["halved"]
    assert halved["bias, log10"].to_numpy() == pytest.approx(np.log10(2.0), abs=0.06)
    assert (halved["2.5 %"] > 0.2).all()
    good = table.loc["good"]
    assert ((good["2.5 %"] < 0) & (good["97.5 %"] > 0)).mean() >= 0.8
    assert good["sd, log10"].to_numpy() == pytest.approx(np.hypot(TAU, PHI) / np.log(10), rel=0.1)
    scores = found.scores["bias, mean |log10|"]
    assert scores["halved"] > 0.25 > 10 * scores["good"] - 0.1
    assert scores["halved"] == max(scores.values())


def test_variability_catches_halved_sigma(data):
    found = variability.section(data)
    table = found.tables["Standard deviation of residuals, ln units"]
    good, certain = table.loc["good"], table.loc["certain"]
    assert good["ratio"].to_numpy() == pytest.approx(1.0, abs=0.12)
    assert certain["ratio"].to_numpy() == pytest.approx(0.5, abs=0.06)
    assert (certain["97.5 %"] < 0.65).all()
    assert (table.loc["halved"]["ratio"] - good["ratio"]).abs().max() < 0.15
    parts = found.tables["Between events, between stations, remaining, ln units"]
    for name, factor in (("observed", 1.0), ("good", 1.0), ("certain", 0.5)):
        part = parts.loc[name]
        assert part["tau"].to_numpy() == pytest.approx(factor * TAU, rel=0.3)
        assert part["phi SS"].to_numpy() == pytest.approx(factor * PHI, rel=0.1)
        assert part["phi S2S"].max() < 0.1
    scores = found.scores["variability, mean |ln ratio|"]
    assert scores["certain"] == max(scores.values())


def test_llh_catches_both(data):
    found = probabilities.section(data)
    entropy = 0.5 * np.log2(2 * np.pi * np.e * (TAU**2 + PHI**2))
    llh = found.scores["LLH"]
    assert llh["good"] == pytest.approx(entropy, abs=0.1)
    # what halving the amplitudes, or sigma, costs in bits
    assert llh["halved"] - llh["good"] == pytest.approx(
        np.log(2) ** 2 / (TAU**2 + PHI**2) / 2 / np.log(2), abs=0.2
    )
    assert llh["certain"] - llh["good"] == pytest.approx(1.5 / np.log(2) - 1, abs=0.3)
    assert found.scores["LLH by event"]["good"] < llh["good"] - 0.1
    table = found.tables["LLH, records inside the range of all models"]
    assert table.loc["good"]["weight"].sum() > table.loc["halved"]["weight"].sum()
    assert ((table["2.5 %"] < table["LLH"]) & (table["LLH"] < table["97.5 %"])).all()


def test_joint_llh_and_correlation_catch_measures_that_are_independent(data):
    joint = probabilities.section(data).scores["LLH of all periods"]
    assert joint["uncorrelated"] > joint["good"] + 0.2
    found = correlations.section(data)
    scores = found.scores["correlation of periods, rms"]
    assert scores["good"] < 0.06 and scores["uncorrelated"] > 0.3
    table = found.tables["Correlation of residuals"]
    assert table.loc[("SA(0.1)", "SA(0.3)"), "good"] == pytest.approx(0.7, abs=0.06)
    assert table.loc[("SA(0.1)", "SA(0.3)"), "uncorrelated"] == pytest.approx(0.0, abs=0.1)


def test_scaling_and_durations(data):
    found = scaling.section(data)
    table = found.tables["Binned observations and models"]
    rows = table.xs(("distance", "PGA"), level=("axis", "measure"))
    wide = rows.unstack("model")
    enough = wide["records"]["observed"] >= 50
    ratio = np.log(wide["median"]["good"] / wide["median"]["observed"])[enough]
    assert ratio.abs().max() < 0.35 and abs(ratio.mean()) < 0.12
    halved = np.log(wide["median"]["good"] / wide["median"]["halved"])[enough]
    assert halved.to_numpy() == pytest.approx(np.log(2.0))
    assert wide["sd, ln"]["good"][enough].to_numpy() == pytest.approx(np.hypot(TAU, PHI))
    lasting = durations.section(data)
    scores = lasting.scores["duration, mean |ln|"]
    assert scores["halved"] == max(scores.values()) and scores["good"] < 0.15
    assert durations.PUBLISHED in lasting.tables["Bias and variability of durations"].index


def test_one_event_has_no_panels_of_magnitude_and_tau(tmp_path):
    one = world(events=1, stations=60, work=tmp_path)
    for module in (bias, scaling, durations):
        titles = list(module.section(one).figures)
        assert titles and not any("magnitude" in title for title in titles)
    parts = variability.section(one).figures["Parts of the variability"]
    assert [ax.get_title()[:4] for ax in parts.axes] == ["phi ", "tota"], parts


def test_sections_say_why_they_do_not_apply(tmp_path):
    data = replace(world(work=tmp_path), imts=("PGA",))
    assert "no significant duration" in durations.section(data).reason
    data.predictions[0].outside[:] = True
    data.predictions[0].mean[:] = data.predictions[0].draw[:] = np.nan
    assert "no record" in probabilities.section(data).reason
    assert "no model has 30" in variability.section(data).reason


def test_stored_section_reads_back(data, tmp_path):
    found = bias.section(data)
    stored.save(found, tmp_path / "bias", {"inputs": "x"})
    assert stored.stamp_of(tmp_path / "bias") == {"inputs": "x"}
    back = stored.load(tmp_path / "bias")
    assert (back.key, back.title, back.text) == (found.key, found.title, found.text)
    assert back.scores == found.scores and back.captions == found.captions
    for title, table in found.tables.items():
        assert back.tables[title].index.names == table.index.names
        assert back.tables[title].to_numpy() == pytest.approx(table.to_numpy(), nan_ok=True)
    for files in back.figures.values():
        assert {p.suffix for p in files.values()} == {".png", ".pdf"}
        assert all(p.stat().st_size > 1000 for p in files.values())
    reason = stored.Skipped("k", "t", "because")
    stored.save(reason, tmp_path / "bias")
    assert stored.load(tmp_path / "bias") == reason
    with pytest.raises(ValueError, match="captions of nothing"):
        stored.Section("k", "t", "", captions={"no": "x"})


def test_results_do_not_depend_on_the_order_of_records():
    a, b = world(("halved",)), world(("halved",))
    order = np.random.default_rng(0).permutation(len(b.observations))
    conditions = b.conditions.iloc[order].reset_index(drop=True)
    names = ("mean", "tau", "phi", "draw")
    predictions = [replace(p, **{n: getattr(p, n)[order] for n in names}) for p in b.predictions]
    b = replace(
        b,
        observations=b.observations.take(order),
        conditions=conditions,
        predictions=predictions,
    )
    for module in (bias, probabilities):
        left, right = module.section(a).scores, module.section(b).scores
        for score in left:
            assert left[score] == pytest.approx(right[score], rel=1e-9)
    assert a.bootstrap.times.tolist() == b.bootstrap.times.tolist()


def test_common_records_are_those_of_all_models():
    data = world(("halved",))
    data.predictions[1].outside[:100] = True
    data.predictions[1].__post_init__()
    data.predictions[1].mean[:, IMTS.index("RSD595")] = np.nan  # not given: not counted
    assert not data.common[:100, :5].any() and data.common[100:].all()
    assert data.common[:, 5].all()
    assert data.shown == ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)")
