"""Rupture-site pairs of a finished calculation, as OpenQuake's classical calculator had them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
                for made in _made(dstore, cmaker, source, sites, occurrence):
                    made.ctx["src_id"] = position
                    made.ctx["rup_id"] -= source.offset
                    whole.append(made)
            if whole:
                yield _joined(whole)
            continue
        yield from _gathered(
            made
            for key in keys
            for source in (group if key == keys[0] else read_src_group(dstore, key))
            for made in _made(dstore, cmaker, source, sites, occurrence)
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


def _made(dstore: Any, cmaker: Any, source: Any, sites: Any, occurrence: Occurrence) -> list[Pairs]:
    """Pairs of a source, made as OpenQuake's classical calculator makes them."""
    contexts = getattr(cmaker, "get_ctx_iter", None) or cmaker.get_ctxs
    nearby = sites
    if source.code != b"F":  # multi-fault sources: OpenQuake filters rupture by rupture
        nearby = SourceFilter(sites, cmaker.maximum_distance).get_close_sites(source)
        if nearby is None:
            return []
    delta = None
    if "delta_rates" in dstore:  # aftershocks
        delta = dstore["delta_rates"][source.id]
    found = []
    for block in contexts(source, nearby):
        ctx = block.view(np.recarray)
        if delta is not None:
            ctx["occurrence_rate"] += delta[ctx["rup_id"]]
        numbers = int(source.id) * _RUPTURES + np.asarray(ctx["rup_id"], np.int64)
        for start in range(0, len(ctx), CHUNK):
            part = slice(start, start + CHUNK)
            found.append(Pairs(cmaker, ctx[part].view(np.recarray), occurrence, numbers[part]))
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
