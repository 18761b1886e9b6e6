"""Published correlations against OpenQuake, against each other and against observed records."""

import numpy as np
import pandas as pd
import pytest
from openquake.hazardlib import cross_correlation
from openquake.hazardlib.imt import from_string

from gwm_hazard.openquake.correlation import NAMES, published
from gwm_hazard.openquake.gmm import moments
from gwm_hazard.suite.target import correlation_matrix

PERIODS = tuple(f"SA({t})" for t in (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))
OTHERS = ("PGA", "PGV", "CAV", "IA", "RSD575", "RSD595")


def test_baker_and_jayaram_is_that_of_openquake() -> None:
    own, theirs = published("BakerJayaram2008"), cross_correlation.BakerJayaram2008()
    for a in PERIODS:
        for b in PERIODS:
            expected = theirs.get_correlation(from_string(a), from_string(b))
            assert own(a, b) == pytest.approx(expected)
            assert published("Bradley")(a, b) == own(a, b)
    assert own("PGA", "SA(0.01)") == 1.0
    assert own("PGA", "SA(1.0)") == own("SA(0.01)", "SA(1.0)")


def test_pgv_is_that_of_openquake() -> None:
    """OpenQuake has Bradley (2012) for PGV."""
    own, theirs = published("Bradley"), cross_correlation.Bradley2012()
    for imt in (f"SA({t})" for t in (0.011, 0.03, 0.11, 0.4, 0.8, 2.0, 2.6, 7.0)):
        expected = theirs.get_correlation(from_string("PGV"), from_string(imt))
        assert own("PGV", imt) == own(imt, "PGV") == pytest.approx(expected)
    assert own("PGV", "PGA") == theirs.get_correlation(from_string("PGV"), from_string("PGA"))


@pytest.mark.parametrize("imt", OTHERS)
def test_segments_meet_and_end_at_pga(imt: str) -> None:
    """A wrong digit of a segment would make a jump; at 0.01 s the value is that of PGA."""
    rho = published("Bradley")
    periods = np.geomspace(0.01, 10.0, 2000)
    values = np.array([rho(imt, f"SA({t})") for t in periods])
    assert np.abs(np.diff(values)).max() < 0.02
    assert np.abs(values).max() <= 1.0
    assert values[0] == pytest.approx(rho(imt, "PGA"), abs=0.011)


def test_values_that_the_papers_print() -> None:
    rho = published("Bradley")
    # Bradley (2012), abstract: about 0.8 with SA of 0.5 to 3 s
    assert all(0.72 < rho("PGV", f"SA({t})") < 0.82 for t in (0.5, 1.0, 2.0, 3.0))
    # Bradley (2011), durations: negative at short periods, positive at long ones
    assert rho("RSD595", "SA(0.1)") < -0.3 and rho("RSD595", "SA(6.0)") == pytest.approx(0.23)
    assert rho("RSD575", "SA(6.5)") == pytest.approx(0.16)
    # Baker and Jayaram (2008), figure of the model: 0.75 between 0.5 and 1 s
    assert rho("SA(0.5)", "SA(1.0)") == pytest.approx(0.749, abs=0.001)


def test_matrix_of_all_measures_is_near_to_positive() -> None:
    imts = (*PERIODS, *OTHERS)
    rho = published("Bradley")
    raw = np.array([[rho(a, b) for b in imts] for a in imts])
    np.testing.assert_allclose(raw, raw.T)
    fixed = correlation_matrix(imts, rho)
    assert np.linalg.eigvalsh(fixed)[0] > -1e-12
    assert np.abs(fixed - raw).max() < 0.06


def test_observed_residuals_have_these_correlations(shared) -> None:
    """NGA-West2 records about Boore et al. (2014)."""
    path = shared / "data" / "flatfiles" / "ngaw2_1000_rotd50.csv.gz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    imts = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1)", "SA(3)")
    table = pd.read_csv(path)
    table = table[(table.mag > 5) & (table.rjb < 100) & (table.vs30 > 150) & (table.vs30 < 1500)]
    table = table[(table[list(imts)] > 0).all(axis=1)].reset_index(drop=True)
    names = [i.replace("SA(1)", "SA(1.0)").replace("SA(3)", "SA(3.0)") for i in imts]
    mean = moments("BooreEtAl2014", table, names).mean
    observed = np.corrcoef((np.log(table[list(imts)].to_numpy()) - mean).T)
    for k, name in enumerate(("PGA", "PGV")):
        expected = [published("Bradley")(name, i) for i in names]
        assert len(table) > 300
        np.testing.assert_allclose(observed[k], expected, atol=0.1)


def test_a_measure_that_is_not_covered_is_named() -> None:
    with pytest.raises(ValueError, match=r"must be one of BakerJayaram2008, .*'measured'"):
        published("Baker")
    with pytest.raises(ValueError, match=r"'PGV': .* covers PGA, SA\(T\); 'Bradley' covers it"):
        published("BakerJayaram2008")("PGV", "SA(1.0)")
    with pytest.raises(ValueError, match=r"'SA\(20\.0\)'.*periods from 0\.01 to 10 s"):
        published("Bradley")("PGV", "SA(20.0)")
    with pytest.raises(ValueError, match=r"'RSD2080': correlation 'Bradley' covers.*'measured'"):
        published("Bradley")("RSD2080", "PGA")
    with pytest.raises(ValueError, match=r"from 0\.1 to 5 s"):
        published("GodaAtkinson2009")("SA(0.05)", "PGA")
    assert 0 < published("GodaAtkinson2009")("SA(0.2)", "PGA") < 1
    assert len(NAMES) == 3
