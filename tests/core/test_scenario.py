from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard import Scenarios
from gwm_hazard.core.units import CONDITIONS


def test_columns_and_repeated_scalars():
    sc = Scenarios(mag=[6.5, 7.0], rhypo=30, vs30=400.0)
    assert len(sc) == 2
    assert list(sc) == ["mag", "rhypo", "vs30"]
    assert sc["mag"].tolist() == [6.5, 7.0]
    assert sc["rhypo"].tolist() == [30.0, 30.0]
    assert sc["vs30"].dtype == np.float64
    assert dict(sc).keys() == {"mag", "rhypo", "vs30"}


def test_only_scalars_make_one_row():
    assert len(Scenarios(mag=6.0, rrup=10.0)) == 1


def test_the_table_owns_its_values():
    mag = np.array([6.0, 7.0])
    sc = Scenarios(mag=mag, rrup=10.0)
    mag[0] = 0.0
    sc["rrup"][0] = 20.0  # must not write through a broadcast view
    assert sc["mag"].tolist() == [6.0, 7.0]
    assert sc["rrup"].tolist() == [20.0, 10.0]


@pytest.mark.parametrize(
    ("given", "missing"), [("rhypo", "rrup"), ("rrup", "rhypo")], ids=["rhypo", "rrup"]
)
def test_distances_stand_in_for_each_other(given, missing):
    sc = Scenarios(mag=6.0, **{given: [12.0]})
    assert sc[missing].tolist() == [12.0]
    assert sc.stands_in(missing) == given
    assert sc.stands_in(given) is None
    assert missing not in sc


def test_a_given_distance_is_not_replaced():
    sc = Scenarios(mag=6.0, rhypo=30.0, rrup=10.0)
    assert (sc["rhypo"][0], sc["rrup"][0]) == (30.0, 10.0)
    assert sc.stands_in("rrup") is None


def test_other_distances_do_not_stand_in():
    sc = Scenarios(mag=6.0, rjb=10.0)
    for name in ("rrup", "rhypo", "vs30"):
        with pytest.raises(KeyError):
            sc[name]


def test_take_and_repeat():
    sc = Scenarios(mag=[5.0, 6.0, 7.0], rrup=[1.0, 2.0, 3.0])
    assert sc.take([2, 0])["mag"].tolist() == [7.0, 5.0]
    assert sc.take(slice(1, None))["rrup"].tolist() == [2.0, 3.0]
    assert sc.take(np.array([False, True, False])) == Scenarios(mag=6.0, rrup=2.0)
    assert sc.repeat(2)["mag"].tolist() == [5.0, 5.0, 6.0, 6.0, 7.0, 7.0]
    assert len(sc.repeat(2)) == 6


def test_equality():
    sc = Scenarios(mag=[5.0, 6.0], rrup=1.0)
    assert sc == Scenarios(rrup=[1.0, 1.0], mag=[5.0, 6.0])
    assert sc != Scenarios(mag=[5.0, 6.5], rrup=1.0)
    assert sc != Scenarios(mag=[5.0, 6.0], rhypo=1.0)
    assert sc != "a table"


def test_frame():
    frame = Scenarios(mag=[5.0, 6.0], rrup=1.0).to_frame()
    assert frame.columns.tolist() == ["mag", "rrup"]
    assert frame["mag"].tolist() == [5.0, 6.0]


def test_repr_gives_the_ranges():
    assert repr(Scenarios(mag=[5.0, 6.5], rrup=1.0)) == "<Scenarios: 2 rows, mag 5..6.5, rrup 1..1>"


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({}, ["mag"]),
        ({"magnitude": 6.0}, ["'magnitude'", "mag", "rrup"]),
        ({"mag": [5.0, 6.0], "rrup": [1.0, 2.0, 3.0]}, ["mag", "(2,)", "3 values"]),
        ({"mag": [[5.0, 6.0]]}, ["mag", "(1, 2)"]),
        ({"mag": [6.0, 6.0], "vs30": [400.0, -3.0]}, ["vs30 = -3 m/s", "scenario 1", "30"]),
        ({"mag": [np.nan], "rrup": 1.0}, ["mag = nan", "scenario 0"]),
        ({"mag": 6.0, "rrup": np.inf}, ["rrup = inf km"]),
        ({"mag": 12.0}, ["mag = 12 Mw", "-2 to 10"]),
        ({"mag": 6.0, "rake": 270.0}, ["rake = 270 deg"]),
    ],
)
def test_mistakes_are_named(conditions, words):
    with pytest.raises(ValueError) as error:
        Scenarios(**conditions)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_physical_limits_are_inclusive(name):
    spec = CONDITIONS[name]
    for value in (spec.low, spec.high):
        assert Scenarios(**{name: value})[name][0] == value
    for value in (np.nextafter(spec.low, -np.inf), np.nextafter(spec.high, np.inf)):
        with pytest.raises(ValueError, match=name):
            Scenarios(**{name: value})


def test_require_names_the_condition_its_unit_and_who_needs_it():
    sc = Scenarios(mag=6.0, rhypo=10.0)
    sc.require(("mag", "rrup"), "model 'x'")  # rhypo stands in
    with pytest.raises(ValueError, match=r"model 'x' needs the condition 'vs30'.*m/s.*mag, rhypo"):
        sc.require(("mag", "vs30"), "model 'x'")
