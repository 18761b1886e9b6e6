"""The waveforms behind the ground-motion fields of a finished calculation, as a catalogue.

The keys of the waveforms are the ids that OpenQuake stores; their conditions are computed from
the stored ruptures with OpenQuake's own computer, as they were for the fields. So each waveform
of a calculation can be drawn again, and its measures are the values in ``gmf_data``.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.commonlib.datastore import DataStore

from gwm_hazard.catalogue.redraw import TOLERANCE
from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue
from gwm_hazard.core.card import ModelCard
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial.noise import ShiftedNoise, SpatialNoise
from gwm_hazard.errors import CatalogueError, GwmHazardError, InputError
from gwm_hazard.intensity import intensity_measures_array, parse_imt
from gwm_hazard.models.conditional import Conditioned
from gwm_hazard.openquake import releases
from gwm_hazard.openquake.conditioned import (
    conditioned,
    correlation_between_stations,
    has_conditioned_waveforms,
)
from gwm_hazard.openquake.datastore import gsims_of, holder_of, logic_trees, status_of
from gwm_hazard.openquake.event_draws import (
    component_of,
    correlation_name,
    correlation_of,
    has_waveforms,
    scenarios_of,
    ses_seed,
)
from gwm_hazard.openquake.gsim import model_of

log = logging.getLogger(__name__)


class NothingLeftError(GwmHazardError):
    """No record of a calculation passes the filters."""


#: Records drawn to see that before a catalogue is written.
CHECKED = 16

_EXTRA = {
    "rlz": {"long_name": "logic-tree realization of the event"},
    "rup_id": {"long_name": "rupture of the calculation"},
    "lon": {"long_name": "longitude of the site", "units": "degrees_east"},
    "lat": {"long_name": "latitude of the site", "units": "degrees_north"},
}


def models_of(dstore: DataStore) -> dict[str, ModelCard]:
    """The models whose waveforms stand behind fields of a calculation, by the name of their card.

    Where several models have one name the second is "NAME-2".
    """
    found: dict[str, ModelCard] = {}
    for gsim in gsims_of(dstore):
        if has_waveforms(gsim) and gsim.card not in found.values():
            same = sum(card.name == gsim.card.name for card in found.values())
            found[gsim.card.name + (f"-{same + 1}" if same else "")] = gsim.card
    return found


class Calculation:
    """The events and sites of a calculation behind whose fields there are waveforms of one model.

    Parameters
    ----------
    dstore : OpenQuake's datastore of an event-based or scenario calculation
    sites, events, realizations : ids to keep; by default all
    minimum : {measure of the job: least value}; a record must reach them all
    model : card of the model of the branches to keep, see :func:`models_of`; by default that of
        all branches

    Raises
    ------
    ValueError
        A calculation that did not finish, no fields from waveforms in it, nothing left by the
        filters, or branches with different models where none is chosen.
    """

    def __init__(
        self,
        dstore: DataStore,
        *,
        sites: Iterable[int] | None = None,
        events: Iterable[int] | None = None,
        realizations: Iterable[int] | None = None,
        minimum: Mapping[str, float] | None = None,
        model: ModelCard | None = None,
    ) -> None:
        self.dstore = dstore = holder_of(dstore, "gmf_data/eid")
        self.oq = dstore["oqparam"]
        self._name = f"calculation {dstore.calc_id}"
        self._refuse()
        self.imts = tuple(self.oq.imtls)
        self._ruptures = dstore["ruptures"][:]
        self._records = self._station_data()
        self._held: dict[tuple[int, int], Conditioned] = {}
        gsims, gsim_of_row = self._branches(eid := dstore["gmf_data/eid"][:])
        sid = dstore["gmf_data/sid"][:]
        keep = gsim_of_row >= 0
        rlz = dstore["events"]["rlz_id"][eid]
        for column, ids in ((sid, sites), (eid, events), (rlz, realizations)):
            if ids is not None:
                keep &= np.isin(column, list(ids))
        for imt, low in (minimum or {}).items():
            if imt not in self.imts:
                raise InputError(
                    f"minimum of {imt}: not a measure of the job; it has {', '.join(self.imts)}"
                )
            keep &= releases.stored_fields(dstore, imt) >= low
        if model is not None:
            keep &= np.isin(gsim_of_row, [i for i, g in enumerate(gsims) if g.card == model])
        rows = np.flatnonzero(keep)
        if not len(rows):
            raise NothingLeftError(
                f"{self._name}: no record is left by the filters; of {len(eid)} stored, "
                f"{(gsim_of_row >= 0).sum()} are measures of waveforms"
            )
        rows = rows[np.lexsort((sid[rows], eid[rows]))]
        self.eid, self.sid, self.rlz = eid[rows], sid[rows], rlz[rows]
        self._gsim = gsim_of_row[rows]
        self._gsims = gsims
        used = [gsims[i] for i in np.unique(self._gsim)]
        if any(g.card != used[0].card for g in used):
            raise InputError(
                f"{self._name}: its branches draw with different models "
                f"({', '.join(sorted({g.card.name for g in used}))}); a catalogue holds one: "
                "choose a model"
            )
        names = {f"{correlation_name(g, self.oq)}/{g.coherency}" for g in used}
        if len(names) > 1:
            raise InputError(
                f"{self._name}: its branches have different spatial correlations "
                f"({', '.join(sorted(names))}); a catalogue holds one: choose realizations"
            )
        self._coherency = used[0].coherency
        told = correlation_of if self._records is None else correlation_between_stations
        self.correlation = told(used[0], self.oq)
        self.model = model_of(used[0])
        self.component = component_of(self.oq, len(self.model.card.components))
        self._values = {imt: releases.stored_fields(dstore, imt)[rows] for imt in self.imts}
        self._sites = dstore["sitecol"].complete
        self._makers = releases.makers_of(
            self.oq, logic_trees(dstore)[0].init(), self._ruptures, self._sites
        )

    def __len__(self) -> int:
        """Number of records: pairs of event and site."""
        return len(self.eid)

    def _refuse(self) -> None:
        # What OpenQuake writes when all fields are there, but for very many.
        if "avg_gmf" not in self.dstore:
            status = status_of(self.dstore)
            if status not in (None, "complete", "shared"):
                raise InputError(
                    f"{self._name} did not finish (OpenQuake's status: {status}): wait where it "
                    "still runs, else run the job again"
                )
        if "gmf_data/eid" not in self.dstore.hdf5 or "ruptures" not in self.dstore:
            raise InputError(
                f"{self._name} ({self.oq.calculation_mode}) holds no ruptures with ground-motion "
                "fields: run an event_based or scenario job with ground_motion_fields = true"
            )
        if not len(self.dstore["gmf_data/eid"]):
            raise InputError(
                f"{self._name} holds no ground-motion fields: it did not finish, or all are below "
                "minimum_intensity"
            )
        truncation = releases.truncation_of(self.oq)
        if max(truncation.values()) <= releases.NO_SIGMA:
            raise InputError(
                f"{self._name}: its fields are medians ({' = '.join(truncation)} = 0); no "
                "waveforms stand behind them"
            )

    def _station_data(self) -> Any:
        """Records on which the fields are conditioned, by site id; None where they are not."""
        if not releases.conditioned(self.dstore):
            return None
        data = self.dstore.read_df("station_data", "site_id")
        if "stations_considered" in self.dstore:
            data = data.loc[self.dstore["stations_considered"].sids]
        return data

    def _draws(self, gsim: Any) -> bool:
        """Whether waveforms stand behind the fields of a branch."""
        if self._records is None:
            return has_waveforms(gsim)
        return releases.CONDITIONS and has_conditioned_waveforms(gsim, self.oq)

    def _branches(self, eid: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
        """The generative GSIMs, and of each stored row the index of its own, or -1."""
        if len(trees := logic_trees(self.dstore)) > 1:
            raise InputError("calculations of several hazard models are not supported")
        gsims: list[Any] = []
        by_group: dict[tuple[int, int], int] = {}
        for trt_smr, branches in trees[0].init().get_rlzs_by_gsim_dic().items():
            for gsim, rlzs in branches.items():
                if self._draws(gsim):
                    by_group |= {(int(trt_smr), int(r)): len(gsims) for r in rlzs}
                    gsims.append(gsim)
        if not gsims and self._records is not None:
            raise InputError(
                f"{self._name}: its fields are conditioned on station data; no waveforms stand "
                "behind them"
            )
        if not gsims:
            raise InputError(
                f"{self._name}: no branch with GenerativeWaveformGMM whose fields are waveforms"
            )
        events = self.dstore["events"][:]
        group = self._ruptures["trt_smr"][self._rupture_of(events["id"])]
        code = np.array(
            [
                by_group.get((int(g), int(r)), -1)
                for g, r in zip(group, events["rlz_id"], strict=True)
            ]
        )
        return gsims, code[eid]

    def _rupture_of(self, eid: NDArray[Any]) -> NDArray[np.int64]:
        """Row of the rupture table of each event: a rupture's events follow each other."""
        return np.searchsorted(self._ruptures["e0"], eid, side="right") - 1

    def block(self, start: int, stop: int) -> Block:
        """The records start .. stop - 1, by event and site, with the stored measures."""
        part = slice(start, stop)
        eid, sid, gsim = self.eid[part], self.sid[part], self._gsim[part]
        lon, lat = self._sites.lons[sid], self._sites.lats[sid]
        noise = SpatialNoise.of(Noise(ses_seed(self.oq), eid, sid, 0), lon, lat, self.correlation)
        rupture = self._rupture_of(eid)
        unique, first = np.unique(rupture, return_index=True)
        bounds = [*first, len(eid)]
        columns = {name: np.empty(len(eid)) for name in self.model.card.condition_names}
        stations = [] if self._records is None else self._records.index
        drawn: list[tuple[NDArray[np.int64], ShiftedNoise]] = []
        for i, proxy in enumerate(releases.proxies_of(self.dstore, self._ruptures[unique])):
            maker = self._makers[int(proxy["trt_smr"])]
            rows = np.arange(bounds[i], bounds[i + 1])
            sites = self._sites.filtered(np.union1d(sid[rows], stations).astype(sid.dtype))
            ctx = releases.context_of(maker, proxy.to_ebr(maker.trt).rupture, sites)
            order = np.argsort(ctx.sids)
            at = order[np.searchsorted(ctx.sids, sid[rows], sorter=order)]
            for g in np.unique(gsim[rows]):
                of_branch = gsim[rows] == g
                mine = rows[of_branch]
                gsim_of_rows = self._gsims[g]
                found = scenarios_of(gsim_of_rows, ctx, at[of_branch], noise.take(mine))
                if self._records is not None:
                    key = (int(proxy["id"]), int(g))
                    if key not in self._held:  # its sensitivities take a second or two
                        held = conditioned(gsim_of_rows, ctx, self._records, self.oq)
                        self._held[key] = held
                    there = self._held[key]
                    drawn.append((mine, there.noise(eid[mine], sid[mine], lon[mine], lat[mine])))
                for name in columns:
                    columns[name][mine] = found[name]
        if drawn:
            noise = ShiftedNoise.of_rows(noise, drawn)
        return Block(
            Scenarios(**columns),
            noise,
            {
                "rlz": self.rlz[part].astype(np.int32),
                "rup_id": self._ruptures["id"][rupture],
                "lon": lon,
                "lat": lat,
            },
            {imt: values[part] for imt, values in self._values.items()},
        )

    def plan(self, store: str = "waveforms", further: Iterable[str] = ()) -> Plan:
        """What a catalogue of all records holds; ``further`` measures beside those of the job."""
        if store == "keys" and self._records is not None:
            raise InputError(
                f"{self._name}: waveforms that are conditioned on records cannot be drawn again "
                'from a key; take store = "waveforms"'
            )
        for imt in (imts := tuple(dict.fromkeys([*self.imts, *further]))):
            parse_imt(imt)
        return Plan(
            self.model,
            len(self),
            self.block,
            ses_seed(self.oq),
            imts,
            store,
            _EXTRA,
            {
                "calculation_id": str(self.dstore.calc_id),
                "calculation": self.oq.description,
                "calculation_mode": self.oq.calculation_mode,
                "checksum": str(self.dstore["/"].attrs.get("checksum32", "")),
                "spatial_correlation": self.correlation.name if self.correlation else "none",
                "coherency": self._coherency,
            },
            self.component,
        )

    def check(self) -> int:
        """Draw a few records, spread over all, and compare them with the stored fields.

        Some of each rupture group and branch are among them, for what tells them apart is
        OpenQuake's order of events.

        Returns
        -------
        The number of records that were compared.

        Raises
        ------
        CatalogueError
            Some differ.
        """
        rows = self._sample()
        different: list[str] = []
        for i in rows:
            block = self.block(int(i), int(i) + 1)
            for _, drawn in self.model.batches(block.scenarios, block.noise):
                values = self.measured(drawn, self.imts)[0]
            stored = np.array([float(np.asarray(block.measures[imt])[0]) for imt in self.imts])
            wrong = ~(np.abs(values - stored) <= TOLERANCE * np.abs(stored))
            if wrong.any():
                m = int(np.argmax(wrong))
                different.append(
                    f"event {self.eid[i]}, site {self.sid[i]}: {self.imts[m]} of the waveform "
                    f"drawn again {values[m]:.6g}, stored {stored[m]:.6g}"
                )
        if different:
            raise CatalogueError(
                f"{self._name}: {len(different)} of {len(rows)} records that were compared with "
                f"the stored fields differ ({different[0]}). Another version of the model, of "
                "gwm_hazard or of OpenQuake made the fields, or a fault in one of them; nothing "
                "is written. If running the job again does not help, report it"
            )
        return len(rows)

    def _sample(self) -> NDArray[np.int64]:
        """Rows to compare: spread over all, and the last of each rupture group and branch."""
        group = self._ruptures["trt_smr"][self._rupture_of(self.eid)].astype(np.int64)
        kinds = np.stack([group, self._gsim, self.rlz.astype(np.int64)])
        reversed_first = np.unique(kinds[:, ::-1], axis=1, return_index=True)[1]
        last = len(self) - 1 - reversed_first
        if len(last) > CHECKED:  # thousands of realizations
            last = last[np.linspace(0, len(last) - 1, CHECKED).astype(int)]
        return np.union1d(np.linspace(0, len(self) - 1, CHECKED).astype(int), last)

    def measured(
        self, acceleration: NDArray[np.float32], imts: Iterable[str]
    ) -> NDArray[np.float64]:
        """Measures (n, n_imts) of waveforms in the component of the job's fields."""
        return intensity_measures_array(acceleration, self.model.dt_s, imts, self.component)


def write(
    dstore: DataStore,
    path: str | Path,
    *,
    store: str = "waveforms",
    sites: Iterable[int] | None = None,
    events: Iterable[int] | None = None,
    realizations: Iterable[int] | None = None,
    minimum: Mapping[str, float] | None = None,
    further: Iterable[str] = (),
    progress: Callable[[float], None] | None = None,
) -> dict[Path, int]:
    """Write the catalogue of a finished calculation; returns {file: number of records}.

    Where the branches draw with several models there is a file for each, ``NAME_MODEL.h5``.

    With ``store = "keys"`` nothing is drawn but what is checked, unless ``further`` measures are
    asked for. A run that was stopped goes on where it was. See :class:`Calculation` for the
    filters and the errors.
    """
    path = Path(path)
    models: dict[str, ModelCard | None] = dict(models_of(dstore))
    if len(models) < 2:
        models = {"": None}
    made: dict[Path, Calculation] = {}
    for name, model in models.items():
        suffix = f"_{name}" if name else ""
        try:
            made[path.with_name(f"{path.stem}{suffix}{path.suffix}")] = Calculation(
                dstore,
                sites=sites,
                events=events,
                realizations=realizations,
                minimum=minimum,
                model=model,
            )
        except NothingLeftError as exc:
            nothing = exc
    if not made:
        raise nothing
    total, done = sum(map(len, made.values())), 0
    for calculation in made.values():
        compared = calculation.check()
        log.info("%d of %d records compared with the stored fields", compared, len(calculation))
    for file, calculation in made.items():

        def overall(share: float, start: int = done, part: int = len(calculation)) -> None:
            if progress is not None:
                progress((start + share * part) / total)

        write_catalogue(file, calculation.plan(store, further), progress=overall)
        done += len(calculation)
    return {file: len(calculation) for file, calculation in made.items()}
