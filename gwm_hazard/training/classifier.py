"""Fitting the classifier of magnitude and distance that tells how alike two sets of records look.

What it is and how it is kept: :mod:`gwm_hazard.models.highfem.classifier`.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from gwm_hazard.frechet import frechet_samples
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.highfem.classifier import (
    Classes,
    Classifier,
    ClassifierCard,
    RecordClassifier,
    weights_of,
)
from gwm_hazard.models.highfem.config import AutoencoderConfig
from gwm_hazard.noise import Noise
from gwm_hazard.provenance import software_versions
from gwm_hazard.training import loop
from gwm_hazard.training.config import ClassifierStage, Data
from gwm_hazard.training.heldout import drawn_waveforms
from gwm_hazard.training.objectives import Parts
from gwm_hazard.training.records import Records

#: Held-out records, at most, of which the accuracy is taken.
HELD_OUT = 4096
_BLOCK = 256


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
    def __init__(self, records: Records, labels: NDArray[np.int64]) -> None:
        self.records, self.labels = records, labels
        self.train, self.dev = records.train, records.dev

    def batch(self, rows: NDArray[np.int64], noise: Noise) -> tuple[torch.Tensor, ...]:
        image = self.records.images(rows).contiguous(memory_format=torch.channels_last)
        return image, torch.from_numpy(self.labels[rows])


def train_classifier(
    records: Records, data: Data, stage: ClassifierStage, folder: Path, fabric: Fabric, *,
    seed: int = 0,
) -> RecordClassifier:  # fmt: skip
    """Fit a classifier to a training set and write its folder, beside the checkpoint of the fit.

    Goes on where an interrupted fit stopped. Its card holds the accuracy on the test split (events
    that the fit never sees), or on the dev split where that is empty.
    """
    torch.manual_seed(seed)
    coder = AutoencoderConfig(
        **{k: v for k, v in asdict(stage).items() if k in AutoencoderConfig.__dataclass_fields__}
    )
    classes = Classes(stage.mag, stage.rhypo)
    network = Classifier(coder, len(classes), stage.embedding)
    labels = classes.labels(records.table["mag"], records.table["rhypo"])
    objective = _Objective(network, np.bincount(labels[records.train], minlength=len(classes)))
    folder.mkdir(parents=True, exist_ok=True)
    source = _Labelled(records, labels)
    best = loop.fit(objective, source, stage.fit, folder, fabric, seed=seed, stream="classifier")
    loop.assign(loop.trained(objective), best)
    network = network.cpu().float()
    card = ClassifierCard(
        name=folder.parent.name,
        encoder=asdict(coder),
        classes=asdict(classes),
        embedding=stage.embedding,
        distance=data.distance,
        clip=data.clip,
        ln_top=data.ln_top,
        highpass_hz=data.highpass_hz,
        weights_sha256=weights_of(network).sha256,
        training_data=f"{len(records.train)} records of {data.folder}",
        software=software_versions(),
    )
    made = RecordClassifier(card, network)
    made.card = replace(card, held_out=held_out_accuracy(made, records))
    if fabric.global_rank == 0:
        made.write(folder)
    return made


def held_out_accuracy(classifier: RecordClassifier, records: Records) -> dict[str, float]:
    """How often a classifier is right on events that did not train it; the card's ``held_out``."""
    rows = (records.test if len(records.test) else records.dev)[:HELD_OUT]
    if not len(rows):
        return {}
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    found = np.concatenate([classifier.embed(records.acceleration(part)) for part in blocks])
    table = records.table.iloc[rows]
    return {
        "records": len(rows),
        "events": int(table["event_id"].nunique()),
        "accuracy": classifier.accuracy(found, table),
        "chance": float(np.bincount(classifier.right(table)).max() / len(rows)),
    }


def embedding_distances(
    classifier: RecordClassifier, model: WaveformModel, records: Records, rows: NDArray[np.int64]
) -> dict[str, float]:
    """Frechet distances of embeddings between two halves of some records.

    "records": of the records of both halves, what sampling alone makes; "draws": of the records of
    one half and one draw for the conditions of each record of the other.
    """
    second = rows[1::2]
    first = rows[::2][: len(second)]
    drawn = drawn_waveforms(model, records.table.iloc[second], records.samples)
    here, there = (classifier.embed(records.acceleration(part)) for part in (first, second))
    return {
        "records": frechet_samples(here, there),
        "draws": frechet_samples(here, classifier.embed(drawn)),
    }
