"""Motions of a simulation that are right up to some frequency, one a draw."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: So many samples in a row at the largest value are a clipped record.
CLIPPED = 6
#: Share of the energy above 1.25 times the crossover that is left out without a word.
STOP_BAND = 1e-3
#: Slowest S wave, km/s: a record that ends before it would arrive holds no motion to go by.
SLOWEST_S = 2.5


@dataclass(frozen=True)
class LowFrequency:
    """Low-frequency motions, a row a draw: what a broadband model keeps and adds to.

    Parameters
    ----------
    acceleration : (n, 3, nt), m/s2; two horizontals, then the vertical, up
    dt_s : time step, s
    valid_hz : frequency up to which the motions are right
    origin_s : (n,), time of the first sample after the origin time of the earthquake; None where
        that is not known

    Raises
    ------
    InputError
        Another shape, values that are not finite, a record of zeros, a clipped one.
    """

    acceleration: Array
    dt_s: float
    valid_hz: float
    origin_s: Array | None = None

    def __post_init__(self) -> None:
        acc = np.asarray(self.acceleration, dtype=np.float64)
        object.__setattr__(self, "acceleration", acc)
        if self.origin_s is not None:
            origin = np.broadcast_to(np.asarray(self.origin_s, dtype=np.float64), len(acc))
            object.__setattr__(self, "origin_s", origin)
        if acc.ndim != 3 or acc.shape[1] != 3 or acc.shape[2] < 2:
            raise InputError(
                f"low_frequency: acceleration of shape {acc.shape}: must be (n, 3, nt), two "
                "horizontals and the vertical"
            )
        for name in ("dt_s", "valid_hz"):
            if not (np.isfinite(value := getattr(self, name)) and value > 0):
                raise InputError(f"low_frequency: {name} = {value}: must be above 0")
        if not np.isfinite(acc).all():
            row = int(np.argmax(~np.isfinite(acc).all(axis=(1, 2))))
            raise InputError(f"low_frequency {row}: values that are not finite")
        silent = ~acc.any(axis=(1, 2))
        if silent.any():
            raise InputError(
                f"low_frequency {int(np.argmax(silent))}: acceleration = 0 in all samples: "
                "there is no motion to add high frequencies to"
            )
        for row, component in np.argwhere(_clipped(acc)):
            raise InputError(
                f"low_frequency {row}: component {component} stays at its largest value, "
                f"{np.abs(acc[row, component]).max():.4g} m/s2, for {CLIPPED} samples or more: it "
                "is clipped; give the motion as simulated"
            )

    def __len__(self) -> int:
        return len(self.acceleration)

    @property
    def duration_s(self) -> float:
        """Length of the records, s."""
        return self.acceleration.shape[2] * self.dt_s

    def take(self, rows: Any) -> LowFrequency:
        """The rows of an index array or slice."""
        made = object.__new__(LowFrequency)  # they were looked at when these were made
        origin = None if self.origin_s is None else self.origin_s[rows]
        for name, value in (
            ("acceleration", self.acceleration[rows]), ("dt_s", self.dt_s),
            ("valid_hz", self.valid_hz), ("origin_s", origin),
        ):  # fmt: skip
            object.__setattr__(made, name, value)
        return made

    def require(self, fc_hz: float, rhypo_km: Array | None = None) -> None:
        """Whether a model can go on from these motions at a crossover.

        Parameters
        ----------
        fc_hz : the crossover
        rhypo_km : (n,), to tell whether the records reach the S wave where ``origin_s`` is known

        Raises
        ------
        InputError
            Motions not right up to the crossover, a time step above 1 / (4 fc), a record that
            ends before S arrives.
        """
        if self.valid_hz < fc_hz * (1.0 - 1e-6):
            raise InputError(
                f"low_frequency: right up to {self.valid_hz:g} Hz, the crossover is {fc_hz:g} Hz: "
                "give a lower crossover, or a simulation that is right up to it"
            )
        if self.dt_s > (1.0 + 1e-9) / (4.0 * fc_hz):
            raise InputError(
                f"low_frequency: dt = {self.dt_s:g} s: must be at most 1/(4 fc) = "
                f"{1.0 / (4.0 * fc_hz):g} s at a crossover of {fc_hz:g} Hz"
            )
        if self.origin_s is not None and rhypo_km is not None:
            arrival = np.asarray(rhypo_km) / SLOWEST_S
            short = self.origin_s + self.duration_s < arrival
            if short.any():
                row = int(np.argmax(short))
                raise InputError(
                    f"low_frequency {row}: ends {self.origin_s[row] + self.duration_s:.4g} s after "
                    f"the origin time, S arrives by {arrival[row]:.4g} s at rhypo = "
                    f"{np.asarray(rhypo_km)[row]:g} km: give a longer simulation"
                )

    def check(self, fc_hz: float, rhypo_km: Array | None = None) -> None:
        """:meth:`require`, and a warning where there is energy above fc: it is left out."""
        self.require(fc_hz, rhypo_km)
        above = self._share_above(1.25 * fc_hz)
        if (above > STOP_BAND).any():
            log.warning(
                "low_frequency: %d of %d motions have energy above the crossover of %g Hz (up to "
                "%.2g of theirs): it is filtered out",
                int((above > STOP_BAND).sum()), len(self), fc_hz, above.max(),
            )  # fmt: skip

    def _share_above(self, frequency_hz: float) -> Array:
        """Share of the energy above a frequency, (n,)."""
        nt = self.acceleration.shape[2]
        # A taper keeps a record's cut ends from counting; twice as long, as in the splice.
        window = np.minimum(1.0, np.arange(nt, 0, -1) / (0.05 * nt))
        power = (np.abs(np.fft.rfft(self.acceleration * window, 2 * nt)) ** 2).sum(axis=1)
        above = np.fft.rfftfreq(2 * nt, self.dt_s) > frequency_hz
        share: Array = power[:, above].sum(axis=1) / power.sum(axis=1)
        return share

    @classmethod
    def trial(cls, n: int, valid_hz: float) -> LowFrequency:
        """Made-up motions of 30 s, to try a model with: a tone at 0.4 of ``valid_hz``."""
        dt_s = 0.1 / valid_hz
        t = np.arange(0.0, 30.0, dt_s)
        tone = np.sin(0.8 * np.pi * valid_hz * t) * np.exp(-0.5 * ((t - 12.0) / 3.0) ** 2)
        one = np.stack([tone, 0.7 * tone, 0.3 * tone])
        return cls(np.repeat(one[None], n, axis=0), dt_s, valid_hz)

    @classmethod
    def of(
        cls, given: LowFrequency | xr.Dataset | xr.DataArray, n: int, valid_hz: float | None = None
    ) -> LowFrequency:
        """Motions of ``n`` scenarios from what users give.

        Parameters
        ----------
        given : LowFrequency, Dataset or DataArray
            acceleration(scenario, component, time), m/s2, with the time in s; without
            ``scenario`` one motion for all. Attributes ``valid_hz`` and ``origin_s`` where known.
        valid_hz : in place of the attribute

        Raises
        ------
        InputError
            Another layout, another number of scenarios, another unit, or no ``valid_hz``.
        """
        found = given if isinstance(given, cls) else cls._read(given, valid_hz)
        if len(found) == 1 and n != 1:
            found = found.take(np.zeros(n, dtype=np.int64))
        if len(found) != n:
            raise InputError(
                f"low_frequency: {len(found)} motions for {n} scenarios; give one for each"
            )
        return found

    @classmethod
    def _read(cls, given: Any, valid_hz: float | None) -> LowFrequency:
        array: Any = given
        attributes = dict(getattr(given, "attrs", {}))
        if hasattr(array, "data_vars") and "acceleration" in array:
            array = array["acceleration"]
            attributes |= array.attrs
        dims = getattr(array, "dims", ())
        if not {"component", "time"} <= set(dims) <= {"scenario", "component", "time"}:
            raise InputError(
                "low_frequency: give an xarray.Dataset with acceleration(scenario, component, "
                f"time) in m/s2; this has the dimensions {tuple(dims)}"
            )
        unit = attributes.get("units", "m/s2")
        if unit not in ("m/s2", "m s-2", "m/s^2", "m/s**2"):
            raise InputError(f"low_frequency: acceleration in {unit!r}: give it in m/s2")
        valid = valid_hz if valid_hz is not None else attributes.get("valid_hz")
        if valid is None:
            raise InputError(
                "low_frequency: up to which frequency it is right is not known: give the "
                "attribute valid_hz, Hz"
            )
        time = array["time"].to_numpy().astype(np.float64)
        steps = np.diff(time)
        if len(steps) == 0 or not np.allclose(steps, steps.mean(), rtol=1e-3, atol=0.0):
            raise InputError("low_frequency: times are not evenly spaced; resample the motion")
        values = array.transpose(..., "component", "time").to_numpy()
        values = values[None] if values.ndim == 2 else values
        return cls(values, float(steps.mean()), float(valid), attributes.get("origin_s"))


def _clipped(acc: Array) -> NDArray[np.bool_]:
    """Components (n, 3) that stay at their largest absolute value for a while."""
    size = np.abs(acc)
    top = size.max(axis=2, keepdims=True)
    flat = (size == top) & (top > 0)
    run = flat[..., : flat.shape[2] - CLIPPED + 1].copy()
    for k in range(1, CLIPPED):
        run &= flat[..., k : k + run.shape[2]]
    found: NDArray[np.bool_] = run.any(axis=2)
    return found
