"""Observed ground motions: conditions, intensity measures and, where there are any, waveforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.waveform_source import TraceSource, resample


@dataclass(frozen=True)
class Observations:
    """Observed records, a row each.

    Attributes
    ----------
    name : what the page calls them
    table : conditions under OpenQuake's names, NaN where unknown (``mag, hypo_depth, repi, rhypo,
        rrup, rjb, vs30, rake, ztor, azimuthal_gap ...``), and ``event_id, station_id, record_id``
    ims : the same rows, a column a measure in OpenQuake's units; NaN where unknown or outside the
        usable band
    notes : what was left out, filled in or stands in for something else
    files : {"name", "sha256", "records"} of what was read
    traces : (source, row of the source by row of the table, -1 where it has none)
    stand_ins : {``dataset`` of the table: {measure: component}} of measures that are not RotD50
    dropped : records that were left out by a selection, by reason
    """

    name: str
    table: pd.DataFrame
    ims: pd.DataFrame
    notes: Sequence[str] = ()
    files: Sequence[Mapping[str, Any]] = ()
    traces: Sequence[tuple[TraceSource, NDArray[np.int64]]] = ()
    stand_ins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.table) != len(self.ims):
            raise InputError(f"{len(self.table)} rows of conditions, {len(self.ims)} of measures")

    def __len__(self) -> int:
        return len(self.table)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Observations:
        """Some of the records."""
        chosen = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(
            self,
            table=self.table.iloc[chosen].reset_index(drop=True),
            ims=self.ims.iloc[chosen].reset_index(drop=True),
            traces=[(source, row[chosen]) for source, row in self.traces],
        )

    @property
    def imts(self) -> tuple[str, ...]:
        """The measures."""
        return tuple(map(str, self.ims))

    @property
    def event(self) -> NDArray[np.int64]:
        """Event of each record as a number from 0, (n,)."""
        return _numbered(self.table["event_id"])

    @property
    def station(self) -> NDArray[np.int64]:
        """Station of each record as a number from 0, (n,)."""
        return _numbered(self.table["station_id"])

    @property
    def n_events(self) -> int:
        """Number of earthquakes."""
        return int(self.table["event_id"].nunique())

    def ln(self, imts: Sequence[str] | None = None) -> NDArray[np.float64]:
        """ln of measures, by default of all, (n, n_imts); NaN where unknown."""
        values = self.ims.reindex(columns=list(imts or self.imts)).to_numpy(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0, np.log(values), np.nan)

    def component_of(self) -> NDArray[np.object_]:
        """Horizontal component of each value, (n, n_imts)."""
        out = np.full((len(self), len(self.imts)), "RotD50", dtype=object)
        for dataset, components in self.stand_ins.items():
            mine = (self.table["dataset"] == dataset).to_numpy()
            for imt in components.keys() & set(self.imts):
                out[mine, self.imts.index(imt)] = components[imt]
        return out

    # -- waveforms -----------------------------------------------------------------------------

    @property
    def with_waveforms(self) -> NDArray[np.bool_]:
        """Records whose waveform is at hand, (n,)."""
        return self.components > 0

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
            index = np.flatnonzero(row[wanted] >= 0)
            for i, trace in zip(index, source.read(row[wanted][index]), strict=True):
                parts[i] = resample(trace, float(steps[i]), dt_s or steps[i])
        longest = max((p.shape[1] for p in parts), default=0)
        out = np.zeros((len(wanted), int(have[0]) if len(have) else 0, longest), np.float32)
        for number, part in enumerate(parts):
            out[number, :, : part.shape[1]] = part
        return out


def join(parts: Sequence[Observations], *, same_events: bool = False) -> Observations:
    """Several sets as one.

    same_events : an ``event_id`` means the same earthquake in all sets; else events of the same
        name in two sets stay apart
    """
    if len(parts) == 1:
        return parts[0]
    sizes = [int(s) for s in np.cumsum([0, *(len(p) for p in parts)])]
    tables, traces = [], []
    for part, start in zip(parts, sizes, strict=False):
        event = part.table["event_id"].astype(str)
        own = event if same_events else part.name + ":" + event
        tables.append(part.table.assign(event_id=own, dataset=part.name))
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
        {dataset: found for p in parts for dataset, found in p.stand_ins.items()},
    )


def _numbered(names: pd.Series) -> NDArray[np.int64]:
    return np.unique(names.to_numpy(str), return_inverse=True)[1].astype(np.int64)
