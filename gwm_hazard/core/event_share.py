"""What the sites of one event have in common in models that know no events.

A network that learned records one by one draws each from its own latent numbers z. Where sites of
an event share a part of them, z = sqrt(rho) z_event + sqrt(1 - rho) z_record, each record is
distributed as before, and the records of an event are correlated: the variance of ln IM has a part
between events and one within. The share rho, by magnitude, is found from draws so that these parts
stand to each other as in a published model (:mod:`gwm_hazard.models.event_share`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError

#: Streams of noise, by the beginning of their names, that carry what a network draws.
LATENT = "latent"


@dataclass(frozen=True)
class EventShare:
    """The share rho of the latent variance that is the event's, straight lines in magnitude.

    Parameters
    ----------
    mag : (k,), increasing
    share : (k,), 0 to 1

    Raises
    ------
    InputError
        Anything else.
    """

    mag: tuple[float, ...]
    share: tuple[float, ...]

    def __post_init__(self) -> None:
        m, s = np.asarray(self.mag, dtype=np.float64), np.asarray(self.share, dtype=np.float64)
        good = m.ndim == 1 and m.shape == s.shape and len(m) > 0
        if not (good and (np.diff(m) > 0).all() and ((s >= 0) & (s <= 1)).all()):
            raise InputError(
                f"event_share: mag = {self.mag}, share = {self.share}: must be as many of each, "
                "magnitudes that grow and shares from 0 to 1"
            )

    @classmethod
    def of(cls, told: Any) -> EventShare:
        """From the parameter of a card, ``{"mag": [...], "share": [...]}``."""
        try:
            return cls(*(tuple(map(float, told[name])) for name in ("mag", "share")))
        except (TypeError, KeyError, IndexError):
            raise InputError(
                f'event_share = {told!r:.80}: must be {{"mag": [...], "share": [...]}}'
            ) from None

    def to_dict(self) -> dict[str, list[float]]:
        """As a card holds it."""
        return {"mag": list(self.mag), "share": list(self.share)}

    def noise(self, scenarios: Scenarios, noise: Noise) -> Noise:
        """The noise of n draws, whose latent streams are shared within events."""
        share = np.interp(scenarios["mag"], self.mag, self.share)
        return cast(Noise, _Shared(noise, share))


@dataclass(frozen=True)
class _Shared:
    """Noise as a model takes it, of which latent streams are mixed."""

    base: Noise
    share: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.base)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)

    def take(self, rows: Any) -> _Shared:
        return _Shared(self.base.take(rows), self.share[rows])

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        own = self.base.normal(stream, size, per_event=per_event)
        if per_event or not stream.startswith(LATENT):
            return own
        event = self.base.normal(stream, size, per_event=True)
        rho = self.share[:, None]
        return (np.sqrt(rho) * event + np.sqrt(1.0 - rho) * own).astype(np.float32)


def partition(told: Mapping[float, float]) -> dict[float, float]:
    """Shares of the variance that is between events, tau^2 / sigma^2, by magnitude, checked."""
    for mag, share in told.items():
        if not 0.0 <= share < 1.0:
            raise InputError(f"tau^2 / sigma^2 = {share:g} at M {mag:g}: must be from 0 to below 1")
    return dict(sorted(told.items()))
