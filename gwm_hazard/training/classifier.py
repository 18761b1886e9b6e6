"""A classifier of magnitude and distance, whose inner layer tells how alike two sets look.

The classifier of Palgunadi et al. (2025): an encoder of log-spectrograms, then a class for each
bin of magnitude and distance. The Frechet distance of the embeddings of drawn and of observed
records is their counterpart of the Frechet inception distance of images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from gwm_hazard.benchmark.metrics.frechet import frechet_samples
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.highfem.autoencoder import Encoder
from gwm_hazard.models.highfem.config import AutoencoderConfig
from gwm_hazard.noise import Noise
from gwm_hazard.scenario import Scenarios
from gwm_hazard.training import loop
from gwm_hazard.training.config import Optimisation
from gwm_hazard.training.objectives import Parts
from gwm_hazard.training.records import Records

#: Bins of the published classifier, left-closed; what lies beyond belongs to the outer bins.
MAG = (4.0, 4.75, 5.0, 5.5, 6.5, 7.5, 9.1)
RHYPO = (0.0, 75.0, 100.0, 125.0, 150.0, 175.0, 200.0)
CLASSES = (len(MAG) - 1) * (len(RHYPO) - 1)
EMBEDDING = 256


def labels(table: pd.DataFrame) -> NDArray[np.int64]:
    """Class of each record: 6 x distance bin + magnitude bin."""
    mag = np.clip(np.digitize(table["mag"], MAG) - 1, 0, len(MAG) - 2)
    rhypo = np.clip(np.digitize(table["rhypo"], RHYPO) - 1, 0, len(RHYPO) - 2)
    return (rhypo * (len(MAG) - 1) + mag).astype(np.int64)


class Classifier(nn.Module):
    """Encoder, mean over the image, two linear layers (the embedding), one to the classes."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.embedding = nn.Sequential(
            nn.SiLU(),
            nn.Linear(2 * config.latent_channels, EMBEDDING),
            nn.SiLU(),
            nn.Linear(EMBEDDING, EMBEDDING),
        )
        self.output = nn.Linear(EMBEDDING, CLASSES)

    def embed(self, image: torch.Tensor) -> torch.Tensor:
        """Log-spectrograms (n, 3, 128, 128) -> (n, 256)."""
        return self.embedding(self.encoder(image).mean(dim=(2, 3)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Log-spectrograms (n, 3, 128, 128) -> logits (n, 36)."""
        return self.output(self.embed(image))


class _Objective(nn.Module):
    """Cross-entropy; rare classes count as much as common ones."""

    weight: torch.Tensor

    def __init__(self, classifier: Classifier, counts: NDArray[np.int64]) -> None:
        super().__init__()
        self.classifier = classifier
        weight = torch.from_numpy(1.0 / np.maximum(counts, 1)).float()
        self.register_buffer("weight", weight / weight[counts > 0].mean())

    def forward(self, image: torch.Tensor, label: torch.Tensor) -> Parts:
        logits = self.classifier(image).float()
        loss = functional.cross_entropy(logits, label, self.weight)
        right = (logits.argmax(dim=1) == label).float().mean()
        return loss, {"loss": loss, "accuracy": right}


class _Labelled:
    def __init__(self, records: Records) -> None:
        self.records, self.labels = records, labels(records.table)
        self.train, self.dev = records.train, records.dev

    def batch(self, rows: NDArray[np.int64], noise: Noise) -> tuple[torch.Tensor, ...]:
        image = self.records.images(rows).contiguous(memory_format=torch.channels_last)
        return image, torch.from_numpy(self.labels[rows])


@torch.inference_mode()
def embedding_distances(
    classifier: Classifier, model: WaveformModel, records: Records, rows: NDArray[np.int64]
) -> dict[str, float]:
    """Frechet distances of embeddings between two halves of some records.

    "records": of the records of both halves, what sampling alone makes; "draws": of the records of
    one half and one draw for the conditions of each record of the other.
    """
    first, second = rows[::2], rows[1::2][: len(rows[::2])]
    first = first[: len(second)]
    table = records.table.iloc[second]
    conditions = {
        r.name: np.clip(table[r.name].to_numpy(dtype=float), r.low, r.high)
        for r in model.card.conditions
    }
    drawn = np.empty((len(second), 3, records.samples), dtype=np.float32)
    noise = Noise(0, np.arange(len(second)), 1, 0)
    for part, acceleration in model.batches(Scenarios(**conditions), noise):
        drawn[part] = acceleration
    image = records.representation.forward(torch.from_numpy(drawn), torch.float32)
    classifier = classifier.cpu().float()

    def embedded(images: torch.Tensor) -> NDArray[np.float32]:
        return torch.cat([classifier.embed(part) for part in torch.split(images, 32)]).numpy()

    here = embedded(records.images(first))
    return {
        "records": frechet_samples(here, embedded(records.images(second))),
        "draws": frechet_samples(here, embedded(image)),
    }


def train_classifier(
    records: Records,
    config: AutoencoderConfig,
    settings: Optimisation,
    folder: Path,
    fabric: Fabric,
    *,
    seed: int = 0,
) -> Classifier:
    """Fit a classifier to a training set; goes on where an interrupted fit stopped.

    ``config`` gives the sizes of its encoder (``latent_channels`` twice is the width of the image
    that is averaged).
    """
    torch.manual_seed(seed)
    classifier = Classifier(config)
    source = _Labelled(records)
    counts = np.bincount(source.labels[records.train], minlength=CLASSES)
    objective = _Objective(classifier, counts)
    folder.mkdir(parents=True, exist_ok=True)
    best = loop.fit(objective, source, settings, folder, fabric, seed=seed, stream="classifier")
    loop.assign(loop.trained(objective), best)
    return classifier.eval()
