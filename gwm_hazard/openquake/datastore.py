"""A calculation of OpenQuake as its datastore has it: opened, run, its logic trees and branches.

OpenQuake 3.23 to 3.25 renames the branches of the GMM logic tree by their position ("gA0", "gB0").
The user's ids are read again from the logic tree file, where it still is and still has the same
branches; else a branch is called by its model or the class of its GSIM.
"""

import os
import re
from pathlib import Path
from typing import Any

from openquake.baselib import InvalidFile, config
from openquake.baselib.general import BASE183
from openquake.commonlib import datastore
from openquake.commonlib.datastore import DataStore
from openquake.hazardlib import nrml
from openquake.hazardlib.gsim_lt import GsimLogicTree, bsnodes

from gwm_hazard.errors import InputError

#: What OpenQuake calls a branch: "g", a character for the branch, the number of the branch set.
_POSITION = re.compile(r"g(.)(\d+)", re.DOTALL)


def is_job(calculation: str) -> bool:
    """Whether a calculation is told by its job.ini, which must be there."""
    job = calculation.endswith(".ini")
    if job and not Path(calculation).is_file():
        raise FileNotFoundError(f"{calculation}: no such job file")
    return job


def opened(calculation: str) -> DataStore:
    """The datastore of a calculation: its number, the path of its file, or a job.ini to run first.

    Raises
    ------
    OSError
        No such calculation or job file.
    ValueError
        A job that OpenQuake refuses.
    """
    return run(Path(calculation)) if is_job(calculation) else read(calculation)


def read(calculation: int | str | Path) -> DataStore:
    """The datastore of a calculation: its number (-1 for the last), or the path of its file.

    Raises
    ------
    OSError
        No such calculation.
    """
    # Finds this package's hooks, which import this module: not before it is asked for.
    import openquake.calculators  # noqa: F401

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


def run(job_ini: Path) -> DataStore:
    """Run a job as ``oq engine --run`` does; returns its datastore.

    Raises
    ------
    ValueError
        A job that OpenQuake refuses.
    """
    import openquake.calculators  # noqa: F401  (as in ``read``)
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
        raise InputError(f"OpenQuake refuses the job: {exc}") from exc
    return read(jobs[-1].calc_id)


def status_of(dstore: DataStore) -> str | None:
    """What OpenQuake's database says of a calculation, None where it does not know it."""
    from openquake.commonlib import logs

    try:
        job = logs.dbcmd("get_job", int(dstore.calc_id))
    except Exception:  # no database, or none that answers
        return None
    here = job is not None and Path(job.ds_calc_dir).name == Path(dstore.filename).stem
    return str(job.status) if here else None


def hazard_of(dstore: DataStore) -> DataStore:
    """The calculation with the sources and the hazard curves: the parent, where there is one."""
    return dstore.parent or dstore


def holder_of(dstore: DataStore, name: str) -> DataStore:
    """The calculation that holds something: this one or, with ``--hc``, its parent."""
    return dstore if name in dstore.hdf5 or not dstore.parent else dstore.parent


def logic_trees(dstore: DataStore) -> list[Any]:
    """The logic trees of a calculation, one a hazard model; whoever opened its datastore."""
    import openquake.calculators  # noqa: F401  (as in ``read``: paths of models)

    found = dstore["full_lt"]
    return [found] if hasattr(found, "gsim_lt") else [dstore[f"full_lt/{name}"] for name in found]


def gsims_of(dstore: DataStore) -> list[Any]:
    """The GSIMs of a calculation's logic trees."""
    return [
        gsim
        for full_lt in logic_trees(dstore)
        for gsims in full_lt.gsim_lt.values.values()
        for gsim in gsims
    ]


def branch_names(gsim_lt: GsimLogicTree) -> dict[tuple[str, Any], str]:
    """Name of each branch by tectonic region and GSIM; no name for two GSIMs.

    A name that the user gave to other GSIMs in other regions gets that of the region added.
    """
    given = _given(gsim_lt)
    names = {}
    for branch in gsim_lt.branches:
        name, kind = given.get(branch.id, ("", ""))
        if not name or kind != type(branch.gsim).__name__:
            name = _label(branch.gsim) if _POSITION.fullmatch(branch.id) else branch.id
        names[branch.trt, branch.gsim] = name
    names = _told_apart(names, {k: f"{v} ({k[0]})" for k, v in names.items()})
    ids = {(b.trt, b.gsim): b.id for b in gsim_lt.branches}
    return _told_apart(names, {k: f"{v}, {ids[k]}" for k, v in names.items()})


def _told_apart(
    names: dict[tuple[str, Any], str], longer: dict[tuple[str, Any], str]
) -> dict[tuple[str, Any], str]:
    """The longer name where several GSIMs have the same."""
    users: dict[str, set[Any]] = {}
    for (_, gsim), name in names.items():
        users.setdefault(name, set()).add(gsim)
    return {k: longer[k] if len(users[name]) > 1 else name for k, name in names.items()}


def _given(gsim_lt: GsimLogicTree) -> dict[str, tuple[str, str]]:
    """The user's id and the class of the GSIM by OpenQuake's id; empty where it cannot be read."""
    if not Path(gsim_lt.filename).is_file():
        return {}
    try:
        tree = nrml.read(gsim_lt.filename).logicTree
        return {
            f"g{BASE183[k]}{n}": (str(branch["branchID"]), _class(branch.uncertaintyModel.text))
            for n, node in enumerate(tree)
            for k, branch in enumerate(bsnodes(gsim_lt.filename, node)[0])
        }
    except Exception:  # of any kind: the file is no longer that of the calculation
        return {}


def _class(text: str) -> str:
    """Class of a GSIM's text: "[Name]" with arguments below, or "Name"."""
    first = text.strip().splitlines()[0].strip()
    return first.strip("[]")


def _label(gsim: Any) -> str:
    model = getattr(gsim, "model", None)
    return Path(model).name if isinstance(model, str) else type(gsim).__name__
