"""What a training of the family "stylegan-eq" is told: a TOML file, every value with a default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gwm_hazard.models.stylegan_eq.design import Design
from gwm_hazard.training.config import AdversarialFit, FromTOML, OneDevice

FAMILY = "stylegan-eq"


@dataclass(frozen=True)
class Data:
    """The training set.

    Attributes
    ----------
    folder : as ``gwm-hazard data prepare`` or ``simulate`` wrote it, relative to the TOML file
    records : use so many of its training split at most; 0 for all
    components : the first so many of each record, each an image of its own
    """

    folder: str
    records: int = 0
    components: int = 2


@dataclass(frozen=True)
class Fit(AdversarialFit):
    """Optimisation; the defaults are those of Xu and Chen (2024).

    Attributes
    ----------
    r1 : weight of the squared gradient of the discriminator at records (Mescheder et al. 2018)
    r1_every : steps between its uses, each of which counts as many times
    """

    steps: int = 156_250
    batch: int = 32
    critic_updates: int = 1
    rate: float = 2.5e-3
    critic_rate: float = 2e-3
    beta2: float = 0.99
    average: float = 0.99778
    r1: float = 0.5
    r1_every: int = 16


@dataclass(frozen=True)
class Output:
    """The model that comes out.

    Attributes
    ----------
    iterations, components, pairing : of :class:`gwm_hazard.models.stylegan_eq.StyleGANEQModel`
    examples : records and draws from which mode collapse is told, at most
    card : fields of its card
    """

    iterations: int = 1000
    components: int = 3
    pairing: float = 0.8
    examples: int = 128
    card: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StyleGANEQTraining(FromTOML):
    """All tables of a training file of this family; ``network`` sizes both networks."""

    data: Data
    family: str = FAMILY
    seed: int = 0
    network: Design = field(default_factory=Design)
    fit: Fit = field(default_factory=Fit)
    machine: OneDevice = field(default_factory=OneDevice)
    model: Output = field(default_factory=Output)
