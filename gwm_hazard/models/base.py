"""What a generative waveform model is: a pure function (conditions, noise) -> waveforms.

To add a model, subclass :class:`WaveformModel` in one file: give it a :class:`ModelCard`,
say how many samples a scenario needs and draw. Everything else (batching by memory, devices,
ensembles, files, OpenQuake) works from these three.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard
from gwm_hazard.core.event_share import EventShare
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial import published
from gwm_hazard.core.spatial.noise import SpatialCorrelation
from gwm_hazard.errors import InputError
from gwm_hazard.models.dataset import waveform_dataset

if TYPE_CHECKING:
    import torch
    import xarray as xr

    from gwm_hazard.models.weights import Weights

#: Memory that one batch may use where the device does not tell (CPU): small enough that the
#: working arrays of a batch stay near the caches, large enough to hide the call overhead.
CPU_BATCH_BYTES = 96 * 2**20


class Rows(Protocol):
    """Something with a row a draw."""

    def take(self, rows: Any) -> Any:
        """The rows of an index array."""


class WaveformModel(ABC):
    """A generative waveform model: conditions and noise in, three-component waveforms out."""

    card: ModelCard
    #: torch device, set by :func:`gwm_hazard.models.registry.load_model`
    device: str = "cpu"
    #: Working memory of ``draw`` by output sample, bytes: sets the batch size.
    bytes_per_sample: int = 40
    #: True for a family whose constructor takes ``weights``, and keeps them
    needs_weights: ClassVar[bool] = False
    weights: Weights | None = None
    #: What sites of an event share of the latent, of a model that knows no events.
    event_share: EventShare | None = None

    @abstractmethod
    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """Samples that each scenario's record needs, shape (n,). Depends on conditions only."""

    def lengths(self, scenarios: Scenarios, **beside: Rows) -> NDArray[np.int64]:
        """Samples of each record, (n,), by what a model is given beside conditions too."""
        return self.npts(scenarios)

    @abstractmethod
    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """One waveform for each row.

        Parameters
        ----------
        scenarios : Scenarios
            n rows, all with the same ``npts``.
        noise : Noise
            n keys; the only source of randomness.

        Returns
        -------
        Tensor, shape (n, n_components, npts), float32, m/s2, on ``self.device``
            Horizontal components first, the vertical last.
        """

    def spatial_correlation(self, name: str, coherency: str = "none") -> SpatialCorrelation:
        """How the noise of sites of one event is correlated, for measures with a published one.

        Parameters
        ----------
        name : of :data:`gwm_hazard.core.spatial.published.NAMES`
        coherency : of phases at short distances, of
            :data:`gwm_hazard.core.spatial.coherency.NAMES`, or "none"

        Raises
        ------
        InputError
            An unknown name, or a model of whose noise no part is known to carry the level.
        """
        published.check(name)
        raise InputError(
            f"spatial_correlation = {name!r}: it is not known which noise of model "
            f'{self.card.name!r} carries the level of a record; take "none", model = "stochastic", '
            'or model = "matched"'
        )

    @property
    def dt_s(self) -> float:
        """Time step of the waveforms, s."""
        return 1.0 / self.card.sampling_rate_hz

    def batch_size(self, npts: int) -> int:
        """Records of ``npts`` samples that fit the memory of a batch."""
        budget = CPU_BATCH_BYTES
        if self.device.startswith("cuda"):
            import torch

            budget = torch.cuda.mem_get_info(self.device)[0] // 4
        return max(1, budget // (npts * len(self.card.components) * self.bytes_per_sample))

    def batches(
        self, scenarios: Scenarios, noise: Noise, batch_size: int | None = None, **beside: Rows
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Draw a waveform for each row, in batches bounded by memory.

        Records of equal length go together, so the rows come back out of order: each item is
        (rows, acceleration (len(rows), n_components, npts) float32 m/s2). A CUDA batch that
        does not fit is halved and drawn again.

        ``beside`` is what ``draw`` takes beside conditions and noise, by name and row by row (a
        target spectrum ...).
        """
        import torch

        if len(scenarios) != len(noise):
            raise InputError(f"{len(scenarios)} scenarios but {len(noise)} noise keys")
        for name in beside:
            if name not in inspect.signature(self.draw).parameters:
                raise InputError(f"model {self.card.name!r} takes no {name}")
        if self.event_share is not None:
            noise = self.event_share.noise(scenarios, noise)
        lengths = self.lengths(scenarios, **beside)
        for npts in np.unique(lengths):
            equal = np.flatnonzero(lengths == npts)
            size = batch_size or self.batch_size(int(npts))
            start = 0
            while start < len(equal):
                part = equal[start : start + size]
                try:
                    with torch.inference_mode():
                        more = {name: rows.take(part) for name, rows in beside.items()}
                        drawn = self.draw(scenarios.take(part), noise.take(part), **more)
                except torch.cuda.OutOfMemoryError:
                    if size == 1:
                        raise
                    torch.cuda.empty_cache()
                    size = max(1, size // 2)
                    continue
                yield part, drawn.cpu().numpy()
                start += len(part)

    def generate(
        self,
        scenarios: Scenarios,
        n: int = 1,
        seed: int = 0,
        *,
        batch_size: int | None = None,
        check: bool = True,
        **beside: Rows,
    ) -> xr.Dataset:
        """Draw ``n`` realizations of each scenario.

        Realization k of scenario i depends on (seed, i, k) and on the conditions of the
        scenario only: not on ``n``, the other scenarios, the batch size or the device (to
        float32 rounding).

        Parameters
        ----------
        scenarios : Scenarios
            The conditions named on the card.
        n : int
            Realizations of each scenario.
        seed : int
            0 to 2**64 - 1.
        batch_size : int, optional
            Records drawn at once; by default as many as the memory allows.
        check : bool
            Refuse scenarios outside the card's ranges of validity.
        **beside
            What a model takes beside conditions (:mod:`gwm_hazard.models.abilities`), a row a
            scenario.

        Returns
        -------
        xarray.Dataset
            ``acceleration (scenario, realization, component, time)`` float32, m/s2, zero after
            the record's own ``npts (scenario)`` samples; one coordinate a condition.

        Raises
        ------
        ValueError
            A missing condition, or a scenario outside the ranges on the card.
        """
        if n < 1:
            raise InputError(f"n = {n}: give at least 1 realization")
        if check:
            self.card.check(scenarios)
        rows = len(scenarios)
        npts = self.lengths(scenarios, **beside)
        out = np.zeros((rows * n, len(self.card.components), int(npts.max())), dtype=np.float32)
        each = np.repeat(np.arange(rows), n)
        noise = Noise(seed, each, 0, np.tile(np.arange(n), rows))
        more = {name: values.take(each) for name, values in beside.items()}
        for part, acc in self.batches(scenarios.repeat(n), noise, batch_size, **more):
            out[part, :, : acc.shape[2]] = acc
        return waveform_dataset(
            out.reshape(rows, n, *out.shape[1:]), npts, self.card, self.dt_s, scenarios, seed=seed
        )
