"""OpenQuake's GMMs at a table of records, against OpenQuake asked in another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from openquake.hazardlib import const, imt, valid
from openquake.hazardlib.gsim.boore_2014 import BooreEtAl2014
from openquake.hazardlib.gsim.kanno_2006 import Kanno2006Shallow

from gwm_hazard.openquake import gmm

IMTS = ("PGA", "PGV", "SA(0.3)", "SA(1.0)", "SA(3.0)")


@pytest.fixture
def table():
    n = 40
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "mag": rng.uniform(5.2, 7.4, n),
            "rjb": rng.uniform(2, 200, n),
            "rrup": rng.uniform(5, 220, n),
            "vs30": rng.uniform(180, 900, n),
            "rake": rng.choice([0.0, 90.0, -90.0], n),
            "hypo_depth": rng.uniform(2, 28, n),
            "z1pt0": rng.uniform(30, 600, n),
        }
    )


def computed(gsim, table, imts):
    """mean, sigma, tau, phi by calling the GSIM's own compute, a record at a time."""
    out = np.zeros((4, len(table), len(imts)))
    kinds = [imt.from_string(i) for i in imts]
    for row, values in enumerate(table.to_dict("records")):
        ctx = np.rec.array([tuple(values.values())], names=list(values))
        part = np.zeros((4, len(imts), 1))
        gsim.compute(ctx, kinds, *part)
        out[:, row] = part[:, :, 0]
    return out


def test_boore_2014_is_openquakes(table):
    m = gmm.moments("BooreEtAl2014", table, IMTS)
    mean, sigma, tau, phi = computed(BooreEtAl2014(), table, IMTS)
    assert m.mean == pytest.approx(mean, rel=1e-9)
    assert m.sigma == pytest.approx(sigma) and m.tau == pytest.approx(tau)
    assert m.phi == pytest.approx(phi)
    assert not m.outside.any() and m.about["component"] == const.IMC.RotD50.value


def test_kanno_2006_is_openquakes_with_its_component_converted(table):
    """The peak of the vector sum is RotD100: 1.19 to 1.25 times RotD50 (Boore and Kishida)."""
    m = gmm.moments("Kanno2006Shallow", table, IMTS)
    mean, sigma, _, _ = computed(Kanno2006Shallow(), table, IMTS)
    ratio = np.exp(mean - m.mean)
    assert np.ptp(ratio, axis=0).max() < 1e-9
    assert ratio[0] == pytest.approx([1.188, 1.232, 1.2154, 1.232, 1.2406], abs=5e-4)
    assert m.sigma == pytest.approx(sigma) and m.phi == pytest.approx(sigma)
    assert np.isnan(m.tau).all()
    assert any("converted to RotD50" in n for n in m.notes)


def test_conversion_agrees_with_shahi_and_baker_2014():
    """An independent model of RotD100/RotD50 (table 1): 1.19 at 0.1 s to 1.24 at 3 s."""
    for period, ln in ((0.1, 0.172), (0.3, 0.198), (1.0, 0.216), (3.0, 0.221), (10.0, 0.258)):
        got = gmm.ln_to_rotd50(const.IMC.RotD100, f"SA({period})")
        assert -got == pytest.approx(ln, abs=0.015)


def test_other_components():
    assert gmm.ln_to_rotd50(const.IMC.RotD50, "PGA") == 0.0
    assert np.exp(gmm.ln_to_rotd50(const.IMC.GEOMETRIC_MEAN, "SA(1.0)")) == pytest.approx(
        1.028 + 0.014 * np.log(1 / 0.58) / np.log(4.59 / 0.58), abs=1e-6
    )
    larger = np.exp(-gmm.ln_to_rotd50(const.IMC.GREATER_OF_TWO_HORIZONTAL, "PGA"))
    assert larger == pytest.approx(1.107)
    assert gmm.ln_to_rotd50(const.IMC.GEOMETRIC_MEAN, "RSD595") == 0.0
    with pytest.raises(ValueError, match=r"component 'Vertical' of PGA has no published ratio"):
        gmm.ln_to_rotd50(const.IMC.VERTICAL, "PGA")


def test_published_ratios_are_those_of_observed_pairs(shared):
    """RotD100/RotD50 of recorded pairs of horizontals, within 4 %."""
    from gwm_hazard.intensity import intensity_measures_array
    from gwm_hazard.records.waveform_source import measure, open_traces

    folder = shared / "data" / "waveforms"
    meta = pd.read_csv(folder / "metadata.csv", dtype={"station": str, "event_id": str})
    meta = meta[meta["processing"].str.startswith("PEER") & meta["npts"].between(2000, 8000)]
    source, rows = open_traces(folder, meta.iloc[::15].reset_index(drop=True))
    imts = ("PGA", "PGV", "SA(0.3)", "SA(1.0)")
    half = measure(source, rows, imts)
    for column, name in enumerate(imts):
        full = np.array(
            [
                intensity_measures_array(a[None, :2], source.dt_s[r], [name], "RotD100")[0, 0]
                for r, a in zip(rows, source.read(rows), strict=True)
            ]
        )
        observed = np.log(full / half[:, column]).mean()
        assert observed == pytest.approx(-gmm.ln_to_rotd50(const.IMC.RotD100, name), abs=0.04), name


def test_outside_the_range_is_left_out_and_counted(table):
    table.loc[0, "mag"] = 9.0
    table.loc[1, "vs30"] = np.nan
    table.loc[2, "rjb"] = 500.0
    m = gmm.moments("BooreEtAl2014", table, IMTS)
    assert np.flatnonzero(m.outside).tolist() == [0, 1, 2]
    assert np.isnan(m.mean[:3]).all() and np.isfinite(m.mean[3:]).all()
    assert any(n.startswith("vs30 of 1 records is unknown") for n in m.notes)
    (note,) = (n for n in m.notes if n.startswith("Its range: "))
    assert note.endswith("2 records outside are left out.") and "p. 1081" in note


def test_order_of_records_does_not_matter(table):
    forward = gmm.moments("BooreEtAl2014", table, IMTS)
    backward = gmm.moments("BooreEtAl2014", table.iloc[::-1].reset_index(drop=True), IMTS)
    assert (forward.mean == backward.mean[::-1]).all()


def test_measures_that_a_model_does_not_give(table):
    m = gmm.moments("BooreEtAl2014", table, ("PGA", "RSD595", "SA(20.0)"))
    assert np.isfinite(m.mean[:, 0]).all() and np.isnan(m.mean[:, 1:]).all()
    assert any("Gives no RSD595, SA(20.0)" in n for n in m.notes)


def test_durations_are_afshari_and_stewarts(table):
    m = gmm.durations(table, ["RSD575", "RSD595"])
    inside = ~m.outside
    gsim = valid.gsim("[AfshariStewart2016]")
    mean = computed(gsim, table[inside], ["RSD575", "RSD595"])[0]
    assert inside.sum() > 30
    assert m.mean[inside] == pytest.approx(mean)


def test_correlation_of_periods():
    """Baker and Jayaram (2008), their published example: 0.66 between 0.3 s and 0.8 s or so."""
    matrix = gmm.period_correlation(["PGA", "SA(0.3)", "SA(1.0)"])
    assert np.diag(matrix) == pytest.approx(1.0) and (matrix == matrix.T).all()
    # eq. 6 of the paper for T1 = 1 s, T2 = 0.3 s: C1 = 1 - cos(pi/2 - 0.366 ln(1 / 0.3))
    c1 = 1 - np.cos(np.pi / 2 - 0.366 * np.log(1 / 0.3))
    assert matrix[1, 2] == pytest.approx(c1, abs=1e-7)  # float32 from OpenQuake 3.26 on


@pytest.mark.parametrize(
    "text, message",
    [
        ("NoSuchModel", "GMM 'NoSuchModel': not one that OpenQuake can make"),
        ("BooreEtAl2014\nnothing = 1", "not one that OpenQuake can make"),
    ],
)
def test_unknown_models(text, message):
    with pytest.raises(ValueError, match=message):
        gmm.check(text)


def test_missing_inputs_are_named(table):
    with pytest.raises(ValueError, match="GMM ChiouYoungs2014 needs 'dip'"):
        gmm.moments("ChiouYoungs2014", table, IMTS)
    assert gmm.check("AkkarEtAlRjb2014") == "AkkarEtAlRjb2014"


def test_every_range_says_where_it_is_from_and_what_is_not_confirmed(table):
    assert all(known.source for known in gmm.RANGES.values())
    notes = gmm.moments("Kanno2006Shallow", table, ["PGA"]).notes
    assert any("hypo_depth 0 to 30" in n and "not confirmed from the paper" in n for n in notes)
