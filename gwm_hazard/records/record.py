"""A record of ground motion, and where records come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError

#: What one cell of a record's metadata may be.
Value = str | int | float


@dataclass(frozen=True)
class Record:
    """One record of ground acceleration.

    Attributes
    ----------
    acceleration : (n_components, nt), m/s2, float64, or float32 where the file holds that
        The horizontal components first, the vertical last; all on one time axis.
    dt_s : time step, s
    components : names of the components as recorded
    n_horizontal : how many of the components are horizontal, 0 to 2
    whole : whether there are no other components, as of a model that draws one; RotD50 is then
        inferred from one horizontal, which of a record with a file missing it is not
    raw : whether the format holds what an instrument gave, its offset included
    metadata : ``record_id`` and ``source_file``, then what the file tells of the event, the
        station and the conditions, under OpenQuake's names (``mag``, ``hypo_depth``, ``rhypo``,
        ``vs30`` ...); ``processing`` says what the reader or a later step changed
    """

    acceleration: NDArray[np.floating]
    dt_s: float
    components: tuple[str, ...]
    n_horizontal: int
    metadata: Mapping[str, Value]
    whole: bool = False
    raw: bool = False

    def __post_init__(self) -> None:
        shape = self.acceleration.shape
        if len(shape) != 2 or shape[0] != len(self.components):
            raise InputError(f"acceleration has shape {shape}: must be (n_components, nt)")
        if shape[1] < 2:
            raise InputError(f"{shape[1]} samples: a record needs at least 2")
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise InputError(f"time step = {self.dt_s} s: must be > 0")
        if self.n_horizontal > 2 or not 0 <= len(self.components) - self.n_horizontal <= 1:
            raise InputError(
                f"components {', '.join(self.components)}: at most two are horizontal and one "
                "is vertical"
            )
        for name, trace in zip(self.components, self.acceleration, strict=True):
            bad = np.flatnonzero(~np.isfinite(trace))
            if bad.size:
                raise InputError(
                    f"component {name} has {bad.size} samples that are NaN or infinite, the first "
                    f"at {bad[0] * self.dt_s:g} s: repair or remove the record"
                )

    @property
    def record_id(self) -> str:
        """The stable name of the record."""
        return str(self.metadata["record_id"])

    @property
    def has_vertical(self) -> bool:
        """Whether the last component is vertical."""
        return len(self.components) > self.n_horizontal

    def noted(self, note: str, **changes: Any) -> Record:
        """A copy with ``changes``, and ``note`` added to ``metadata["processing"]``."""
        notes = "; ".join(filter(None, [str(self.metadata.get("processing", "")), note]))
        return replace(self, metadata={**self.metadata, "processing": notes}, **changes)


@dataclass(frozen=True)
class Failure:
    """A record that could not be read or measured, and why.

    aside : what lies beside records and is none, such as the JSON or StationXML of an event
    """

    record_id: str
    reason: str
    aside: bool = False

    def __str__(self) -> str:
        return self.reason if self.record_id in self.reason else f"{self.record_id}: {self.reason}"


@dataclass(frozen=True)
class Options:
    """What the user tells of files that do not tell it themselves.

    components : names of components as the files have them, and what they are: H1, H2, N, E, an
        azimuth in degrees, Z, or "-" for one that is left out
    columns : names of the columns of a text file, in their order
    simulated : whether the unit may be of velocity or displacement, which is then differentiated
    """

    unit: str | None = None
    dt_s: float | None = None
    inventory: Path | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    simulated: bool = False


@dataclass(frozen=True)
class Source:
    """One or more records that are read together: a file, a folder, or the files of a record.

    Attributes
    ----------
    label : what messages call it
    paths : its files; the first decides its place among the sources
    size : number of records, known before they are read
    read : reads them, one at a time; what fails alone is yielded as a `Failure`
    """

    label: str
    paths: tuple[Path, ...]
    size: int
    read: Callable[[], Iterator[Record | Failure]]

    def __iter__(self) -> Iterator[Record | Failure]:
        """The records, and the failure of the whole source where it cannot be read."""
        try:
            for item in self.read():
                yield item if isinstance(item, Failure) else _plausible(item)
        except Exception as exc:
            yield _unreadable(self.label, exc)


def _unreadable(label: str, exc: Exception) -> Failure:
    """The libraries that read files raise whatever a damaged one leads them to."""
    if isinstance(exc, ValueError | OSError):
        return Failure(label, str(exc))
    first = f"{type(exc).__name__}: {exc}".splitlines()[0][:200]
    return Failure(label, f"{label}: damaged or not readable ({first})")


#: Bounds of what a record's header tells beside the conditions, and of its time step, s.
_BOUNDS = {
    name: (condition.low, condition.high) for name, condition in CONDITIONS.items()
} | {
    "event_lat": (-90.0, 90.0), "station_lat": (-90.0, 90.0),
    "event_lon": (-360.0, 360.0), "station_lon": (-360.0, 360.0),
}  # fmt: skip
_STEPS_S = (1e-4, 0.1)


def _plausible(record: Record) -> Record:
    """Without values that nothing real has; ``quality`` tells which, and of an odd time step."""
    metadata, told = dict(record.metadata), []
    for name, (low, high) in _BOUNDS.items():
        value = metadata.get(name)
        if isinstance(value, int | float) and not low <= value <= high:
            told.append(f"{name} = {value:g} left out, must lie between {low:g} and {high:g}")
            del metadata[name]
    if not _STEPS_S[0] <= record.dt_s <= _STEPS_S[1]:
        told.append(f"time step {record.dt_s:g} s: is its unit right?")
    if not told:
        return record
    told.insert(0, str(metadata.get("quality", "")))
    return replace(record, metadata={**metadata, "quality": "; ".join(filter(None, told))})
