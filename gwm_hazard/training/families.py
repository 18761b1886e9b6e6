"""Which training a configuration file asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gwm_hazard.errors import InputError
from gwm_hazard.training.broadband.config import BroadbandTraining
from gwm_hazard.training.broadband.run import train_broadband
from gwm_hazard.training.config import Progress, TrainingConfig, read_values
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


def _cvae_gan(
    config: Path, output: Path, *, base: str | None, snapshot: bool, progress: Progress | None
) -> Path:
    _from_nothing("cvae-gan", base, snapshot)
    settings = CVAEGANTraining.of(read_values(config), config)
    return train_cvae_gan(settings, output, progress=progress)


def _wgan_gp(
    config: Path, output: Path, *, base: str | None, snapshot: bool, progress: Progress | None
) -> Path:
    _from_nothing("wgan-gp", base, snapshot)
    settings = WGANGPTraining.of(read_values(config), config)
    return train_wgan_gp(settings, output, progress=progress)


def _stylegan_eq(
    config: Path, output: Path, *, base: str | None, snapshot: bool, progress: Progress | None
) -> Path:
    _from_nothing("stylegan-eq", base, snapshot)
    settings = StyleGANEQTraining.of(read_values(config), config)
    return train_stylegan_eq(settings, output, progress=progress)


def _broadband(
    config: Path, output: Path, *, base: str | None, snapshot: bool, progress: Progress | None
) -> Path:
    _from_nothing("broadband", base, False)
    settings = BroadbandTraining.of(read_values(config), config)
    return train_broadband(settings, output, progress=progress, snapshot=snapshot)


def _from_nothing(family: str, base: str | None, snapshot: bool) -> None:
    if base or snapshot:
        raise InputError(
            f"{'--from' if base else '--snapshot'}: of the family 'highfem' only; a run of "
            f"{family!r} goes on by itself when it is started again"
        )


FAMILIES: dict[str, Training] = {
    "highfem": _highfem,
    "cvae-gan": _cvae_gan,
    "wgan-gp": _wgan_gp,
    "stylegan-eq": _stylegan_eq,
    "broadband": _broadband,
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
