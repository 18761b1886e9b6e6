"""A calculation of OpenQuake as its datastore has it: opened, run, its logic trees."""

import os
from pathlib import Path
from typing import Any

from openquake.baselib import InvalidFile, config
from openquake.commonlib import datastore

from gwm_hazard.errors import InputError


def is_job(calculation: str) -> bool:
    """Whether a calculation is told by its job.ini, which must be there."""
    job = calculation.endswith(".ini")
    if job and not Path(calculation).is_file():
        raise FileNotFoundError(f"{calculation}: no such job file")
    return job


def opened(calculation: str) -> Any:
    """The datastore of a calculation: its number, the path of its file, or a job.ini to run first.

    Raises
    ------
    OSError
        No such calculation or job file.
    ValueError
        A job that OpenQuake refuses.
    """
    return run(Path(calculation)) if is_job(calculation) else read(calculation)


def read(calculation: int | str | Path) -> Any:
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


def run(job_ini: Path) -> Any:
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


def status_of(dstore: Any) -> str | None:
    """What OpenQuake's database says of a calculation, None where it does not know it."""
    from openquake.commonlib import logs

    try:
        job = logs.dbcmd("get_job", int(dstore.calc_id))
    except Exception:  # no database, or none that answers
        return None
    here = job is not None and Path(job.ds_calc_dir).name == Path(dstore.filename).stem
    return str(job.status) if here else None


def logic_trees(dstore: Any) -> list[Any]:
    """The logic trees of a calculation, one a hazard model."""
    found = dstore["full_lt"]
    return [found] if hasattr(found, "gsim_lt") else [dstore[f"full_lt/{name}"] for name in found]


def gsims_of(dstore: Any) -> list[Any]:
    """The GSIMs of a calculation's logic trees."""
    return [
        gsim
        for full_lt in logic_trees(dstore)
        for gsims in full_lt.gsim_lt.values.values()
        for gsim in gsims
    ]
