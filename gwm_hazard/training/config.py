"""What a training is told: a TOML file, table by table, every value with a default."""

from __future__ import annotations

import math
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import read_text

T = TypeVar("T")

#: (stage, share of it that is done, parts of its loss)
Progress = Callable[[str, float, Mapping[str, float]], None]


@dataclass(frozen=True)
class Data:
    """The training set and how it enters the networks.

    Attributes
    ----------
    folder : as ``gwm-hazard data prepare`` or ``simulate`` wrote it, relative to the TOML file
    records : use so many of its training split at most; 0 for all
    conditions : names, in the order of the network
    log : those of which the natural logarithm enters
    distance : what ``rhypo`` is: "rhypo", or "effective" where the rupture distance is known
        (:func:`gwm_hazard.core.conditioning.distance_km`); the model's card says it then
    clip, ln_top : of the log-spectrogram: its modulus at -1, ln of the modulus at +1
    highpass_hz : corner of the high-pass that the records went through; what is drawn gets it too
    """

    folder: str
    records: int = 0
    conditions: tuple[str, ...] = ("mag", "rhypo", "vs30", "hypo_depth")
    log: tuple[str, ...] = ("rhypo", "vs30")
    distance: str = "effective"
    clip: float = 1e-4
    ln_top: float = 6.0
    highpass_hz: float = 0.1

    def __post_init__(self) -> None:
        for name in (*self.conditions, *self.log):
            if name not in CONDITIONS:
                raise InputError(f"data: condition {name!r}: known are {', '.join(CONDITIONS)}")
        if self.distance not in ("rhypo", "effective"):
            raise InputError(f"data: distance = {self.distance!r}: give 'rhypo' or 'effective'")


@dataclass(frozen=True)
class Optimisation:
    """How a network is fitted: AdamW, linear warm-up and cosine decay, moving average.

    Attributes
    ----------
    steps, batch : updates, and records of each over all devices
    rate, warmup, weight_decay, beta2, clip : of AdamW: learning rate at its highest, steps of the
        warm-up, decay, second moment's; largest norm of the gradient
    average : decay of the moving average of the weights, a step
    check, patience : steps between looks at the dev split; looks without a better loss after
        which the fit stops, 0 for never
    """

    steps: int = 10_000
    batch: int = 32
    rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 1e-4
    beta2: float = 0.99
    clip: float = 1.0
    average: float = 0.999
    check: int = 250
    patience: int = 0


@dataclass(frozen=True)
class AutoencoderStage:
    """Sizes of the autoencoder, its loss (:mod:`gwm_hazard.training.autoencoder`) and its fit."""

    latent_channels: int = 8
    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 2, 4)
    num_res_blocks: int = 2
    groups: int = 32
    patch: int = 1
    kl: float = 1e-4
    low_frequencies: float = 4.0
    power: float = 0.5
    fit: Optimisation = field(default_factory=Optimisation)


@dataclass(frozen=True)
class BaselineStage:
    """Size of the baseline (0: none, as published) and its fit."""

    width: int = 64
    fit: Optimisation = field(default_factory=lambda: Optimisation(steps=2000, batch=64))


@dataclass(frozen=True)
class DenoiserStage:
    """Sizes of the denoiser, the noise levels it learns at (ln sigma: mean, sd), and its fit."""

    model_channels: int = 128
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    attention_resolutions: tuple[int, ...] = (8,)
    num_res_blocks: int = 2
    num_heads: int = 4
    groups: int = 32
    ln_sigma_mean: float = -0.4
    ln_sigma_sd: float = 1.6
    fit: Optimisation = field(default_factory=Optimisation)


@dataclass(frozen=True)
class ClassifierStage:
    """Sizes of the classifier behind the Frechet distance, and its fit; 0 steps: none.

    ``latent_channels`` is half the number of features that are averaged over the image,
    ``embedding`` the numbers that a record is embedded in; ``mag`` and ``rhypo`` (km) are the edges
    of the classes, by default those of Palgunadi et al. (2025). ``stretch`` is the sd of ln of a
    random factor on the time after P, and ``cut`` the share of records that end early, in training:
    so that what the records of the training have in common counts less.
    """

    latent_channels: int = 128
    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 2, 4)
    num_res_blocks: int = 1
    groups: int = 32
    patch: int = 1
    embedding: int = 256
    mag: tuple[float, ...] = (4.0, 4.75, 5.0, 5.5, 6.5, 7.5, 9.1)
    rhypo: tuple[float, ...] = (0.0, 75.0, 100.0, 125.0, 150.0, 175.0, 200.0)
    stretch: float = 0.0
    cut: float = 0.0
    fit: Optimisation = field(default_factory=lambda: Optimisation(steps=0))


@dataclass(frozen=True)
class Tuning:
    """How ``--from MODEL`` goes on with a model; its autoencoder stays as it is.

    Attributes
    ----------
    parts : "baseline" (the mean of what is drawn), "denoiser" (what varies about it: for some
        hundred events and more), or both, in this order
    rank : of the low-rank change to each weight (Hu et al. 2022, LoRA); 0 changes all weights
    spread : fit the standard deviation of the baseline too, not its mean alone
    replay : a second training set to mix in, so that what it taught is not forgotten; "" for none
    replay_share : share of each batch that comes from it
    baseline, denoiser : the fits
    """

    parts: tuple[str, ...] = ("baseline",)
    rank: int = 8
    spread: bool = False
    replay: str = ""
    replay_share: float = 0.5
    baseline: Optimisation = field(
        default_factory=lambda: Optimisation(
            steps=400, rate=1e-3, warmup=20, check=20, patience=6, average=0.98
        )
    )
    denoiser: Optimisation = field(
        default_factory=lambda: Optimisation(
            steps=400, rate=5e-4, warmup=20, check=20, patience=6, average=0.98
        )
    )

    def __post_init__(self) -> None:
        for part in self.parts:
            if part not in ("baseline", "denoiser"):
                raise InputError(f"tuning: parts = {part!r}: give 'baseline' and 'denoiser'")
        if not 0 <= self.replay_share < 1:
            raise InputError(f"tuning: replay_share = {self.replay_share}: give 0 to below 1")


@dataclass(frozen=True)
class LevelStage:
    """The level, drawn apart from what the networks learned (:mod:`gwm_hazard.training.level`).

    Attributes
    ----------
    records : training set of observed records; "" for none: the networks' own level stays
    prior : simulated records, of which medians and covariances are taken before any is observed
    adjusted : records of the train split at most whose measures the level is adjusted to; 0: none
    """

    records: str = ""
    prior: int = 3000
    adjusted: int = 400


@dataclass(frozen=True)
class Machine:
    """Where it runs, in lightning-fabric's words, and how often the state goes to the disk.

    Attributes
    ----------
    accelerator, devices : "auto", "cpu", "gpu" ...; processes, one a GPU
    precision : "bf16-mixed" (autocast) or "32-true"
    threads : of torch on a CPU; 0 leaves the default
    checkpoint_s : seconds between checkpoints
    """

    accelerator: str = "auto"
    devices: int = 1
    precision: str = "bf16-mixed"
    threads: int = 0
    checkpoint_s: float = 60.0


@dataclass(frozen=True)
class OneDevice(Machine):
    """Of families whose critic is held by the norm of its gradient."""

    precision: str = "32-true"

    def __post_init__(self) -> None:
        if self.devices != 1 or self.precision != "32-true":
            raise InputError(
                "machine: this family trains on one device in float32 (devices = 1, precision = "
                '"32-true"): the critic\'s penalty is a gradient of a gradient'
            )


@dataclass(frozen=True)
class AdversarialFit:
    """Optimisation of two networks that play against each other, by Adam.

    Attributes
    ----------
    steps, batch : updates of the generator, and records of each
    critic_updates : of the critic before each of them
    rate, critic_rate, beta1, beta2 : of Adam
    cosine : let both rates fall to 0 along a half cosine
    average : decay of the moving average of the generator's weights, a step; 0 for none
    check : steps between looks at the dev split
    """

    steps: int = 20_000
    batch: int = 128
    critic_updates: int = 2
    rate: float = 1e-4
    critic_rate: float = 1e-4
    beta1: float = 0.0
    beta2: float = 0.9
    cosine: bool = False
    average: float = 0.0
    check: int = 250

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "critic_updates", "check"):
            if getattr(self, name) < 1:
                raise InputError(f"fit: {name} = {getattr(self, name)}: must be 1 or more")


@dataclass(frozen=True)
class Output:
    """The model that comes out: fast sampling settings, and fields of its card."""

    sampler: str = "dpmpp_2m"
    steps: int = 16
    precision: str = "float32"
    griffin_lim: int = 32
    card: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingConfig:
    """All tables of a training file."""

    data: Data
    family: str = "highfem"
    seed: int = 0
    autoencoder: AutoencoderStage = field(default_factory=AutoencoderStage)
    baseline: BaselineStage = field(default_factory=BaselineStage)
    denoiser: DenoiserStage = field(default_factory=DenoiserStage)
    classifier: ClassifierStage = field(default_factory=ClassifierStage)
    tuning: Tuning = field(default_factory=Tuning)
    level: LevelStage = field(default_factory=LevelStage)
    machine: Machine = field(default_factory=Machine)
    model: Output = field(default_factory=Output)

    @classmethod
    def read(cls, path: str | Path) -> TrainingConfig:
        """From a TOML file; folders in it are relative to it.

        Raises
        ------
        ValueError
            An unknown name or a value of the wrong kind; the message names it.
        """
        path = Path(path)
        folders = {"data": ("folder",), "tuning": ("replay",), "level": ("records",)}
        return build_at(cls, read_values(path), path, **folders)

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


def read_values(path: Path) -> dict[str, Any]:
    """What a TOML file says."""
    try:
        return tomllib.loads(read_text(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InputError(f"{path}: not TOML ({exc})") from exc


def build_at(cls: type[T], values: Mapping[str, Any], path: Path, **folders: tuple[str, ...]) -> T:
    """The settings in a TOML file; ``folders`` names values, by table, that are relative to it.

    Raises
    ------
    InputError
        An unknown name or a value of the wrong kind; the message names it.
    """
    made = dict(values)
    for table, names in folders.items():
        if isinstance(given := made.get(table), dict):
            relative = {n: given[n] for n in names if given.get(n) and isinstance(given[n], str)}
            made[table] = given | {n: str(path.absolute().parent / v) for n, v in relative.items()}
    try:
        return build(cls, made, "")
    except ValueError as exc:
        raise InputError(f"{path}: {exc}") from exc


class FromTOML:
    """Settings of a family in a TOML file: its tables are attributes of a dataclass."""

    @classmethod
    def of(cls, values: Mapping[str, Any], path: Path) -> Self:
        """From the values of a file; ``folder`` and ``observed`` of its data are relative to it.

        Raises
        ------
        InputError
            An unknown name or a value of the wrong kind; the message names it.
        """
        return build_at(cls, values, path, data=("folder", "observed"))

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]


def build(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """A dataclass of values by name, tables in tables; ``where`` stands before names in errors."""
    kinds = typing.get_type_hints(cls)
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise InputError(f"{where}unknown setting {name!r}; known: {', '.join(sorted(known))}")
    made = {k: _value(kinds[k], v, f"{where}{k}") for k, v in values.items()}
    try:
        return cls(**made)
    except TypeError:
        needed = [f.name for f in fields(cls) if f.name not in made]  # type: ignore[arg-type]
        raise InputError(f"{where or 'file '}needs {needed[0]!r}") from None


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise InputError(f"{where} = {value!r}: must be a table")
        return build(typing.cast(type, kind), value, f"{where}.")
    origin = typing.get_origin(kind)
    if origin is tuple:
        (inner, _) = typing.get_args(kind)
        if isinstance(value, list) and all(_is(inner, v) for v in value):
            return tuple(value)
    elif origin is dict or isinstance(kind, types.GenericAlias):
        if isinstance(value, dict):
            return value
    elif _is(kind, value) and not (isinstance(value, float) and not math.isfinite(value)):
        if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            if where.endswith("ln_sigma_mean"):
                return value
            raise InputError(f"{where} = {value!r}: must not be negative")
        return float(value) if kind is float else value
    raise InputError(f"{where} = {value!r}: must be {getattr(kind, '__name__', kind)}")


def _is(kind: Any, value: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)
