"""What draws the shape of the high band, by name: one interface for every network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError
from gwm_hazard.models.broadband import envelope, seismoalice
from gwm_hazard.models.broadband.transformer import CHANNELS, Transformer, TransformerSizes, flow
from gwm_hazard.models.broadband.translator import (
    SYSTEMS,
    Encoder,
    Generator,
    TranslatorSizes,
)
from gwm_hazard.models.devices import in_portions

#: Records that go through a network together. Always so many: kernels chosen by batch size would
#: change the last bits.
PORTION = 4
#: Standard deviation of the correlation of horizontals above the crossover: that of the training
#: records in bands from 1.25 to 20 Hz, 0.19 to 0.26, less what short records have by chance.
POLARISED = 0.18


class Shape(nn.Module):
    """Draws motions above a crossover, whose level and band below it are set afterwards."""

    def streams(self, noise: Noise, npts: int) -> tuple[torch.Tensor, ...]:
        """All the normals that :meth:`motion` takes, a row a draw."""
        raise NotImplementedError

    def motion(
        self, low: torch.Tensor, condition: torch.Tensor, *normals: torch.Tensor
    ) -> torch.Tensor:
        """(n, 3, nt) from the low band (n, 3, nt) over its peak, and (n, CONDITIONS)."""
        raise NotImplementedError

    def drawn(self, low: torch.Tensor, condition: torch.Tensor, noise: Noise) -> torch.Tensor:
        """:meth:`motion` in portions, each as large as the others."""
        every = (low, condition, *self.streams(noise, low.shape[2]))
        return in_portions(lambda rows: self.motion(*(t[rows] for t in every)), len(low), PORTION)


class FlowShape(Shape):
    """Envelopes by :class:`Transformer`, on Gaussian noise."""

    def __init__(self, sizes: Mapping[str, Any]) -> None:
        super().__init__()
        given = dict(sizes)
        self.steps = int(given.pop("steps", 4))
        if not 1 <= self.steps <= 1000:
            raise InputError(f"sizes: steps = {self.steps}: must be from 1 to 1000")
        self.sizes = TransformerSizes(**given)
        self.network = Transformer(self.sizes)

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return self.sizes.to_dict() | {"steps": self.steps}

    def streams(self, noise: Noise, npts: int) -> tuple[torch.Tensor, ...]:
        """Of the envelope, and of the phases."""
        length = envelope.tokens(npts)
        start = noise.normal("envelope", length * CHANNELS)
        phases = envelope.normals(noise.normal("phases", 3 * npts), len(noise), npts)
        along = torch.from_numpy(noise.normal("polarisation", 1)).mul(POLARISED).clamp(-0.9, 0.9)
        phases[:, 1] = along * phases[:, 0] + (1.0 - along**2).sqrt() * phases[:, 1]
        return torch.from_numpy(start).view(-1, length, CHANNELS), phases

    def motion(
        self, low: torch.Tensor, condition: torch.Tensor, *normals: torch.Tensor
    ) -> torch.Tensor:
        """See :meth:`Shape.motion`."""
        start, phases = (t.to(low) for t in normals)
        seen, when = envelope.features(low)
        drawn = flow(self.network, start, seen, when, condition, self.steps)
        return envelope.carried(drawn, phases)


class TranslatorShape(Shape):
    """Motions by a system of :mod:`gwm_hazard.models.broadband.translator`."""

    system = ""

    def __init__(self, sizes: Mapping[str, Any]) -> None:
        super().__init__()
        self.sizes = TranslatorSizes(**sizes)
        self.generator = Generator(SYSTEMS[self.system], self.sizes)
        self.encoder = Encoder(self.sizes) if SYSTEMS[self.system].style else None

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return self.sizes.to_dict()

    def streams(self, noise: Noise, npts: int) -> tuple[torch.Tensor, ...]:
        """Of the phases, and of the style."""
        return (
            envelope.normals(noise.normal("phases", 3 * npts), len(noise), npts),
            torch.from_numpy(noise.normal("style", self.sizes.style)),
        )

    def motion(
        self, low: torch.Tensor, condition: torch.Tensor, *normals: torch.Tensor
    ) -> torch.Tensor:
        """See :meth:`Shape.motion`."""
        noise, style = (t.to(low) for t in normals)
        made: torch.Tensor = self.generator(low, condition, noise, style)
        return made


class SeismoALICEShape(Shape):
    """Motions by the public networks of 2020."""

    def __init__(self, sizes: Mapping[str, Any]) -> None:
        super().__init__()
        if sizes:
            raise InputError(f"sizes = {dict(sizes)}: the networks of 2020 have none to choose")
        for name, shape in self.weight_shapes().items():
            self.register_buffer(name.replace(".", "_"), torch.zeros(shape))

    @staticmethod
    def weight_shapes() -> dict[str, tuple[int, ...]]:
        """Of the tensors, by their published names."""
        names = ("Fef", "Ghz", "Gdd")
        return {k: v for n in names for k, v in seismoalice.weight_shapes(n).items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return {}

    def streams(self, noise: Noise, npts: int) -> tuple[torch.Tensor, ...]:
        """Of the motion, its code, and the code of the broadband motion."""
        whole = npts + -npts % 32
        shapes = {"filtered": (3, whole), "code": (8, whole // 32), "broadband": (32, whole // 32)}
        return tuple(
            torch.from_numpy(noise.normal(k, a * b)).view(-1, a, b) for k, (a, b) in shapes.items()
        )

    def motion(
        self, low: torch.Tensor, condition: torch.Tensor, *normals: torch.Tensor
    ) -> torch.Tensor:
        """See :meth:`Shape.motion`; each component over its peak, as in their training."""
        weights = {k: getattr(self, k.replace(".", "_")) for k in self.weight_shapes()}
        nt = low.shape[2]
        x = torch.nn.functional.pad(low, (0, -nt % 32))
        x = x / x.abs().amax(dim=2, keepdim=True).clamp_min(1e-12)
        return seismoalice.hybrid(weights, x, *(t.to(low) for t in normals))[..., :nt]


FORMS: dict[str, type[Any]] = {
    "flow": FlowShape,
    "sa2020": SeismoALICEShape,
    **{name: type(name, (TranslatorShape,), {"system": name}) for name in SYSTEMS},
}


def form_of(name: str, sizes: Mapping[str, Any]) -> Any:
    """A new network of a form.

    Raises
    ------
    InputError
        An unknown form or size.
    """
    if name not in FORMS:
        raise InputError(f"form = {name!r}: known are {', '.join(FORMS)}")
    try:
        return FORMS[name](sizes)
    except TypeError as exc:
        raise InputError(f"sizes of form {name!r}: {exc}") from exc


def condition_of(
    mag: np.ndarray[Any, Any],
    distance_km: np.ndarray[Any, Any],
    vs30: np.ndarray[Any, Any],
    scale: np.ndarray[Any, Any],
    fc_hz: float | np.ndarray[Any, Any],
) -> torch.Tensor:
    """What networks are told, (n, CONDITIONS): scenario, scale of low band (m/s2), crossover."""
    columns = (
        mag - 6.0,
        np.log((distance_km + 6.0) / 50.0),
        2.0 * np.log(vs30 / 400.0),
        np.log(scale) / 2.0,
        np.log(np.broadcast_to(fc_hz, np.shape(mag))) / 0.7,
    )
    return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))
