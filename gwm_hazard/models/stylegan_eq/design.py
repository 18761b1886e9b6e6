"""Layers of a StyleGAN3-T generator: sizes, bands and filters follow from a few numbers.

Karras et al. (2021, arXiv:2106.12423), appendix C and D.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from gwm_hazard.errors import InputError

#: Pixels beyond the image on each side in all but the last layers.
MARGIN = 10
N_LAYERS, N_CRITICAL = 14, 2
#: Taps of the filters, a factor of two.
TAPS = 6
_FIRST_CUTOFF, _FIRST_STOPBAND, _LAST_STOPBAND = 2.0, 2.0**2.1, 2.0**0.3


@dataclass(frozen=True)
class Layer:
    """One layer of the synthesis; rates and frequencies are a unit image width."""

    name: str
    to_image: bool
    channels: tuple[int, int]
    pixels: tuple[int, int]
    rate: tuple[float, float]
    cutoff: tuple[float, float]
    half_width: tuple[float, float]

    @property
    def kernel(self) -> int:
        """Of the convolution."""
        return 1 if self.to_image else 3

    @property
    def between(self) -> float:
        """Sampling rate at which the non-linearity works."""
        return max(self.rate) * (1 if self.to_image else 2)

    @property
    def up(self) -> int:
        """Factor before the non-linearity."""
        return round(self.between / self.rate[0])

    @property
    def down(self) -> int:
        """Factor after it."""
        return round(self.between / self.rate[1])

    @property
    def padding(self) -> tuple[int, int]:
        """Samples added before and after the up-sampled ones; negative ones are cut."""
        taps = (TAPS * self.up if self.up > 1 else 1) + (TAPS * self.down if self.down > 1 else 1)
        long = (self.pixels[0] + self.kernel - 1) * self.up
        total = (self.pixels[1] - 1) * self.down + 1 - long + taps - 2
        low = (total + self.up) // 2
        return low, total - low


@dataclass(frozen=True)
class Design:
    """The numbers that a published file names; the defaults are those of StyleGAN-EQ.

    Attributes
    ----------
    z_dim, w_dim : of the latent and of the style
    channel_base, channel_max : of the layers
    mapping_layers : dense layers of the mapping
    resolution : pixels of a side of the image
    """

    z_dim: int = 512
    w_dim: int = 512
    channel_base: int = 8192
    channel_max: int = 512
    mapping_layers: int = 2
    resolution: int = 128

    def __post_init__(self) -> None:
        limits = {
            "z_dim": (1, 4096), "w_dim": (1, 4096), "channel_base": (self.resolution, 2**17),
            "channel_max": (4, 4096), "mapping_layers": (1, 16), "resolution": (32, 512),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise InputError(f"design: {name} = {value!r}: must be from {low} to {high}")
        if self.resolution & (self.resolution - 1):
            raise InputError(f"design: resolution = {self.resolution}: must be a power of 2")

    @property
    def num_ws(self) -> int:
        """Styles of an image: of the input, and of each layer."""
        return N_LAYERS + 2

    @property
    def input_channels(self) -> int:
        """Of the Fourier features."""
        return self._channels(0)

    @property
    def input_pixels(self) -> int:
        """Of the Fourier features, margins included."""
        return self._pixels(0)

    @property
    def input_rate(self) -> float:
        """Of the Fourier features."""
        return self._rate(0)

    def layers(self) -> list[Layer]:
        """In order; the last one makes the image."""
        made = []
        for i in range(N_LAYERS + 1):
            last, before = i == N_LAYERS, max(i - 1, 0)
            channels = 1 if last else self._channels(i)
            made.append(
                Layer(
                    name=f"L{i}_{self._pixels(i)}_{channels}",
                    to_image=last,
                    channels=(self._channels(before), channels),
                    pixels=(self._pixels(before), self._pixels(i)),
                    rate=(self._rate(before), self._rate(i)),
                    cutoff=(self._cutoff(before), self._cutoff(i)),
                    half_width=(self._half_width(before), self._half_width(i)),
                )
            )
        return made

    def to_dict(self) -> dict[str, Any]:
        """Plain types, as a card holds them."""
        return asdict(self)

    def _along(self, i: int, first: float, last: float) -> float:
        share = min(i / (N_LAYERS - N_CRITICAL), 1.0)
        return first * (last / first) ** share

    def _cutoff(self, i: int) -> float:
        return self._along(i, _FIRST_CUTOFF, self.resolution / 2)

    def _stopband(self, i: int) -> float:
        return self._along(i, _FIRST_STOPBAND, self.resolution / 2 * _LAST_STOPBAND)

    def _rate(self, i: int) -> float:
        return 2.0 ** math.ceil(math.log2(min(2.0 * self._stopband(i), self.resolution)))

    def _half_width(self, i: int) -> float:
        return max(self._stopband(i), self._rate(i) / 2.0) - self._cutoff(i)

    def _pixels(self, i: int) -> int:
        if i >= N_LAYERS - 1:
            return self.resolution
        return int(self._rate(i)) + 2 * MARGIN

    def _channels(self, i: int) -> int:
        return round(min(self.channel_base / 2 / self._cutoff(i), self.channel_max))
