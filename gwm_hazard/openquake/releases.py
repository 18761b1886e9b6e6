"""What differs between the releases of OpenQuake, 3.23 to 3.26, for events and their fields.

The rest of the package is written for all of them; where they differ it asks here.

- ``GmfComputer.compute_all`` takes the moments of a conditioned field until 3.25, whole fields
  (``MNE``) from 3.26 on; ``_compute`` gets the generator of random numbers until 3.25.
- The function through which every job with fields passes once, in the main process, is
  ``starmap_from_rups`` until 3.25 (with the logic tree among its arguments until 3.24), ``run``
  from 3.26 on.
- ``ContextMaker.get_ctx_iter`` is ``get_ctxs`` from 3.26 on; ``scenario`` was an attribute that
  the calculator sets, and follows from the job now.
- The table of fields names its columns by number in 3.23, by measure from 3.24 on.
- From 3.26 on a job may truncate between and within events apart.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from openquake.commonlib.calc import get_proxies
from openquake.commonlib.datastore import DataStore
from openquake.hazardlib.calc.filters import magstr
from openquake.hazardlib.calc.gmf import GmfComputer, build_eid_sid_rlz
from openquake.hazardlib.contexts import ContextMaker

from gwm_hazard.openquake.datastore import holder_of

#: ``trt_smr`` is the number of the tectonic region times this, and more.
TRT_SMR = 2**24
#: OpenQuake's own threshold for "no standard deviation".
NO_SIGMA = 1e-9

#: Whether fields that are conditioned on station data are drawn by a computer with a rupture's
#: context, until 3.25.
CONDITIONS = "mean_stds" in inspect.signature(GmfComputer.compute_all).parameters

#: Parameters of what is overridden, called or wrapped, as in the supported releases.
SIGNATURES = {
    "__init__": (
        "self rupture sitecol cmaker correlation_model cross_correl amplifier sec_perils",
    ),
    "compute_all": ("self MNE cmon umon", "self mean_stds max_iml mmon cmon umon"),
    "_compute": (
        "self mean_stds m imt gsim within_eps idxs",
        "self mean_stds m imt gsim intra_eps idxs rng",
    ),
    "update": ("self data array rlzs mean max_iml",),
    "strip_zeros": ("self data",),
    "run": ("func oq rup0 calc",),
    "starmap_from_rups": (
        "func oq rup0 sitecol assetcol dstore save_tmp",
        "func oq full_lt sitecol dstore save_tmp",
    ),
}


def entry_of(event_based: Any) -> str:
    """Name of the function of the module through which every job with fields passes."""
    return "run" if hasattr(event_based, "run") else "starmap_from_rups"


def unsupported(event_based: Any) -> str:
    """Name of what differs from the supported releases in the module; empty if nothing."""
    if getattr(event_based, "GmfComputer", None) is not GmfComputer:
        return "event_based.GmfComputer"
    methods = ("__init__", "compute_all", "_compute", "update", "strip_zeros")
    entry = entry_of(event_based)
    owned = [*((name, GmfComputer) for name in methods), (entry, event_based)]
    for name, owner in owned:
        function = getattr(owner, name, None)
        if function is None or _parameters(function) not in SIGNATURES[name]:
            return name
    if _parameters(getattr(build_eid_sid_rlz, "py_func", build_eid_sid_rlz)) != (
        "allrlzs sids eids rlzs"
    ):
        return "build_eid_sid_rlz"
    return ""


def _parameters(function: Any) -> str:
    return " ".join(inspect.signature(function).parameters)


def job_of(given: Mapping[str, Any]) -> tuple[Any, Any]:
    """The parameters of a job and its datastore, from the arguments of the entry."""
    return given["oq"], given["dstore"] if "dstore" in given else given["calc"].datastore


def events_as_labelled(computer: Any, rlzs: Any) -> Any:
    """Ids of the events of ``rlzs``, in the order in which their fields are labelled, (E,).

    ``compute_all`` hands over the events of a GSIM in the order of their ids, and ``strip_zeros``
    labels the fields realization by realization. OpenQuake's own fields are random numbers that
    belong to no event yet; a waveform belongs to its event, and has to come in this order.
    """
    eid, _, rlz = build_eid_sid_rlz(
        computer.rlzs, computer.ctx.sids[:1], computer.eid, computer.rlz
    )
    return eid[np.isin(rlz, rlzs)]


def stored_fields(dstore: DataStore, imt: str) -> Any:
    """The values of a measure in the table of fields, (rows,); 3.23 numbers the measures."""
    if (name := f"gmf_data/{imt}") not in dstore.hdf5:
        name = f"gmf_data/gmv_{list(dstore['oqparam'].imtls).index(imt)}"
    return dstore[name][:]


def is_median(cmaker: Any) -> bool:
    """Whether fields are medians, without scatter."""
    levels = [
        getattr(cmaker, f"truncation_level_{part}", cmaker.truncation_level)
        for part in ("between", "within")
    ]
    return max(levels) <= NO_SIGMA


def truncation_of(oq: Any) -> dict[str, float]:
    """What truncates the scatter of a job's fields: {parameter: level}."""
    parts = {
        name: level
        for name in ("truncation_level_between", "truncation_level_within")
        if (level := getattr(oq, name, None)) is not None
    }
    if len(set(parts.values())) > 1:
        return parts
    return {"truncation_level": next(iter(parts.values()), oq.truncation_level)}


def conditioned(dstore: DataStore) -> bool:
    """Whether the fields of a calculation are conditioned on station data."""
    if "station_data" not in dstore["oqparam"].inputs:
        return False
    if "stations_considered" in dstore:
        return len(dstore["stations_considered"]) > 0
    # 3.26 says nothing where all stations are too far, 3.23 never.
    from openquake.calculators import event_based

    return entry_of(event_based) != "run"


def makers_of(oq: Any, tree: Any, ruptures: Any, sites: Any) -> dict[int, Any]:
    """By ``trt_smr`` of some ruptures, what makes their contexts, as in OpenQuake's calculator.

    Parameters
    ----------
    oq : parameters of the job; gets the attribute ``mags_by_trt``
    tree : the initialized logic tree
    ruptures : recarray of the table ``ruptures``
    sites : the site collection
    """
    groups = ruptures["trt_smr"].astype(np.int64)
    regions = {int(g): tree.trts[int(g) // TRT_SMR] for g in np.unique(groups)}
    oq.mags_by_trt = {
        trt: sorted({magstr(m) for m in np.round(ruptures["mag"][groups // TRT_SMR == i], 2)})
        for i, trt in enumerate(tree.trts)
    }
    by_gsim = tree.get_rlzs_by_gsim_dic()
    makers = {}
    for group, trt in regions.items():
        maker = ContextMaker(trt, by_gsim[group], oq, extraparams=sites.array.dtype.names)
        if not isinstance(getattr(ContextMaker, "scenario", None), property):
            maker.scenario = "scenario" in oq.calculation_mode
        makers[group] = maker
    return makers


def proxies_of(dstore: DataStore, ruptures: Any) -> Any:
    """Ruptures with their geometries, which a calculation with ``--hc`` has in its parent."""
    return get_proxies(holder_of(dstore, "rupgeoms").filename, ruptures)


def context_of(maker: Any, rupture: Any, sites: Any) -> Any:
    """Context of one rupture at the sites within its maximum distance, recarray; None if none."""
    contexts = getattr(maker, "get_ctxs", None) or maker.get_ctx_iter
    return next(iter(contexts([rupture], sites)), None)
