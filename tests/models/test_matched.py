"""The match, and draws of spectra that are matched: no OpenQuake here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.signal import lsim

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import significant_duration
from gwm_hazard.models.matched import (
    MatchedModel,
    SpectralMoments,
    SpectrumDraws,
    Targets,
    achieved,
    match,
)
from gwm_hazard.models.matched import model as matched_model
from gwm_hazard.models.matched.targets import FLOOR, PERIODS_S, over_floor
from gwm_hazard.models.registry import load_model, model_from_card
from gwm_hazard.testing import RandomModel, check_model

P = np.array(PERIODS_S)
SCENARIO = {"mag": 6.5, "rrup": 20.0, "vs30": 400.0, "hypo_depth": 10.0}


class Source:
    """A smooth spectrum whose level goes with magnitude; residuals fall off with |ln T|."""

    name = "Test"
    columns = frozenset({"mag", "ztor"})
    periods_s = P
    with_pgv = True
    between_event = True
    tectonic_region = "Volcanic"

    def __init__(self, *_: str) -> None:
        x = np.log(np.maximum(P, 0.01))
        rho = np.exp(-np.abs(x[:, None] - x) / 4.0)
        self.correlation = np.eye(len(P) + 1)
        self.correlation[:-1, :-1] = rho
        self.correlation[-1, :-1] = self.correlation[:-1, -1] = rho[np.argmin(np.abs(P - 0.7))]

    def __call__(self, scenarios: Scenarios) -> SpectralMoments:
        t = np.maximum(P, 0.01)
        shape = (
            np.log(0.25) - np.log(1.0 + (t / 0.5) ** 1.5) + 1.2 * np.exp(-(np.log(t / 0.2) ** 2))
        )
        ln = np.append(shape, np.log(10.0))
        mean = (scenarios["mag"] - 6.5)[:, None] + ln
        flat = np.ones_like(mean)
        return SpectralMoments(mean, 0.35 * flat, 0.5 * flat)


@pytest.fixture(scope="module")
def draws() -> SpectrumDraws:
    return SpectrumDraws(Source())


@pytest.fixture(scope="module")
def pair(draws: SpectrumDraws) -> Any:
    """24 records before and after the match, and what they were matched to."""
    n = 24
    noise = Noise(3, np.arange(n), 0, 0)
    raw = load_model("stochastic", "cpu").draw(Scenarios(**SCENARIO).repeat(n), noise).numpy()
    targets = draws(Scenarios(mag=6.5, ztor=3.0).repeat(n), noise)
    return raw, match(raw, 0.01, targets), targets


def test_spectra_are_the_targets(pair: Any) -> None:
    _, matched, targets = pair
    ln, _ = achieved(matched, 0.01, targets)
    off = np.abs(np.expm1(ln[:, (P >= 0.05) & (P <= 5.0)]))
    assert np.median(off) < 0.01
    assert np.quantile(off, 0.95) < 0.05


def test_spectrum_of_an_oscillator_solved_elsewhere(pair: Any) -> None:
    """RotD50 at 0.5 s by scipy's state space, every 5 degrees."""
    _, matched, targets = pair
    w = 2.0 * np.pi / 0.5
    t = 0.01 * np.arange(matched.shape[-1])
    angles = np.radians(np.arange(0, 180, 5))
    for i in range(4):
        u = [
            lsim(([-1.0], [1.0, 0.1 * w, w * w]), matched[i, c].astype(float), t)[1] for c in (0, 1)
        ]
        turned = np.cos(angles)[:, None] * u[0] + np.sin(angles)[:, None] * u[1]
        sa = np.median(np.abs(turned).max(axis=1)) * w * w / 9.80665
        target = np.exp(targets.ln_sa[i, np.argmin(np.abs(P - 0.5))])
        assert sa == pytest.approx(target, rel=0.06)


def test_relation_of_the_components_is_kept(pair: Any) -> None:
    """Energy of one horizontal to that of the other, in bands."""
    raw, matched, _ = pair
    f = np.fft.rfftfreq(raw.shape[-1], 0.01)
    bands = np.searchsorted(f, np.geomspace(0.3, 30.0, 8))[:-1]
    of = []
    for acc in (raw, matched):
        power = np.abs(np.fft.rfft(acc.astype(float))) ** 2
        power = np.add.reduceat(power, bands, axis=-1)
        of.append(np.log(power[:, 1:] / power[:, :1]))
    assert np.median(np.abs(of[1] - of[0])) < 0.2


def test_nothing_moves_before_an_onset(pair: Any) -> None:
    raw, _, targets = pair
    late = np.zeros_like(raw[:4])
    late[..., 1000:-1000] = raw[:4, :, 500:-1500]
    matched = match(late, 0.01, targets.take(slice(0, 4)))
    assert np.abs(matched[..., :990]).max() < 5e-3 * np.abs(matched).max()


def test_targets_far_from_the_record(pair: Any) -> None:
    """Where much is to be changed no pass runs away: single periods, tilts, whole decades."""
    raw, _, targets = pair
    n, raw, targets = 10, raw[:10], targets.take(slice(0, 10))
    x = np.log(np.maximum(P, 0.01))
    tilt = np.linspace(-0.6, 0.6, n)[:, None] * (x - x.mean())
    lump = 1.5 * np.exp(-0.5 * ((x - np.linspace(x[1], x[-1], n)[:, None]) / 0.4) ** 2)
    for more in (np.full((n, 1), 3.0), np.full((n, 1), -3.0), tilt, lump, -lump):
        ln = over_floor(targets.ln_sa + more, P)
        far = Targets(P, ln)
        left, _ = achieved(match(raw, 0.01, far), 0.01, far)
        left = np.abs(left[:, (P >= 0.05) & (P <= 5.0)])
        assert np.median(left) < 0.02
        assert np.quantile(left, 0.95) < 0.15
        assert left.max() < 1.0


def test_peaks_are_the_targets_too(pair: Any) -> None:
    _, matched, targets = pair
    ln, pgv = achieved(matched, 0.01, targets)
    for left in (ln[:, 0], pgv):
        assert abs(left.mean()) < 0.05
        assert left.std() < 0.1


def test_energy_arrives_when_it_did(pair: Any) -> None:
    raw, matched, _ = pair

    ratio = [significant_duration(acc[:, :2], 0.01, 0.05, 0.95) for acc in (matched, raw)]
    change = np.abs(ratio[0] / ratio[1] - 1.0)
    assert np.median(change) < 0.02
    assert np.mean(change < 0.10) > 0.9
    lags = np.arange(-50, 51)
    envelope = [_envelope(acc) for acc in (matched, raw)]
    moved = []
    for after, before in zip(*envelope, strict=True):
        together = [np.corrcoef(np.roll(after, -lag)[99:-99], before[99:-99])[0, 1] for lag in lags]
        moved.append(0.01 * abs(lags[int(np.argmax(together))]))
    assert np.median(moved) < 0.1


def _envelope(acc: Any) -> Any:
    """Half-second mean square of the horizontals, (n, nt)."""
    power = (acc[:, :2].astype(float) ** 2).sum(axis=1)
    return np.stack([np.convolve(p, np.ones(50) / 50.0, mode="same") for p in power])


def test_motion_comes_to_rest(pair: Any) -> None:
    _, matched, _ = pair
    velocity = np.cumsum(matched.astype(float), axis=-1) * 0.01
    displacement = np.cumsum(velocity, axis=-1) * 0.01
    assert np.abs(velocity[..., -1]).max() < 1e-4 * np.abs(velocity).max()
    assert np.abs(displacement[..., -1]).max() < 0.05 * np.abs(displacement).max()


def test_a_record_does_not_depend_on_its_batch(pair: Any) -> None:
    raw, matched, targets = pair
    alone = match(raw[5:6], 0.01, targets.take(slice(5, 6)))
    np.testing.assert_array_equal(alone[0], matched[5])


def test_a_spectrum_does_not_depend_on_its_batch(draws: SpectrumDraws) -> None:
    n = 40
    at = Scenarios(mag=np.linspace(5.0, 7.5, n), ztor=3.0)
    noise = Noise(9, np.arange(n), 0, 0)
    together = draws(at, noise).ln_sa
    alone = np.concatenate([draws(at.take([i]), noise.take([i])).ln_sa for i in range(n)])
    np.testing.assert_array_equal(together, alone)


def test_draws_have_the_moments_of_the_source(draws: SpectrumDraws) -> None:
    n = 6000
    noise = Noise(1, np.repeat(np.arange(n // 2), 2), np.tile([0, 1], n // 2), 0)
    ln = draws(Scenarios(mag=6.5, ztor=3.0).repeat(n), noise).ln_sa
    moments = Source()(Scenarios(mag=6.5, ztor=3.0))
    sigma = np.hypot(0.35, 0.5)
    error = sigma * np.sqrt((1 + (0.35 / sigma) ** 2) / n)
    assert np.abs(ln.mean(axis=0) - moments.mean[0, :-1]).max() < 0.02 + 3.0 * error
    assert np.abs(ln.std(axis=0) / sigma - 1.0).max() < 0.05
    pairs = ln.reshape(-1, 2, len(P)) - moments.mean[0, :-1]
    tau = np.sqrt((pairs[:, 0] * pairs[:, 1]).mean(axis=0))
    assert np.abs(tau / 0.35 - 1.0).max() < 0.12  # 5 % and sampling


def test_draws_correlate_as_published(draws: SpectrumDraws) -> None:
    away = np.abs(draws.correlation - Source().correlation)[:-1, :-1]
    assert away[np.ix_(P > 0.06, P > 0.06)].max() < 0.05


def test_no_ordinate_lies_below_the_floor() -> None:
    ln = np.log(np.full((1, len(P)), 1e-3))
    ln[0, 18] = 0.0
    raised = np.exp(over_floor(ln, P))
    assert (raised[0, :18] >= FLOOR).all()
    longer = P[19:]
    assert (raised[0, 19:] >= FLOOR * (P[18] / longer) ** 2).all()
    smooth = np.log(np.linspace(1.0, 1.2, len(P)))[None]
    assert np.abs(over_floor(smooth, P)[:, :14] - smooth[:, :14]).max() < 0.01


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> MatchedModel:
    monkeypatch.setattr(matched_model, "_source", lambda *_: Source())
    return MatchedModel("Test")


def test_model_keeps_the_rules(model: MatchedModel) -> None:
    check_model(model, conditions={"mag": (5.5, 6.5), "rrup": (10.0, 40.0)})


def test_several_sources_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shifted(Source):
        """Another level, fewer periods, no PGV."""

        periods_s = P[2:]
        with_pgv = False

        def __init__(self, *_: str) -> None:
            super().__init__()
            self.correlation = self.correlation[2:-1, 2:-1]

        def __call__(self, scenarios: Scenarios) -> SpectralMoments:
            m = super().__call__(scenarios)
            return SpectralMoments(m.mean[:, 2:-1] + 1.0, m.tau[:, 2:-1], m.phi[:, 2:-1])

    monkeypatch.setattr(
        matched_model, "_source", lambda gmm, _: Shifted() if gmm == "B" else Source()
    )
    model = MatchedModel(["A", "B"])
    at = Scenarios(**SCENARIO | {"gmm": [0, 1], "ztor": 2.0})
    noise = Noise(5, [1, 1], [2, 2], 0)
    ln = model.spectra(at, noise).ln_sa
    np.testing.assert_allclose(ln[1] - ln[0], 1.0, atol=1e-9)
    assert model_from_card(model.card.to_dict(), "cpu").card == model.card
    with pytest.raises(InputError, match="gmm = 2"):
        model.spectra(Scenarios(**SCENARIO, gmm=2, ztor=2.0), Noise(5, 1, 2, 0))


def test_card_makes_the_model_again(model: MatchedModel) -> None:
    again = model_from_card(model.card.to_dict(), "cpu")
    assert again.card == model.card
    assert set(model.card.condition_names) == {"mag", "rrup", "vs30", "hypo_depth", "ztor"}
    assert model.card.tectonic_region == "Volcanic"
    at = Scenarios(**SCENARIO, ztor=2.0)
    noise = Noise(5, 1, 2, 0)
    assert (again.draw(at, noise) == model.draw(at, noise)).all()


def test_shape_is_held_inside_its_range(model: MatchedModel) -> None:
    """The spectrum goes on with magnitude where the shape stays at its bound."""
    out = Scenarios(**SCENARIO | {"mag": 8.4}, ztor=2.0)
    assert model.shape_scenarios(out)["mag"][0] == 8.0
    ln = (
        model.spectra(out, Noise(5, 1, 2, 0)).ln_sa
        - model.spectra(Scenarios(**SCENARIO, ztor=2.0), Noise(5, 1, 2, 0)).ln_sa
    )
    np.testing.assert_allclose(ln, 1.9, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "needs gmm"),
        ({"gmm": "Test", "shape": "matched"}, "by itself"),
        ({"spectrum": {"periods_s": [0.1, 0.5], "sa_g": [1.0, 0.0]}}, r"SA\(0.5\) = 0 g"),
        ({"spectrum": {"periods_s": [0.0, 0.1, 0.5], "sa_g": [0, 1.0, 1.0]}}, "PGA = 0 g"),
        ({"spectrum": {"periods_s": [0.1], "sa_g": [1.0]}}, "give 2 or more"),
        ({"spectrum": {"periods_s": [11.0, 12.0], "sa_g": [1.0, 1.0]}}, "from 11 to 12 s"),
        ({"gmm": "Test", "fixed": "rake=3"}, "has no condition 'rake'"),
    ],
)
def test_bad_arguments(monkeypatch: Any, arguments: Any, words: str) -> None:
    monkeypatch.setattr(matched_model, "_source", lambda *_: Source())
    with pytest.raises(InputError, match=words):
        MatchedModel(**arguments)


def test_bad_targets(pair: Any) -> None:
    raw, _, targets = pair
    with pytest.raises(InputError, match="targets"):
        match(raw[:3], 0.01, targets)
    with pytest.raises(InputError, match="zero throughout"):
        match(np.zeros_like(raw[:1]), 0.01, targets.take(slice(0, 1)))
    with pytest.raises(InputError, match="two horizontals"):
        match(raw[:1, :1], 0.01, targets.take(slice(0, 1)))
    with pytest.raises(InputError, match="increasing"):
        Targets(np.array([1.0, 0.5]), np.zeros((1, 2)))


class Conditioned(RandomModel):
    """A shape that is given spectra, and keeps them."""

    target_periods_s = (0.01, 20.0)
    given: Any = None

    def generate(self, *a: Any, target: Any = None, **k: Any) -> Any:  # type: ignore[override]
        return super().generate(*a, **k)

    def draw(self, scenarios: Scenarios, noise: Noise, target: Any = None) -> Any:
        self.given = target
        return super().draw(scenarios, noise)


def test_a_shape_that_conditions_on_spectra_is_given_the_targets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = Conditioned(samples=1024)
    monkeypatch.setattr(matched_model, "_source", lambda *_: Source())
    monkeypatch.setattr(matched_model, "_shape", lambda _: shape)
    model = MatchedModel("Test", "conditioned")
    at = Scenarios(**SCENARIO, ztor=2.0)
    noise = Noise(5, 1, 2, 0)
    model.draw(at, noise)
    targets = model.spectra(at, noise)
    np.testing.assert_allclose(shape.given.ln_at(P[1:]), targets.ln_sa[:, 1:], atol=1e-12)
    # beyond the last period, displacement stays
    step = shape.given.ln_at(np.array([20.0])) - shape.given.ln_at(P[-1:])
    np.testing.assert_allclose(step, -2.0 * np.log(20.0 / P[-1]), atol=1e-9)
