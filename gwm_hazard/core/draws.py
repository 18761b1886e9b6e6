"""What is drawn: scenarios, and the noise of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from gwm_hazard.core.noise import MixedNoise, Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError


@dataclass(frozen=True)
class Draws:
    """One waveform for each row: n scenarios and n keys of noise."""

    scenarios: Scenarios
    noise: Noise | MixedNoise

    def __post_init__(self) -> None:
        if len(self.scenarios) != len(self.noise):
            raise InputError(f"{len(self.scenarios)} scenarios but {len(self.noise)} noise keys")

    def __len__(self) -> int:
        return len(self.scenarios)

    @property
    def model_noise(self) -> Noise:
        """The noise as a model takes it: a :class:`MixedNoise` has all that is asked of one."""
        return cast(Noise, self.noise)

    def take(self, rows: Any) -> Draws:
        """The draws of an index array or slice."""
        return Draws(self.scenarios.take(rows), self.noise.take(rows))

    @classmethod
    def concat(cls, parts: Sequence[Draws]) -> Draws:
        """All rows of draws with the same conditions and one seed, one after another."""
        names = list(parts[0].scenarios)
        scenarios = {k: np.concatenate([p.scenarios[k] for p in parts]) for k in names}
        noises = [p.noise for p in parts]
        terms = [t for n in noises for t in (n.parts if isinstance(n, MixedNoise) else (n,))]
        if len(seeds := {term.seed for term in terms}) > 1:
            raise InputError(f"draws of seeds {sorted(seeds)}: must be of one seed")
        if any(isinstance(n, MixedNoise) for n in noises):
            mixed = [n if isinstance(n, MixedNoise) else MixedNoise.of(n) for n in noises]
            return cls(Scenarios(**scenarios), MixedNoise.joined(mixed))
        plain = cast(list[Noise], noises)
        keys = (
            np.concatenate([getattr(n, k) for n in plain]) for k in ("event", "site", "realization")
        )
        return cls(Scenarios(**scenarios), Noise(plain[0].seed, *keys))
