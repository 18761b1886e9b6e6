"""Sizes of the networks of the WGAN-GP family: as published, or other ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from gwm_hazard.errors import InputError


def _positive(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) > 0 and all(map(_positive, value))
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**20


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _lists(value: Any) -> Any:
    return list(map(_lists, value)) if isinstance(value, tuple) else value


class _Plain:
    """Checks and plain types of a dataclass of sizes."""

    form: ClassVar[str]

    def _check(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            value = _tuples(getattr(self, f.name))
            object.__setattr__(self, f.name, value)
            if f.name in ("threshold_hz", "sampling_rate_hz"):
                good = isinstance(value, int | float) and 0 < value < 1e6
            elif isinstance(f.default, str):
                good = isinstance(value, str)
            else:
                good = _positive(value)
            if not good:
                raise InputError(f"sizes: {f.name} = {value!r}: give a size like {f.default!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain types, as a card holds them."""
        values = {f.name: _lists(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]
        return {"form": self.form} | values


@dataclass(frozen=True)
class ConditionalSizes(_Plain):
    """Waveform and log-peaks of conditions; the defaults are those of Florez et al. (2022).

    Attributes
    ----------
    conditions : numbers that condition
    latent : standard normals of each of the three rows
    row, rows : length of the rows after the first and the second linear layer
    wave : samples of each row that become the waveform, the rest becomes the amplitude
    start : channels of the reshaped rows
    blocks : channels of the convolutions after each doubling
    kernel : of the generator's convolutions, odd
    embedding : widths of the hidden layers of a condition's embedding
    amplitude : widths of the hidden layers of the amplitude
    head : "tanh", as published, or "linear", for peaks that may exceed those of the training
    critic : channels of the critic's five or so strided convolutions
    critic_embedding : numbers that the critic's embeddings make; fewer than samples are repeated
    critic_dense : widths of the critic's linear layers along time
    critic_kernel : of the critic's strided convolutions, even
    """

    form: ClassVar[str] = "conditional"

    conditions: int = 3
    latent: int = 100
    row: int = 150
    rows: int = 300
    wave: int = 250
    start: int = 6
    blocks: tuple[tuple[int, ...], ...] = (
        (16, 16), (32, 32), (64, 64), (128, 128), (64, 64, 32, 32, 16, 16),
    )  # fmt: skip
    kernel: int = 5
    embedding: tuple[int, ...] = (32, 64, 256, 512, 1024, 2048)
    amplitude: tuple[int, ...] = (256, 512, 512, 256)
    head: str = "tanh"
    critic: tuple[int, ...] = (16, 32, 64, 128, 256)
    critic_embedding: int = 4000
    critic_dense: tuple[int, ...] = (110, 128, 100)
    critic_kernel: int = 32

    def __post_init__(self) -> None:
        self._check()
        if self.head not in ("tanh", "linear"):
            raise InputError(f"sizes: head = {self.head!r}: give 'tanh' or 'linear'")
        if not self.wave < self.rows:
            raise InputError(f"sizes: wave = {self.wave}: must leave some of rows = {self.rows}")
        if 3 * self.wave % self.start:
            raise InputError(f"sizes: start = {self.start}: must divide 3 wave = {3 * self.wave}")
        if self.kernel % 2 == 0 or self.critic_kernel % 2:
            raise InputError("sizes: kernel must be odd and critic_kernel even")
        if self.samples % self.critic_embedding or self.samples % 2 ** len(self.critic):
            raise InputError(
                f"sizes: samples = {self.samples} (3 wave / start, doubled by each block): must be "
                f"a multiple of critic_embedding and of {2 ** len(self.critic)}, which the critic "
                "halves"
            )

    @property
    def samples(self) -> int:
        """Of a waveform."""
        return int(3 * self.wave // self.start * 2 ** len(self.blocks))

    @property
    def normals(self) -> int:
        """Standard normals of a draw."""
        return 3 * self.latent


@dataclass(frozen=True)
class PipelineSizes(_Plain):
    """Three components of one latent by pipelines of their own; the defaults are SeismoGen's.

    Wang, Trugman and Lin (2021, JGR 126, e2020JB020077): network figures. ``ITACA`` has the sizes
    of the thesis of Onsa (Politecnico di Torino, 2024), whose kernels and channels are not stated.

    Attributes
    ----------
    latent, samples : standard normals of a draw; samples of a waveform
    sampling_rate_hz : what the threshold refers to
    stride : of the transposed convolution; what it leaves is brought to ``samples`` linearly
    kernel, first, hidden : of the generator: kernel of all layers, channels of the first, of the
        others
    threshold_hz : the critic looks at what is below and what is above apart
    critic_kernel, band : of the critic's branches: kernel, channels
    critic : channels of the strided convolutions after them
    """

    form: ClassVar[str] = "pipelines"

    latent: int = 400
    samples: int = 1600
    sampling_rate_hz: float = 40.0
    stride: int = 4
    kernel: int = 128
    first: int = 16
    hidden: int = 32
    threshold_hz: float = 3.75
    critic_kernel: int = 16
    band: int = 32
    critic: tuple[int, ...] = (48, 32, 24)

    def __post_init__(self) -> None:
        self._check()
        if (self.kernel - self.stride) % 2:
            raise InputError("sizes: kernel and stride must both be even or both odd")
        if self.threshold_hz >= self.sampling_rate_hz / 2:
            raise InputError(
                f"sizes: threshold_hz = {self.threshold_hz}: must be below half of "
                f"sampling_rate_hz = {self.sampling_rate_hz}"
            )

    @property
    def normals(self) -> int:
        """Standard normals of a draw."""
        return self.latent


Sizes = ConditionalSizes | PipelineSizes

FLOREZ = ConditionalSizes()
SEISMOGEN = PipelineSizes()
ITACA = PipelineSizes(latent=800, samples=8000, sampling_rate_hz=200.0)
#: By the name that a training file gives as ``network.preset``.
PRESETS: dict[str, Sizes] = {"florez": FLOREZ, "seismogen": SEISMOGEN, "itaca": ITACA}


def read_sizes(values: Mapping[str, Any]) -> Sizes:
    """What :meth:`to_dict` made.

    Raises
    ------
    InputError
        An unknown form or name, or a size that is none.
    """
    forms: dict[str, type[ConditionalSizes] | type[PipelineSizes]] = {
        c.form: c for c in (ConditionalSizes, PipelineSizes)
    }
    form = values.get("form")
    if form not in forms:
        raise InputError(f"sizes: form = {form!r}: give {' or '.join(map(repr, forms))}")
    try:
        return forms[form](**{k: v for k, v in values.items() if k != "form"})
    except TypeError as exc:
        raise InputError(f"sizes: {exc}") from None
