"""Observed ground motions: conditions, intensity measures and, where there are any, waveforms.

Read from a flatfile (CSV or Parquet under OpenQuake's names), a training file
(:mod:`gwm_hazard.records.training_set`), or a table of metadata beside waveforms. Measures are
RotD50
in OpenQuake's units, and empty outside the usable band of a record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import canonical
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.records.usable_band import longest_period_s, period_of
from gwm_hazard.records.waveform_source import TraceSource, measure, open_traces, resample

#: Columns of the table, in this order where a file has them; the conditions come before.
EXTRA = ("strike", "width", "zbot", "rx", "ry0", "z1pt0", "z2pt5", "vs30measured", "highpass_hz")
TEXT = ("event_id", "station_id", "record_id")

#: Measures of waveforms, and of a flatfile where nothing else is asked for.
DEFAULT_IMTS = (
    *("PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)"),
    *("SA(5.0)", "RSD575", "RSD595"),
)

#: Names under which flatfiles hold a measure of another definition that stands in for RotD50.
STAND_INS = {f"{d}_gm": d for d in ("RSD575", "RSD595", "RSD2080")}


@dataclass
class Observations:
    """Observed records, a row each.

    Attributes
    ----------
    name : what the page calls them
    table : conditions under OpenQuake's names, NaN where unknown (``mag, hypo_depth, repi, rhypo,
        rrup, rjb, vs30, rake, ztor, azimuthal_gap ...``), and ``event_id, station_id, record_id``
    ims : the same rows, a column a measure; NaN where unknown or outside the usable band
    notes : what was left out, filled in or stands in for something else
    files : {"name", "sha256", "records"} of what was read
    traces : (source, row of the source by row of the table, -1 where it has none)
    """

    name: str
    table: pd.DataFrame
    ims: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    traces: list[tuple[TraceSource, NDArray[np.int64]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.table) != len(self.ims):
            raise InputError(f"{len(self.table)} rows of conditions, {len(self.ims)} of measures")
        if not len(self.table):
            raise InputError(
                f"{self.name}: no record with a magnitude, a distance and a measure or waveform"
            )
        self.table = self.table.reset_index(drop=True)
        self.ims = self.ims.reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def event(self) -> NDArray[np.int64]:
        """Event of each record as a number from 0, (n,)."""
        return _numbered(self.table["event_id"])

    @property
    def station(self) -> NDArray[np.int64]:
        """Station of each record as a number from 0, (n,)."""
        return _numbered(self.table["station_id"])

    def ln(self, imts: Sequence[str]) -> NDArray[np.float64]:
        """ln of measures, (n, n_imts); NaN where unknown."""
        values = self.ims.reindex(columns=list(imts)).to_numpy(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0, np.log(values), np.nan)

    # -- waveforms -----------------------------------------------------------------------------

    @property
    def with_waveforms(self) -> NDArray[np.bool_]:
        """Records whose waveform is at hand, (n,)."""
        found = np.zeros(len(self), dtype=bool)
        for _, row in self.traces:
            found |= row >= 0
        return found

    @property
    def has_waveforms(self) -> bool:
        """Whether any record has its waveform."""
        return bool(self.with_waveforms.any())

    def _of_traces(self, name: str, missing: float) -> NDArray[np.float64]:
        out = np.full(len(self), missing, dtype=np.float64)
        for source, row in self.traces:
            out[row >= 0] = getattr(source, name)[row[row >= 0]]
        return out

    @property
    def npts(self) -> NDArray[np.int64]:
        """Samples of each record, 0 without a waveform, (n,)."""
        return self._of_traces("npts", 0).astype(np.int64)

    @property
    def dt_s(self) -> NDArray[np.float64]:
        """Time step of each record, s; NaN without a waveform, (n,)."""
        return self._of_traces("dt_s", np.nan)

    @property
    def components(self) -> NDArray[np.int64]:
        """Components of each record: 3 (two horizontals, vertical last), 2, or 0 without, (n,)."""
        return self._of_traces("n_components", 0).astype(np.int64)

    def waveforms(self, rows: ArrayLike, dt_s: float | None = None) -> NDArray[np.float32]:
        """Acceleration of some records, in their order: (n, n_components, nt) float32, m/s2.

        rows : records with waveforms, all of the same number of components
        dt_s : time step asked for; records of another are resampled (polyphase, anti-alias
            filter). None: as recorded, and then all must have the same step.

        Zero-padded at the end to the longest. Raises ValueError for rows that do not go together.
        """
        wanted = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        have = self.components[wanted]
        steps = self.dt_s[wanted]
        if (have == 0).any():
            raise InputError(f"record {wanted[have == 0][0]} of {self.name} has no waveform")
        if len(np.unique(have)) > 1:
            raise InputError("records of two and of three components: ask for them apart")
        if dt_s is None and len(np.unique(steps)) > 1:
            raise InputError("records of different time steps: give dt_s to resample them")
        parts: list[NDArray[np.float32]] = [np.empty((0, 0), np.float32)] * len(wanted)
        for source, row in self.traces:
            places = np.flatnonzero(row[wanted] >= 0)
            read = source.read(row[wanted][places])
            for place, trace in zip(places, read, strict=True):
                target = dt_s or steps[place]
                parts[place] = resample(trace, float(steps[place]), target)
        longest = max((p.shape[1] for p in parts), default=0)
        out = np.zeros((len(wanted), int(have[0]) if len(have) else 0, longest), np.float32)
        for number, part in enumerate(parts):
            out[number, :, : part.shape[1]] = part
        return out


# -- readers ---------------------------------------------------------------------------------------


def read_observations(
    paths: Iterable[str | Path], imts: Sequence[str] = DEFAULT_IMTS
) -> Observations:
    """Read and join observed records.

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
    parts = [_read(Path(p), names) for p in paths]
    if not parts:
        raise InputError("no data: give at least one flatfile or set of records")
    return parts[0] if len(parts) == 1 else join(parts)


def join(parts: Sequence[Observations]) -> Observations:
    """Several sets as one; events of the same name in two sets stay apart."""
    sizes = [int(s) for s in np.cumsum([0, *(len(p) for p in parts)])]
    tables = []
    for part in parts:
        table = part.table.copy()
        table["event_id"] = part.name + ":" + table["event_id"].astype(str)
        tables.append(table.assign(dataset=part.name))
    traces = []
    for part, start in zip(parts, sizes, strict=False):
        for source, row in part.traces:
            full = np.full(sizes[-1], -1, dtype=np.int64)
            full[start : start + len(part)] = row
            traces.append((source, full))
    return Observations(
        ", ".join(p.name for p in parts),
        pd.concat(tables, ignore_index=True),
        pd.concat([p.ims for p in parts], ignore_index=True),
        [f"{p.name}: {note}" for p in parts for note in p.notes],
        [f for p in parts for f in p.files],
        traces,
    )


def _read(path: Path, imts: Sequence[str]) -> Observations:
    if not path.exists():
        raise OSError(f"{path}: not there; give a flatfile or a folder with waveforms")
    if path.is_file() and path.name == "metadata.csv":
        path = path.parent
    if path.is_dir():
        if (path / "waveforms.hdf5").is_file():
            return _training_set(path, imts)
        if (path / "metadata.csv").is_file():
            return _folder(path, imts)
        raise InputError(f"{path}: holds no metadata.csv; give a flatfile or a folder with one")
    return flatfile(path, imts)


def flatfile(path: Path, imts: Sequence[str] = DEFAULT_IMTS) -> Observations:
    """A table of measures and conditions, see :func:`read_observations`."""
    frame = _frame(path)
    name = path.name.removesuffix(".gz").removesuffix(path.suffix if path.suffix != ".gz" else "")
    name = name.removesuffix(".csv")
    notes: list[str] = []
    renamed: dict[Any, str] = {}
    for column in frame.columns:
        try:
            renamed[column] = canonical(str(column))
        except ValueError:
            continue
    frame = frame.rename(columns=renamed)
    for stand_in, imt in STAND_INS.items():
        if stand_in in frame and imt not in frame and imt in imts:
            frame[imt] = frame[stand_in]
            notes.append(f"{imt} is the geometric mean of two horizontals, not RotD50.")
    ims = pd.DataFrame({i: pd.to_numeric(frame[i], errors="coerce") for i in imts if i in frame})
    if ims.shape[1] == 0:
        raise InputError(
            f"{path}: holds none of {', '.join(imts)}; columns are named as OpenQuake's measures"
        )
    ims = ims.where(ims > 0)
    table = _table(frame, path)
    notes += _empty_beyond(table, ims)
    return _compared(name, path, table, ims, notes)[0]


def _training_set(path: Path, imts: Sequence[str]) -> Observations:
    held = TrainingSet.open(path)
    table = _table(held.table, path)
    source = TraceSource.of_training_set(held)
    return _with_traces(path, table, source, np.arange(len(held)), imts)


def _folder(path: Path, imts: Sequence[str]) -> Observations:
    frame = _frame(path / "metadata.csv")
    source, row = open_traces(path, frame)
    return _with_traces(path, _table(frame, path), source, row, imts)


def _with_traces(
    path: Path,
    table: pd.DataFrame,
    source: TraceSource,
    row: NDArray[np.int64],
    imts: Sequence[str],
) -> Observations:
    ready = _comparable(table) & (row >= 0)
    notes = list(source.notes)
    values = np.full((len(table), len(imts)), np.nan)
    values[ready] = measure(source, row[ready], imts)
    ims = pd.DataFrame(values, columns=list(imts))
    corner = source.highpass_hz[np.maximum(row, 0)]
    if "highpass_hz" not in table:
        table["highpass_hz"] = np.nan
    filtered = np.isfinite(corner) & (row >= 0)
    table.loc[filtered, "highpass_hz"] = np.fmax(
        corner[filtered], table["highpass_hz"].to_numpy()[filtered]
    )
    notes += _empty_beyond(table, ims)
    found, keep = _compared(path.name, path / "metadata.csv", table, ims, notes)
    found.traces = [(source, row[keep])]
    return found


def _frame(path: Path) -> pd.DataFrame:
    if ".parquet" in path.suffixes:
        return pd.read_parquet(path)
    text = dict.fromkeys((*TEXT, "rsn", "station", "network", "station_seq_no", "file"), str)
    try:
        return pd.read_csv(path, dtype=text, low_memory=False)
    except (ValueError, UnicodeDecodeError) as exc:
        raise InputError(f"{path}: not a readable table ({exc})") from exc


def _table(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Conditions and identity of each row; ValueError without magnitudes or events."""
    for needed in ("mag", "event_id"):
        if needed not in frame:
            raise InputError(f"{path}: has no column {needed!r}; names are OpenQuake's")
    n = len(frame)
    table = pd.DataFrame(index=range(n))
    for name in (*CONDITIONS, *EXTRA):
        source = frame[name] if name in frame else pd.Series(np.full(n, np.nan))
        values = pd.to_numeric(source, errors="coerce").to_numpy(np.float64, copy=True)
        if name in CONDITIONS:
            spec = CONDITIONS[name]
            values[~((values >= spec.low) & (values <= spec.high))] = np.nan
        table[name] = values
    for name in ("highpass_h1_hz", "highpass_h2_hz"):
        if name in frame:
            table["highpass_hz"] = np.fmax(table["highpass_hz"], frame[name].to_numpy(np.float64))
    for name in ("lowest_usable_freq_hz", "fmin_usable_hz"):
        if name in frame:
            table["lowest_usable_hz"] = pd.to_numeric(frame[name], errors="coerce").to_numpy()
    event = _text(frame["event_id"])
    if "station_id" in frame:
        station = _text(frame["station_id"])
    else:
        code = next((frame[k] for k in ("station", "station_code") if k in frame), None)
        if code is None:
            raise InputError(f"{path}: has no column 'station_id' or 'station'")
        station = _text(code)
        for name in ("network", "station_network_code"):
            if name in frame:
                network = _text(frame[name])
                station = np.where(network == "", station, network + "." + station)
                break
    given = next((_text(frame[k]) for k in ("record_id", "rsn") if k in frame), np.full(n, ""))
    number = np.arange(n).astype(str).astype(object)
    fallback = np.where((event == "") | (station == ""), "row " + number, event + "/" + station)
    record = np.where(given == "", fallback, given)
    # what is not told is nobody else's: such records share no event or station term
    table["event_id"] = np.where(event == "", "event of " + record, event)
    table["station_id"] = np.where(station == "", "station of " + record, station)
    table["record_id"] = record
    return table


def _text(column: pd.Series) -> NDArray[np.object_]:
    """Text of a column, empty where it has none."""
    return np.array(["" if pd.isna(v) else str(v) for v in column], dtype=object)


def _comparable(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows with a magnitude and a distance."""
    distances = table[["rrup", "rhypo", "rjb", "repi"]].notna().any(axis=1)
    return (table["mag"].notna() & distances).to_numpy()


def _empty_beyond(table: pd.DataFrame, ims: pd.DataFrame) -> list[str]:
    """Empty in ``ims`` what lies beyond the longest usable period; what was done, in words."""
    notes = []
    longest = longest_period_s(table)
    dropped = 0
    for imt in ims:
        period = period_of(str(imt))
        if period is not None:
            beyond = (period > longest * (1.0 + 1e-6)) & ims[imt].notna()
            dropped += int(beyond.sum())
            ims.loc[beyond, imt] = np.nan
    if dropped:
        notes.append(
            f"{dropped} spectral ordinates beyond the longest usable period of their records "
            "(1 / lowest usable frequency, or 0.8 / high-pass corner) are left out."
        )
    unknown = int((~np.isfinite(longest) & ims.notna().any(axis=1)).sum())
    if unknown:
        notes.append(
            f"{unknown} records do not tell the corner of their high-pass filter: all of their "
            "periods are used."
        )
    return notes


def _compared(
    name: str, path: Path, table: pd.DataFrame, ims: pd.DataFrame, notes: list[str]
) -> tuple[Observations, NDArray[np.bool_]]:
    """The rows that can be compared, and which they are."""
    keep = _comparable(table) & ims.notna().any(axis=1).to_numpy()
    if not keep.all():
        notes.append(
            f"{int((~keep).sum())} of {len(keep)} rows have no magnitude, no distance or no "
            "measure and are left out."
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    files = [{"name": path.name, "sha256": digest, "records": int(keep.sum())}]
    ims = ims.loc[keep].dropna(axis=1, how="all")
    return Observations(name, table.loc[keep], ims, notes, files), keep


def _numbered(names: pd.Series) -> NDArray[np.int64]:
    return np.unique(names.to_numpy(str), return_inverse=True)[1].astype(np.int64)
