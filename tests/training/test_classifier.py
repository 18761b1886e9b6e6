"""The classifier: its classes, its folder, and that it learns what it is to tell."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.models.highfem import classifier as folder_of
from gwm_hazard.models.highfem.classifier import (
    Classes,
    Classifier,
    ClassifierCard,
    RecordClassifier,
    load_classifier,
    weights_of,
)
from gwm_hazard.models.highfem.config import AutoencoderConfig
from gwm_hazard.training.classifier import P_FRAME, train_classifier, varied
from gwm_hazard.training.config import ClassifierStage, Data, Optimisation, TrainingConfig
from gwm_hazard.training.run import started
from tests.training.configs import CLASSIFIER

STAGE = ClassifierStage(mag=(4.0, 6.0, 8.0), rhypo=(0.0, 50.0, 200.0))
ENCODER = {"latent_channels": 4, "model_channels": 8, "channel_mult": [1], "num_res_blocks": 1,
           "groups": 4, "patch": 8}  # fmt: skip


def made_up(**changes) -> RecordClassifier:
    torch.manual_seed(0)
    classes = Classes(STAGE.mag, STAGE.rhypo)
    network = Classifier(AutoencoderConfig(**ENCODER), len(classes), 6)
    fields = {"name": "made up", "encoder": ENCODER, "embedding": 6, "clip": 1e-3, "ln_top": 6.0,
              "highpass_hz": 0.0, "weights_sha256": weights_of(network).sha256,
              "classes": {"mag": STAGE.mag, "rhypo": STAGE.rhypo}} | changes  # fmt: skip
    return RecordClassifier(ClassifierCard(**fields), network)


def test_classes_are_the_published_bins():
    stage = ClassifierStage()
    classes = Classes(stage.mag, stage.rhypo)
    assert len(classes) == 36
    labels = classes.labels([4.0, 4.75, 9.5, 5.2, 3.0], [10.0, 75.0, 300.0, 130.0, 0.0])
    assert labels.tolist() == [0, 7, 35, 20, 0]


def test_edges_must_rise():
    for edges in ((4.0,), (5.0, 4.0), (4.0, np.nan)):
        with pytest.raises(ValueError, match="mag ="):
            Classes(edges, (0.0, 1.0))


def test_distance_is_effective_where_the_rupture_distance_is_known():
    table = pd.DataFrame({"mag": [7.5, 7.5], "rhypo": [10.0, 10.0], "rrup": [49.0, np.nan]})
    assert effective_distance_km(7.5, 49.0) > 50.0
    assert made_up().right(table).tolist() == [3, 1]
    assert made_up(distance="rhypo").right(table).tolist() == [1, 1]


def test_accuracy_is_the_share_that_is_right():
    c = made_up()
    found = c.embed(np.random.default_rng(0).normal(size=(40, 3, 4096)).astype(np.float32))
    mag, rhypo = np.array([5.0, 7.0] * 20), np.full(40, 20.0)
    table = pd.DataFrame({"mag": mag, "rhypo": rhypo})
    assert c.accuracy(found, table) == (c.said(found) == (mag > 6)).mean()


def test_embeddings_do_not_depend_on_what_stands_beside_or_behind():
    c = made_up(highpass_hz=0.1)
    x = np.random.default_rng(1).normal(size=(40, 3, 4096)).astype(np.float32)
    whole = c.embed(x)
    assert whole.shape == (40, 6)
    np.testing.assert_allclose(c.embed(x[7:9]), whole[7:9], atol=1e-5)
    later = x.copy()
    later[:, :, c.samples :] = 9.0
    assert np.array_equal(c.embed(later), whole)
    short = x[:, :, :3000]
    padded = np.pad(short, ((0, 0), (0, 0), (0, 1096)))
    assert np.array_equal(c.embed(short), c.embed(padded))
    with pytest.raises(ValueError, match=r"\(40, 4096\)"):
        c.embed(x[:, 0])


def test_a_folder_gives_the_same_embeddings(tmp_path):
    c = made_up(limitations=("Knows nothing.",))
    found = load_classifier(c.write(tmp_path / "c"))
    assert found.about == c.about and found.card.limitations == ("Knows nothing.",)
    x = np.random.default_rng(2).normal(size=(3, 3, 4096)).astype(np.float32)
    assert np.array_equal(found.embed(x), c.embed(x))


def test_a_name_is_looked_up_among_the_models(tmp_path, monkeypatch):
    monkeypatch.setenv("GWM_HAZARD_MODELS", str(tmp_path))
    made_up().write(tmp_path / "mine")
    assert load_classifier("mine").card.name == "made up"
    with pytest.raises(ValueError, match="unknown classifier 'yours'"):
        load_classifier("yours")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no classifier folder"):
        load_classifier(tmp_path / "empty")


@pytest.mark.parametrize(
    ("change", "word"),
    [({"format": 2}, "format 1"), ({"embedding": 7}, "shape"), ({"embedding": 10**9}, "embedding"),
     ({"classes": {"mag": [5, 4], "rhypo": [0, 1]}}, "mag"), ({"distance": "repi"}, "distance"),
     ({"encoder": ENCODER | {"model_channels": 10**6}}, "model_channels"),
     ({"weights_sha256": "0" * 64}, "SHA-256"), ({"encoder": 3}, "classifier.json")],
)  # fmt: skip
def test_a_damaged_folder_is_refused(tmp_path, change, word):
    folder = made_up().write(tmp_path / "c")
    path = folder / folder_of.CARD_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=word):
        load_classifier(folder)


def test_a_classifier_without_weights_is_refused(tmp_path):
    folder = made_up().write(tmp_path / "c")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load_classifier(folder)


def test_varied_images_keep_what_comes_before_p_and_stretch_the_rest():
    frames = torch.arange(128, dtype=torch.float32)
    ramp = (frames / 64 - 1).expand(400, 3, 128, 128).clone()
    noise = Noise(1, 5, np.arange(400), 0)
    assert torch.allclose(varied(ramp, noise, 0.0, 0.0), ramp, atol=1e-6)
    out = varied(ramp, noise, 0.3, 0.0)
    assert torch.allclose(out[..., :15], ramp[..., :15], atol=1e-6)
    # on a ramp the value tells the time it came from: P + (t - P) / factor
    came = (out[:, 0, 0, 40] + 1) * 64
    factor = (40 - P_FRAME) / (came - P_FRAME)
    assert factor.log().mean().abs() < 0.05 and factor.log().std() == pytest.approx(0.3, abs=0.05)
    ended = (varied(ramp, noise, 0.0, 0.25)[:, 0, 0] == -1.0)[:, 1:]
    assert ended[:, -1].float().mean() == pytest.approx(0.25, abs=0.07)
    assert not ended[:, :62].any()


class Levels:
    """Records whose level tells the magnitude and whose length tells the distance."""

    def __init__(self, n=160):
        rng = np.random.default_rng(4)
        mag, rhypo = rng.uniform(4, 8, n), rng.uniform(5, 150, n)
        self.table = pd.DataFrame({"mag": mag, "rhypo": rhypo, "event_id": np.arange(n) // 2})
        t = np.arange(4064) * 0.01
        length = np.where(rhypo > 50, 12.0, 2.0)[:, None, None]
        envelope = np.where(t > 5, np.exp(-(t - 5) / length), 1e-3)
        level = 10.0 ** (mag - 6)[:, None, None]
        self.waves = (level * envelope * rng.normal(size=(n, 3, 4064))).astype(np.float32)
        self.train, self.dev, self.test = np.split(np.arange(n), [120, 140])
        self.representation = made_up().representation
        self.samples = 4064

    def acceleration(self, rows):
        return self.waves[rows]

    def images(self, rows):
        return self.representation.forward(torch.from_numpy(self.waves[rows]), torch.float32)


def test_it_learns_magnitude_and_distance(tmp_path, config_file):
    stage = ClassifierStage(
        latent_channels=8, model_channels=8, channel_mult=(1,), groups=4, patch=8, embedding=16,
        mag=STAGE.mag, rhypo=STAGE.rhypo,
        fit=Optimisation(steps=150, batch=16, rate=3e-3, warmup=5, check=50, average=0.95),
    )  # fmt: skip
    data = Data("made up", clip=1e-3, ln_top=6.0, highpass_hz=0.0, distance="rhypo")
    fabric = started(TrainingConfig.read(config_file).machine)
    records = Levels()
    c = train_classifier(records, data, stage, tmp_path / "c", fabric, seed=1)
    held = load_classifier(tmp_path / "c").card.held_out
    assert held["records"] == 20 and held["events"] == 10 and held["chance"] < 0.7
    assert held["accuracy"] > 0.85
    again = c.accuracy(c.embed(records.acceleration(records.test)), records.table.loc[records.test])
    assert held["accuracy"] == again


def test_a_training_writes_the_classifier(tiny):
    c = load_classifier(tiny / "classifier")
    assert c.card.name == "run" and c.card.embedding == 256 and c.card.held_out["records"] > 0
    x = np.random.default_rng(5).normal(size=(2, 3, 4096)).astype(np.float32)
    assert np.isfinite(c.embed(x)).all()
    assert "patch = 8" in CLASSIFIER and c.card.encoder["patch"] == 8


def test_the_card_tells_what_the_checkpoint_does_not(tiny, tmp_path):
    """The folder is whole without the files of the fit."""
    for name in ("classifier.json", "model.safetensors"):
        shutil.copy(tiny / "classifier" / name, tmp_path)
    assert load_classifier(tmp_path).about == load_classifier(tiny / "classifier").about
