"""A record of ground motion, and the way in to every format that records are read from."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.records.formats import FORMATS, detect

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

    def __post_init__(self) -> None:
        shape = self.acceleration.shape
        if len(shape) != 2 or shape[0] != len(self.components):
            raise ValueError(f"acceleration has shape {shape}: must be (n_components, nt)")
        if shape[1] < 2:
            raise ValueError(f"{shape[1]} samples: a record needs at least 2")
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise ValueError(f"time step = {self.dt_s} s: must be > 0")
        if self.n_horizontal > 2 or not 0 <= len(self.components) - self.n_horizontal <= 1:
            raise ValueError(
                f"components {', '.join(self.components)}: at most two are horizontal and one "
                "is vertical"
            )
        for name, trace in zip(self.components, self.acceleration, strict=True):
            bad = np.flatnonzero(~np.isfinite(trace))
            if bad.size:
                raise ValueError(
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
    """A record that could not be read or measured, and why."""

    record_id: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.record_id in self.reason else f"{self.record_id}: {self.reason}"


@dataclass(frozen=True)
class Options:
    """What the user tells of files that do not tell it themselves."""

    unit: str | None = None
    dt_s: float | None = None
    inventory: Path | None = None


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
            yield from self.read()
        except Exception as exc:
            yield _unreadable(self.label, exc)


def _unreadable(label: str, exc: Exception) -> Failure:
    """The libraries that read files raise whatever a damaged one leads them to."""
    if isinstance(exc, ValueError | OSError):
        return Failure(label, str(exc))
    first = f"{type(exc).__name__}: {exc}".splitlines()[0][:200]
    return Failure(label, f"{label}: damaged or not readable ({first})")


def scan(
    paths: str | Path | Iterable[str | Path],
    format: str | None = None,
    *,
    unit: str | None = None,
    dt_s: float | None = None,
    inventory: str | Path | None = None,
) -> list[Source | Failure]:
    """Find the records in files: formats by content, the files of one record put together.

    Parameters are those of `read_records`. The sources stand in the order of the first file of
    each; a file that cannot be told is a `Failure` in that order. Waveforms are not read yet.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    files = list(dict.fromkeys(Path(p) for p in given))  # a file given twice is read once
    if format is not None and format not in FORMATS:
        raise ValueError(f"format = {format!r}: give one of {', '.join(FORMATS)}")
    options = Options(unit, dt_s, Path(inventory) if inventory is not None else None)
    found: list[tuple[int, Source | Failure]] = []
    by_format: dict[str, list[Path]] = {}
    place = {path: i for i, path in enumerate(files)}
    for path in files:
        try:
            by_format.setdefault(format or detect(path), []).append(path)
        except Exception as exc:
            found.append((place[path], _unreadable(str(path), exc)))
    for name, members in by_format.items():
        reader = importlib.import_module(FORMATS[name])
        for item in _scan(reader, members, options):
            first = Path(item.record_id) if isinstance(item, Failure) else item.paths[0]
            found.append((place[first], item))
    # stable: records of one file keep the reader's order
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def _scan(reader: Any, members: list[Path], options: Options) -> list[Source | Failure]:
    try:
        return cast("list[Source | Failure]", reader.scan(members, options))
    except Exception as exc:
        if len(members) == 1:
            return [_unreadable(str(members[0]), exc)]
        return [item for path in members for item in _scan(reader, [path], options)]


def read_records(
    paths: str | Path | Iterable[str | Path],
    format: str | None = None,
    *,
    unit: str | None = None,
    dt_s: float | None = None,
    inventory: str | Path | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Iterator[Record]:
    """Records of files, one at a time; a file larger than the memory is read in blocks.

    Parameters
    ----------
    paths : file, SeisBench folder, or several; components of one record in several files (PEER
        AT2, SAC, K-NET) are put together when their files are given together
    format : one of `FORMATS`; by default found by content
    unit : acceleration unit of the samples, for files that do not tell it (miniSEED, SAC, plain
        text without units): m/s2, cm/s2 or gal, mm/s2, nm/s2, g, %g, mg
    dt_s : time step of text files without a time column, s
    inventory : StationXML (or what obspy reads) whose sensitivity turns counts into m/s2
    on_failure : called with what cannot be read; by default the first one raises

    Raises
    ------
    ValueError
        A record that cannot be read, when ``on_failure`` is not given; the message names the
        file, the line where there is one, and the remedy.
    """

    def failed(failure: Failure) -> None:
        if on_failure is None:
            raise ValueError(str(failure))
        on_failure(failure)

    for source in scan(paths, format, unit=unit, dt_s=dt_s, inventory=inventory):
        for item in [source] if isinstance(source, Failure) else source:
            if isinstance(item, Failure):
                failed(item)
            else:
                yield item
