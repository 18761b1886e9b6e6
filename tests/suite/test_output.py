"""The folder of a study: what is in it is what was chosen, in every file alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.core.noise import MixedNoise, Noise, noise_from_text
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import load_model
from gwm_hazard.records.read import read_records
from gwm_hazard.suite import output
from gwm_hazard.suite.candidates import Proposal, measured
from gwm_hazard.suite.folder import Folder
from gwm_hazard.suite.motions import Motions, husid, spectra, velocity_and_displacement
from gwm_hazard.suite.output import write
from gwm_hazard.suite.page.embed import Digest, outline, significant
from gwm_hazard.suite.page.figures import MOST_LABELS, correlation_of, kolmogorov, named, spread
from gwm_hazard.suite.page.page import DrawnFigure
from gwm_hazard.suite.study import Study, Suite
from gwm_hazard.suite.tables import imt_text, years_text
from tests.suite.made_up import BRANCH, IMTS, RUPTURES, make_study
from tests.toy import ToyModel

EVERY = (*IMTS, "PGA", "IA", "CAV")


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that look at other files: figures take most of the time."""
    monkeypatch.setattr(output, "_figures", lambda *arguments: {})


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "motions.csv")


def test_table_is_the_suites(study: Study, table: pd.DataFrame) -> None:
    assert list(table["record"]) == list(range(12)) and table["name"][1] == "rec0001"
    assert set(table["branch"]) == {BRANCH}
    for k, suite in enumerate(study.suites):
        part = table[table["suite"] == k + 1]
        np.testing.assert_allclose(np.log(part[list(IMTS)]), suite.ln, atol=1e-5)
        np.testing.assert_allclose(part["SA(0.5)"], suite.target.level, rtol=1e-5)  # scaled to it
        np.testing.assert_allclose(part["scale"], suite.scale, rtol=1e-6)
        assert np.ptp(suite.scale) > 0.05
        for name in RUPTURES:
            np.testing.assert_allclose(part[name], suite.scenarios[name])
        np.testing.assert_allclose(part["weight"].sum(), 1.0, rtol=1e-6)
        np.testing.assert_allclose(part["return_period_years"], (250.0, 1000.0)[k])


def test_every_column_has_its_unit_and_meaning(folder: Path, table: pd.DataFrame) -> None:
    found = pd.read_csv(folder / "columns.csv", keep_default_na=False)
    assert list(found["column"]) == list(table.columns)
    assert (found["meaning"].str.len() > 5).all()
    unit = dict(zip(found["column"], found["unit"], strict=True))
    wanted = {"SA(0.5)": "g", "PGV": "cm/s", "RSD595": "s", "rrup": "km", "scale": "1", "key": ""}
    assert {name: unit[name] for name in wanted} == wanted
    assert found["meaning"][list(found["column"]).index("PGV")].endswith(", RotD50")


def test_epsilon_is_that_of_the_rupture_under_the_own_branch(
    study: Study, table: pd.DataFrame
) -> None:
    c = study.contributions
    for _, row in table.iterrows():
        of_rupture = 4 + int(np.flatnonzero(RUPTURES["mag"] == row["mag"])[0])
        eps = (np.log(row["SA(0.5)"]) - c.mean[of_rupture, 1]) / c.sigma[of_rupture, 1]
        assert row["epsilon"] == pytest.approx(eps, abs=1e-5)


def test_waveforms_have_the_measures_of_the_table(folder: Path, table: pd.DataFrame) -> None:
    with open_catalogue(folder / "suite.h5") as stored:
        for i in range(stored.sizes["record"]):
            motion = stored["acceleration"][i].values[None, :, : int(stored["npts"][i])]
            found = intensity_measures_array(motion, stored.attrs["dt_s"], EVERY)[0]
            np.testing.assert_allclose(found, table.loc[i, list(EVERY)].astype(float), rtol=1e-5)
        for name in (*EVERY, "scale", "weight", "epsilon", "level", "mag", "rrup"):
            np.testing.assert_allclose(stored[name], table[name], rtol=1e-6)
        assert list(stored["key"].values) == list(table["key"])
        assert {stored[m].attrs["component"] for m in EVERY} == {"RotD50"}
        assert json.loads(stored.attrs["about"])["correlation"] == "made up"
        assert "stochastic" in stored.attrs["model_card"]


def drawn_from(row: pd.DataFrame) -> NDArray[np.float32]:
    """The motion of a row of the table: key, conditions, model and scale are all that it takes."""
    model = load_model("stochastic", "cpu")
    scenario = Scenarios(**{k: row[k].to_numpy() for k in model.card.condition_names})
    noise = cast(Noise, noise_from_text(list(row["key"])))
    ((_, drawn),) = model.batches(scenario, noise)
    return np.asarray(drawn[0] * np.float32(row["scale"].iloc[0]))


def test_a_row_of_the_table_draws_its_motion_again(folder: Path, table: pd.DataFrame) -> None:
    drawn = drawn_from(table.iloc[[3]])
    with open_catalogue(folder / "suite.h5") as stored:
        there = stored["acceleration"][3].values[:, : drawn.shape[1]]
    np.testing.assert_allclose(drawn, there, atol=1e-6 * np.abs(there).max())


@pytest.mark.usefixtures("no_figures")
def test_motions_whose_noise_is_a_sum_of_keys(study: Study, tmp_path: Path) -> None:
    """As a walk finds them; conditions of many digits."""
    suite = replace(study.suites[0], scale=np.full(6, 1.25))
    pool = suite.candidates
    n = len(pool)
    source = MixedNoise((Noise(3, np.arange(n), 0, 0),), np.ones((n, 1)))
    source = source.turned(np.linspace(0.0, 0.9, n), Noise(3, 100 + np.arange(n), 0, 0))
    conditions = {k: v + np.pi / 10 for k, v in suite.conditions.items()}
    model = load_model("stochastic", "cpu")
    ln = measured(
        model, Proposal(conditions, np.ones(4), None), pool.rupture, source, IMTS, "RotD50"
    )
    pool = replace(pool, source=source, ln=ln)
    walked = replace(suite, candidates=pool, conditions=conditions)
    write(replace(study, suites=(walked,), consistency=pd.DataFrame()), model, tmp_path)
    table = pd.read_csv(tmp_path / "motions.csv")
    drawn = drawn_from(table.iloc[[4]])
    with open_catalogue(tmp_path / "suite.h5") as stored:
        there = stored["acceleration"][4].values[:, : drawn.shape[1]]
        assert len(set(stored["event"].values)) == 6
    np.testing.assert_allclose(drawn, there, atol=1e-6 * np.abs(there).max())


@pytest.mark.usefixtures("no_figures")
def test_component_of_the_measures_is_told(tmp_path: Path) -> None:
    study = make_study(toy := ToyModel(), "scenario", n=3)
    write(study, toy, tmp_path)
    with open_catalogue(tmp_path / "suite.h5") as stored:
        assert stored["PGA"].attrs["component"] == "RotD50"
    other = replace(study, component="RotD100")
    with pytest.raises(ValueError, match=r"motion 0 drawn again has SA\(0\.2\)"):
        write(other, toy, tmp_path)  # chosen with another component


def test_exported_accelerograms_read_back(folder: Path) -> None:
    with open_catalogue(folder / "suite.h5") as stored:
        acceleration = stored["acceleration"].values
        npts = stored["npts"].values
    for i, n in enumerate(npts):
        one = pd.read_csv(folder / "csv" / "waveforms" / f"rec{i:04d}.csv")
        assert list(one.columns) == ["time (s)", "H1 (m/s2)", "H2 (m/s2)", "V (m/s2)"]
        np.testing.assert_array_equal(
            one.iloc[:, 1:].to_numpy(dtype=np.float32).T, acceleration[i, :, :n]
        )
    (record,) = read_records(sorted((folder / "at2" / "waveforms").glob("rec0002_*.AT2")))
    assert record.dt_s == 0.01 and len(record.components) == 3
    np.testing.assert_allclose(
        record.acceleration, acceleration[2, :, : npts[2]], atol=2e-7 * np.abs(acceleration).max()
    )


def test_target_table(study: Study, folder: Path) -> None:
    got = pd.read_csv(folder / "target.csv")
    got = got[got["suite"] == 2]
    suite = study.suites[1]
    np.testing.assert_allclose(got["target_median"], np.exp(suite.target.mean), rtol=1e-6)
    np.testing.assert_allclose(got["suite_median"], np.exp(suite.ln.mean(axis=0)), rtol=1e-5)
    np.testing.assert_allclose(
        got["median_error"], got["suite_median"] / got["target_median"] - 1, atol=1e-5
    )
    np.testing.assert_allclose(got["suite_sigma"], suite.ln.std(axis=0, ddof=1), atol=1e-5)
    assert list(got["period_s"].isna()) == [False, False, False, True, True]


def test_results_list_every_file(folder: Path) -> None:
    found = json.loads((folder / "results.json").read_text(), parse_constant=pytest.fail)
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    files = set(found["files"])
    assert {f for f in there if f.split("/")[0] not in ("csv", "at2")} == files - {"csv", "at2"}
    assert not [f for f in there if f.endswith(".tmp")]
    assert found["suites"][0]["checks"][0]["passed"] is False
    assert found["suites"][0]["return_period_years"] == pytest.approx(250)
    assert found["about"]["command"] == "gwm-hazard suite 1 -o out"


@pytest.mark.usefixtures("quick_figures")
def test_a_second_run_replaces_what_the_first_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_figure(study: Study, k: int, suite: Suite, found: Digest, out: Folder) -> Any:
        paths = out.figure(f"suite{k + 1:02d}_spectra", Figure(figsize=(1, 1)))
        return {"spectra": DrawnFigure("Spectra", "", paths)}

    toy = ToyModel()
    monkeypatch.setattr(output, "_figures", one_figure)
    write(make_study(toy, rates=(4e-3, 1e-3), n=3), toy, tmp_path, ("csv",))
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "figures" / "mine.png").write_text("mine")
    assert (tmp_path / "consistency.csv").is_file() and (tmp_path / "csv").is_dir()
    assert (tmp_path / "figures" / "suite02_spectra.png").is_file()
    monkeypatch.setattr(output, "_figures", lambda *arguments: {})
    write(make_study(toy, n=4), toy, tmp_path)
    assert len(pd.read_csv(tmp_path / "motions.csv")) == 4
    assert not (tmp_path / "consistency.csv").exists() and not (tmp_path / "csv").exists()
    assert [p.name for p in (tmp_path / "figures").iterdir()] == ["mine.png"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("no_figures")
def test_the_same_study_gives_the_same_page(tmp_path: Path) -> None:
    study = make_study(toy := ToyModel(), n=3)
    first = write(study, toy, tmp_path / "a").read_bytes()
    assert write(study, toy, tmp_path / "b").read_bytes() == first


@pytest.mark.usefixtures("no_figures")
def test_a_model_that_changed_is_found(tmp_path: Path) -> None:
    study = make_study(ToyModel(), n=3)
    with pytest.raises(ValueError, match=r"motion 0 drawn again.*SA\(0\.2\).*make the suite again"):
        write(study, ToyModel(a=-2.9), tmp_path)
    assert not (tmp_path / "index.html").exists() and not (tmp_path / "suite.h5").exists()


@pytest.mark.usefixtures("quick_figures")
@pytest.mark.parametrize("kind", ("cs", "uhs", "scenario"))
def test_other_targets(kind: str, tmp_path: Path) -> None:
    page = write(make_study(toy := ToyModel(), kind, n=3), toy, tmp_path).read_text()
    table = pd.read_csv(tmp_path / "motions.csv")
    assert table["epsilon"].isna().all() == (kind != "cs")
    assert table["return_period_years"].isna().all() == (kind == "scenario")
    assert ("one of the earthquakes of the calculation occurs" in page) == (kind == "scenario")
    assert ("return period" in page) == (kind != "scenario")
    assert ("geometric mean of the spectrum over its periods" in page) == (kind == "uhs")
    assert ("keeps the scatter about it small, with a weight of 0.1" in page) == (kind == "uhs")
    assert ("`SA(0.5)` near" in page or "SA(0.5)</code> near its level" in page) == (kind == "cs")


def test_bad_arguments(tmp_path: Path) -> None:
    study = make_study(ToyModel(), n=3)
    with pytest.raises(ValueError, match="format = 'sac': must be one of asdf, at2, csv"):
        write(study, ToyModel(), tmp_path, ("sac",))
    assert not list(tmp_path.iterdir())


# -- small parts -----------------------------------------------------------------------------------


def test_velocity_and_displacement_in_closed_form() -> None:
    t = np.arange(4001) * 0.005
    w = 2 * np.pi * 0.7
    velocity, displacement = velocity_and_displacement(
        np.sin(w * t)[None].astype(np.float32), 0.005
    )
    np.testing.assert_allclose(velocity[0], (1 - np.cos(w * t)) / w, atol=1e-4)
    np.testing.assert_allclose(displacement[0], t / w - np.sin(w * t) / w**2, atol=1e-3)
    constant, _ = velocity_and_displacement(np.full((1, 11), 2.0, dtype=np.float32), 0.1)
    np.testing.assert_allclose(constant[0], 0.2 * np.arange(11))


def test_arias_build_up_in_closed_form() -> None:
    build_up = husid(np.full((3, 1001), -1.5, dtype=np.float32))
    np.testing.assert_allclose(build_up[1], np.linspace(0, 1, 1001), atol=1e-9)
    assert significant(build_up[0], 0.01) == pytest.approx((0.5, 9.5))
    assert significant(husid(np.zeros((1, 50), dtype=np.float32))[0], 0.01) == (0.0, 0.0)


def test_significant_duration_is_that_of_the_kernels(study: Study) -> None:
    model = load_model("stochastic", "cpu")
    ((_, drawn),) = model.batches(
        study.suites[0].scenarios.take([0]), study.suites[0].noise.take([0])
    )
    first, last = significant(husid(drawn[0])[0], model.dt_s)
    kernel = intensity_measures_array(drawn, model.dt_s, ["RSD595"], "H1")[0, 0]
    assert last - first == pytest.approx(kernel, rel=1e-6)


def test_outline_keeps_the_extremes_in_their_order() -> None:
    x = np.random.default_rng(0).normal(size=10_007)
    got = outline(x, 500)
    assert len(got) <= 1000
    width = -(-len(x) // 500)
    for k in (0, 17, len(got) // 2 - 1):
        part = x[k * width : (k + 1) * width]
        assert set(got[2 * k : 2 * k + 2]) == {part.min(), part.max()}
        assert (part.argmin() < part.argmax()) == (got[2 * k] == part.min())
    assert outline(x[:900], 500) is not x and len(outline(x[:900], 500)) == 900


def test_bounds_of_kolmogorov() -> None:
    """Two-sided critical values at 10 % (Massey 1951, J. Am. Stat. Assoc. 46: 68-78)."""
    assert kolmogorov(10) == pytest.approx(0.368, abs=1e-3)
    assert kolmogorov(20) == pytest.approx(0.264, abs=1e-3)


def test_correlation_of() -> None:
    got = correlation_of(np.array([[4.0, 3.0, 0.0], [3.0, 9.0, 0.0], [0.0, 0.0, 0.0]]))
    assert got[0, 1] == pytest.approx(0.5) and np.isnan(got[2]).all()


def test_labels_of_correlations_have_room() -> None:
    imts = tuple(f"SA({t:.4g})" for t in np.geomspace(0.1, 3, 26)) + ("PGV", "RSD595")
    shown = named(imts)
    assert len(shown) <= MOST_LABELS and shown[-2:] == [26, 27] and shown[0] == 0
    assert len(set(np.diff(shown[:-2]))) == 1, "even steps"
    assert named(imts[:6]) == list(range(6))
    assert imt_text("SA(0.2359)") == "SA(0.236 s)" and imt_text("PGV") == "PGV"


def test_spread_of_panels() -> None:
    imts = [f"SA({t / 10:g})" for t in range(1, 21)] + ["PGV"]
    got = spread(imts, 5)
    assert got == ["SA(0.1)", "SA(0.7)", "SA(1.4)", "SA(2)", "PGV"]
    assert spread(imts[:3], 5) == imts[:3]


@pytest.mark.parametrize(
    ("years", "text"),
    [(1.372, "1.4"), (72.13, "72"), (474.6, "475"), (2475.4, "2 475"), (49_517.0, "49 520")],
)
def test_years(years: float, text: str) -> None:
    assert years_text(years).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


def test_spectra_of_records_of_different_lengths() -> None:
    rng = np.random.default_rng(1)
    records = [rng.normal(size=(3, n)).astype(np.float32) for n in (700, 500, 700)]
    got = spectra(Motions(tuple(records), (), np.empty((3, 0)), 0.01), "RotD50", np.array([0.3, 2]))
    for row, record in zip(got, records, strict=True):
        alone = intensity_measures_array(record[None], 0.01, ["SA(0.3)", "SA(2)"])[0]
        np.testing.assert_allclose(row, alone, rtol=1e-9)
