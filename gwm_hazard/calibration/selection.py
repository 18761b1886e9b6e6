"""Which records a calibration takes: choosing, splitting by event, thinning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.core.card import Range
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import canonical
from gwm_hazard.records.completion import POINT_UP_TO, complete_distances
from gwm_hazard.records.flatfile import ComponentRule, flatfiles, unnamed
from gwm_hazard.records.observations import Observations, join

#: Measures that are fitted, as far as the flatfiles have them.
IMTS = (
    *("PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)"),
    *("SA(1.0)", "SA(2.0)", "SA(3.0)", "RSD595"),
)
CONDITIONS = ("mag", "rrup", "rhypo", "vs30", "hypo_depth")

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


def read_flatfiles(
    paths: Sequence[str | Path],
    ranges: Sequence[Range],
    *,
    imts: Sequence[str] | None = None,
    selection: Selection | None = None,
    components: Sequence[ComponentRule] = (),
) -> Observations:
    """Read flatfiles (:mod:`gwm_hazard.records.flatfile`) and select from them.

    Required: ``event_id, mag, hypo_depth, vs30``, one of ``rrup, rhypo, repi``, one measure. An
    ``event_id`` means the same earthquake in all files. The records come in an order that does not
    depend on that of the files or of their rows; ``dropped`` counts those left out, by reason.

    Parameters
    ----------
    paths : CSV (compressed or not) or Parquet
    ranges : of the model; records outside are dropped
    imts : measures to take; by default those of :data:`IMTS` that a file has
    selection : which records count besides
    components : rules for columns that are not RotD50

    Raises
    ------
    ValueError
        A column that is missing or not numeric, or no record left.
    """
    every = join(flatfiles(paths, imts or IMTS, components), same_events=True)
    names = [i for i in map(canonical, imts or IMTS) if every.ims.get(i, pd.Series()).notna().any()]
    if missing := [i for i in imts or () if canonical(i) not in names]:
        raise InputError(f"no flatfile has values of {missing[0]}; leave it out of the measures")
    if not names:
        raise InputError(f"{every.name}: none of the columns {', '.join(IMTS)} has values")
    for column in (["vs30"], ["hypo_depth"], ["rrup", "rhypo", "repi"]):
        if every.table[column].isna().all(axis=None):
            raise InputError(
                f"{every.name}: no column {' nor '.join(map(repr, column))} with values; a "
                "flatfile needs event_id, mag, hypo_depth, vs30, a distance, and measures such as "
                "PGA or SA(1.0)"
            )
    table, _ = complete_distances(every.table)
    # of a long rupture it is unknown, and gives the onset of S waves only
    table["rhypo"] = table["rhypo"].fillna(table["rrup"])
    for kind in ("event", "station"):
        table.loc[unnamed(table, kind), f"{kind}_id"] = ""
    table = pd.concat(
        [table[["dataset", "event_id", "station_id", *CONDITIONS]], every.ims[names]], axis=1
    )
    order = ["event_id", *CONDITIONS, *names, "station_id", "dataset"]
    table = table.sort_values(order, ignore_index=True, kind="stable")
    same = table.duplicated(["event_id", "station_id", *CONDITIONS, *names])
    reasons = [("the same record twice", same)]
    dropped = {}
    for reason, bad in reasons + _unusable(table, names, ranges, selection or Selection()):
        bad = bad.reindex(table.index)
        if bad.any():
            dropped[reason] = int(bad.sum())
            table = table[~bad]
    if table.empty:
        counts = ", ".join(f"{n} {reason}" for reason, n in dropped.items())
        files = ", ".join(Path(p).name for p in paths)
        raise InputError(f"no record of {files} can be used: {counts}")
    table = table.reset_index(drop=True)
    return replace(
        every, table=table.drop(columns=names), ims=table[names], dropped=dropped, traces=()
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

    Cells of (dataset, magnitude, distance) are cut to about one size; in a cell the events take
    turns. Choosing by conditions, not by measures, leaves a likelihood fit unbiased.
    """
    n = len(observations)
    if n <= most:
        return observations
    table = observations.table.assign(
        m=np.digitize(observations.table["mag"], _MAG_BINS),
        r=np.digitize(observations.table["rrup"], _KM_BINS),
        rank=np.random.default_rng(seed).permutation(n),
    ).sort_values("rank")
    cell = ["dataset", "m", "r"]
    table["turn"] = table.groupby([*cell, "event_id"]).cumcount()
    table = table.sort_values(["turn", "rank"])
    place = table.groupby(cell).cumcount().to_numpy()
    # Places are filled one after the other; the last one by the order of the table.
    chosen = table.index.to_numpy()[np.argsort(place, kind="stable")[:most]]
    return observations.take(np.sort(chosen))


def _unusable(
    table: pd.DataFrame, imts: Sequence[str], ranges: Sequence[Range], selection: Selection
) -> list[tuple[str, pd.Series]]:
    """Reasons to drop a record and the records that each hits, in the order of precedence."""
    t = table
    reasons = [("without event_id", t["event_id"] == "")]
    reasons += [(f"without {c}", t[c].isna()) for c in ("mag", "vs30", "hypo_depth")]
    large = t["mag"] > POINT_UP_TO
    reasons.append((f"without rrup above M {POINT_UP_TO:g}", t["rrup"].isna() & large))
    reasons.append(("without a distance", t["rrup"].isna()))
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
