"""A small simulated training set, and a configuration for networks of a few thousand weights."""

from __future__ import annotations

import os

import pytest
import torch

pytest.importorskip("lightning_fabric")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from gwm_hazard.datasets.simulation import Simulation, simulate
from gwm_hazard.training.config import TrainingConfig
from gwm_hazard.training.run import train

TINY = """
seed = 1
[data]
folder = "{folder}"
[autoencoder]
latent_channels = 8
model_channels = 16
channel_mult = [1]
num_res_blocks = 1
groups = 8
patch = 8
fit = {{steps = 6, batch = 4, rate = 3e-4, warmup = 2, check = 3, average = 0.9}}
[baseline]
width = 8
fit = {{steps = 6, batch = 4, warmup = 2, check = 3, average = 0.9}}
[denoiser]
model_channels = 16
channel_mult = [1, 2]
attention_resolutions = []
num_res_blocks = 1
groups = 8
fit = {{steps = 6, batch = 4, warmup = 2, check = 3, average = 0.9}}
[tuning]
rank = 2
parts = ["baseline", "denoiser"]
baseline = {{steps = 4, batch = 4, check = 2, average = 0.9}}
denoiser = {{steps = 4, batch = 4, check = 2, average = 0.9}}
[machine]
accelerator = "cpu"
precision = "32-true"
threads = 1
[model]
steps = 3
griffin_lim = 2
card = {{name = "tiny"}}
"""

CLASSIFIER = """
[classifier]
latent_channels = 8
model_channels = 8
channel_mult = [1]
groups = 4
patch = 8
fit = {steps = 30, batch = 8, rate = 3e-3, warmup = 2, check = 10, average = 0.9}
"""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def training_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "simulated"
    wanted = Simulation(records=48, sites_per_event=2, seed=4, shares=(0.7, 0.15, 0.15))
    simulate(wanted, folder)
    return folder


@pytest.fixture
def config_file(tmp_path, training_set):
    path = tmp_path / "train.toml"
    path.write_text(TINY.format(folder=training_set))
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, training_set):
    """The folder of a run, classifier and all."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "train.toml").write_text(TINY.format(folder=training_set) + CLASSIFIER)
    told = []
    config = TrainingConfig.read(folder / "train.toml")
    train(config, folder / "run", progress=lambda *a: told.append(a[0]))
    assert {"autoencoder", "latents", "baseline", "denoiser"} <= set(told)
    return folder / "run"
