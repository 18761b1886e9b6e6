"""The run over all records: tasks, workers, the journal, and what is left at the end.

Every record leaves a line in ``journal.csv`` beside the parts of the training file: a run that was
interrupted goes on behind the last line whose record is safe. Records are written in the order of
the files, whatever the number of workers.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gwm_hazard.datasets.preparation.geometry import azimuthal_gap
from gwm_hazard.datasets.preparation.pick import resolve_picker
from gwm_hazard.datasets.preparation.record import Prepared, prepare_record
from gwm_hazard.datasets.preparation.settings import RejectedRecordError, Settings
from gwm_hazard.datasets.preparation.tables import MetadataTable, join
from gwm_hazard.datasets.preparation.work import CRASHED, Task, run_tasks
from gwm_hazard.errors import InputError
from gwm_hazard.records.record import Failure, Record
from gwm_hazard.records.training_set import SPLITS, TrainingSet, TrainingSetWriter, split_by_event

JOURNAL = ("source", "record_id", "code", "reason", "event_id", "azimuth")


@dataclass(frozen=True)
class Entry:
    """A line of the journal; ``code`` is empty for a record that was kept."""

    source: str
    record_id: str
    code: str = ""
    reason: str = ""
    event_id: str = ""
    azimuth: float = math.nan  # from the epicentre to the station, degrees


@dataclass(frozen=True)
class Summary:
    """What a run did: the training file, what was rejected and why."""

    folder: Path
    kept: int
    rejected: Counter[str] = field(default_factory=Counter)


def prepare(
    tasks: Iterable[Task],
    folder: str | Path,
    settings: Settings,
    *,
    metadata: Sequence[MetadataTable] = (),
    jobs: int = 0,
    resume: bool = False,
    attributes: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda kept, rejected: None,
) -> Summary:
    """Prepare records and write the training file ``folder``, ``rejected.csv`` in it.

    Parameters
    ----------
    tasks : records, as `gwm_hazard.datasets.preparation.work.find_tasks` returns them
    metadata : tables whose values win over those of the files
    jobs : worker processes; 0 for none
    resume : go on with an interrupted run of the same settings
    attributes : further provenance for the file
    progress : called with the numbers of records kept and rejected so far

    The azimuthal gap of an event, where it is not given, is that of all its stations with known
    coordinates in the input, those of rejected records included.

    Raises ValueError where no record is left; ``rejected.csv`` then lies beside ``folder``.
    """
    folder = Path(folder)
    picker = resolve_picker(settings.picker)
    told: dict[str, Any] = {"settings": settings.to_dict(), "picker": picker}
    told["obspy"] = version("obspy")
    told |= attributes or {}
    writer = TrainingSetWriter(
        folder, settings.components, 1.0 / settings.rate_hz, settings.npts, told, resume
    )
    beside = folder.with_name(folder.name + ".rejected.csv")
    with writer:
        journal = _Journal(writer.path / "journal.csv", len(writer))
        work = _Work(settings, picker, tuple(metadata), journal.done)
        seen = set(writer.table["digest"]) if len(writer) else set()
        for entry, prepared in run_tasks(tasks, work, jobs):
            digest = prepared.digest if prepared is not None else ""
            if digest in seen:
                reason = "the same samples were there before"
                entry = replace(entry, code="duplicate", reason=reason)
                prepared = None
            journal.add(entry)  # before the samples: what has no samples is done again
            if prepared is not None:
                seen.add(digest)
                _append(writer, prepared, settings)
            progress(journal.kept, len(journal.entries) - journal.kept)
        rejected = journal.rejected()
        if not len(writer):
            rejected.to_csv(beside, index=False)
            raise InputError(_nothing(journal.entries, beside))
        writer.complete(_gaps(writer.table, journal.entries))
        rejected.to_csv(writer.path / "rejected.csv", index=False)
        journal.close()
    counts = Counter(e.code for e in journal.entries if e.code)
    return Summary(folder, journal.kept, counts)


@dataclass(frozen=True)
class _Work:
    """What a worker does with a record; travels to it by pickle."""

    settings: Settings
    picker: str
    metadata: tuple[MetadataTable, ...]
    done: frozenset[str | tuple[str, str]]

    def skip(self, source: str, record_id: str | None) -> bool:
        if record_id is None:
            return source in self.done
        return (source, record_id) in self.done

    def __call__(self, source: str, item: Record | Failure) -> tuple[Entry, Prepared | None]:
        if isinstance(item, Failure):
            code = "crash" if item.reason.endswith(CRASHED) else "unreadable"
            code = "no record" if item.aside else code
            return Entry(source, item.record_id, code, str(item)), None
        values = join(item.metadata, self.metadata)
        entry = Entry(source, item.record_id)
        try:
            whole = replace(item, metadata=values)
            prepared = prepare_record(whole, self.settings, self.picker)
        except RejectedRecordError as exc:
            return _placed(replace(entry, code=exc.code, reason=str(exc)), values), None
        return _placed(entry, prepared.row), prepared


def _placed(entry: Entry, values: Any) -> Entry:
    """With the event and the azimuth of the station, where they are known."""
    from obspy.geodetics import gps2dist_azimuth

    from gwm_hazard.datasets.preparation.conditions import event_id

    try:
        event = event_id(values)
        lat1, lon1, lat2, lon2 = (
            float(values[k]) for k in ("event_lat", "event_lon", "station_lat", "station_lon")
        )
        azimuth = gps2dist_azimuth(lat1, lon1, lat2, lon2)[1]
    except (ValueError, KeyError, TypeError):
        return entry
    return replace(entry, event_id=event, azimuth=azimuth)


def _append(writer: TrainingSetWriter, prepared: Prepared, settings: Settings) -> None:
    row = prepared.row | {"digest": prepared.digest}
    row["split"] = split_by_event([row["event_id"]], settings.shares, settings.seed)[0]
    writer.append(prepared.acceleration[None], pd.DataFrame([row]))


def _gaps(table: pd.DataFrame, entries: Sequence[Entry]) -> pd.DataFrame:
    """Azimuthal gap, and how many stations it is from, for each record of the table."""
    around: dict[str, list[float]] = {}
    for entry in entries:
        if math.isfinite(entry.azimuth):
            around.setdefault(entry.event_id, []).append(entry.azimuth)
    gap = {event: azimuthal_gap(values) for event, values in around.items()}
    number = {event: np.unique(np.round(values, 6)).size for event, values in around.items()}
    events = table["event_id"]
    computed = pd.to_numeric(events.map(gap))
    given = pd.Series(table.get("azimuthal_gap", np.nan), index=table.index)
    return pd.DataFrame(
        {
            "azimuthal_gap": given.fillna(computed),
            "gap_stations": events.map(number).fillna(0).astype(int),
        }
    )


def _nothing(entries: Sequence[Entry], beside: Path) -> str:
    if not entries:
        return "the files hold no records"
    code, number = Counter(e.code for e in entries).most_common(1)[0]
    first = next(e for e in entries if e.code == code)
    return (
        f"none of {len(entries)} records is left; {number} of them: {code} ({first.reason}). "
        f"{beside} lists the reasons"
    )


class _Journal:
    """Lines of records done, on the disk as they come."""

    def __init__(self, path: Path, safe: int) -> None:
        self.path = path
        self.kept = 0
        self.entries: list[Entry] = []
        for entry in self._read():
            if not entry.code and self.kept == safe:
                break  # its samples were lost: it and what follows are done again
            self.entries.append(entry)
            self.kept += not entry.code
        both = ((e.source, (e.source, e.record_id)) for e in self.entries)
        self.done = frozenset(key for keys in both for key in keys)
        self._file = path.open("w", newline="", encoding="utf-8")
        self._csv = csv.writer(self._file)
        self._csv.writerow(JOURNAL)
        for entry in self.entries:
            self._write(entry)
        self._file.flush()

    def _read(self) -> Iterator[Entry]:
        if not self.path.is_file():
            return
        with self.path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if None in row.values() or None in row:
                    return  # the last line of a killed run
                azimuth = float(row.pop("azimuth"))
                yield Entry(**row, azimuth=azimuth)

    def _write(self, e: Entry) -> None:
        row = (e.source, e.record_id, e.code, e.reason, e.event_id, repr(float(e.azimuth)))
        self._csv.writerow(row)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.kept += not entry.code
        self._write(entry)
        self._file.flush()

    def rejected(self) -> pd.DataFrame:
        """Each rejected record, its code and its reason."""
        rows = [(e.source, e.record_id, e.code, e.reason) for e in self.entries if e.code]
        return pd.DataFrame(rows, columns=list(JOURNAL[:4]))

    def close(self) -> None:
        self._file.close()
        self.path.unlink()


def summary_table(data: TrainingSet) -> pd.DataFrame:
    """Records, events and stations of each split, and the ranges of the conditions."""
    rows = []
    for split in (*SPLITS, "all"):
        part = data.table if split == "all" else data.table[data.table["split"] == split]
        row = {"split": split, "records": len(part), "events": part["event_id"].nunique()}
        for name in ("mag", "rhypo", "hypo_depth", "vs30", "azimuthal_gap"):
            if name in part and part[name].notna().any():
                row[name] = f"{part[name].min():.4g} to {part[name].max():.4g}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")
