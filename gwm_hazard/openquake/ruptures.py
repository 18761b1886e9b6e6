"""Rupture-site pairs of a finished calculation, as OpenQuake's classical calculator had them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.baselib.parallel import Starmap, num_cores
from openquake.hazardlib.calc.filters import SourceFilter
from openquake.hazardlib.contexts import read_ctx_by_grp
from openquake.hazardlib.source_group import read_src_group

from gwm_hazard.errors import InputError
from gwm_hazard.openquake.curves import Curves
from gwm_hazard.openquake.occurrence import Occurrence

#: Rupture-site pairs evaluated at once.
CHUNK = 20_000

#: OpenQuake numbers the ruptures of a calculation by source id times this, plus their own number.
_RUPTURES = 2**30

#: Ruptures for which a worker makes contexts at once.
_RUPTURES_AT_ONCE = 2_000

Array = NDArray[np.float64]

#: Contexts of sources, each with numbers of their ruptures.
_Found = list[tuple[np.recarray, NDArray[np.int64]]]


@dataclass(frozen=True)
class Pairs:
    """Pairs of rupture and site of a source group, with what they occur by.

    ``numbers`` (n,) are OpenQuake's of the ruptures, over the whole calculation.
    """

    cmaker: Any
    ctx: np.recarray
    occurrence: Occurrence
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ctx)

    def gid(self, gsim: Any) -> int | None:
        """OpenQuake's number of a GSIM with these sources; None where it has no part in them."""
        for number, (mine, rlzs) in zip(self.cmaker.gid, self.cmaker.gsims.items(), strict=True):
            if mine == gsim and len(rlzs):
                return int(number)
        return None


def pairs(curves: Curves, site: int | None = None, gsims: Any = None) -> Iterator[Pairs]:
    """Rupture-site pairs of each source group, of all sites or one, in pieces.

    OpenQuake stores the pairs of calculations with few sites (``max_sites_disagg``); for others,
    and for ruptures that depend on each other, they are made again from the sources that it
    stored. Pairs that depend on each other come in one piece.

    Parameters
    ----------
    site : id; by default all sites
    gsims : leave out groups that have none of these

    Raises
    ------
    ValueError
        Sources that are not stored.
    """
    dstore = curves.dstore
    if "_csm" not in dstore:
        raise InputError(
            f"calculation {dstore.calc_id}: its sources are not stored, as in a calculation that "
            "starts from hazard curves; run the classical job itself"
        )
    sites = curves.sites if site is None else curves.sites.filtered([site])
    groups = _groups(dstore)
    stored = _stored(curves)
    changes = _changes(dstore)
    for number, keys in groups.items():
        cmaker = curves.cmakers[number]
        if gsims is not None and not any(gsim in cmaker.gsims for gsim in gsims):
            continue
        group = read_src_group(dstore, keys[0])
        occurrence = Occurrence.of(group, curves.years)
        if number in stored and not occurrence.dependent:
            ctx = stored[number]
            if site is not None:
                ctx = ctx[ctx["sids"] == site]
            for start in range(0, len(ctx), CHUNK):
                part = ctx[start : start + CHUNK].view(np.recarray)
                yield Pairs(cmaker, part, occurrence, np.asarray(part["rup_id"], np.int64))
            continue
        if occurrence.dependent:  # OpenQuake keeps such a group in one block
            whole: list[Pairs] = []
            for position, source in enumerate(group):
                for ctx, of_source in _contexts(cmaker, [source], sites, changes):
                    ctx["src_id"] = position
                    ctx["rup_id"] -= source.offset
                    whole.append(Pairs(cmaker, ctx, occurrence, of_source))
            if whole:
                yield _joined(whole)
            continue
        blocks = _blocks(dstore, keys, group)
        yield from _gathered(
            Pairs(cmaker, ctx[part].view(np.recarray), occurrence, numbers[part])
            for found in _in_workers(_contexts, ((cmaker, b, sites, changes) for b in blocks))
            for ctx, numbers in found
            for part in (slice(start, start + CHUNK) for start in range(0, len(ctx), CHUNK))
        )


@lru_cache(maxsize=1)
def _stored(curves: Curves) -> dict[int, np.recarray]:
    """Pairs that OpenQuake stored, by source group."""
    try:
        return {int(k): v for k, v in read_ctx_by_grp(curves.dstore).items()}
    except KeyError:
        return {}


def _groups(dstore: Any) -> dict[int, list[str]]:
    """Keys of the stored blocks of sources of each group."""
    out: dict[int, list[str]] = {}
    for key in dstore["_csm"]:
        out.setdefault(int(str(key).split("-")[0]), []).append(key)
    return dict(sorted(out.items()))


def _changes(dstore: Any) -> dict[int, Array]:
    """Changes of the rates of ruptures by number of source, in a job with aftershocks."""
    if "delta_rates" not in dstore:
        return {}
    return {int(n): np.asarray(rates) for n, rates in enumerate(dstore["delta_rates"])}


def _blocks(dstore: Any, keys: list[str], first: list[Any]) -> Iterator[list[Any]]:
    """Sources of a group, as many at once as a worker takes."""
    for key in keys:
        sources = first if key == keys[0] else read_src_group(dstore, key)
        block: list[Any] = []
        ruptures = 0
        for source in sources:
            block.append(source)
            ruptures += int(source.num_ruptures)
            if ruptures >= _RUPTURES_AT_ONCE:
                yield block
                block, ruptures = [], 0
        if block:
            yield block


def _in_workers(
    task: Callable[..., _Found], arguments: Iterable[tuple[Any, ...]]
) -> Iterator[_Found]:
    """What a task finds for each of its arguments, in their order.

    OpenQuake's workers are idle while a job is post-processed; without them, as in a command, the
    task runs here.
    """
    pool = getattr(Starmap, "pool", None)
    if pool is None:
        yield from (task(*each) for each in arguments)
        return
    waiting: deque[Any] = deque()  # few at once: what they find has to be held
    for each in arguments:
        waiting.append(pool.apply_async(task, each))
        if len(waiting) > 2 * num_cores:
            yield waiting.popleft().get()
    while waiting:
        yield waiting.popleft().get()


def _contexts(cmaker: Any, sources: Iterable[Any], sites: Any, changes: dict[int, Array]) -> _Found:
    """Contexts of sources and numbers of their ruptures, as the classical calculator makes them."""
    contexts = getattr(cmaker, "get_ctx_iter", None) or cmaker.get_ctxs
    closest = SourceFilter(sites, cmaker.maximum_distance)
    found = []
    for source in sources:
        # multi-fault sources: OpenQuake filters rupture by rupture
        nearby = sites if source.code == b"F" else closest.get_close_sites(source)
        if nearby is None:
            continue
        for block in contexts(source, nearby):
            ctx = block.view(np.recarray)
            if source.id in changes:
                ctx["occurrence_rate"] += changes[source.id][ctx["rup_id"]]
            numbers = int(source.id) * _RUPTURES + np.asarray(ctx["rup_id"], np.int64)
            found.append((ctx, numbers))
    return found


def _gathered(parts: Iterable[Pairs]) -> Iterator[Pairs]:
    """The pairs of a group in pieces of about CHUNK: most sources have a handful each."""
    waiting: list[Pairs] = []
    count = 0
    for part in parts:
        other = bool(waiting) and waiting[0].ctx.dtype != part.ctx.dtype
        if other or count >= CHUNK:
            yield _joined(waiting)
            waiting, count = [], 0
        waiting.append(part)
        count += len(part)
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[Pairs]) -> Pairs:
    ctx = np.concatenate([p.ctx for p in parts]).view(np.recarray)
    numbers = np.concatenate([p.numbers for p in parts])
    return Pairs(parts[0].cmaker, ctx, parts[0].occurrence, numbers)
