"""Rules of design codes on suites whose answer is known."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gwm_hazard.suite import codes, design
from gwm_hazard.suite.target import Target

RNG = np.random.default_rng(0)


def suite(
    code: str, n: int = 11, factor: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """A suite whose arithmetic mean is ``factor`` times the target at every period."""
    periods = np.array(codes.required_periods(code, 0.5, 0.8))
    target = 0.8 / (1.0 + periods)
    spread = RNG.lognormal(0.0, 0.4, (n, len(periods)))
    return factor * target * spread / spread.mean(axis=0), periods, target


def test_asce_suite_at_the_target_passes_and_below_it_fails() -> None:
    spectra, periods, target = suite("asce7-22")
    assert periods[0] == pytest.approx(0.1) and periods[-1] == pytest.approx(1.6)
    found = codes.check("asce7-22", spectra, periods, target, 0.5, 0.8)
    assert [c.clause for c in found] == ["16.2.2", "16.2.3.2", "16.2.3.2"]
    assert all(c.passed for c in found)
    assert found[0].found == "11"
    dip = spectra.copy()
    dip[:, 7] *= 0.89  # one period alone below 90 %
    found = codes.check("asce7-22", dip, periods, target, 0.5, 0.8)
    assert [c.passed for c in found] == [True, False, True]
    assert found[1].found == f"0.89 at {periods[7]:.3g} s"
    found = codes.check("asce7-22", 0.95 * spectra[:10], periods, target, 0.5, 0.8)
    assert not found[0].passed and not found[2].passed


def test_asce_range_of_periods() -> None:
    assert codes.period_range("asce7-22", 0.5, 0.8) == pytest.approx((0.1, 1.6))
    # a dip outside the range does not count
    spectra, periods, target = suite("asce7-22")
    spectra = np.hstack([spectra, 0.1 * spectra[:, -1:]])
    found = codes.check(
        "asce7-22", spectra, np.append(periods, 1.7), np.append(target, target[-1]), 0.5, 0.8
    )
    assert all(c.passed for c in found)


def test_eurocode() -> None:
    spectra, periods, target = suite("ec8", n=7)
    assert periods[0] == 0.0 and periods[1] == pytest.approx(0.1)
    found = codes.check("ec8", spectra, periods, target, 0.5, 0.8)
    assert [c.clause for c in found] == [
        "3.2.3.1.2 (4) a",
        "3.2.3.1.2 (4) b",
        "3.2.3.1.2 (4) c",
        "4.3.3.4.3 (3)",
    ]
    assert [c.passed for c in codes.check("ec8", 1.001 * spectra, periods, target, 0.5, 0.8)] == [
        True
    ] * 4
    lower = codes.check("ec8", 0.92 * spectra, periods, target, 0.5, 0.8)
    assert [c.passed for c in lower] == [True, False, True, True]  # PGA, not the 90 %
    few = codes.check("ec8", suite("ec8", n=2, factor=1.1)[0], periods, target, 0.5, 0.8)
    assert [c.passed for c in few] == [False, True, True, False]


def test_order_of_periods_does_not_matter() -> None:
    spectra, periods, target = suite("ec8")
    order = RNG.permutation(len(periods))
    again = codes.check("ec8", spectra[:, order], periods[order], target[order], 0.5, 0.8)
    assert again == codes.check("ec8", spectra, periods, target, 0.5, 0.8)


def test_required_periods_fill_the_range_and_are_short_names() -> None:
    for code in codes.CODES:
        periods = np.array(codes.required_periods(code, 0.31, 1.234))
        inside = periods[periods > 0]
        assert (inside[1:] / inside[:-1]).max() < codes.WIDEST_STEP
        assert all(len(f"{t:g}") <= 7 for t in periods)
        assert len(np.unique(periods)) == len(periods)


def test_maximum_direction() -> None:
    """Shahi and Baker (2014): 1.19 at the shortest period, 1.24 at 1 s, 1.29 at 10 s."""
    ratio = codes.maximum_direction_ratio([0.0, 0.01, 1.0, 10.0, 20.0])
    np.testing.assert_allclose(ratio, [1.192, 1.192, 1.241, 1.294, 1.294])
    assert codes.component("asce7-22") == "RotD100" and codes.component("ec8") == "RotD50"


def test_bad_input_is_named() -> None:
    spectra, periods, target = suite("asce7-22")
    arguments = (spectra, periods, target)
    cases = {
        "code = 'nz': must be one of asce7-22, ec8": ("nz", *arguments, 0.5, 0.8),
        "t_lower = 0.9 s, t_upper = 0.8 s: give the smaller": ("asce7-22", *arguments, 0.9, 0.8),
        "t_upper = -1 s: must be above 0": ("asce7-22", *arguments, 0.5, -1.0),
        r"range of asce7-22, 0\.04 to 1\.6 s, are from 0\.1": ("asce7-22", *arguments, 0.2, 0.8),
        "ec8 needs PGA as period 0": ("ec8", *arguments, 0.5, 0.8),
        r"must be \(n, n_periods\)": ("asce7-22", spectra[0], periods, target, 0.5, 0.8),
        "target: all values must be numbers, above 0 g": (
            "asce7-22", spectra, periods, 0 * target, 0.5, 0.8,
        ),
        "no motion": ("asce7-22", spectra[:0], periods, target, 0.5, 0.8),
    }  # fmt: skip
    for message, bad in cases.items():
        with pytest.raises(ValueError, match=message):
            codes.check(*bad)
    thin = np.r_[0:5, 9 : len(periods)]
    with pytest.raises(ValueError, match=r"none between .* a step wider than a factor of 1\.25"):
        codes.check("asce7-22", spectra[:, thin], periods[thin], target[thin], 0.5, 0.8)
    for code, own in (("asce7-22", "not the MCE_R spectrum"), ("ec8", "elastic spectrum")):
        assert own in codes.remarks(code)[0]


class OneSpectrum:
    """A suite, and its motions, whose spectra have the target's mean and scatter."""

    def __init__(self, imts: tuple[str, ...], sigma: float) -> None:
        n = len(imts)
        mean = np.log(0.8 / (1.0 + np.arange(n)))
        rng = np.random.default_rng(1)
        self.ln = mean + sigma * rng.standard_normal((4000, n))
        self.target = Target("cs", imts, mean, sigma**2 * np.eye(n), imts[0], 0.8, 1e-3, np.ones(1))

    def __len__(self) -> int:
        return len(self.ln)


@pytest.mark.parametrize("sigma", (0.0, 0.6))
def test_scatter_alone_does_not_lift_a_suite(sigma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean against mean: a suite with the target's distribution is at 1, with any scatter."""
    one: Any = OneSpectrum(design.measures("ec8", 0.5, 0.8), sigma)
    monkeypatch.setattr(
        design, "spectra", lambda motions, component, periods: np.exp(motions.ln[:, 1:])
    )
    found = design.code_checks("RotD50", one, one, "ec8", 0.5, 0.8)
    pga = float(found[1].found.split()[0])
    assert pga == pytest.approx(0.8 * np.exp(0.5 * sigma**2), rel=0.05)
    assert "target's PGA" in found[1].required
    smallest = float(found[2].found.split()[0])
    assert smallest == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("component", ("RotD50", "geometric_mean"))
def test_a_target_is_turned_into_the_maximum_direction(
    component: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Motions whose RotD100 follows from the target by both published ratios are at 1."""
    one: Any = OneSpectrum(design.measures("asce7-22", 0.5, 0.8), 0.0)
    periods = np.array(codes.required_periods("asce7-22", 0.5, 0.8))
    ratio = codes.maximum_direction_ratio(periods)
    if component == "geometric_mean":
        ratio = ratio * codes.rotd50_ratio(periods)

    def measured(motions: Any, asked: str, periods: Any) -> Any:
        assert asked == "RotD100"
        return np.exp(motions.ln) * ratio

    monkeypatch.setattr(design, "spectra", measured)
    found = design.code_checks(component, one, one, "asce7-22", 0.5, 0.8)
    assert found[1].found.startswith("1.00 at") and found[2].found.startswith("1.00;")
