"""Low-frequency motions of files: simulations of any format that records are read from."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.errors import InputError
from gwm_hazard.records.read import sources
from gwm_hazard.records.record import Failure, Options, Record

log = logging.getLogger(__name__)


def read_simulations(
    paths: str | Path | Iterable[str | Path],
    valid_hz: float | None = None,
    format: str | None = None,
    options: Options | None = None,
    *,
    unit: str | None = None,
    components: Mapping[str, str] | None = None,
) -> tuple[LowFrequency, list[Record]]:
    """Simulated motions as the input of a broadband model, and what each file tells of its own.

    Parameters
    ----------
    paths : files; components of a station in several files are put together
    valid_hz : frequency up to which the simulations are right, where the files do not tell it;
        not above what they tell
    format, options : as of :func:`gwm_hazard.records.read.sources`
    unit : of samples in files that do not tell it, or tell it wrongly: of acceleration, velocity
        or displacement, which are differentiated
    components : what components are, by their names in the files

    Raises
    ------
    InputError
        A file that cannot be read, units or components that are not known, a motion without two
        horizontals, motions of different time steps, a frequency that nobody tells. Where there is
        no vertical (CyberShake) the first horizontal stands for it, so that a model can go on:
        what it draws of the vertical is none, which a warning says.
    """
    given = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    told = options or Options(unit, components=dict(components or {}))
    told = Options(**{**vars(told), "simulated": True})
    records: list[Record] = []
    for source in sources(given, format, told):
        for item in [source] if isinstance(source, Failure) else source:
            if isinstance(item, Failure):
                raise InputError(str(item))
            records.append(item)
    if not records:
        raise InputError("no simulated motion: give the files of at least one")
    for record in records:
        if record.n_horizontal != 2:
            raise InputError(
                f"{record.record_id}: components {', '.join(record.components)}: a broadband "
                "model takes two horizontals and the vertical"
            )
    if lacking := [r.record_id for r in records if not r.has_vertical]:
        log.warning(
            "%s: no vertical was simulated (%d of %d motions): the first horizontal stands for it; "
            "do not use the verticals that are drawn",
            lacking[0], len(lacking), len(records),
        )  # fmt: skip
    return LowFrequency(
        _together(records), records[0].dt_s, _valid_hz(records, valid_hz), _origin_s(records)
    ), records


def _together(records: list[Record]) -> np.ndarray:
    """(n, 3, nt), zeros after the end of a shorter one."""
    first = records[0]
    for record in records:
        if abs(record.dt_s - first.dt_s) > 1e-6 * first.dt_s:
            raise InputError(
                f"{record.record_id}: time step {record.dt_s:g} s, that of {first.record_id} is "
                f"{first.dt_s:g} s: give files of one time step"
            )
    out = np.zeros((len(records), 3, max(r.acceleration.shape[1] for r in records)))
    for row, record in zip(out, records, strict=True):
        rows = [0, 1, 2 if record.has_vertical else 0]
        row[:, : record.acceleration.shape[1]] = record.acceleration[rows]
    return out


def _valid_hz(records: list[Record], given: float | None) -> float:
    told = [float(r.metadata["valid_hz"]) for r in records if "valid_hz" in r.metadata]
    if given is None and len(told) < len(records):
        raise InputError(
            f"{records[0].record_id}: nothing tells up to which frequency the simulation is "
            "right: give it (--fc, Hz)"
        )
    if told and given is not None and given > min(told) * (1.0 + 1e-6):
        raise InputError(
            f"fc = {given:g} Hz: the files say that they are right up to {min(told):g} Hz"
        )
    return given if given is not None else min(told)


def _origin_s(records: list[Record]) -> np.ndarray | None:
    """Of the first samples, s after the origin, where all files tell it."""
    told = [r.metadata.get("origin_s") for r in records]
    return None if None in told else np.array(told, dtype=np.float64)
