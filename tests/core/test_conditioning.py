"""From tables to a model's conditions: distances, fixed values, priors, ranges, gaps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gwm_hazard.core import conditioning as module
from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.conditioning import conditioning_of, distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.units import CONDITIONS
from tests.toy import ToyModel


def card(distance: str = "effective", **ranges: tuple[float, float]) -> ModelCard:
    ranges = {"mag": (4.0, 8.0), "rhypo": (5.0, 200.0), "vs30": (150.0, 1500.0)} | ranges
    found = tuple(Range(name, *bounds) for name, bounds in ranges.items())
    return replace(ToyModel().card, conditions=found, distance=distance)


#: h(M) of Boore and Thompson (2015) at M 5 and at M 7.744, by their two lines.
MAG = np.array([5.0, 7.744])
H = 10.0 ** np.array([-1.72 + 0.43 * 5.0, -0.405 + 0.235 * 7.744])
TABLE = pd.DataFrame(
    {"mag": MAG, "rrup": [20.0, 10.0], "rhypo": [22.0, 60.0], "vs30": [400.0, 760.0]}
)


@pytest.mark.parametrize(
    ("meaning", "expected", "columns"),
    [
        ("effective", np.sqrt(np.array([20.0, 10.0]) ** 2 + H**2), {"mag", "rrup", "vs30"}),
        ("rhypo", np.array([22.0, 60.0]), {"mag", "rhypo", "vs30"}),
        ("rrup", np.array([20.0, 10.0]), {"mag", "rrup", "vs30"}),
    ],
)
@pytest.mark.parametrize("kind", ["flatfile", "context"])
def test_the_card_says_which_distance_is_given(
    meaning: str, expected: np.ndarray, columns: set[str], kind: str
) -> None:
    table: Any = TABLE if kind == "flatfile" else TABLE.to_records(index=False)
    for given in (
        conditioning_of(card(meaning)),
        conditioning_of(card("rhypo"), distance=meaning),  # a user has the last word
    ):
        assert given.columns == columns
        found = given.conditions(table, "error")
        assert list(found) == ["mag", "rhypo", "vs30"]
        # the join of the two lines is a parabola that meets the second one nearly
        np.testing.assert_allclose(found["rhypo"], expected, rtol=4e-4)
        assert given.of_records(table)["rhypo"].tolist() == found["rhypo"].tolist()


def test_an_effective_distance_is_the_hypocentral_one_where_the_rupture_is_not_known() -> None:
    table = TABLE.assign(rrup=[np.nan, 10.0])
    assert distance_km(table, "effective")[0] == 22.0
    assert distance_km(table, "effective")[1] == distance_km(TABLE, "effective")[1]
    only = TABLE[["mag", "rhypo"]]
    assert distance_km(only, "effective").tolist() == [22.0, 60.0]


def test_a_hazard_calculation_may_not_leave_a_gap() -> None:
    given = conditioning_of(card())
    with pytest.raises(ValueError, match="rhypo = nan km of record b: must be from 0"):
        given.conditions(TABLE.assign(rrup=[20.0, np.nan], record_id=["a", "b"]), "clip")


def test_records_without_a_value_are_told_apart() -> None:
    given = conditioning_of(ToyModel().card)
    table = TABLE.assign(rrup=[np.nan, 10.0], vs30=[400.0, np.nan])
    found = given.of_records(table)
    assert np.isnan(found["rrup"]).tolist() == [True, False]
    assert np.isnan(found["vs30"]).tolist() == [False, True]
    assert given.of_records(table, stand_in=True)["rrup"].tolist() == [22.0, 10.0]
    assert np.isnan(given.of_records(table[["mag"]])["vs30"]).all()


def test_the_hypocentre_comes_along_to_a_model_that_takes_the_rupture_distance() -> None:
    given = conditioning_of(ToyModel().card)
    assert given.of_records(TABLE.assign(rhypo=[np.nan, 60.0]))["rhypo"].tolist() == [20.0, 60.0]
    assert "rhypo" not in given.conditions(TABLE, "error")


def test_what_nobody_tells_has_a_prior_and_what_a_table_tells_of_it_counts() -> None:
    given = conditioning_of(card(azimuthal_gap=(40.0, 280.0)))
    assert given.priors == ("azimuthal_gap",) and given.asked == ("mag", "rhypo", "vs30")
    assert given.conditions(TABLE, "error")["azimuthal_gap"].tolist() == [160.0, 160.0]
    u = {"azimuthal_gap": [0.0, 0.25]}
    assert given.conditions(TABLE, "error", u)["azimuthal_gap"].tolist() == [40.0, 100.0]
    known = TABLE.assign(azimuthal_gap=[np.nan, 77.0])
    assert given.of_records(known, u)["azimuthal_gap"].tolist() == [40.0, 77.0]


def test_a_prior_is_uniform_and_one_for_all_sites_of_an_event() -> None:
    given = conditioning_of(card(azimuthal_gap=(40.0, 280.0)))
    gap = given.from_priors(Noise(3, np.repeat(np.arange(500), 2), np.tile([4, 9], 500), 0))
    events = gap["azimuthal_gap"].reshape(500, 2)
    assert (events[:, 0] == events[:, 1]).all()
    assert stats.kstest(events[:, 0], "uniform", (40.0, 240.0)).pvalue > 0.01


def test_only_what_openquake_has_no_word_for_has_a_prior() -> None:
    contexts = pytest.importorskip("openquake.hazardlib.contexts")
    from openquake.hazardlib.site import site_param_dt

    from gwm_hazard.openquake.gsim import RUPTURE_PARAMETERS

    words = set(site_param_dt) | set(contexts.KNOWN_DISTANCES) | RUPTURE_PARAMETERS
    assert {name for name, c in CONDITIONS.items() if not c.told} == set(CONDITIONS) - words


def test_ranges_are_the_narrower_of_the_card_and_of_what_estimates() -> None:
    given = conditioning_of(card(), within={"mag": (5.5, 9.0)})
    assert given.ranges == {"mag": (5.5, 8.0), "rhypo": (5.0, 200.0), "vs30": (150.0, 1500.0)}
    assert given.outside(TABLE)["mag"].tolist() == [True, False]
    clipped = given.clipped(given.of_records(TABLE.assign(vs30=[100.0, 3000.0])))
    assert clipped["mag"].tolist() == [5.5, 7.744]
    assert clipped["vs30"].tolist() == [150.0, 1500.0]


def test_range_policies(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(module, "_warned", set())
    given, far = conditioning_of(card("rhypo")), TABLE.assign(rhypo=[22.0, 900.0], sids=[3, 12])
    with pytest.raises(ValueError, match=r"rhypo = 900 km at site 12 is outside .* 5 to 200 km"):
        given.conditions(far, "error")
    for _ in range(2):
        assert given.conditions(far, "clip")["rhypo"].tolist() == [22.0, 200.0]
    assert len(caplog.records) == 1
    conditioning_of(card("rhypo")).conditions(far, "clip")  # another job has its own warning
    assert len(caplog.records) == 2


def test_fixed_values() -> None:
    given = conditioning_of(card(azimuthal_gap=(40.0, 280.0)), fixed="azimuthal_gap=90, vs30 = 500")
    assert given.priors == () and given.columns == {"mag", "rrup"}
    found = given.conditions(TABLE[["mag", "rrup"]], "error")
    assert found["azimuthal_gap"].tolist() == [90.0, 90.0] and found["vs30"].tolist() == [500, 500]
    assert given.of_records(TABLE)["vs30"].tolist() == [500.0, 500.0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"distance": "rjb"}, "takes rhypo, which can be effective, rrup, rhypo"),
        ({"fixed": "gap=3"}, "no condition 'gap'"),
        ({"fixed": "vs30"}, 'write "NAME=VALUE"'),
        ({"fixed": "vs30=20"}, "valid for vs30 from 150 to 1500 m/s"),
    ],
)
def test_mistakes(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        conditioning_of(card(), **arguments)


def test_a_card_says_what_it_means_where_it_takes_a_point_distance() -> None:
    assert card("rhypo").to_dict()["distance"] == "rhypo"
    assert "distance" not in ToyModel().card.to_dict()
    assert conditioning_of(ToyModel().card).distance == "rrup"
    with pytest.raises(ValueError, match="card distance 'rjb'"):
        card("rjb")
