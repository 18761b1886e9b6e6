"""Sizes of the networks of CVAE-GAN: as published, or other ones."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from gwm_hazard.errors import InputError


@dataclass(frozen=True)
class Sizes:
    """Widths of encoder, decoder and critic; the defaults are those of Hu et al. (2026).

    Attributes
    ----------
    samples, components : of a waveform
    ordinates : of the spectrum that conditions it
    extras : further numbers in the condition (level, duration)
    latent : of the latent vector
    encoder, critic : channels of the strided convolutions
    decoder : channels after each doubling of the time steps
    start : channels that the dense layer makes, over samples / 2**len(decoder) time steps
    kernel : of the decoder's convolutions
    style : width of the hidden layers that steer the decoder; 0 for the published decoder
    """

    samples: int = 3000
    components: int = 1
    ordinates: int = 200
    extras: int = 0
    latent: int = 100
    encoder: tuple[int, ...] = (64, 128, 256)
    decoder: tuple[int, ...] = (128, 64, 32)
    start: int = 256
    kernel: int = 3
    critic: tuple[int, ...] = (32, 64, 128, 256)
    style: int = 0

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(f.default, tuple):
                if isinstance(value, list):
                    value = tuple(value)
                    object.__setattr__(self, f.name, value)
                good = isinstance(value, tuple) and len(value) > 0 and all(map(_positive, value))
            else:
                good = _positive(value) or (f.name in ("extras", "style") and value == 0)
            if not good:
                raise InputError(f"{f.name} = {value!r}: give a size like {f.default!r}")
        if self.samples % 2 ** len(self.decoder):
            raise InputError(
                f"samples = {self.samples}: must be a multiple of {2 ** len(self.decoder)}, which "
                f"the {len(self.decoder)} doublings of the decoder make"
            )
        if self.style and self.kernel % 2 == 0:
            raise InputError(f"kernel = {self.kernel}: must be odd")

    @property
    def condition(self) -> int:
        """Numbers in the condition."""
        return self.ordinates + self.extras

    @property
    def first(self) -> int:
        """Time steps at which the decoder starts."""
        return int(self.samples // 2 ** len(self.decoder))

    def to_dict(self) -> dict[str, Any]:
        """Plain types, as a card holds them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**20
