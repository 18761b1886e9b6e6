"""What a training of the family "broadband" is told: a TOML file, every value with a default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gwm_hazard.errors import InputError
from gwm_hazard.models.broadband.forms import FORMS
from gwm_hazard.training.config import AdversarialFit, FromTOML, OneDevice, Optimisation

FAMILY = "broadband"


@dataclass(frozen=True)
class Data:
    """The training sets: records at 100 Hz, whose low bands are the input.

    Attributes
    ----------
    folder : simulated records, as ``gwm-hazard data simulate`` wrote them, relative to the TOML
        file
    records : use so many of its training split at most; 0 for all
    observed : observed records, of which the level is fitted and on which the network goes on; ""
        for none: then both are of the first set
    crossovers_hz : a record is taken at one of them by chance
    shift_s : largest shift of a record in time
    simulated_records, simulated_weight : so many of the first set support the slopes of the level
        where records are few, each with this weight of an observed one
    """

    folder: str
    records: int = 0
    observed: str = ""
    crossovers_hz: tuple[float, ...] = (0.5, 1.0, 2.0)
    shift_s: float = 4.0
    simulated_records: int = 2000
    simulated_weight: float = 0.02


@dataclass(frozen=True)
class Network:
    """Which network draws shapes (:data:`gwm_hazard.models.broadband.forms.FORMS`), its sizes."""

    form: str = "flow"
    sizes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = [form for form in FORMS if form != "sa2020"]
        if self.form not in known:
            raise InputError(f"network: form = {self.form!r}: known are {', '.join(known)}")


@dataclass(frozen=True)
class Losses:
    """Weights of the parts of an adversarial generator's loss
    (:mod:`gwm_hazard.training.broadband.game`)."""

    adversarial: float = 1.0
    focal: float = 1.0
    similarity: float = 1.0
    spectra: float = 1.0
    divergence: float = 0.05


@dataclass(frozen=True)
class Output:
    """The model that comes out: ranges of its conditions, fields of its card."""

    mag: tuple[float, ...] = (4.5, 8.0)
    rhypo: tuple[float, ...] = (3.0, 250.0)
    vs30: tuple[float, ...] = (150.0, 1500.0)
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("mag", "rhypo", "vs30"):
            if len(getattr(self, name)) != 2:
                raise InputError(f"model: {name} = {getattr(self, name)}: give [low, high]")


@dataclass(frozen=True)
class BroadbandTraining(FromTOML):
    """All tables of a training file of this family.

    ``fit`` is on the first set, ``tune`` goes on with the observed one. Systems that play against
    critics take ``game`` and ``game_tune`` in their place, and ``losses``.
    """

    data: Data
    family: str = FAMILY
    seed: int = 0
    network: Network = field(default_factory=Network)
    fit: Optimisation = field(default_factory=Optimisation)
    tune: Optimisation = field(default_factory=lambda: Optimisation(steps=1000, rate=3e-4))
    game: AdversarialFit = field(default_factory=AdversarialFit)
    game_tune: AdversarialFit = field(default_factory=AdversarialFit)
    losses: Losses = field(default_factory=Losses)
    machine: OneDevice = field(default_factory=OneDevice)
    model: Output = field(default_factory=Output)
