"""Metadata tables of the user, joined to records.

A table's key is what it has first of: ``record_id``; ``file`` (name, or end of the path, of a
record's file); ``rsn``; ``event_id`` with ``station``; ``station``; ``event_id`` alone. With
``network`` beside ``station`` both must agree. Its values win over those of the files. SeisBench's
names of columns are understood as well as ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import table as read_table
from gwm_hazard.files.seisbench_columns import from_seisbench

KEYS = (("record_id",), ("file",), ("rsn",), ("event_id", "network", "station"),
        ("event_id", "station"), ("network", "station"), ("station",), ("event_id",))  # fmt: skip

_TEXT = ("record_id", "file", "rsn", "event_id", "network", "station", "location")
_NUMBERS = (*CONDITIONS, "event_lat", "event_lon", "station_lat", "station_lon", "azimuth_1",
            "azimuth_2", "p_s", "p_sample")  # fmt: skip


@dataclass(frozen=True)
class MetadataTable:
    """Rows by key; see the module for the keys."""

    path: Path
    key: tuple[str, ...]
    rows: Mapping[tuple[str, ...], Sequence[Mapping[str, Any]]]

    @classmethod
    def read(cls, path: Path) -> MetadataTable:
        """Read CSV or Parquet; ValueError names a missing key, a doubled row, a wrong number."""
        table = _read(path).rename(columns=str.strip)
        table = table.rename(columns=from_seisbench(table.columns))
        key = next((k for k in KEYS if set(k) <= set(table.columns)), None)
        if key is None:
            choices = ", ".join("+".join(k) for k in KEYS)
            raise InputError(
                f"{path}: no column tells which record a row belongs to; give one of "
                f"{choices}. It has {', '.join(map(str, table.columns))}"
            )
        for name in _NUMBERS:
            if name in table:
                table[name] = _numbers(path, name, table[name])
        rows: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for number, row in enumerate(table.to_dict("records"), 2):
            values = {str(k): v for k, v in row.items() if not pd.isna(v) and v != ""}
            if any(name not in values for name in key):
                raise InputError(f"{path}:{number}: no {'+'.join(key)}")
            place = tuple(_normal(name, values[name]) for name in key)
            there = rows.setdefault(place, [])
            if there and key != ("file",):
                raise InputError(
                    f"{path}:{number}: {'+'.join(key)} = {' '.join(place)} stands there twice"
                )
            there.append(values)
        return cls(path, key, rows)

    def find(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The row of a record without the key; empty where there is none."""
        if self.key == ("file",):
            for path in str(metadata.get("source_file", "")).split(", "):
                parts = PurePosixPath(path.replace("::", "/")).parts
                for row in self.rows.get((_normal("file", path),), ()):
                    wanted = PurePosixPath(str(row["file"]).replace("\\", "/")).parts
                    if parts[-len(wanted) :] == wanted:
                        return {k: v for k, v in row.items() if k != "file"}
            return {}
        if any(metadata.get(name) in (None, "") for name in self.key):
            return {}
        place = tuple(_normal(name, metadata[name]) for name in self.key)
        return dict(next(iter(self.rows.get(place, ())), {}))


def join(metadata: Mapping[str, Any], tables: Sequence[MetadataTable]) -> dict[str, Any]:
    """Metadata with the values of all tables; tables with finer keys win over coarser ones."""
    told: dict[str, Any] = {}
    for table in sorted(tables, key=lambda t: KEYS.index(t.key)):
        # what a finer table tells, the event or the station, is a key into the coarser ones
        told = {**table.find({**metadata, **told}), **told}
    told.pop("record_id", None)
    return {**metadata, **told}


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise OSError(f"{path}: no such metadata table")
    # separator , or ; or tab; codes stay text
    return read_table(
        path, sep=None, engine="python", dtype=str, keep_default_na=False, comment="#"
    )


def _numbers(path: Path, name: str, column: pd.Series) -> pd.Series:
    text = column.astype(str).str.strip()
    empty = column.isna() | text.str.lower().isin(["", "nan", "none", "na", "null"])
    values = pd.to_numeric(text.where(~empty), errors="coerce")
    wrong = values.isna() & ~empty
    if wrong.any():
        at = int(wrong.to_numpy().argmax())
        raise InputError(f"{path}:{at + 2}: {name} = {text.iloc[at]!r} is not a number")
    return values


def _normal(name: str, value: Any) -> str:
    text = str(value).strip()
    if name == "file":
        return PurePosixPath(text.replace("\\", "/").replace("::", "/")).name
    if name == "rsn":
        return text.removesuffix(".0").lstrip("0")
    return text
