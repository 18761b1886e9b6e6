from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch

from gwm_hazard import Scenarios, load_model
from gwm_hazard.errors import ModelError
from gwm_hazard.models import registry
from gwm_hazard.models.registry import families, save_model
from gwm_hazard.models.stochastic import StochasticModel
from tests.toy import ToyModel


def third_party(monkeypatch, **entries):
    group = registry.ENTRY_POINT_GROUP
    points = [EntryPoint(name, value, group) for name, value in entries.items()]
    monkeypatch.setattr(
        registry, "entry_points", lambda *, group: [p for p in points if p.group == group]
    )


@pytest.fixture
def folder(tmp_path):
    return save_model(StochasticModel(kappa_s=0.05, stress_bar=77.0), tmp_path / "mine")


def change(folder, **changes):
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_bundled_model():
    model = load_model("stochastic", device="cpu")
    assert isinstance(model, StochasticModel)
    assert (model.card.name, model.device) == ("stochastic", "cpu")


def test_auto_device():
    want = "cuda" if torch.cuda.is_available() else "cpu"
    assert load_model("stochastic").device == want


@pytest.mark.parametrize("device", ["toaster", "cuda:99"])
def test_bad_device(device):
    with pytest.raises(ModelError, match=f"device '{device}'.*try 'auto'") as error:
        load_model("stochastic", device=device)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none():
    with pytest.raises(ModelError, match="device 'cuda'"):
        load_model("stochastic", device="cuda")


def test_unknown_model():
    with pytest.raises(
        ModelError, match=r"unknown model 'wishful': known are .*stochastic.*folder"
    ):
        load_model("wishful")


def test_save_and_load(folder):
    assert sorted(p.name for p in folder.iterdir()) == ["card.json"]
    model = load_model(str(folder), device="cpu")
    assert (model.parameters.kappa_s, model.parameters.stress_bar) == (0.05, 77.0)
    assert model.card == StochasticModel(kappa_s=0.05, stress_bar=77.0).card
    sc = Scenarios(mag=5.0, rrup=20.0, vs30=400.0, hypo_depth=10.0)
    want = StochasticModel(kappa_s=0.05, stress_bar=77.0).generate(sc, seed=2)
    got = model.generate(sc, seed=2)
    assert got.identical(want)
    assert not np.array_equal(
        got["acceleration"], StochasticModel().generate(sc, seed=2)["acceleration"]
    )


def test_every_parameter_survives(folder, tmp_path):
    changed = {
        k: v + 0.001 * (k != "tables_crc32") for k, v in StochasticModel().card.parameters.items()
    }
    path = save_model(StochasticModel(**changed), folder)  # over the old one
    assert load_model(path, device="cpu").card.parameters == changed


def test_a_folder_named_like_a_family_is_the_family(tmp_path, monkeypatch):
    (tmp_path / "stochastic").mkdir()
    monkeypatch.chdir(tmp_path)
    assert isinstance(load_model("stochastic", device="cpu"), StochasticModel)


def test_folder_without_a_card(tmp_path):
    with pytest.raises(ModelError, match=f"{tmp_path}.*no card.json"):
        load_model(str(tmp_path))


def test_a_file_is_not_a_model(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"weights\.bin.*not a model folder"):
        load_model(str(tmp_path / "weights.bin"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a readable model card"),
        ("\udcff", "not a readable model card"),
        ("[1, 2]", "not a model card of format 1"),
        ('{"name": "a SeisBench card"}', "not a model card of format 1"),
        ('{"format": 2}', "not a model card of format 1"),
        ('{"format": 1, "family": "stochastic"}', "needs 'family' and 'parameters'"),
        ('{"format": 1, "parameters": {}}', "needs 'family' and 'parameters'"),
    ],
)
def test_foreign_and_corrupt_cards(tmp_path, text, words):
    (tmp_path / "card.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ModelError) as error:
        load_model(str(tmp_path))
    assert str(tmp_path / "card.json") in str(error.value)
    assert words in str(error.value)


def test_unknown_family_in_a_card(folder):
    change(folder, family="gan")
    with pytest.raises(ModelError, match=r"card\.json: unknown model family 'gan'; known are"):
        load_model(str(folder))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"stres_bar": 100.0}, "stres_bar"),
        ({"stress_bar": -1.0}, "stress_bar = -1.0: must be > 0"),
        ({"stress_bar": "high"}, "stress_bar = 'high': must be a number"),
        ({"kappa_s": float("nan")}, "kappa_s = nan"),
    ],
)
def test_bad_parameters(folder, parameters, words):
    change(folder, parameters=parameters)
    with pytest.raises(ModelError) as error:
        load_model(str(folder))
    assert "card.json" in str(error.value)
    assert words in str(error.value)


def test_third_party_family(monkeypatch, tmp_path):
    third_party(monkeypatch, toy="tests.toy:ToyModel")
    assert families() == registry.BUNDLED | {"toy": "tests.toy:ToyModel"}
    assert isinstance(load_model("toy", device="cpu"), ToyModel)
    model = load_model(save_model(ToyModel(phi=0.25), tmp_path / "mine"), device="cpu")
    assert isinstance(model, ToyModel)
    assert (model.phi, model.card) == (0.25, ToyModel(phi=0.25).card)


def test_what_a_distance_means_is_kept_with_the_card(monkeypatch, tmp_path):
    class Point(ToyModel):
        def __init__(self, **parameters):
            super().__init__(**parameters)
            ranges = tuple(replace(r, name=r.name.replace("rrup", "rhypo"))
                           for r in self.card.conditions)  # fmt: skip
            self.card = replace(self.card, conditions=ranges)

    monkeypatch.setattr(registry, "_family_class", lambda family, where: Point)
    model = Point()
    model.card = replace(model.card, distance="rhypo")
    folder = save_model(model, tmp_path / "mine")
    assert load_model(folder, device="cpu").card == model.card
    written = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    del written["distance"]  # as cards were before
    (folder / "card.json").write_text(json.dumps(written), encoding="utf-8")
    assert load_model(folder, device="cpu").card.distance == "effective"
    (folder / "card.json").write_text(json.dumps(written | {"distance": "rjb"}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"card\.json: card distance 'rjb': must be one of"):
        load_model(folder, device="cpu")


def test_third_party_cannot_replace_a_bundled_family(monkeypatch):
    third_party(monkeypatch, stochastic="tests.toy:ToyModel")
    assert isinstance(load_model("stochastic", device="cpu"), StochasticModel)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_package.models:Model", "no_such_package"),
        ("tests.toy:NoSuchModel", "NoSuchModel"),
        ("collections:OrderedDict", "OrderedDict is not a WaveformModel"),
    ],
)
def test_broken_third_party_family(monkeypatch, target, words):
    third_party(monkeypatch, broken=target)
    with pytest.raises(ModelError, match="broken") as error:
        load_model("broken")
    assert words in str(error.value)
    assert isinstance(load_model("stochastic", device="cpu"), StochasticModel)


# Importers, installed models, verification.


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A third party's package: a family in a folder of its own, with an importer beside it."""
    root = tmp_path / "site" / "quake_models"
    root.mkdir(parents=True)
    (root / "__init__.py").write_text("from tests.toy import ToyModel\n")
    (root / "importer.py").write_text(
        "from tests.toy import ToyModel\n"
        "def import_model(paths, *, tau='0.4'):\n"
        "    return ToyModel(a=float(paths[0].read_text()), tau=float(tau))\n"
    )
    monkeypatch.syspath_prepend(root.parent)
    third_party(monkeypatch, toy="quake_models:ToyModel")
    source = tmp_path / "published.txt"
    source.write_text("-2.5")
    yield source
    for name in [m for m in sys.modules if m.startswith("quake_models")]:
        del sys.modules[name]


def test_third_party_importer(package, tmp_path):
    assert registry.importers()["toy"] == "quake_models.importer"
    assert registry.importer_options("toy") == {"tau": "0.4"}
    model = registry.import_model("toy", [package], tmp_path / "mine", tau="0.1")
    assert (model.a, model.tau) == (-2.5, 0.1)
    assert load_model(tmp_path / "mine", "cpu").card == model.card


def test_a_family_without_importer(monkeypatch, tmp_path):
    third_party(monkeypatch, toy="tests.toy:ToyModel", gone="no_such_package.models:Model")
    assert not {"toy", "gone", "stochastic"} & set(registry.importers())
    with pytest.raises(ModelError, match=r"no importer for 'toy': there are .*tfcgan"):
        registry.import_model("toy", [tmp_path], tmp_path / "mine")


def test_installed_models(monkeypatch, tmp_path):
    monkeypatch.setenv("GWM_HAZARD_MODELS", str(tmp_path / "models"))
    assert registry.installed() == {}
    save_model(StochasticModel(kappa_s=0.05), tmp_path / "models" / "soft")
    (tmp_path / "models" / "not_a_model").mkdir()
    assert registry.installed() == {"soft": tmp_path / "models" / "soft"}
    assert load_model("soft", "cpu").parameters.kappa_s == 0.05
    with pytest.raises(ModelError, match=r"known are .*soft, stochastic"):
        load_model("hard")


def test_a_folder_that_cannot_be_imported_leaves_nothing(package, tmp_path):
    package.write_text("a word")
    with pytest.raises(ValueError, match="a word"):
        registry.import_model("toy", [package], tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_verify(folder, monkeypatch):
    assert "no weights, one draw of peak" in registry.verify_model(folder)
    third_party(monkeypatch, toy="tests.toy:ToyModel")

    for value, words in ((0.0, "waveform of zeros"), (float("nan"), "not finite")):
        drawn = torch.full((1, 3, 256), value)
        monkeypatch.setattr(ToyModel, "draw", lambda *_, drawn=drawn: drawn)
        with pytest.raises(ModelError, match=words):
            registry.verify_model("toy")


def test_a_card_as_deep_as_a_bomb(tmp_path):
    (tmp_path / "card.json").write_text("[" * 200_000)
    with pytest.raises(ModelError, match="not a readable model card"):
        load_model(tmp_path)


def test_command_line(package, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from gwm_hazard.cli.models import models

    monkeypatch.setenv("GWM_HAZARD_MODELS", str(tmp_path / "models"))

    def run(*arguments):
        return CliRunner().invoke(models, [str(a) for a in arguments], catch_exceptions=True)

    result = run("import", "toy", package, "--option", "tau=0.2")
    assert result.exit_code == 0, result.output
    assert "CC0-1.0" in result.output and "cite nobody" in result.output
    assert load_model(tmp_path / "models" / "toy", "cpu").tau == 0.2
    assert run("import", "toy", package, "-o", tmp_path / "other").exit_code == 0
    assert load_model(tmp_path / "other", "cpu").tau == 0.4
    assert "one draw of peak" in run("verify", "toy", tmp_path / "other").output
    listed = run("list").output
    assert "needs weights: gwm-hazard models import tfcgan" in listed
    assert "A pulse of random amplitude." in listed
    for arguments, words in (
        (("import", "toy", package, "--option", "tau"), "NAME=VALUE"),
        (("import", "toy", package, "--option", "phi=1"), "takes tau"),
        (("import", "toy", tmp_path / "none"), "does not exist"),
        (("import", "stochastic", package), "no importer"),
        (("verify", tmp_path), "no card.json"),
    ):
        result = run(*arguments)
        assert result.exit_code != 0
        assert words in result.output + str(result.exception)


def test_a_folder_tells_name_texts_and_ranges_of_its_model(tmp_path: Path) -> None:
    folder = save_model(load_model("stochastic", "cpu"), tmp_path / "regional")
    card = json.loads((folder / "card.json").read_text())
    card |= {"name": "my region", "training_data": "200 records", "limitations": ["few records"]}
    card["conditions"]["mag"] = [4.5, 7.0]
    (folder / "card.json").write_text(json.dumps(card))
    got = load_model(folder, "cpu").card
    assert (got.name, got.training_data, got.limitations) == (
        "my region",
        "200 records",
        ("few records",),
    )
    assert [(r.low, r.high) for r in got.conditions if r.name == "mag"] == [(4.5, 7.0)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": 3}, "name = 3: must be text"),
        ({"limitations": "one"}, "must be a list of texts"),
        ({"conditions": {"colour": [1, 2]}}, "must be .low, high. of mag"),
        ({"conditions": {"mag": [7, 4]}}, "7.0 must be below 4.0"),
        ({"conditions": {"mag": "all"}}, "conditions: "),
    ],
)
def test_a_card_that_tells_nonsense_is_refused(tmp_path: Path, changed, message) -> None:
    folder = save_model(load_model("stochastic", "cpu"), tmp_path / "m")
    card = json.loads((folder / "card.json").read_text()) | changed
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=message):
        load_model(folder, "cpu")
