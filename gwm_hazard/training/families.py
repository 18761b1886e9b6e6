"""Which training a configuration file asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gwm_hazard.errors import InputError
from gwm_hazard.training.broadband.config import BroadbandTraining
from gwm_hazard.training.broadband.run import train_broadband
from gwm_hazard.training.config import FromTOML, Progress, TrainingConfig, read_values
from gwm_hazard.training.cvae_gan.config import CVAEGANTraining
from gwm_hazard.training.cvae_gan.run import train_cvae_gan
from gwm_hazard.training.run import train
from gwm_hazard.training.stylegan_eq.config import StyleGANEQTraining
from gwm_hazard.training.stylegan_eq.run import train_stylegan_eq
from gwm_hazard.training.tuning import fine_tune
from gwm_hazard.training.wgan_gp.config import WGANGPTraining
from gwm_hazard.training.wgan_gp.run import train_wgan_gp


class Training(Protocol):
    """A family's way from a configuration file to a model folder."""

    def __call__(
        self, config: Path, output: Path, *, base: str | None, snapshot: bool,
        progress: Progress | None,
    ) -> Path:  # fmt: skip
        """Train; ``base`` is a model to go on with, ``snapshot`` fits nothing."""


def _highfem(
    config: Path, output: Path, *, base: str | None, snapshot: bool, progress: Progress | None
) -> Path:
    settings = TrainingConfig.read(config)
    if base:
        return fine_tune(settings, base, output, progress=progress)
    return train(settings, output, progress=progress, snapshot=snapshot)


def _from_nothing(
    family: str, settings: type[FromTOML], train: Callable[..., Path], snapshots: bool = False
) -> Training:
    """The training of a family without fine-tuning, and maybe without snapshots."""

    def training(
        config: Path, output: Path, *, base: str | None, snapshot: bool, progress: Progress | None
    ) -> Path:
        if base or (snapshot and not snapshots):
            raise InputError(
                f"{'--from' if base else '--snapshot'}: of the family 'highfem' only; a run of "
                f"{family!r} goes on by itself when it is started again"
            )
        more = {"snapshot": snapshot} if snapshots else {}
        told = settings.of(read_values(config), config)
        return train(told, output, progress=progress, **more)

    return training


FAMILIES: dict[str, Training] = {
    "highfem": _highfem,
    "cvae-gan": _from_nothing("cvae-gan", CVAEGANTraining, train_cvae_gan),
    "wgan-gp": _from_nothing("wgan-gp", WGANGPTraining, train_wgan_gp),
    "stylegan-eq": _from_nothing("stylegan-eq", StyleGANEQTraining, train_stylegan_eq),
    "broadband": _from_nothing("broadband", BroadbandTraining, train_broadband, snapshots=True),
}


def family_of(config: Path) -> Training:
    """The training of the family that a TOML file names, "highfem" where it names none.

    Raises
    ------
    InputError
        An unknown family.
    """
    name = read_values(config).get("family", "highfem")
    if name not in FAMILIES:
        raise InputError(f"{config}: family = {name!r}: known are {', '.join(FAMILIES)}")
    return FAMILIES[name]
