"""Sizes of the networks, as the checkpoints' hyper-parameters give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gwm_hazard.errors import InputError
from gwm_hazard.models.highfem.layers import GROUPS

#: Largest sizes taken from a file, far above the published ones: a forged file builds no monster.
_LARGEST = {
    "in_channels": 64,
    "out_channels": 64,
    "model_channels": 1024,
    "num_res_blocks": 8,
    "num_heads": 64,
    "groups": 256,
    "patch": 16,
    "width": 1024,
    "cond_features": 64,
}


@dataclass(frozen=True)
class UNetConfig:
    """The denoiser. Defaults are the published model (101 M parameters)."""

    in_channels: int = 8
    out_channels: int = 8
    cond_features: int = 5
    model_channels: int = 128
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    attention_resolutions: tuple[int, ...] = (8,)
    num_res_blocks: int = 2
    num_heads: int = 4
    groups: int = GROUPS

    def __post_init__(self) -> None:
        _check(self)
        widest = self.model_channels * self.channel_mult[-1]
        if widest % self.num_heads:
            raise InputError(f"num_heads = {self.num_heads} does not divide {widest} channels")


@dataclass(frozen=True)
class AutoencoderConfig:
    """Encoder and decoder. Defaults are the published model (7 M parameters)."""

    channels: int = 3
    latent_channels: int = 8
    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 2, 4)
    num_res_blocks: int = 2
    groups: int = GROUPS
    #: Pixels along one side of a square that enters as the channels of one pixel
    patch: int = 1

    def __post_init__(self) -> None:
        _check(self)

    @property
    def downsampling(self) -> int:
        """Pixels of the image along one side of a pixel of the latent."""
        return self.patch * 2 ** (len(self.channel_mult) - 1)


@dataclass(frozen=True)
class BaselineConfig:
    """The Gaussian that the latents are measured by, where there is one."""

    width: int = 64

    def __post_init__(self) -> None:
        _check(self)


def unet_config(found: Any) -> UNetConfig:
    """From ``hyper_parameters["unet_config"]``.

    Raises
    ------
    ValueError
        Something that is missing, out of bounds or not supported.
    """
    values = _supported(found, "unet_config", {"use_causal_mask": (False,)})
    names = [name for name in asdict(UNetConfig()) if name != "groups"]
    return UNetConfig(**{name: _take(values, name, "unet_config") for name in names})


def autoencoder_config(encoder: Any, decoder: Any) -> AutoencoderConfig:
    """From ``hyper_parameters["encoder_config"]`` and ``["decoder_config"]``.

    Raises
    ------
    ValueError
        Something that is missing, out of bounds or not supported.
    """
    configs = []
    for where, found in (("encoder_config", encoder), ("decoder_config", decoder)):
        values = _supported(found, where, {"attention_resolutions": ((), [], None)})
        names = ("model_channels", "channel_mult", "num_res_blocks", "in_channels", "out_channels")
        configs.append({name: _take(values, name, where) for name in names})
    enc, dec = configs
    for name in ("model_channels", "channel_mult", "num_res_blocks"):
        if enc[name] != dec[name]:
            raise InputError(f"{name}: encoder {enc[name]}, decoder {dec[name]}; expected equal")
    if enc["out_channels"] != 2 * dec["in_channels"] or enc["in_channels"] != dec["out_channels"]:
        raise InputError("encoder_config and decoder_config: their channels do not fit together")
    return AutoencoderConfig(
        channels=dec["out_channels"],
        latent_channels=dec["in_channels"],
        model_channels=dec["model_channels"],
        channel_mult=dec["channel_mult"],
        num_res_blocks=dec["num_res_blocks"],
    )


def _take(values: Mapping[str, Any], name: str, where: str) -> Any:
    try:
        value = values[name]
    except KeyError:
        raise InputError(f"{where} without {name!r}") from None
    if isinstance(value, list | tuple):
        value = tuple(value)
        if len(value) > 8 or not all(_whole(v) for v in value):
            raise InputError(f"{where}: {name} = {value!r:.80}; expected up to 8 whole numbers")
    elif not _whole(value):
        raise InputError(f"{where}: {name} = {value!r:.80}; expected a whole number")
    return value


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _supported(found: Any, where: str, fixed: Mapping[str, tuple[Any, ...]]) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise InputError(f"{where}: expected a table of sizes, found {type(found).__name__}")
    for name, allowed in ({"dims": (2,), "conv_kernel_size": (3,)} | dict(fixed)).items():
        if name in found and found[name] not in allowed:
            raise InputError(
                f"{where}: {name} = {found[name]!r:.80}; only {allowed[0]!r} is supported"
            )
    return found


def _check(config: UNetConfig | AutoencoderConfig | BaselineConfig) -> None:
    for name, value in vars(config).items():
        if isinstance(value, list):  # a card read from JSON
            object.__setattr__(config, name, tuple(value))
    for name, largest in _LARGEST.items():
        value = getattr(config, name, 1)
        if not _whole(value) or not 1 <= value <= largest:
            raise InputError(f"{name} = {value!r:.80}: expected a whole number from 1 to {largest}")
    if isinstance(config, BaselineConfig):
        return
    mult = config.channel_mult
    if not 1 <= len(mult) <= 6 or not all(_whole(m) and 1 <= m <= 16 for m in mult):
        raise InputError(f"channel_mult = {mult!r:.80}: expected 1 to 6 whole numbers from 1 to 16")
    if config.model_channels % config.groups:
        raise InputError(
            f"model_channels = {config.model_channels}: expected a multiple of {config.groups} "
            "(group normalisation)"
        )
