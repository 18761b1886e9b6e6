"""Catalogues of any size: written in blocks, with bounded memory, and resumed after a kill.

Each block of records is a part of its own in the work folder ``NAME.parts``
(:mod:`gwm_hazard.files.parts`). When all are there they are joined into the catalogue. Nothing is
lost or doubled, because a block's records follow from its number and the plan alone.

While the blocks are joined a catalogue takes its space on disk twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.files.outputs import check_room
from gwm_hazard.files.parts import working
from gwm_hazard.intensity import intensity_measures_array, parse_imt
from gwm_hazard.models.base import Rows, WaveformModel

#: Size of compressed samples, against float32: a little less than what is seen.
COMPRESSED = 0.7

#: Records of a block: little work to lose, little memory to hold.
BLOCK = {"keys": 16384, "waveforms": 512}


@dataclass(frozen=True)
class Block:
    """Records in the order in which they are written.

    ``measures`` are those already known, by name; what is missing is measured on the waveforms.
    ``beside`` is what the model takes beside conditions and noise, a row a record.
    """

    scenarios: Scenarios
    noise: Noise
    extra: Mapping[str, ArrayLike] = field(default_factory=dict)
    measures: Mapping[str, ArrayLike] = field(default_factory=dict)
    beside: Mapping[str, Rows] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a catalogue will hold: the same plan gives the same file, from start or resumed.

    Parameters
    ----------
    model : the model that draws
    records : their number
    block : ``block(start, stop)`` gives the records start .. stop - 1
    seed : of the draws
    imts : measures, under OpenQuake's names
    store : "waveforms" or "keys"
    extra : {name: attributes} of further coordinates
    provenance : further attributes of the file
    component : horizontal component of the measures
    """

    model: WaveformModel
    records: int
    block: Callable[[int, int], Block]
    seed: int
    imts: tuple[str, ...]
    store: str = "waveforms"
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    component: str = "RotD50"

    def fingerprint(self, block_records: int) -> dict[str, str]:
        """What must agree for a run to go on with the blocks of another."""
        return {
            "model": json.dumps(self.model.card.to_dict(), sort_keys=True),
            "device": str(self.model.device),
            "records": str(self.records),
            "seed": str(self.seed),
            "imts": ", ".join(self.imts),
            "component": self.component,
            "store": self.store,
            "block": str(block_records),
            **{k: str(v) for k, v in self.provenance.items()},
        }

    def writer(self, path: Path) -> CatalogueWriter:
        """A catalogue with this plan's columns."""
        units = {imt: parse_imt(imt).measure.unit for imt in self.imts}
        return CatalogueWriter(
            path,
            self.model,
            0,
            self.seed,
            units,
            self.extra,
            self.provenance,
            self.store,
            self.component,
        )


def write_catalogue(
    path: str | Path,
    plan: Plan,
    *,
    block_records: int | None = None,
    resume: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Draw, measure and write the records of a plan; goes on where an earlier run was stopped.

    Parameters
    ----------
    path : file to write; ``PATH.parts`` beside it holds the blocks of an unfinished run
    plan : what to write
    block_records : records of a block, by default :data:`BLOCK`
    resume : go on with the blocks of a run that was stopped, and keep them where this one fails
    progress : called with the share that is done

    Raises
    ------
    InputError
        Blocks of a run with other settings lie there.
    OSError
        Another run writes this catalogue.
    """
    path = Path(path)
    size = block_records or BLOCK[plan.store]
    folder = path.with_name(path.name + ".parts")
    if plan.store == "waveforms" and not folder.exists():
        check_room(path, _bytes(plan, size), f"{plan.records:,} waveforms, in parts and joined,")
    with working(path, folder, plan.fingerprint(size), anew=not resume) as parts:
        try:
            starts = range(0, plan.records, size)
            names = [parts / f"{i:06d}.h5" for i in range(len(starts))]
            for name, start in zip(names, starts, strict=True):
                if not name.exists():
                    _write_block(name, plan, start, min(start + size, plan.records))
                if progress is not None:
                    progress(min(start + size, plan.records) / plan.records)
            _join(path, names, plan)
        except BaseException:
            if not resume:
                parts.remove()
            raise
        parts.remove()
    return path


def _bytes(plan: Plan, size: int) -> float:
    """About what a catalogue takes on disk, in parts and joined, by its first block."""
    first = plan.block(0, min(size, plan.records))
    lengths = plan.model.lengths(first.scenarios, **first.beside)
    samples = float(lengths.mean()) * len(plan.model.card.components)
    return 2 * COMPRESSED * 4 * samples * plan.records


def _write_block(path: Path, plan: Plan, start: int, stop: int) -> None:
    """Records start .. stop - 1, drawn where the store or a measure asks for it."""
    block = plan.block(start, stop)
    model, n = plan.model, stop - start
    npts = model.lengths(block.scenarios, **block.beside)
    known = {imt: np.asarray(v) for imt, v in block.measures.items() if imt in plan.imts}
    missing = [imt for imt in plan.imts if imt not in known]
    measured = {imt: np.empty(n) for imt in missing}
    acceleration: NDArray[np.float32] | None = None
    if plan.store == "waveforms":
        shape = (n, len(model.card.components), int(npts.max()))
        acceleration = np.zeros(shape, dtype=np.float32)
    if missing or acceleration is not None:
        for rows, drawn in model.batches(block.scenarios, block.noise, None, **block.beside):
            if missing:
                values = intensity_measures_array(drawn, model.dt_s, missing, plan.component)
                for i, imt in enumerate(missing):
                    measured[imt][rows] = values[:, i]
            if acceleration is not None:
                acceleration[rows, :, : drawn.shape[2]] = drawn
    columns = {imt: known.get(imt, measured.get(imt)) for imt in plan.imts}
    with plan.writer(path) as writer:
        writer.append(
            acceleration,
            block.scenarios,
            block.noise,
            columns,  # type: ignore[arg-type]
            block.extra,
            npts,
        )


def _join(path: Path, names: list[Path], plan: Plan) -> None:
    """One catalogue of all blocks, in their order."""
    with plan.writer(path) as writer:
        for name in names:
            with h5py.File(name) as part:
                noise = Noise(plan.seed, *(part[k][:] for k in ("event", "site", "realization")))
                conditions = {k: part[k][:].astype(np.float64) for k in ALL_CONDITIONS if k in part}
                writer.append(
                    None,
                    Scenarios(**conditions),
                    noise,
                    {imt: part[imt][:] for imt in plan.imts},
                    {k: _column(part[k]) for k in plan.extra},
                    part["npts"][:],
                )
                if plan.store == "waveforms":
                    writer.copy_waveforms(part["acceleration"])


def _column(dataset: h5py.Dataset) -> NDArray[Any]:
    return dataset.asstr()[:] if dataset.dtype.kind == "O" else dataset[:]
