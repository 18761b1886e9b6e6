"""A classifier of the magnitude and distance of records, and the folder that holds one.

The classifier of Palgunadi et al. (2025): an encoder of log-spectrograms, then a class for each
bin of magnitude and distance. Its inner layer embeds a record in few numbers; the Frechet distance
of the embeddings of drawn and of observed records is their counterpart of the Frechet inception
distance of images (their equation 15).

A folder holds ``classifier.json``, the card, and ``model.safetensors``, whose SHA-256 stands in the
card. Nothing in either is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from gwm_hazard.core.conditioning import distance_km
from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.foreign import read_text
from gwm_hazard.models.highfem.autoencoder import Encoder
from gwm_hazard.models.highfem.config import AutoencoderConfig
from gwm_hazard.models.registry import models_folder
from gwm_hazard.models.weights import WEIGHTS_FILE, Weights, check_shapes
from gwm_hazard.representation.highpass import highpass
from gwm_hazard.representation.log_spectrogram import LogSpectrogram

CARD_FILE = "classifier.json"
CARD_FORMAT = 1

#: Of the records that are classified: time step, s, and pixels of their log-spectrogram along time.
DT_S = 0.01
FRAMES = 128

_BATCH = 32
_LARGEST_EMBEDDING = 4096
_MOST_EDGES = 100


@dataclass(frozen=True)
class Classes:
    """Bins of magnitude and distance, left-closed; what lies beyond belongs to the outer bins.

    mag, rhypo : edges, rising; km
    """

    mag: tuple[float, ...]
    rhypo: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("mag", "rhypo"):
            edges = tuple(float(e) for e in getattr(self, name))
            rising = all(a < b for a, b in pairwise(edges))
            if not 2 <= len(edges) <= _MOST_EDGES or not rising or not np.isfinite(edges).all():
                raise InputError(f"{name} = {edges!r:.80}: must be at least two rising numbers")
            object.__setattr__(self, name, edges)

    def __len__(self) -> int:
        return (len(self.mag) - 1) * (len(self.rhypo) - 1)

    def labels(self, mag: ArrayLike, rhypo: ArrayLike) -> NDArray[np.int64]:
        """Class of each record: number of magnitude bins x distance bin + magnitude bin."""
        m, r = (
            np.clip(np.digitize(np.asarray(values, float), edges) - 1, 0, len(edges) - 2)
            for values, edges in ((mag, self.mag), (rhypo, self.rhypo))
        )
        return np.asarray(r * (len(self.mag) - 1) + m, dtype=np.int64)


@dataclass(frozen=True)
class ClassifierCard:
    """What a classifier is, and what it was trained on.

    Attributes
    ----------
    name, summary, licence, training_data : texts
    encoder : sizes of the encoder, as :class:`AutoencoderConfig`
    classes : ``mag`` and ``rhypo``, the edges of the bins
    embedding : numbers that a record is embedded in
    distance : what ``rhypo`` is: "rhypo", or "effective" where the rupture distance is known
        (:func:`gwm_hazard.core.conditioning.distance_km`)
    clip, ln_top : of the log-spectrogram
    highpass_hz : corner of the high-pass that records get before; 0 for none
    weights_sha256 : of the weights
    held_out : ``records``, ``events``, ``accuracy`` on events that did not train it, and
        ``chance``, the share of the commonest class among them
    limitations : sentences
    software : versions that trained it
    """

    name: str
    encoder: Mapping[str, Any]
    classes: Mapping[str, Any]
    embedding: int
    clip: float
    ln_top: float
    highpass_hz: float
    weights_sha256: str
    distance: str = "effective"
    summary: str = ""
    licence: str = ""
    training_data: str = ""
    held_out: Mapping[str, float] = field(default_factory=dict)
    limitations: tuple[str, ...] = ()
    software: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "limitations", tuple(self.limitations))
        if self.distance not in ("rhypo", "effective"):
            raise InputError(f"distance = {self.distance!r}: give 'rhypo' or 'effective'")
        if not isinstance(self.embedding, int) or not 1 <= self.embedding <= _LARGEST_EMBEDDING:
            raise InputError(f"embedding = {self.embedding!r}: give 1 to {_LARGEST_EMBEDDING}")
        if not 0.0 <= self.highpass_hz < 10.0:
            raise InputError(f"highpass_hz = {self.highpass_hz!r}: give 0 to below 10 Hz")


class Classifier(nn.Module):
    """Encoder, mean over the image, two linear layers (the embedding), one to the classes."""

    def __init__(self, config: AutoencoderConfig, classes: int, embedding: int) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.embedding = nn.Sequential(
            nn.SiLU(),
            nn.Linear(2 * config.latent_channels, embedding),
            nn.SiLU(),
            nn.Linear(embedding, embedding),
        )
        self.output = nn.Linear(embedding, classes)

    def embed(self, image: torch.Tensor) -> torch.Tensor:
        """Log-spectrograms (n, 3, 128, 128) -> (n, embedding)."""
        return self.embedding(self.encoder(image).mean(dim=(2, 3)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Log-spectrograms (n, 3, 128, 128) -> logits (n, classes)."""
        return self.output(self.embed(image))


class RecordClassifier:
    """A classifier of waveforms: its network with what a record goes through before.

    Raises ValueError for a card that does not fit its own fields or the network.
    """

    def __init__(self, card: ClassifierCard, network: Classifier | None = None) -> None:
        self.card = card
        self.classes = Classes(**card.classes)
        self.representation = LogSpectrogram(clip=card.clip, ln_top=card.ln_top)
        if network is None:
            with torch.device("meta"):
                network = Classifier(
                    AutoencoderConfig(**card.encoder), len(self.classes), card.embedding
                )
        self.network = network.eval()

    @property
    def about(self) -> dict[str, Any]:
        """The card in plain types, as its file holds it."""
        return json.loads(json.dumps({"format": CARD_FORMAT} | asdict(self.card)))

    @property
    def samples(self) -> int:
        """Samples of a record that are looked at."""
        return self.representation.transform.samples(FRAMES)

    @torch.inference_mode()
    def embed(self, waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings (n, embedding) of records, each by itself.

        waveforms : (n, 3, nt) m/s2 at 100 Hz, two horizontals and the vertical, P onset at 5 s;
            zero where a record has ended. The first 40.64 s are looked at.

        Raises ValueError for another shape.
        """
        x = np.asarray(waveforms, dtype=np.float32)
        if x.ndim != 3 or x.shape[1] != 3:
            raise InputError(f"waveforms have shape {x.shape}: must be (n, 3, nt)")
        x = x[:, :, : self.samples]
        x = np.pad(x, ((0, 0), (0, 0), (0, self.samples - x.shape[2])))
        out = np.empty((len(x), self.card.embedding), dtype=np.float32)
        for start in range(0, len(x), _BATCH):
            record = torch.from_numpy(x[start : start + _BATCH])
            if self.card.highpass_hz:
                record = highpass(record, self.card.highpass_hz, DT_S)
            image = self.representation.forward(record, torch.float32)
            out[start : start + _BATCH] = self.network.embed(image).numpy()
        return out

    @torch.inference_mode()
    def said(self, embeddings: NDArray[np.floating]) -> NDArray[np.int64]:
        """The class that embeddings (n, embedding) are put in, (n,)."""
        x = torch.from_numpy(np.asarray(embeddings, dtype=np.float32))
        return self.network.output(x).argmax(dim=1).numpy()

    def right(self, conditions: pd.DataFrame) -> NDArray[np.int64]:
        """The class of each record by its ``mag``, ``rhypo`` and, where known, ``rrup``."""
        rhypo = distance_km(conditions, self.card.distance)
        return self.classes.labels(conditions["mag"].to_numpy(np.float64), rhypo)

    def accuracy(self, embeddings: NDArray[np.floating], conditions: pd.DataFrame) -> float:
        """Share of embeddings that are put in the class of their magnitude and distance."""
        return float((self.said(embeddings) == self.right(conditions)).mean())

    def write(self, folder: str | Path) -> Path:
        """Write the folder that :func:`load_classifier` reads; the card is written last."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights_of(self.network).write(folder / WEIGHTS_FILE)
        with replacing(folder / CARD_FILE) as temporary:
            temporary.write_text(json.dumps(self.about, indent=1) + "\n", encoding="utf-8")
        return folder


def weights_of(network: Classifier) -> Weights:
    """The weights of a network, with their checksum."""
    return Weights.of(network.state_dict())


def shipped() -> dict[str, Path]:
    """Classifier folders inside this package: name -> path."""
    root = Path(__file__).parents[1] / "shipped"
    return {p.parent.name: p.parent for p in sorted(root.glob(f"*/{CARD_FILE}"))}


def load_classifier(name: str | Path) -> RecordClassifier:
    """A classifier by the path of its folder, or the name of one among the models.

    Parameters
    ----------
    name : str or path
        A folder, the name of one below :func:`gwm_hazard.models.registry.models_folder`, or of one
        in this package.

    Raises
    ------
    ModelError
        An unknown name, or a folder that is damaged or holds no classifier.
    """
    installed = models_folder() / name
    for folder in (Path(name), installed, shipped().get(str(name))):
        if folder is not None and (folder / CARD_FILE).is_file():
            return _read(folder)
    if Path(name).exists():
        raise ModelError(f"classifier {str(name)!r}: no classifier folder, it has no {CARD_FILE}")
    known = ", ".join(shipped()) or "none"
    raise ModelError(
        f"unknown classifier {str(name)!r}: give the folder that `gwm-hazard train` with "
        f"[classifier] wrote, or a name in this package ({known})"
    )


def _read(folder: Path) -> RecordClassifier:
    path = folder / CARD_FILE
    try:
        found = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as exc:
        raise ModelError(f"{path}: not a readable card ({exc})") from exc
    if not isinstance(found, dict) or found.get("format") != CARD_FORMAT:
        raise ModelError(f"{path}: not a card of format {CARD_FORMAT}; train the classifier anew")
    known = {f.name for f in fields(ClassifierCard)}
    try:
        card = ClassifierCard(**{k: v for k, v in found.items() if k in known})
        classifier = RecordClassifier(card)
    except (TypeError, ValueError) as exc:
        raise ModelError(f"{path}: {exc}") from exc
    weights = Weights.read(folder / WEIGHTS_FILE, card.weights_sha256)
    shapes = {name: tuple(t.shape) for name, t in classifier.network.state_dict().items()}
    check_shapes(weights.tensors, shapes, str(folder / WEIGHTS_FILE))
    classifier.network.load_state_dict(dict(weights.tensors), assign=True)
    classifier.network.requires_grad_(False)
    return classifier
