"""Calibration against dense linear algebra, statsmodels, and data drawn from the model itself."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from gwm_hazard.calibration import (
    ComponentRule,
    Selection,
    Settings,
    calibrate,
    read_flatfiles,
    split,
    thin,
    variability,
)
from gwm_hazard.calibration import fit as fit_module
from gwm_hazard.calibration.fit import Problem, composite_power, differences, fit, score
from gwm_hazard.calibration.free import FREE, choose, prior, to_vector, with_vector
from gwm_hazard.calibration.medians import Medians, points_of, quiet
from gwm_hazard.cli.data.calibrate import calibrate as command
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.registry import load_model
from gwm_hazard.models.stochastic import StochasticModel, StochasticParameters

RANGES = StochasticModel().card.conditions
IMTS = ["PGA", "SA(0.1)", "SA(1.0)"]


# --- flatfiles --------------------------------------------------------------------------------


def flatfile(
    events: int = 10,
    per_event: int = 4,
    seed: int = 0,
    largest: float = 7.0,
    farthest: float = 90.0,
) -> pd.DataFrame:
    """Conditions of records, and measures without meaning."""
    rng = np.random.default_rng(seed)
    n = events * per_event
    event = np.repeat(np.arange(events), per_event)
    return pd.DataFrame(
        {
            "event_id": [f"e{e:03d}" for e in event],
            "station": [f"s{k % 7}" for k in range(n)],
            "mag": rng.uniform(4.5, largest, events)[event].round(1),
            "hypo_depth": rng.uniform(5.0, 15.0, events)[event],
            "rrup": rng.uniform(8.0, farthest, n),
            "vs30": rng.uniform(200.0, 800.0, n),
            "PGA": rng.lognormal(-3, 1, n),
            "SA(0.1)": rng.lognormal(-3, 1, n),
            "SA(1)": rng.lognormal(-4, 1, n),
        }
    )


def write(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False)
    return path


def test_the_order_of_rows_and_files_does_not_matter(tmp_path):
    table = flatfile()
    one = write(table, tmp_path / "one.csv")
    shuffled = table.sample(frac=1.0, random_state=1)
    a, b = tmp_path / "a" / "one.csv", tmp_path / "b"
    for folder in (a.parent, b):
        folder.mkdir()
    write(shuffled, a)
    first, second = (read_flatfiles([p], RANGES) for p in (one, a))
    pd.testing.assert_frame_equal(first.table, second.table)
    np.testing.assert_array_equal(first.ln(), second.ln())
    assert first.imts == ("PGA", "SA(0.1)", "SA(1.0)")
    half = [write(shuffled[:17], b / "x.csv"), write(shuffled[17:], b / "y.csv")]
    both = read_flatfiles(half, RANGES)
    np.testing.assert_array_equal(both.ln(), first.ln())
    np.testing.assert_array_equal(both.ln(), read_flatfiles(half[::-1], RANGES).ln())
    for observations in (second, both):
        chosen = split(observations, 0.3, 1)[0].table["event_id"].unique()
        assert list(chosen) == list(split(first, 0.3, 1)[0].table["event_id"].unique())


def test_split_is_by_event_and_leaves_out_small_events(tmp_path):
    table = pd.concat([flatfile(), flatfile(1, 2, seed=5).assign(event_id="small")])
    o = read_flatfiles([write(table, tmp_path / "f.csv")], RANGES)
    fitted, held = split(o, 0.3, seed=4, min_records=3)
    a, b = set(fitted.table["event_id"]), set(held.table["event_id"])
    assert not a & b
    assert a | b == {f"e{k:03d}" for k in range(10)}
    assert len(b) in (3, 4)
    assert fitted.dropped == {"of events with fewer than 3 records": 2}
    with pytest.raises(ValueError, match="held-out share = 1"):
        split(o, 1.0, 1)


def test_records_that_cannot_be_used_are_counted_by_reason(tmp_path):
    table = flatfile()
    table.loc[0, "vs30"] = np.nan
    table.loc[1, "mag"] = 3.0
    table.loc[2, ["PGA", "SA(0.1)", "SA(1)"]] = [np.nan, 0.0, -1.0]
    table.loc[3, "rrup"] = 400.0
    table.loc[4:7, "mag"] = 4.6
    table.loc[4, "rrup"] = 160.0
    table.loc[8, "hypo_depth"] = 60.0
    table = pd.concat([table, table.iloc[[20]]])
    o = read_flatfiles([write(table, tmp_path / "f.csv")], RANGES, selection=Selection())
    assert o.dropped == {
        "the same record twice": 1,
        "without vs30": 1,
        "outside mag 4 to 8 Mw": 1,
        "without a measure": 1,
        "outside rrup 1 to 300 km": 1,
        "below M 5 beyond 150 km": 1,
        "deeper than 40 km": 1,
    }
    assert len(o) == 40 - 6


@pytest.mark.parametrize(
    ("column", "value", "known"),
    [
        ("highpass_hz", 0.8, True),  # SA(1.0) usable to 0.8 / 0.8 = 1 s
        ("highpass_hz", 0.81, False),
        ("lowest_usable_freq_hz", 1.0, True),
        ("fmin_usable_hz", 1.01, False),
        ("highpass_h2_hz", 1.0, False),
        ("highpass_hz", np.nan, True),
    ],
)
def test_spectral_ordinates_beyond_the_usable_period_are_unknown(tmp_path, column, value, known):
    table = flatfile().assign(**{column: value})
    o = read_flatfiles([write(table, tmp_path / "f.csv")], RANGES)
    assert ("SA(1.0)" in o.imts) == known
    assert np.isfinite(o.ln()[:, :2]).all()


def test_distances_stand_in_for_each_other(tmp_path):
    table = flatfile().rename(columns={"rrup": "rhypo"})
    table.loc[:19, "mag"], table.loc[20:, "mag"] = 5.2, 6.2
    o = read_flatfiles([write(table, tmp_path / "f.csv")], RANGES)
    assert o.dropped == {"without rrup above M 5.5": 20}
    np.testing.assert_array_equal(o.table["rrup"], o.table["rhypo"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="vs30"), "no column 'vs30'"),
        (lambda t: t.drop(columns="event_id"), "no column 'event_id'"),
        (lambda t: t.drop(columns="rrup"), "no column 'rrup' nor 'rhypo'"),
        (lambda t: t.drop(columns=["PGA", "SA(0.1)", "SA(1)"]), "none of the columns PGA"),
        (lambda t: t.assign(mag=["strong"] + [6.0] * 39), "mag = 'strong' in data row 1"),
        (lambda t: t.assign(mag=1.0), "no record of f.csv can be used: 40 outside mag"),
    ],
)
def test_flatfiles_that_cannot_be_read_say_what_is_wrong(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read_flatfiles([write(change(flatfile()), tmp_path / "f.csv")], RANGES)


def test_components_by_file_and_measure(tmp_path):
    table = flatfile().assign(RSD595_gm=10.0)
    paths = [write(table[:20], tmp_path / "one.csv"), write(table[20:], tmp_path / "two.csv.gz")]
    rules = [ComponentRule.parse(t) for t in ("GMRotI50", "two:SA=geometric_mean")]
    o = read_flatfiles(paths, RANGES, components=rules)
    assert o.imts == ("PGA", "SA(0.1)", "SA(1.0)", "RSD595")
    one = (o.table["dataset"] == "one").to_numpy()
    assert (o.component_of()[one] == "GMRotI50").all() and one.sum() == 20
    both = ["GMRotI50", "geometric_mean", "geometric_mean", "GMRotI50"]
    assert (o.component_of()[~one] == both).all()
    plain = read_flatfiles(paths, RANGES)
    assert (plain.component_of() == ["RotD50", "RotD50", "RotD50", "geometric_mean"]).all()
    with pytest.raises(ValueError, match="'three': no flatfile has that name"):
        read_flatfiles(paths, RANGES, components=[ComponentRule.parse("three:PGA=H1")])
    with pytest.raises(ValueError, match="unknown component 'geomean'"):
        ComponentRule.parse("geomean")


def test_thinning_spreads_the_records(tmp_path):
    table = flatfile(30, 20)
    o = read_flatfiles([write(table, tmp_path / "f.csv")], RANGES)
    few = thin(o, 100, seed=1)
    assert len(few) == 100
    assert few.n_events == 30
    near = [(x.table["rrup"] < 30).mean() for x in (o, few)]
    assert near[1] > near[0]  # near records are rare: they are kept
    pd.testing.assert_frame_equal(few.table, thin(o, 100, seed=1).table)
    assert thin(o, 10_000, 1) is o


# --- the fit ----------------------------------------------------------------------------------


def test_the_vector_of_free_parameters_goes_both_ways():
    p = StochasticParameters()
    x = to_vector(p, FREE)
    back = asdict(with_vector(p, FREE, x))
    assert back == pytest.approx(asdict(p))
    centre, precision = prior("published", FREE, p)
    assert with_vector(p, FREE, centre).stress_bar == pytest.approx(100.0)
    assert precision[0] == pytest.approx(1 / 0.7**2)
    assert not prior("none", FREE, p)[1].any()
    with pytest.raises(ValueError, match="free parameter 'colour'"):
        choose(["colour"])


def observed_from(p: StochasticParameters, events: int, per_event: int) -> pd.DataFrame:
    """A flatfile drawn from the model: with its own event and record terms."""
    # Small and near: short records.
    table = flatfile(events, per_event, 11, 5.5, 40.0)
    table = table.drop(columns=["PGA", "SA(0.1)", "SA(1)"])
    sc = Scenarios(**{k: table[k].to_numpy() for k in ("mag", "rrup", "vs30", "hypo_depth")})
    noise = Noise(99, table["event_id"].str[1:].astype(int), np.arange(len(table)), 0)
    ln = ln_measures(StochasticModel(**asdict(p)), Draws(sc, noise), IMTS)
    table[IMTS] = np.exp(ln)
    return table


def problem_of(o, free, nodes=None, kind="none") -> Problem:
    chosen = choose(free)
    start = StochasticParameters()
    medians = Medians(points_of(o), seed=3)
    centre, precision = prior(kind, chosen, start)
    return Problem(o, medians, 2, nodes, chosen, quiet(start), centre, precision)


def test_known_parameters_are_recovered(tmp_path):
    """Stress, spreading, tau and phi of synthetic records, within 3 standard errors.

    Stress and kappa would not do: at small magnitudes both are the level at short periods.
    """
    truth = replace(quiet(StochasticParameters()), stress_bar=120.0, b1=-1.3)
    table = observed_from(truth, 20, 4)
    rng = np.random.default_rng(5)
    event = np.repeat(np.arange(20), 4)
    for imt in IMTS:
        table[imt] *= np.exp(0.35 * rng.normal(size=20)[event] + 0.5 * rng.normal(size=80))
    o = read_flatfiles([write(table, tmp_path / "f.csv")], RANGES)
    problem = problem_of(o, ["stress_bar", "b1"])
    start = to_vector(StochasticParameters(), problem.free)
    found = fit(problem, start, np.zeros_like(o.ln()))
    assert found.converged
    expected = to_vector(truth, problem.free)

    def squared(x: np.ndarray) -> float:  # chi-squared with two degrees of freedom: 11.8 at 3 sigma
        off = x - expected
        return off @ np.linalg.solve(found.sandwich_covariance, off)

    assert squared(found.state.x) < 11.8
    assert squared(start) > 20.0
    error = [np.sqrt(np.diag(c)) for c in (found.sandwich_covariance, found.hessian_covariance)]
    assert error[0] == pytest.approx(error[1], rel=0.6)
    for j, e in enumerate(found.state.estimates):
        phi = np.sqrt(e.spread.phi**2 - found.state.simulation_variance[j])
        # The records' own phases scatter by up to 0.2 besides.
        assert 0.4 < phi < 0.64
        assert 0.18 < e.spread.tau < 0.55
    gradient, hessian, _ = score(problem, problem.groups(), found.state, found.jacobian)
    assert 0.5 * gradient @ np.linalg.solve(hessian, gradient) < 2 * fit_module.TOLERANCE


def test_gradient_is_that_of_the_objective(tmp_path):
    """Against differences of the objective, standard deviations estimated anew on each side."""
    table = observed_from(quiet(StochasticParameters()), 6, 4)
    rng = np.random.default_rng(6)
    for imt in IMTS:
        table[imt] *= np.exp(0.5 * rng.normal(size=24))
    o = read_flatfiles([write(table, tmp_path / "f.csv")], RANGES)
    problem = replace(problem_of(o, ["stress_bar", "b1"], kind="published"), draws=1)
    groups, zero = problem.groups(), np.zeros_like(o.ln())
    x = to_vector(StochasticParameters(), problem.free) + 0.1
    state = fit_module.evaluate(problem, groups, x, zero)
    gradient, _, _ = score(problem, groups, state, differences(problem, x))
    for j, f in enumerate(problem.free):
        step = 0.05 * f.sd * (np.arange(2) == j)
        sides = [fit_module.evaluate(problem, groups, x + s, zero) for s in (step, -step)]
        values = [s.objective(state.power) for s in sides]
        assert (values[0] - values[1]) / (0.1 * f.sd) == pytest.approx(gradient[j], rel=0.05)


def test_derivatives_between_nodes_are_those_at_the_records(tmp_path):
    o = read_flatfiles([write(flatfile(20, 3, 0, 5.5, 40.0), tmp_path / "f.csv")], RANGES)
    free = ["stress_bar", "kappa_s"]
    exact = differences(problem_of(o, free), to_vector(StochasticParameters(), choose(free)))
    nodes = Medians(variability.typical(o, 25).points, seed=3)
    near = differences(problem_of(o, free, nodes), to_vector(StochasticParameters(), choose(free)))
    scale = np.sqrt((exact**2).mean(axis=(0, 1)))
    assert (np.sqrt(((near - exact) ** 2).mean(axis=(0, 1))) < 0.2 * scale).all()


def test_the_same_measure_several_times_tells_no_more():
    """The composite likelihood of m copies, to its power, is the likelihood of one."""
    r = np.random.default_rng(9).normal(size=(200, 1))
    assert composite_power(np.tile(r, 5)) == pytest.approx(1 / 5)
    assert composite_power(r) == 1.0
    independent = np.random.default_rng(10).normal(size=(5000, 4))
    assert composite_power(independent) == pytest.approx(1.0, abs=0.06)


# --- variability and the whole ----------------------------------------------------------------


def test_factors_are_those_that_give_the_observed_variability():
    """Closed form: tau scales with its factor; phi^2 less that of the phases with its square."""
    model = variability.ModelSpread(
        tau=np.array([0.4, 0.2]), phi=np.array([0.5, 0.3]), phase=np.array([0.3, 0.1]),
        shift=np.zeros((3, 2)),
    )  # fmt: skip
    observed = pd.DataFrame(
        {"imt": ["PGA", "RSD595"], "tau": [0.6, 0.1], "phi": [np.hypot(0.3, 0.2), 0.3]}
    )
    p = StochasticParameters()
    q = variability.scaled(p, model, ["PGA", "RSD595"], observed)
    assert q.tau_factor == pytest.approx(1.5)
    assert q.stress_sigma_ln == pytest.approx(1.5 * p.stress_sigma_ln)
    assert q.phi_factor == pytest.approx(0.5)
    assert q.duration_tau == pytest.approx(0.5 * p.duration_tau)
    assert q.duration_phi == pytest.approx(p.duration_phi)


@pytest.fixture
def cheap(monkeypatch):
    """Small ensembles: the numbers are rough, the path is the same."""
    monkeypatch.setattr(variability, "REALIZATIONS", 20)
    monkeypatch.setattr(variability, "SCENARIOS", 2)


def test_from_flatfile_to_model_folder(tmp_path, cheap):
    table = flatfile(8, 4, 2, 5.5, 40.0)
    table[IMTS] = np.exp(
        ln_measures(
            StochasticModel(),
            Draws(
                Scenarios(
                    **{k: table[k].to_numpy() for k in ("mag", "rrup", "vs30", "hypo_depth")}
                ),
                Noise(1, np.repeat(np.arange(8), 4), np.arange(32), 0),
            ),
            IMTS,
        )
    )
    path = write(table.drop(columns="SA(1)"), tmp_path / "region.csv")
    settings = Settings(imts=("PGA", "SA(1.0)"), free=("stress_bar",), held_out=0.25)

    class Stop(Exception):
        pass

    def interrupt(line: str) -> None:
        if "once more" in line:
            raise Stop

    folder = tmp_path / "region"
    with pytest.raises(Stop):
        calibrate([path], folder, settings, told=interrupt)
    assert not (folder / "card.json").exists()
    kept = {f.name: f.stat().st_mtime_ns for f in (folder / "calibration.partial").iterdir()}
    assert len(kept) > 4

    shuffled = write(pd.read_csv(path).sample(frac=1.0, random_state=3), tmp_path / "region.csv")
    options = ["--imts", "PGA, SA(1.0)", "--free", "stress_bar", "--held-out", "0.25"]
    run = CliRunner().invoke(
        command, [str(shuffled), "-o", str(folder), "--device", "cpu", *options],
        catch_exceptions=False,
    )  # fmt: skip
    assert run.exit_code == 0
    assert "default model, held out events" in run.output
    plain = calibrate([path], tmp_path / "plain" / "region", settings)

    card = json.loads((folder / "card.json").read_text())
    assert card["family"] == "stochastic"
    assert card["parameters"] == asdict(plain.parameters)
    assert card["conditions"]["mag"] == [
        plain.fitted.observations.table["mag"].min(),
        plain.fitted.observations.table["mag"].max(),
    ]
    model = load_model(folder, "cpu")
    assert isinstance(model, StochasticModel)
    assert model.parameters == plain.parameters
    assert not (folder / "calibration.partial").exists()
    for name in ("residuals", "variability"):
        assert (folder / f"{name}.png").stat().st_size > 10_000
    records = pd.read_csv(folder / "residuals_by_record.csv")
    assert set(records["set"]) == {"fitted", "held out"}
    events = records.groupby("set")["event_id"].unique()
    assert not set(events["fitted"]) & set(events["held out"])
    parameters = pd.read_csv(folder / "parameters.csv")
    assert parameters["low"][0] < parameters["fitted"][0] < parameters["high"][0]


def test_mistakes_on_the_command_line(tmp_path):
    path = write(flatfile(), tmp_path / "f.csv")
    run = CliRunner().invoke(command, [str(path), "-o", str(tmp_path / "m"), "--free", "mood"])
    assert "free parameter 'mood': known are stress_bar" in str(run.exception)
    run = CliRunner().invoke(command, [str(path), "-o", str(tmp_path / "m"), "--draws", "1"])
    assert "draws = 1" in str(run.exception)
    run = CliRunner().invoke(command, [str(path), "-o", str(tmp_path / "m"), "--site-terms",
                                       "--imts", "PGV"])  # fmt: skip
    assert "no flatfile has values of PGV" in str(run.exception)


@pytest.mark.slow
def test_the_model_is_recovered_with_its_variability(tmp_path):
    """Records with the model's own event and record terms, 1.3 and 0.8 times the published."""
    truth = replace(
        StochasticParameters(), stress_bar=140.0, kappa_s=0.045, tau_factor=1.3, phi_factor=0.8,
        stress_sigma_ln=0.65,
    )  # fmt: skip
    table = observed_from(truth, 60, 8)
    path = write(table, tmp_path / "f.csv")
    settings = Settings(free=("stress_bar", "kappa_s", "b1"), prior="none", held_out=0.0)
    found = calibrate([path], tmp_path / "m", settings)
    error = np.sqrt(np.diag(found.fit.sandwich_covariance))
    expected = to_vector(truth, found.free)
    assert (np.abs(found.fit.state.x - expected) < 3.0 * error).all()
    # 60 events: the standard error of ln tau is about 1 / sqrt(120), and a little for the ensemble.
    assert found.parameters.tau_factor == pytest.approx(1.3, rel=0.3)
    assert found.parameters.phi_factor == pytest.approx(0.8, rel=0.12)
    # Without the shift that the random terms add to the mean, PGA would be off by 0.1.
    mean = found.summary.set_index("imt")["mean"]
    assert np.abs(mean).max() < 0.12
