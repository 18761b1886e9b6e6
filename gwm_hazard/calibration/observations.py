"""Flatfiles of observed intensity measures: reading, choosing, thinning, splitting by event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.core.card import Range
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import parse_imt
from gwm_hazard.intensity.components import parse_component

#: Measures that are fitted, as far as the flatfiles have them.
IMTS = (
    *("PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)"),
    *("SA(1.0)", "SA(2.0)", "SA(3.0)", "RSD595"),
)
CONDITIONS = ("mag", "rrup", "rhypo", "vs30", "hypo_depth")

#: Column with a frequency, Hz -> the longest usable period is this number over it. Beyond 0.8 of
#: the corner period of the high-pass filter the filter, not the ground, sets a spectral ordinate
#: (the rule behind the lowest usable frequency of Ancheta et al. 2014).
_CORNERS = {
    "highpass_hz": 0.8,
    "highpass_h1_hz": 0.8,
    "highpass_h2_hz": 0.8,
    "lowest_usable_freq_hz": 1.0,
    "fmin_usable_hz": 1.0,
}
_SITES = ("site_id", "station_id", "station")
#: Up to this magnitude a rupture is a few km long (Wells and Coppersmith 1994) and an unknown
#: rrup is taken as rhypo.
_POINT_MAG = 5.5

_MAG_BINS = np.array([0.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 10.0])
_KM_BINS = np.array([0.0, 15.0, 30.0, 50.0, 80.0, 130.0, 200.0, np.inf])


@dataclass(frozen=True)
class Selection:
    """Which records count, besides the ranges of the model.

    A weak distant record is in a flatfile where it was strong enough to be processed: earthquakes
    below ``small_mag`` count up to ``small_km`` only. Deeper than ``max_depth_km`` an earthquake
    is not one of the active shallow crust.
    """

    min_records: int = 3
    max_km: float = 300.0
    small_mag: float = 5.0
    small_km: float = 150.0
    max_depth_km: float = 40.0

    def __post_init__(self) -> None:
        if self.min_records < 1:
            raise InputError(f"min_records = {self.min_records}: must be at least 1")


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

    def applies(self, path: Path, imt: str) -> bool:
        """Whether the rule is about a measure of a flatfile."""
        return self.file in (None, path.name, _stem(path)) and self.kind in (None, _kind(imt))


@dataclass(frozen=True)
class Observations:
    """Records in an order that does not depend on that of the files or of their rows.

    ``table``: file, event_id, site_id and the conditions (km, m/s), one row a record; ``ln``
    (n, n_imts): ln of the measures in OpenQuake's units, NaN where unknown; ``components``:
    component of each measure by file; ``dropped``: records left out, by reason.
    """

    table: pd.DataFrame
    ln: NDArray[np.float64]
    imts: tuple[str, ...]
    components: Mapping[str, tuple[str, ...]]
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.table)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Observations:
        """Some of the records."""
        return replace(self, table=self.table[rows].reset_index(drop=True)
                       if rows.dtype == bool else self.table.iloc[rows].reset_index(drop=True),
                       ln=self.ln[rows])  # fmt: skip

    @property
    def events(self) -> int:
        """Number of earthquakes."""
        return int(self.table["event_id"].nunique())

    def component_of(self) -> NDArray[np.object_]:
        """Component of each value, (n, n_imts)."""
        return np.array([self.components[f] for f in self.table["file"]], dtype=object).reshape(
            len(self), len(self.imts)
        )


def read_flatfiles(
    paths: Sequence[str | Path],
    ranges: Sequence[Range],
    *,
    imts: Sequence[str] | None = None,
    selection: Selection | None = None,
    components: Sequence[ComponentRule] = (),
) -> Observations:
    """Read flatfiles with OpenQuake's column names.

    Required: ``event_id, mag, hypo_depth, vs30``, one of ``rrup, rhypo``, one measure. An empty
    cell is an unknown value. ``SA(1)`` is ``SA(1.0)``; a duration named ``RSD595_gm`` is taken
    as RSD595 of the geometric mean. Spectral ordinates beyond the usable period are unknown:
    0.8 / ``highpass_hz`` (or ``highpass_h1_hz``, ``highpass_h2_hz``), 1 /
    ``lowest_usable_freq_hz`` or 1 / ``fmin_usable_hz``, whichever column there is. An
    ``event_id`` means the same earthquake in all files.

    Parameters
    ----------
    paths : CSV files, compressed or not
    ranges : of the model; records outside are dropped
    imts : measures to take; by default those of :data:`IMTS` that a file has
    selection : which records count besides
    components : rules for columns that are not RotD50

    Raises
    ------
    ValueError
        A column that is missing or not numeric, or no record left.
    """
    selection = selection or Selection()
    files = [Path(p) for p in paths]
    for imt in imts or ():
        parse_imt(imt)
    known = {name for path in files for name in (path.name, _stem(path))}
    for rule in components:
        if rule.file is not None and rule.file not in known:
            raise InputError(f"component rule for {rule.file!r}: no flatfile has that name")
    read = [_read(path, imts) for path in files]
    names = [i for i in (imts or IMTS) if any(t[i].notna().any() for t in read)]
    if missing := [i for i in imts or () if i not in names]:
        raise InputError(f"no flatfile has values of {missing[0]}; leave it out of the measures")
    if not names:
        raise InputError(f"{files[0]}: none of the columns {', '.join(IMTS)} has values")

    table = pd.concat(read, ignore_index=True)
    order = ["event_id", *CONDITIONS, *names, "site_id", "file"]
    table = table.sort_values(order, ignore_index=True, kind="stable")
    same = table.duplicated(["event_id", "site_id", *CONDITIONS, *names])
    dropped = {"the same record twice": int(same.sum())}
    table = table[~same]
    for reason, bad in _unusable(table, names, ranges, selection):
        bad = bad.reindex(table.index, fill_value=False)
        dropped[reason] = int(bad.sum())
        table = table[~bad]
    dropped = {reason: n for reason, n in dropped.items() if n}
    if table.empty:
        told = ", ".join(f"{n} {reason}" for reason, n in dropped.items())
        raise InputError(f"no record of {', '.join(p.name for p in files)} can be used: {told}")
    table = table.reset_index(drop=True)
    by_file = {}
    for path, part in zip(files, read, strict=True):
        own = part.attrs["components"]
        by_file[_stem(path)] = tuple(_component(path, imt, own, components) for imt in names)
    keep = table[["file", "event_id", "site_id", *CONDITIONS]]
    return Observations(
        keep, np.log(table[names].to_numpy(np.float64)), tuple(names), by_file, dropped
    )


def split(
    observations: Observations, share: float, seed: int, min_records: int = 1
) -> tuple[Observations, Observations]:
    """Fitted and held-out records; an event is whole in one of them.

    Depends on the set of events and the seed only. Events of fewer than ``min_records`` records
    are in neither; their number joins ``dropped``.
    """
    if not 0.0 <= share < 1.0:
        raise InputError(f"held-out share = {share}: must be from 0 to below 1")
    ids = observations.table["event_id"]
    events = np.sort(ids.unique())
    chosen = events[np.random.default_rng(seed).permutation(len(events)) < share * len(events)]
    held = ids.isin(chosen).to_numpy()
    few = (ids.groupby(ids).transform("size") < min_records).to_numpy()
    dropped = dict(observations.dropped)
    if few.any():
        dropped[f"of events with fewer than {min_records} records"] = int(few.sum())
    whole = replace(observations, dropped=dropped)
    fitted, other = whole.take(~held & ~few), whole.take(held & ~few)
    if not len(fitted):
        raise InputError(
            f"no event to fit has {min_records} or more records: lower --min-records "
            "or the held-out share"
        )
    return fitted, other


def thin(observations: Observations, most: int, seed: int) -> Observations:
    """At most ``most`` records, spread evenly over magnitude and distance.

    Cells of (file, magnitude, distance) are cut to about one size; in a cell the events take turns.
    Choosing by conditions, not by measures, leaves a likelihood fit unbiased.
    """
    n = len(observations)
    if n <= most:
        return observations
    table = observations.table.assign(
        m=np.digitize(observations.table["mag"], _MAG_BINS),
        r=np.digitize(observations.table["rrup"], _KM_BINS),
        rank=np.random.default_rng(seed).permutation(n),
    ).sort_values("rank")
    cell = ["file", "m", "r"]
    table["turn"] = table.groupby([*cell, "event_id"]).cumcount()
    table = table.sort_values(["turn", "rank"])
    place = table.groupby(cell).cumcount().to_numpy()
    # Places are filled one after the other; the last one by the order of the table.
    chosen = table.index.to_numpy()[np.argsort(place, kind="stable")[:most]]
    return observations.take(np.sort(chosen))


def _read(path: Path, imts: Sequence[str] | None) -> pd.DataFrame:
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=True)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as exc:
        raise InputError(f"{path}: not a CSV table ({exc})") from None
    raw = raw.rename(columns={c: _canonical(c) for c in raw.columns})
    for name in ("event_id", "mag", "hypo_depth", "vs30"):
        if name not in raw:
            raise InputError(
                f"{path}: no column {name!r}; a flatfile needs event_id, mag, hypo_depth, vs30, "
                "rrup or rhypo, and measures such as PGA or SA(1.0)"
            )
    if "rrup" not in raw and "rhypo" not in raw:
        raise InputError(f"{path}: no column 'rrup' nor 'rhypo'; give at least one distance, km")
    wanted = list(imts or IMTS)
    own = {}
    for imt in wanted:
        if imt not in raw and f"{imt}_gm" in raw:
            raw = raw.rename(columns={f"{imt}_gm": imt})
            own[imt] = "geometric_mean"
    columns = {c: _numbers(path, raw, c) for c in (*CONDITIONS, "repi", *_CORNERS, *wanted)}
    table = pd.DataFrame(columns)
    for imt in wanted:
        table[imt] = table[imt].where(table[imt] > 0.0)
        if imt.startswith("SA("):
            period = parse_imt(imt).parameter
            usable = [k / table[c] for c, k in _CORNERS.items()]
            longest = pd.concat(usable, axis=1).min(axis=1)
            table[imt] = table[imt].where(~(period > longest * (1.0 + 1e-9)))
    table["event_id"] = raw["event_id"].where(raw["event_id"].notna(), "")
    site = [c for c in _SITES if c in raw]
    table["site_id"] = raw[site[0]].fillna("") if site else ""
    if site and site[0] == "station" and "network" in raw:
        table["site_id"] = raw["network"].fillna("") + "." + table["site_id"]
    table["file"] = _stem(path)
    _complete_distances(table)
    keep = ["file", "event_id", "site_id", *CONDITIONS, "needs_rrup", *wanted]
    table = table[keep].copy()
    table.attrs["components"] = own
    return table


def _complete_distances(table: pd.DataFrame) -> None:
    slant = (table["repi"] ** 2 + table["hypo_depth"] ** 2) ** 0.5
    table["rhypo"] = table["rhypo"].fillna(slant).fillna(table["rrup"])
    table["needs_rrup"] = table["rrup"].isna() & (table["mag"] > _POINT_MAG)
    table["rrup"] = table["rrup"].fillna(table["rhypo"])
    # Distances by different earth models: the closest point is never beyond the hypocentre.
    table["rhypo"] = np.maximum(table["rhypo"], table["rrup"])


def _unusable(
    table: pd.DataFrame, imts: Sequence[str], ranges: Sequence[Range], selection: Selection
) -> list[tuple[str, pd.Series]]:
    """Reasons to drop a record and the records that each hits, in the order of precedence."""
    t = table
    reasons = [("without event_id", t["event_id"] == "")]
    reasons += [(f"without {c}", t[c].isna()) for c in ("mag", "vs30", "hypo_depth", "rrup")]
    reasons.append((f"without rrup above M {_POINT_MAG:g}", t["needs_rrup"]))
    reasons.append(("without a measure", t[list(imts)].isna().all(axis=1)))
    reasons += [
        (f"outside {r.name} {r.low:g} to {r.high:g} {r.unit}", ~t[r.name].between(r.low, r.high))
        for r in ranges
    ]
    deep = t["hypo_depth"] > selection.max_depth_km
    reasons.append((f"deeper than {selection.max_depth_km:g} km", deep))
    reasons.append((f"beyond {selection.max_km:g} km", t["rrup"] > selection.max_km))
    weak = (t["mag"] < selection.small_mag) & (t["rrup"] > selection.small_km)
    reasons.append((f"below M {selection.small_mag:g} beyond {selection.small_km:g} km", weak))
    return reasons


def _numbers(path: Path, raw: pd.DataFrame, name: str) -> pd.Series:
    if name not in raw:
        return pd.Series(np.nan, index=raw.index)
    values = pd.to_numeric(raw[name], errors="coerce")
    bad = values.isna() & raw[name].notna() & (raw[name].astype(str).str.strip() != "")
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise InputError(
            f"{path}: {name} = {raw[name].iloc[row]!r} in data row {row + 1}: must be a number, "
            "or empty where unknown"
        )
    return values.where(np.isfinite(values)).astype(np.float64)


def _canonical(column: str) -> str:
    """SA(1), SA(1.00) -> SA(1.0); other names stay."""
    column = column.strip()
    try:
        return f"SA({float(column[3:-1])!r})" if column.startswith("SA(") else column
    except ValueError:
        return column


def _component(path: Path, imt: str, own: Mapping[str, str], rules: Sequence[ComponentRule]) -> str:
    told = [r.component for r in rules if r.applies(path, imt)]
    return told[-1] if told else own.get(imt, "RotD50")


def _kind(imt: str) -> str:
    return imt.partition("(")[0]


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]
