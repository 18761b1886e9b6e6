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

from gwm_hazard.core.noise import Noise
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.highfem.classifier import (
    Classes,
    Classifier,
    ClassifierCard,
    RecordClassifier,
    weights_of,
)
from gwm_hazard.models.highfem.config import AutoencoderConfig
from gwm_hazard.statistics.frechet import frechet_samples
from gwm_hazard.training import loop
from gwm_hazard.training.config import ClassifierStage, Data
from gwm_hazard.training.heldout import drawn_waveforms
from gwm_hazard.training.objectives import Parts
from gwm_hazard.training.records import Records

#: Held-out records, at most, of which the accuracy is taken.
HELD_OUT = 4096
_BLOCK = 256

#: Frame of a log-spectrogram at which P arrives: 5 s, hop 0.32 s.
P_FRAME = 5.0 / 0.32


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
    """Batches of images and labels; those of the training are varied."""

    def __init__(self, records: Records, labels: NDArray[np.int64], stage: ClassifierStage) -> None:
        self.records, self.labels, self.stage = records, labels, stage
        self.train, self.dev = records.train, records.dev

    def batch(self, rows: NDArray[np.int64], noise: Noise) -> tuple[torch.Tensor, ...]:
        image = self.records.images(rows)
        # step keys of looks at the dev split lie above
        if noise.event[0] < 2**61 and (self.stage.stretch or self.stage.cut):
            image = varied(image, noise, self.stage.stretch, self.stage.cut)
        label = torch.from_numpy(self.labels[rows])
        return image.contiguous(memory_format=torch.channels_last), label


def varied(image: torch.Tensor, noise: Noise, stretch: float, cut: float) -> torch.Tensor:
    """Log-spectrograms (n, 3, 128, 128) with another pace after P, and some that end early.

    ``stretch``: sd of ln of the factor on the time after P; a share ``cut`` is silent from a random
    frame in the second half on.
    """
    n, frames = len(image), image.shape[-1]
    z = torch.from_numpy(noise.normal("stretch", 3))
    time = torch.arange(frames, dtype=torch.float32)
    after = torch.clamp(time - P_FRAME, min=0.0) * torch.exp(-stretch * z[:, :1])
    at = torch.clamp(torch.minimum(time, torch.tensor(P_FRAME)) + after, max=frames - 1.0)
    low = at.floor().clamp(max=frames - 2.0)
    part = (at - low)[:, None, None, :]
    index = low.long()[:, None, None, :].expand(image.shape)
    out = torch.lerp(image.gather(3, index), image.gather(3, index + 1), part)
    share, place = (0.5 * (1.0 + torch.erf(z[:, k] / 2**0.5)) for k in (1, 2))
    end = torch.where(share < cut, frames * 0.5 * (1.0 + place), torch.full((n,), float(frames)))
    return torch.where(time[None, :] < end[:, None], 1.0, 0.0)[:, None, None] * (out + 1.0) - 1.0


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
    source = _Labelled(records, labels, stage)
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
