"""GenerativeWaveformGMM in plain hazardlib."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from openquake.hazardlib import const, imt, valid
from openquake.hazardlib.contexts import simple_cmaker
from openquake.hazardlib.gsim.base import registry
from openquake.hazardlib.gsim_lt import GsimLogicTree

from gwm_hazard.core import conditioning
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution import estimator
from gwm_hazard.distribution.estimate import estimate
from gwm_hazard.distribution.file import read_surface
from gwm_hazard.distribution.surface import Surface
from gwm_hazard.models.registry import load_model, save_model
from gwm_hazard.models.stochastic import StochasticModel
from gwm_hazard.openquake import gsim as module
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from tests.toy import ToyModel

MEASURES = ("PGA", "PGV", "SA(0.5)", "SA(0.7)", "RSD595")
PAIRS = {
    "mag": np.array([6.0, 6.3, 6.3, 7.9]),
    "rrup": np.array([1.0, 12.0, 80.0, 290.0]),
    "vs30": np.array([300.0, 400.0, 420.0, 500.0]),
    "hypo_depth": np.array([0.0, 8.0, 15.0, 30.0]),
}


@pytest.fixture(scope="module")
def surface(tiny_surface: Path) -> Surface:
    return read_surface(tiny_surface)


@pytest.fixture(scope="module")
def gsim(tiny_surface: Path) -> GenerativeWaveformGMM:
    return GenerativeWaveformGMM(surface_file=str(tiny_surface))


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditioning, "_warned", set())


def moments(gsim: Any, pairs: dict[str, Any] = PAIRS, imts: tuple[str, ...] = MEASURES) -> Any:
    """OpenQuake's (4, M, N): mean, sigma, tau, phi."""
    cmaker = simple_cmaker([gsim], list(imts))
    ctx = cmaker.new_ctx(len(pairs["mag"]))
    for name, values in pairs.items():
        ctx[name] = values
    return cmaker.get_mean_stds([ctx], split_by_mag=False)[:, 0]


def changed(**values: float) -> dict[str, Any]:
    """PAIRS with another value in the second pair."""
    return {k: np.where(np.arange(4) == 1, values.get(k, v), v) for k, v in PAIRS.items()}


def test_moments_are_those_of_the_surface(gsim: Any, surface: Surface) -> None:
    mean, sigma, tau, phi = moments(gsim)
    expected = surface(PAIRS, MEASURES)
    np.testing.assert_allclose(mean.T, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(tau.T, expected.tau, rtol=1e-12)
    np.testing.assert_allclose(phi.T, expected.phi, rtol=1e-12)
    np.testing.assert_allclose(sigma**2, tau**2 + phi**2, rtol=1e-12)
    assert (sigma > 0.2).all() and (sigma < 2.0).all()


def test_a_node_of_the_surface_is_returned_as_it_was_estimated(gsim: Any, surface: Surface) -> None:
    node = {"mag": [7.0], "rrup": [50.0], "vs30": [300.0], "hypo_depth": [30.0]}
    mean, _, tau, phi = moments(gsim, {k: np.array(v) for k, v in node.items()}, surface.imts)
    for got, held in ((mean, surface.mean), (tau, surface.tau), (phi, surface.phi)):
        np.testing.assert_allclose(got[:, 0], held[1, 2, 0, 1], rtol=1e-6)


def test_contexts_split_by_magnitude_give_the_same(gsim: Any) -> None:
    cmaker = simple_cmaker([gsim], list(MEASURES))
    ctx = cmaker.new_ctx(4)
    for name, values in PAIRS.items():
        ctx[name] = values
    np.testing.assert_array_equal(cmaker.get_mean_stds([ctx])[:, 0], moments(gsim))


def test_period_between_two_held_ones_is_linear_in_its_logarithm(gsim: Any) -> None:
    low, between, high = moments(gsim, imts=("SA(0.5)", "SA(0.7)", "SA(1.0)"))[0]
    u = np.log(0.7 / 0.5) / np.log(1.0 / 0.5)
    np.testing.assert_allclose(between, (1 - u) * low + u * high, rtol=1e-12)


def test_attributes_say_what_compute_reads(gsim: Any) -> None:
    assert {"vs30"} == gsim.REQUIRES_SITES_PARAMETERS
    assert {"rrup"} == gsim.REQUIRES_DISTANCES
    assert {"mag", "hypo_depth"} == gsim.REQUIRES_RUPTURE_PARAMETERS
    reference = moments(gsim)
    for name in ("vs30", "rrup", "mag", "hypo_depth"):
        moved = PAIRS | {name: PAIRS[name] * 0.9 + 0.1 * PAIRS[name].mean()}
        assert not np.allclose(moments(gsim, moved)[0], reference[0], rtol=1e-3), name


def test_compute_needs_no_other_field_than_the_required(gsim: Any) -> None:
    dtype = [(n, float) for n in PAIRS]
    ctx = np.rec.fromarrays(list(PAIRS.values()), dtype=dtype)
    out = np.zeros((4, len(MEASURES), 4))
    gsim.compute(ctx, [imt.from_string(m) for m in MEASURES], *out)
    np.testing.assert_allclose(out, moments(gsim), rtol=1e-12)


def test_declared_measures_components_and_deviations_are_delivered() -> None:
    cls = registry["GenerativeWaveformGMM"]
    assert cls is GenerativeWaveformGMM
    assert cls.DEFINED_FOR_INTENSITY_MEASURE_COMPONENT is const.IMC.RotD50
    assert const.TRT.ACTIVE_SHALLOW_CRUST == cls.DEFINED_FOR_TECTONIC_REGION_TYPE
    deviations = {const.StdDev.TOTAL, const.StdDev.INTER_EVENT, const.StdDev.INTRA_EVENT}
    assert deviations == cls.DEFINED_FOR_STANDARD_DEVIATION_TYPES
    # Each declared measure, drawn: in OpenQuake's units they come near a published model's.
    names = [f.__name__ for f in cls.DEFINED_FOR_INTENSITY_MEASURE_TYPES if f is not imt.SA]
    assert sorted(names) == ["CAV", "IA", "PGA", "PGV", "RSD2080", "RSD575", "RSD595"]
    direct = GenerativeWaveformGMM(estimator="direct", realizations=8, device="cpu")
    near = {"mag": [6.5], "rrup": [20.0], "vs30": [400.0], "hypo_depth": [10.0]}
    pairs = {k: np.array(v) for k, v in near.items()}
    names.append("SA(1.0)")
    values = np.exp(moments(direct, pairs, tuple(names))[0, :, 0])
    median = dict(zip(names, values, strict=True))
    bounds = {
        "PGA": (0.05, 0.5),
        "PGV": (4.0, 40.0),
        "SA(1.0)": (0.04, 0.5),
        "IA": (0.05, 3.0),
        "CAV": (0.1, 2.0),
        "RSD575": (2.0, 20.0),
        "RSD595": (4.0, 40.0),
        "RSD2080": (1.0, 15.0),
    }
    assert {k: v for k, v in median.items() if not bounds[k][0] < v < bounds[k][1]} == {}


def test_toml_round_trip(gsim: Any, tiny_surface: Path) -> None:
    again = valid.gsim(repr(gsim), str(tiny_surface.parent))
    assert again == gsim and hash(again) == hash(gsim) and repr(again) == repr(gsim)
    np.testing.assert_array_equal(moments(again), moments(gsim))
    other = GenerativeWaveformGMM(surface_file=str(tiny_surface), out_of_range="error")
    assert other != gsim and hash(other) != hash(gsim)


@pytest.mark.parametrize("estimator", ["surface", "direct"])
def test_pickle_round_trip(estimator: str, tiny_surface: Path, gsim: Any) -> None:
    if estimator == "direct":
        gsim = GenerativeWaveformGMM(estimator="direct", realizations=4, device="cpu")
    blob = pickle.dumps(gsim)
    again = pickle.loads(blob)
    assert again == gsim and hash(again) == hash(gsim)
    np.testing.assert_array_equal(
        moments(again, imts=("PGA", "SA(0.5)")), moments(gsim, imts=("PGA", "SA(0.5)"))
    )
    # A GSIM goes to each task: it carries no network, and a surface only where it must.
    assert len(blob) < tiny_surface.stat().st_size + 20_000


def test_inside_a_modifiable_gmpe(
    gsim: Any, tiny_surface: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OpenQuake resolves a nested file name against the working directory only.
    monkeypatch.chdir(tiny_surface.parent)
    modified = valid.gsim(
        "[ModifiableGMPE]\n"
        "set_scale_median_scalar.scaling_factor = 2.0\n"
        "set_fixed_total_sigma.total_sigma = {PGA = 0.5}\n"
        'gmpe.GenerativeWaveformGMM.surface_file = "tiny.h5"\n'
    )
    got = moments(modified, imts=("PGA",))
    np.testing.assert_allclose(got[0], moments(gsim, imts=("PGA",))[0] + np.log(2.0), rtol=1e-9)
    np.testing.assert_allclose(got[1], 0.5)


# The estimator that draws


@pytest.fixture(scope="module")
def direct() -> GenerativeWaveformGMM:
    return GenerativeWaveformGMM(estimator="direct", realizations=8, seed=5, device="cpu")


def test_direct_is_the_estimate_of_an_ensemble(direct: Any) -> None:
    mean, sigma, tau, phi = moments(direct)
    model = load_model("stochastic", "cpu")
    expected = estimate(model, Scenarios(**PAIRS), list(MEASURES), Ensemble(8, 5))
    np.testing.assert_allclose(mean.T, expected.mean, rtol=1e-5)
    np.testing.assert_allclose(tau.T, expected.tau, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(phi.T, expected.phi, rtol=1e-4)
    np.testing.assert_allclose(sigma**2, tau**2 + phi**2, rtol=1e-9)


def test_direct_does_not_depend_on_how_pairs_are_split_or_ordered(
    direct: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = moments(direct)
    order = np.array([2, 0, 3, 1, 2])  # one pair twice
    shuffled = moments(direct, {k: v[order] for k, v in PAIRS.items()})
    np.testing.assert_allclose(shuffled, whole[:, :, order], rtol=1e-5, atol=1e-6)
    monkeypatch.setattr(estimator, "CHUNK", 1)
    np.testing.assert_allclose(moments(direct), whole, rtol=1e-5, atol=1e-6)
    alone = moments(direct, {k: v[3:] for k, v in PAIRS.items()})
    np.testing.assert_allclose(alone, whole[:, :, 3:], rtol=1e-5, atol=1e-6)


def test_direct_depends_on_its_seed(direct: Any) -> None:
    other = GenerativeWaveformGMM(estimator="direct", realizations=8, seed=6, device="cpu")
    assert not np.allclose(moments(other)[0], moments(direct)[0], atol=1e-4)


# Out of range


@pytest.mark.parametrize(
    ("name", "value", "bound", "text"),
    [
        ("rrup", 450.0, 300.0, "1 to 300 km"),
        ("rrup", 0.2, 1.0, "1 to 300 km"),
        ("mag", 8.4, 8.0, "6 to 8 Mw"),  # the surface holds less than the card
        ("vs30", 760.0, 500.0, "300 to 500 m/s"),
        ("hypo_depth", 44.0, 30.0, "0 to 30 km"),
    ],
)
def test_clip_gives_the_value_of_the_bound_and_warns_once(
    gsim: Any, caplog: Any, name: str, value: float, bound: float, text: str
) -> None:
    at_bound = moments(gsim, changed(**{name: bound}))
    assert not caplog.records
    for _ in range(3):
        np.testing.assert_array_equal(moments(gsim, changed(**{name: value})), at_bound)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{name} = {value:g}" in record.message and text in record.message
    assert "clipped" in record.message and "stochastic" in record.message


def test_error_policy_names_field_value_place_range_and_remedy(tiny_surface: Path) -> None:
    gsim = GenerativeWaveformGMM(surface_file=str(tiny_surface), out_of_range="error")
    np.testing.assert_array_equal(moments(gsim)[0].shape, (5, 4))
    cmaker = simple_cmaker([gsim], ["PGA"])
    ctx = cmaker.new_ctx(4)
    for name, values in changed(rrup=450.0).items():
        ctx[name] = values
    ctx["sids"] = [3, 12, 4, 5]
    with pytest.raises(ValueError, match=r"rrup = 450 km at site 12") as caught:
        cmaker.get_mean_stds([ctx])
    assert "1 to 300 km" in str(caught.value) and 'out_of_range = "clip"' in str(caught.value)


@pytest.mark.parametrize("policy", ["clip", "error"])
@pytest.mark.parametrize("value", [-3.0, 0.0, np.nan, np.inf])
def test_impossible_values_are_refused_by_any_policy(
    tiny_surface: Path, policy: str, value: float
) -> None:
    gsim = GenerativeWaveformGMM(surface_file=str(tiny_surface), out_of_range=policy)
    with pytest.raises(ValueError, match=rf"vs30 = {value:g} m/s .*must be from 30 to 5000 m/s"):
        moments(gsim, changed(vs30=value))


# Bad input


def bad(text: str, folder: Path) -> str:
    """The message of ``valid.gsim``: what OpenQuake shows, plus the name of the logic tree."""
    with pytest.raises(ValueError) as caught:
        valid.gsim(text, str(folder))
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and len(message) < 600
    return message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('model = "nonesuch"', ("model", "nonesuch", "stochastic", "model folder")),
        ('estimator = "magic"', ("estimator", "magic", "surface, direct")),
        ('out_of_range = "ignore"', ("out_of_range", "ignore", "clip, error")),
        ('surface_file = "none.h5"', ("none.h5", "no such file", "gwm-hazard surface build")),
        ('surface_file = "foreign.h5"', ("foreign.h5", "not a surface of gwm_hazard")),
        ('surface_file = "broken.h5"', ("broken.h5", "not a readable HDF5 file")),
        ('surface_file = "cut.h5"', ("cut.h5", "not a readable HDF5 file")),
        ('surface_file = "text.h5"', ("text.h5", "not a readable HDF5 file")),
        ('estimator = "direct"\nrealizations = 7', ("realizations = 7", "even number")),
        ('estimator = "direct"\nrealizations = 0', ("realizations = 0", "at least 4")),
        ('estimator = "direct"\nseed = -1', ("seed = -1", "0 to 2**64 - 1")),
        ('estimator = "direct"\ndevice = "abacus"', ("device", "abacus", "auto")),
    ],
)
def test_bad_argument(
    line: str, words: tuple[str, ...], tiny_surface: Path, tmp_path: Path
) -> None:
    whole = tiny_surface.read_bytes()
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["gmv"] = np.ones(3)
    (tmp_path / "broken.h5").write_bytes(b"\0" * 400 + whole[400:])
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_text("mag,rrup\n")
    message = bad(f"[GenerativeWaveformGMM]\n{line}", tmp_path)
    assert [w for w in words if w not in message] == [], message


def test_surface_of_a_model_with_other_parameters(tiny_surface: Path, tmp_path: Path) -> None:
    model = load_model("stochastic", "cpu")
    parameters = dict(model.card.parameters)
    name = next(k for k, v in parameters.items() if isinstance(v, float) and v > 0)
    other = StochasticModel(**{name: parameters[name] * 1.01})
    folder = save_model(other, tmp_path / "mine")
    with pytest.raises(ValueError, match=r"tiny\.h5: made from another model .*surface build"):
        GenerativeWaveformGMM(model=str(folder), surface_file=str(tiny_surface))


@pytest.mark.parametrize(
    ("measure", "remedy"),
    [("IA", "PGA, PGV, RSD595"), ("SA(10.0)", "SA from 0.1 to 1 s"), ("SA(0.05)", "0.1 to 1 s")],
)
def test_measure_that_the_surface_does_not_hold(gsim: Any, measure: str, remedy: str) -> None:
    with pytest.raises(ValueError) as caught:
        moments(gsim, imts=("PGA", measure))
    message = str(caught.value)
    assert measure in message and remedy in message and 'estimator = "direct"' in message


def test_other_damping_is_refused(gsim: Any) -> None:
    ctx = np.rec.fromarrays(list(PAIRS.values()), dtype=[(n, float) for n in PAIRS])
    with pytest.raises(ValueError, match=r"damping 2.0? %, only 5 %"):
        gsim.compute(ctx, [imt.SA(0.5, 2.0)], *np.zeros((4, 1, 4)))


def test_logic_tree_names_the_file_of_a_bad_branch(oq: Any, tmp_path: Path) -> None:
    oq.job(tmp_path, {"GWM": '[GenerativeWaveformGMM]\nmodel = "nonesuch"'})
    with pytest.raises(ValueError, match=r"model = 'nonesuch': .* is no model folder .*gmm\.xml"):
        GsimLogicTree(str(tmp_path / "gmm.xml"), ["*"])


def test_model_without_a_between_event_term_declares_total_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = ToyModel(between_event=False)
    monkeypatch.setattr(module, "load_model", lambda name, device: toy)
    monkeypatch.setattr(module, "located", lambda name: name)
    module._loaded_model.cache_clear()
    try:
        gsim = GenerativeWaveformGMM(model="toy", estimator="direct", realizations=100)
        assert {const.StdDev.TOTAL} == gsim.DEFINED_FOR_STANDARD_DEVIATION_TYPES
        assert {"mag"} == gsim.REQUIRES_RUPTURE_PARAMETERS
        pairs = {k: v for k, v in PAIRS.items() if k != "hypo_depth"}
        mean, sigma, tau, phi = moments(gsim, pairs, ("PGV",))
        np.testing.assert_array_equal(tau, 0.0)
        np.testing.assert_allclose(sigma, phi)
        np.testing.assert_allclose(mean[0], toy.ln_mean(pairs, "PGV"), atol=0.15)
    finally:
        module._loaded_model.cache_clear()
