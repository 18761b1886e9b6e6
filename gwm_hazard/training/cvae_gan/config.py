"""What a training of the family "cvae-gan" is told: a TOML file, every value with a default."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.models.cvae_gan.form import Form
from gwm_hazard.models.cvae_gan.sizes import Sizes
from gwm_hazard.training.config import AdversarialFit, FromTOML, OneDevice

FAMILY = "cvae-gan"


@dataclass(frozen=True)
class Data:
    """The training sets.

    Attributes
    ----------
    folder : as ``gwm-hazard data prepare`` or ``simulate`` wrote it, relative to the TOML file
    records : use so many of its training split at most; 0 for all
    observed : a second set that is mixed in, "" for none
    observed_repeat : how often its training records occur in an epoch
    conditions : of which the spectra and durations of scenarios are regressed, on the first set;
        empty for a model that draws for targets only
    """

    folder: str
    records: int = 0
    observed: str = ""
    observed_repeat: int = 1
    conditions: tuple[str, ...] = ("mag", "rrup", "vs30", "hypo_depth")

    def __post_init__(self) -> None:
        for name in self.conditions:
            if name not in CONDITIONS:
                raise InputError(f"data: condition {name!r}: known are {', '.join(CONDITIONS)}")


@dataclass(frozen=True)
class Network(Form):
    """The attributes of :class:`Form`, and those of :class:`Sizes` that a training may choose."""

    samples: int = 3000
    components: int = 1
    ordinates: int = 200
    latent: int = 100
    encoder: tuple[int, ...] = (64, 128, 256)
    decoder: tuple[int, ...] = (128, 64, 32)
    start: int = 256
    kernel: int = 3
    critic: tuple[int, ...] = (32, 64, 128, 256)
    style: int = 0

    def form(self) -> Form:
        """How spectra enter."""
        return Form(**{f.name: getattr(self, f.name) for f in fields(Form)})

    def sizes(self) -> Sizes:
        """Of the networks."""
        names = {f.name for f in fields(Sizes)} - {"extras"}
        values = {k: v for k, v in asdict(self).items() if k in names}
        return Sizes(**values, extras=self.extras)


@dataclass(frozen=True)
class Losses:
    """Weights of the losses; the defaults are those published.

    Attributes
    ----------
    reconstruction, kl : mean square error of reconstructions; Kullback-Leibler divergence, a mean
        over the latent too
    adversarial : of the critic's score of reconstructions
    prior : of its score of prior draws, which it learns to tell from records. 0, as published:
        what the generator is asked to fool it with are reconstructions
    spectrum : of the difference in ln SA between prior draws and the record whose spectrum they
        are given (RotD50 or the one component, and the vertical), at ``periods`` of the grid a step
    build_up : of the difference of their normalised Arias build-up, by component
    scatter : 0 looks at the mean difference only (the product of two independent draws is its
        square without bias), 1 at each draw's: draws then differ less from each other
    periods : periods that a step looks at
    penalty : of the norm of the critic's gradient
    """

    reconstruction: float = 5.0
    kl: float = 0.5
    adversarial: float = 0.1
    prior: float = 0.0
    spectrum: float = 0.0
    build_up: float = 0.0
    scatter: float = 0.0
    periods: int = 6
    penalty: float = 10.0


@dataclass(frozen=True)
class Fit(AdversarialFit):
    """Optimisation; the defaults are those published.

    Attributes
    ----------
    clip : largest norm of the generator's gradient; 0 for none
    """

    clip: float = 0.0


@dataclass(frozen=True)
class Output:
    """The model that comes out: corrections of its amplitudes, onset, and fields of its card."""

    passes: int = 0
    onset_s: float = 0.0
    card: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CVAEGANTraining(FromTOML):
    """All tables of a training file of this family."""

    data: Data
    family: str = FAMILY
    seed: int = 0
    network: Network = field(default_factory=Network)
    losses: Losses = field(default_factory=Losses)
    fit: Fit = field(default_factory=Fit)
    machine: OneDevice = field(default_factory=OneDevice)
    model: Output = field(default_factory=Output)

    def __post_init__(self) -> None:
        if self.network.duration and not self.data.conditions:
            raise InputError("network: duration needs data.conditions, which give it")
        self.network.sizes()
