"""What a training of the family "wgan-gp" is told: a TOML file, every value with a default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.models.wgan_gp.sizes import PRESETS, ConditionalSizes, Sizes, read_sizes
from gwm_hazard.training.config import AdversarialFit, FromTOML, OneDevice

FAMILY = "wgan-gp"


@dataclass(frozen=True)
class Data:
    """The training set.

    Attributes
    ----------
    folder : as ``gwm-hazard data prepare`` or ``simulate`` wrote it, relative to the TOML file
    records : use so many of its training split at most; 0 for all
    observed : a second set that is mixed in, "" for none
    observed_repeat : how often its training records occur in an epoch
    sampling_rate_hz : of the network, where lower than the sets': their rate over a whole number,
        after a filter against aliases; 0 for the network's own, or theirs
    conditions : in the order of the network; not looked at by networks of shapes
    log : those of which the logarithm enters; none in the published network
    distance : what ``rhypo`` is: "rhypo", or "effective" where the rupture distance is known
        (:func:`gwm_hazard.core.conditioning.distance_km`); the model's card says it then
    """

    folder: str
    records: int = 0
    observed: str = ""
    observed_repeat: int = 1
    sampling_rate_hz: float = 0.0
    conditions: tuple[str, ...] = ("rhypo", "mag", "vs30")
    log: tuple[str, ...] = ("rhypo", "vs30")
    distance: str = "effective"

    def __post_init__(self) -> None:
        if self.distance not in ("rhypo", "effective"):
            raise InputError(f"data: distance = {self.distance!r}: give 'rhypo' or 'effective'")
        for name in (*self.conditions, *self.log):
            if name not in CONDITIONS:
                raise InputError(f"data: condition {name!r}: known are {', '.join(CONDITIONS)}")


@dataclass(frozen=True)
class Network:
    """Sizes of the networks: a preset ("florez", "seismogen" or "itaca"), and what differs.

    ``sizes`` holds attributes of :class:`ConditionalSizes` or :class:`PipelineSizes`.
    """

    preset: str = "florez"
    sizes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise InputError(f"network: preset = {self.preset!r}: give {', '.join(PRESETS)}")

    def of(self, conditions: int) -> Sizes:
        """All sizes, for so many conditions."""
        values = PRESETS[self.preset].to_dict() | self.sizes
        if values["form"] == ConditionalSizes.form:
            values["conditions"] = conditions
        return read_sizes(values)


@dataclass(frozen=True)
class Fit(AdversarialFit):
    """Optimisation; the defaults are those of Florez et al. (2022).

    Every update of the critic has records of its own.

    Attributes
    ----------
    penalty : of the critic's gradient; 10 as published, 20 in the last run of the ITACA thesis
    score : weight of the energy score of draws beside the record of their conditions
        (:mod:`gwm_hazard.training.wgan_gp.score`); 0 as published
    marginals : the generator's own conditions are drawn independently of each other from those of
        the batch, as published: it also sees combinations that no record has
    """

    steps: int = 60_000
    critic_updates: int = 12
    penalty: float = 10.0
    score: float = 0.0
    marginals: bool = True


@dataclass(frozen=True)
class Output:
    """The model that comes out.

    Attributes
    ----------
    highpass_hz : corner of a high-pass on what it draws; 0 for none
    examples : records and draws from which mode collapse is told, at most
    card : fields of its card
    """

    highpass_hz: float = 0.0
    examples: int = 512
    card: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WGANGPTraining(FromTOML):
    """All tables of a training file of this family."""

    data: Data
    family: str = FAMILY
    seed: int = 0
    network: Network = field(default_factory=Network)
    fit: Fit = field(default_factory=Fit)
    machine: OneDevice = field(default_factory=OneDevice)
    model: Output = field(default_factory=Output)

    def __post_init__(self) -> None:
        self.sizes()

    def sizes(self) -> Sizes:
        """Of the networks."""
        return self.network.of(len(self.data.conditions))
