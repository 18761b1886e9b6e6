"""A small simulated training set, and a run of networks of a few thousand weights."""

from __future__ import annotations

import pytest

pytest.importorskip("lightning_fabric")

from gwm_hazard.datasets.simulation import Simulation, simulate
from gwm_hazard.training.config import TrainingConfig
from gwm_hazard.training.run import train
from tests.once import once_a_run
from tests.training.configs import CLASSIFIER, TINY


@pytest.fixture(scope="session")
def training_set(tmp_path_factory):
    wanted = Simulation(records=48, sites_per_event=2, seed=4, shares=(0.7, 0.15, 0.15))
    return once_a_run(tmp_path_factory, "simulated", lambda folder: simulate(wanted, folder))


@pytest.fixture
def config_file(tmp_path, training_set):
    path = tmp_path / "train.toml"
    path.write_text(TINY.format(folder=training_set))
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, training_set):
    """The folder of a run, classifier and all."""

    def make(folder):
        folder.mkdir()
        (folder / "train.toml").write_text(TINY.format(folder=training_set) + CLASSIFIER)
        steps = set()
        config = TrainingConfig.read(folder / "train.toml")
        train(config, folder / "run", progress=lambda *a: steps.add(a[0]))
        assert {"autoencoder", "latents", "baseline", "denoiser"} <= steps

    return once_a_run(tmp_path_factory, "tiny", make) / "run"
