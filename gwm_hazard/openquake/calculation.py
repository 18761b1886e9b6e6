"""The waveforms behind the ground-motion fields of a finished calculation, as a catalogue.

The keys of the waveforms are the ids that OpenQuake stores; their conditions are computed from
the stored ruptures with OpenQuake's own computer, as they were for the fields. So each waveform
of a calculation can be drawn again, and its measures are the values in ``gmf_data``.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.baselib import InvalidFile, config
from openquake.baselib import __version__ as oq_version
from openquake.calculators import event_based
from openquake.commonlib import datastore
from openquake.commonlib.calc import get_proxies
from openquake.hazardlib.calc.filters import SourceFilter

from gwm_hazard.catalogue.store import CatalogueError
from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue
from gwm_hazard.intensity import intensity_measures_array, parse_imt
from gwm_hazard.models.registry import load_model
from gwm_hazard.noise import Noise
from gwm_hazard.openquake.fields import (
    NO_SIGMA,
    has_waveforms,
    logic_trees,
    scenarios_of,
    ses_seed,
)
from gwm_hazard.scenario import Scenarios

log = logging.getLogger(__name__)

#: Largest relative difference between a stored field and the measure of its waveform.
TOLERANCE = 1e-5
#: Records drawn to see that before a catalogue is written.
CHECKED = 16

_EXTRA = {
    "rlz": {"long_name": "logic-tree realization of the event"},
    "rup_id": {"long_name": "rupture of the calculation"},
    "lon": {"long_name": "longitude of the site", "units": "degrees_east"},
    "lat": {"long_name": "latitude of the site", "units": "degrees_north"},
}


def read(calculation: int | str | Path) -> Any:
    """The datastore of a calculation: its number (-1 for the last), or the path of its file.

    Raises
    ------
    OSError
        No such calculation.
    """
    number: int | str
    try:
        number = int(str(calculation))
    except ValueError:
        number = str(calculation)
        if not Path(number).is_file():
            raise OSError(f"{number}: no such calculation file") from None
    try:
        return datastore.read(number)
    except Exception as exc:  # OpenQuake raises its own NotFound, OSError or ValueError
        raise OSError(
            f"calculation {number} cannot be read ({exc}); `oq engine --lc` lists calculations"
        ) from exc


def run(job_ini: Path) -> Any:
    """Run a job as ``oq engine --run`` does; returns its datastore.

    Raises
    ------
    ValueError
        A job that OpenQuake refuses.
    """
    from openquake.commonlib import logs
    from openquake.engine import engine
    from openquake.server import dbserver

    # What ``oq engine`` does first: OpenQuake's database, local or behind its server.
    if os.environ.get("OQ_DATABASE", config.dbserver.host) != "127.0.0.1":
        dbserver.ensure_on()
    elif not Path(config.dbserver.file).expanduser().exists():
        logs.dbcmd("upgrade_db")
    try:
        jobs = engine.create_jobs([str(job_ini)])
        engine.run_jobs(jobs)
    except InvalidFile as exc:
        raise ValueError(f"OpenQuake refuses the job: {exc}") from exc
    return read(jobs[-1].calc_id)


class Calculation:
    """The events and sites of a calculation behind whose fields there are waveforms.

    Parameters
    ----------
    dstore : OpenQuake's datastore of an event-based or scenario calculation
    sites, events, realizations : ids to keep; by default all
    minimum : {measure of the job: least value}; a record must reach them all

    Raises
    ------
    ValueError
        No fields from waveforms in the calculation, nothing left by the filters, or branches
        with different models.
    """

    def __init__(
        self,
        dstore: Any,
        *,
        sites: Iterable[int] | None = None,
        events: Iterable[int] | None = None,
        realizations: Iterable[int] | None = None,
        minimum: Mapping[str, float] | None = None,
    ) -> None:
        if not hasattr(event_based, "get_args"):
            raise ValueError(
                f"openquake.engine {oq_version}: catalogues of a calculation need 3.25; update it"
            )
        if "gmf_data/eid" not in dstore.hdf5 and dstore.parent:
            dstore = dstore.parent
        self.dstore = dstore
        self.oq = dstore["oqparam"]
        self._refuse()
        self.imts = tuple(self.oq.imtls)
        self._ruptures = dstore["ruptures"][:]
        gsims, gsim_of_row = self._branches(eid := dstore["gmf_data/eid"][:])
        sid = dstore["gmf_data/sid"][:]
        keep = gsim_of_row >= 0
        rlz = dstore["events"]["rlz_id"][eid]
        for column, ids in ((sid, sites), (eid, events), (rlz, realizations)):
            if ids is not None:
                keep &= np.isin(column, list(ids))
        for imt, least in (minimum or {}).items():
            if imt not in self.imts:
                raise ValueError(
                    f"minimum of {imt}: not a measure of the job; it has {', '.join(self.imts)}"
                )
            keep &= dstore[f"gmf_data/{imt}"][:] >= least
        rows = np.flatnonzero(keep)
        if not len(rows):
            raise ValueError(
                f"calculation {dstore.calc_id}: no record is left by the filters; of "
                f"{len(eid)} stored, {(gsim_of_row >= 0).sum()} are measures of waveforms"
            )
        rows = rows[np.lexsort((sid[rows], eid[rows]))]
        self.eid, self.sid, self.rlz = eid[rows], sid[rows], rlz[rows]
        self._gsim = gsim_of_row[rows]
        self._gsims = gsims
        used = [gsims[i] for i in np.unique(self._gsim)]
        if any(g.card != used[0].card for g in used):
            raise ValueError(
                f"calculation {dstore.calc_id}: its branches draw with different models "
                f"({', '.join(sorted({g.model for g in used}))}); a catalogue holds one: keep "
                "the realizations of one model"
            )
        self.model = load_model(used[0].model, used[0].device)
        self._values = {imt: dstore[f"gmf_data/{imt}"][:][rows] for imt in self.imts}
        self._sites = dstore["sitecol"].complete
        self._cmakers, self._filters = self._contexts()

    def __len__(self) -> int:
        """Number of records: pairs of event and site."""
        return len(self.eid)

    def _refuse(self) -> None:
        name = f"calculation {self.dstore.calc_id}"
        if "gmf_data/eid" not in self.dstore.hdf5 or "ruptures" not in self.dstore:
            raise ValueError(
                f"{name} ({self.oq.calculation_mode}) holds no ruptures with ground-motion fields: "
                "run an event_based or scenario job with ground_motion_fields = true"
            )
        if "station_data" in self.oq.inputs or self.oq.truncation_level <= NO_SIGMA:
            raise ValueError(
                f"{name}: its fields are conditioned on station data or medians "
                "(truncation_level = 0); no waveforms stand behind them"
            )

    def _branches(self, eid: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
        """The generative GSIMs, and of each stored row the index of its own, or -1."""
        if len(trees := logic_trees(self.dstore)) > 1:
            raise ValueError("calculations of several hazard models are not supported")
        gsims: list[Any] = []
        by_group: dict[tuple[int, int], int] = {}
        for trt_smr, branches in trees[0].init().get_rlzs_by_gsim_dic().items():
            for gsim, rlzs in branches.items():
                if has_waveforms(gsim):
                    by_group |= {(int(trt_smr), int(r)): len(gsims) for r in rlzs}
                    gsims.append(gsim)
        if not gsims:
            raise ValueError(
                f"calculation {self.dstore.calc_id}: no branch with GenerativeWaveformGMM whose "
                "fields are waveforms"
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

    def _contexts(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """By ``trt_smr``, what OpenQuake's task ``event_based`` starts from."""
        self.oq.concurrent_tasks = 1
        cmakers, filters = {}, {}
        for rups, cmaker, sids, *_ in event_based.get_args(self.dstore):
            trt_smr = int(rups[0]["trt_smr"])
            cmaker.scenario = "scenario" in self.oq.calculation_mode
            cmakers[trt_smr] = cmaker
            filters[trt_smr] = SourceFilter(
                self._sites.filtered(sids), self.oq.maximum_distance(cmaker.trt)
            )
        return cmakers, filters

    def block(self, start: int, stop: int) -> Block:
        """The records start .. stop - 1, by event and site, with the stored measures."""
        part = slice(start, stop)
        eid, sid, gsim = self.eid[part], self.sid[part], self._gsim[part]
        noise = Noise(ses_seed(self.oq), eid, sid, 0)
        rupture = self._rupture_of(eid)
        unique, first = np.unique(rupture, return_index=True)
        bounds = [*first, len(eid)]
        columns = {name: np.empty(len(eid)) for name in self.model.card.condition_names}
        for i, proxy in enumerate(get_proxies(self.dstore.filename, self._ruptures[unique])):
            trt_smr = int(proxy["trt_smr"])
            computer = event_based.get_computer(
                self._cmakers[trt_smr], proxy, self._filters[trt_smr], None, None
            )
            ctx = computer.ctx
            order = np.argsort(ctx.sids)
            rows = np.arange(bounds[i], bounds[i + 1])
            at = order[np.searchsorted(ctx.sids, sid[rows], sorter=order)]
            for g in np.unique(gsim[rows]):
                of_branch = gsim[rows] == g
                mine = rows[of_branch]
                found = scenarios_of(self._gsims[g], ctx, at[of_branch], noise.take(mine))
                for name in columns:
                    columns[name][mine] = found[name]
        return Block(
            Scenarios(**columns),
            noise,
            {
                "rlz": self.rlz[part].astype(np.int32),
                "rup_id": self._ruptures["id"][rupture],
                "lon": self._sites.lons[sid],
                "lat": self._sites.lats[sid],
            },
            {imt: values[part] for imt, values in self._values.items()},
        )

    def plan(self, store: str = "waveforms", further: Iterable[str] = ()) -> Plan:
        """What a catalogue of all records holds; ``further`` measures beside those of the job."""
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
            },
        )

    def check(self) -> None:
        """Draw a few records, spread over all, and compare them with the stored fields.

        Raises
        ------
        CatalogueError
            They differ: the model or the software changed since the calculation.
        """
        for i in np.unique(np.linspace(0, len(self) - 1, CHECKED).astype(int)):
            block = self.block(int(i), int(i) + 1)
            for _, drawn in self.model.batches(block.scenarios, block.noise):
                values = intensity_measures_array(drawn, self.model.dt_s, self.imts)[0]
            for imt, value in zip(self.imts, values, strict=True):
                stored = float(np.asarray(block.measures[imt])[0])
                if not abs(value - stored) <= TOLERANCE * abs(stored):
                    raise CatalogueError(
                        f"calculation {self.dstore.calc_id}, event {self.eid[i]}, site "
                        f"{self.sid[i]}: the waveform drawn again has {imt} {value:.6g}, stored is "
                        f"{stored:.6g}: the model or its software changed since; run the job again"
                    )


def write(
    dstore: Any,
    path: str | Path,
    *,
    store: str = "waveforms",
    sites: Iterable[int] | None = None,
    events: Iterable[int] | None = None,
    realizations: Iterable[int] | None = None,
    minimum: Mapping[str, float] | None = None,
    further: Iterable[str] = (),
    progress: Callable[[float], None] | None = None,
) -> int:
    """Write the catalogue of a finished calculation; returns the number of records.

    With ``store = "keys"`` nothing is drawn but what is checked, unless ``further`` measures are
    asked for. A run that was stopped goes on where it was. See :class:`Calculation` for the
    filters and the errors.
    """
    calculation = Calculation(
        dstore, sites=sites, events=events, realizations=realizations, minimum=minimum
    )
    calculation.check()
    write_catalogue(path, calculation.plan(store, further), progress=progress)
    return len(calculation)
