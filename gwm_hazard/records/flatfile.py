"""Reading of observed records: flatfiles, training files, tables of metadata beside waveforms.

A flatfile is a CSV or Parquet table under OpenQuake's names, an empty cell an unknown value:
``event_id, mag``, a distance, ``station_id`` (or ``site_id``, or ``network`` and ``station``), the
other conditions of :data:`gwm_hazard.core.units.CONDITIONS`, and measures such as ``PGA`` and
``SA(1.0)``. They are RotD50, but for columns that end in ``_gm`` (geometric mean of two
horizontals) and those that a rule names. Spectral ordinates outside the usable band
(:mod:`gwm_hazard.records.usable_band`) and conditions that are physically impossible are unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import table as read_table
from gwm_hazard.intensity import canonical
from gwm_hazard.intensity.components import parse_component
from gwm_hazard.records.observations import Observations, join
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.records.usable_band import CORNERS, longest_period_s, period_of
from gwm_hazard.records.waveform_source import TraceSource, measure, open_traces

__all__ = ["DEFAULT_IMTS", "ComponentRule", "Observations", "flatfiles", "read_observations"]

#: Columns of the table, in this order where a file has them; the conditions come before.
EXTRA = ("strike", "width", "zbot", "rx", "ry0", "z1pt0", "z2pt5", "vs30measured")
TEXT = ("event_id", "record_id", "rsn", "site_id", "station_id", "station", "station_code")
NETWORKS = ("network", "station_network_code")
DISTANCES = ["rrup", "rhypo", "rjb", "repi"]

#: Measures of waveforms, and of a flatfile where nothing else is asked for.
DEFAULT_IMTS = (
    *("PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)"),
    *("SA(5.0)", "RSD575", "RSD595"),
)


@dataclass(frozen=True)
class ComponentRule:
    """The horizontal component of some columns: ``[FILE:][KIND=]COMPONENT``.

    FILE is a flatfile's name, with or without suffixes; KIND a measure without its parameter
    (PGA, SA, RSD595). Of the rules that apply to a column the last one counts.
    """

    component: str
    kind: str | None = None
    file: str | None = None

    @classmethod
    def parse(cls, text: str) -> ComponentRule:
        """A rule from its text; ValueError names an unknown component."""
        file, colon, rest = text.rpartition(":")
        kind, equals, component = rest.rpartition("=")
        parse_component(component)
        return cls(component, kind if equals else None, file if colon else None)

    def names(self, path: Path) -> bool:
        """Whether the rule is about a flatfile."""
        return self.file is None or f"{path.name}.".startswith(f"{self.file}.")

    def applies(self, path: Path, imt: str) -> bool:
        """Whether the rule is about a measure of a flatfile."""
        return self.names(path) and self.kind in (None, imt.partition("(")[0])


def read_observations(
    paths: Iterable[str | Path], imts: Sequence[str] = DEFAULT_IMTS
) -> Observations:
    """Read and join observed records: those with a magnitude, a distance and a measure.

    Parameters
    ----------
    paths : each a flatfile (.csv, .csv.gz, .parquet), the folder of a training file, or a folder
        (or the ``metadata.csv`` in it) with waveforms beside their metadata
    imts : measures that are kept, or measured on waveforms

    Raises
    ------
    ValueError
        A file that is none of these, or without a record that can be compared.
    OSError
        A file that is not there.
    """
    names = [canonical(i) for i in imts]
    parts = [_comparable(_read(Path(p), names), names) for p in paths]
    if not parts:
        raise InputError("no data: give at least one flatfile or set of records")
    return join(parts)


def flatfiles(
    paths: Sequence[str | Path], imts: Sequence[str], components: Sequence[ComponentRule] = ()
) -> list[Observations]:
    """All rows of flatfiles, with those of ``imts`` that a file has.

    components : rules for columns that are not RotD50. Raises ValueError for a rule of no file.
    """
    files = [Path(p) for p in paths]
    for rule in components:
        if not any(rule.names(f) for f in files):
            raise InputError(f"component rule for {rule.file!r}: no flatfile has that name")
    return [_flatfile(f, [canonical(i) for i in imts], components) for f in files]


def _read(path: Path, imts: Sequence[str]) -> Observations:
    if not path.exists():
        raise OSError(f"{path}: not there; give a flatfile or a folder with waveforms")
    if path.is_file() and path.name == "metadata.csv":
        path = path.parent
    if path.is_file():
        return _flatfile(path, imts)
    if (path / "waveforms.hdf5").is_file():
        held = TrainingSet.open(path)
        table, source = _table(held.table, path), TraceSource.of_training_set(held)
        return _with_traces(path, table, source, np.arange(len(held)), imts)
    if (path / "metadata.csv").is_file():
        frame = _frame(path / "metadata.csv")
        return _with_traces(path, _table(frame, path), *open_traces(path, frame), imts)
    raise InputError(f"{path}: holds no metadata.csv; give a flatfile or a folder with one")


def _flatfile(
    path: Path, imts: Sequence[str], components: Sequence[ComponentRule] = ()
) -> Observations:
    frame = _frame(path)
    found, stand_ins = {}, {}
    for imt in imts:
        column = imt if imt in frame or f"{imt}_gm" not in frame else f"{imt}_gm"
        if column not in frame:
            continue
        found[imt] = _numbers(frame, column, path)
        own = "RotD50" if column == imt else "geometric_mean"
        component = [own, *(r.component for r in components if r.applies(path, imt))][-1]
        if component != "RotD50":
            stand_ins[imt] = component
    ims = pd.DataFrame(found, index=range(len(frame)))
    notes = [f"{i} is the {c.replace('_', ' ')}, not RotD50." for i, c in stand_ins.items()]
    name = path.name.removesuffix(".gz").removesuffix(".csv").removesuffix(".parquet")
    return _observed(name, path, _table(frame, path), ims.where(ims > 0), notes, stand_ins)


def _with_traces(
    path: Path,
    table: pd.DataFrame,
    source: TraceSource,
    row: NDArray[np.int64],
    imts: Sequence[str],
) -> Observations:
    known = table["mag"].notna() & table[DISTANCES].notna().any(axis=1)
    ready = known.to_numpy() & (row >= 0)
    values = np.full((len(table), len(imts)), np.nan)
    values[ready] = measure(source, row[ready], imts)
    corner = np.where(row >= 0, source.highpass_hz[np.maximum(row, 0)], np.nan)
    table["highpass_hz"] = np.fmax(table["highpass_hz"], corner)
    ims = pd.DataFrame(values, columns=list(imts))
    found = _observed(path.name, path / "metadata.csv", table, ims, source.notes)
    return replace(found, traces=[(source, row)])


def _observed(
    name: str,
    path: Path,
    table: pd.DataFrame,
    ims: pd.DataFrame,
    notes: Sequence[str],
    stand_ins: dict[str, str] | None = None,
) -> Observations:
    """All rows, measures outside the usable band emptied."""
    longest = longest_period_s(table)
    needed = np.array([period_of(str(imt)) or 0.0 for imt in ims])
    beyond = ims.notna() & (needed > longest[:, None] * (1.0 + 1e-6))
    said = list(notes)
    if dropped := int(beyond.to_numpy().sum()):
        said.append(
            f"{dropped} spectral ordinates beyond the longest usable period of their records "
            "(1 / lowest usable frequency, or 0.8 / high-pass corner) are left out."
        )
    ims = ims.mask(beyond)
    if unknown := int((~np.isfinite(longest) & ims.notna().any(axis=1)).sum()):
        said.append(
            f"{unknown} records do not tell the corner of their high-pass filter: all of their "
            "periods are used."
        )
    for kind in ("event", "station"):
        if alone := int(unnamed(table, kind).sum()):
            said.append(f"{alone} records do not tell their {kind}: each has one of its own.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    files = [{"name": path.name, "sha256": digest, "records": len(table)}]
    table = table.assign(dataset=name)
    return Observations(name, table, ims, said, files, stand_ins={name: stand_ins or {}})


def _comparable(observed: Observations, imts: Sequence[str]) -> Observations:
    """The rows with a magnitude, a distance and a measure, and the measures that they have."""
    table, ims = observed.table, observed.ims
    if ims.shape[1] == 0:
        raise InputError(
            f"{observed.name}: holds none of {', '.join(imts)}; columns are named as OpenQuake's "
            "measures"
        )
    keep = table["mag"].notna() & table[DISTANCES].notna().any(axis=1) & ims.notna().any(axis=1)
    if not keep.any():
        raise InputError(
            f"{observed.name}: no record with a magnitude, a distance and a measure or waveform"
        )
    notes = list(observed.notes)
    if not keep.all():
        notes.append(
            f"{int((~keep).sum())} of {len(keep)} rows have no magnitude, no distance or no "
            "measure and are left out."
        )
    kept = observed.take(keep.to_numpy())
    files = [{**f, "records": len(kept)} for f in kept.files]
    return replace(kept, ims=kept.ims.dropna(axis=1, how="all"), notes=notes, files=files)


def _frame(path: Path) -> pd.DataFrame:
    """The table of a file, columns under OpenQuake's names."""
    text = dict.fromkeys((*TEXT, *NETWORKS, "station_seq_no", "file"), str)
    frame = read_table(path, dtype=text, low_memory=False)
    return frame.rename(columns={c: _canonical(str(c).strip()) for c in frame.columns})


def _canonical(column: str) -> str:
    try:
        return canonical(column)
    except ValueError:
        return column


def _numbers(frame: pd.DataFrame, name: str, path: Path) -> NDArray[np.float64]:
    """A column as numbers, NaN where it is empty or not there."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    raw = frame[name]
    values = pd.to_numeric(raw, errors="coerce")
    bad = values.isna() & raw.notna() & (raw.astype(str).str.strip() != "")
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise InputError(
            f"{path}: {name} = {raw.iloc[row]!r} in data row {row + 1}: must be a number, or empty "
            "where unknown"
        )
    return values.where(np.isfinite(values)).to_numpy(np.float64, copy=True)


def _table(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Conditions and identity of each row; ValueError without magnitudes or events."""
    for needed in ("mag", "event_id"):
        if needed not in frame:
            raise InputError(f"{path}: has no column {needed!r}; names are OpenQuake's")
    columns = {name: _numbers(frame, name, path) for name in (*CONDITIONS, *EXTRA)}
    for name, spec in CONDITIONS.items():
        values = columns[name]
        values[~((values >= spec.low) & (values <= spec.high))] = np.nan
    for name, sources in CORNERS.items():
        columns[name] = np.fmax.reduce([_numbers(frame, source, path) for source in sources])
    table = pd.DataFrame(columns)
    event, record = _text(frame, "event_id"), _text(frame, "record_id", "rsn")
    station = _text(frame, "site_id", "station_id", "station", "station_code")
    if not {"site_id", "station_id"} & set(frame):
        network = _text(frame, *NETWORKS)
        station = np.where((network == "") | (station == ""), station, network + "." + station)
    number = np.arange(len(frame)).astype(str).astype(object)
    fallback = np.where((event == "") | (station == ""), "row " + number, event + "/" + station)
    record = np.where(record == "", fallback, record)
    # what is not told is nobody else's: such records share no event or station term
    table["event_id"] = np.where(event == "", "event of " + record, event)
    table["station_id"] = np.where(station == "", "station of " + record, station)
    table["record_id"] = record
    return table


def unnamed(table: pd.DataFrame, kind: str) -> NDArray[np.bool_]:
    """Rows of a table whose file does not tell their "event" or "station"."""
    return (table[f"{kind}_id"] == f"{kind} of " + table["record_id"]).to_numpy()


def _text(frame: pd.DataFrame, *names: str) -> NDArray[np.object_]:
    """Text of the first of some columns that there is, empty where it has none."""
    column = next((frame[n] for n in names if n in frame), [""] * len(frame))
    return np.array(["" if pd.isna(v) else str(v) for v in column], dtype=object)
