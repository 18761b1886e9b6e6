"""Exceedance rates of a finished calculation, rupture by rupture, for its GWM branches."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib import map_array
from openquake.hazardlib.contexts import read_cmakers, read_ctx_by_grp
from openquake.hazardlib.source_group import read_src_group

from gwm_hazard.openquake.branch_names import branch_names
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, exceedance_of

log = logging.getLogger(__name__)

#: Rupture-site pairs evaluated at once.
CHUNK = 20_000


@dataclass(frozen=True)
class Branch:
    """A branch with ``GenerativeWaveformGMM``: its name and the realizations that use it."""

    id: str
    gsim: GenerativeWaveformGMM
    realizations: tuple[int, ...]
    weights: tuple[float, ...]


def branches(dstore: Any) -> list[Branch]:
    """The GWM branches of a calculation with the realizations that use them."""
    full_lt = dstore["full_lt"].init()
    names: dict[GenerativeWaveformGMM, str] = {}
    for (_, gsim), name in branch_names(full_lt.gsim_lt).items():
        if isinstance(gsim, GenerativeWaveformGMM):
            names.setdefault(gsim, name)
    found = []
    for gsim, name in names.items():
        using = [
            (int(rlz.ordinal), float(np.ravel(rlz.weight)[-1]))
            for rlz in full_lt.get_realizations()
            if any(gsim == value for value in rlz.gsim_rlz.value)
        ]
        if using:
            found.append(Branch(name, gsim, *(tuple(v) for v in zip(*using, strict=True))))
    return found


def hazard_levels(dstore: Any, rlz: int, poes: list[float]) -> NDArray[np.float64]:
    """Levels of a realization at the ``poes``, (n_sites, n_imts, n_poes); 0 where not reached.

    Raises
    ------
    ValueError
        A calculation that kept the mean curves only.
    """
    oq = dstore["oqparam"]
    if "hcurves-rlzs" not in dstore:
        raise ValueError(
            "the calculation kept no hazard curves of its branches: set individual_rlzs = true"
        )
    curves = dstore["hcurves-rlzs"][:, rlz]  # (N, M, L1)
    levels = [
        map_array.compute_hazard_maps(curves[:, m], oq.imtls[imt], poes)
        for m, imt in enumerate(oq.imtls)
    ]
    return np.stack(levels, axis=1)


def pairs(dstore: Any, site: int | None = None) -> Iterator[tuple[Any, np.recarray]]:
    """ContextMaker and rupture-site pairs of each group, of all sites or one, in pieces.

    OpenQuake stores the pairs of calculations with few sites (``max_sites_disagg``); for others
    they are made again from the sources that it stored.

    Raises
    ------
    ValueError
        Neither ruptures nor sources are stored.
    """
    cmakers = read_cmakers(dstore).to_array()
    try:
        by_group = read_ctx_by_grp(dstore)
    except KeyError:
        by_group = {}
    if by_group:
        for group, ctx in by_group.items():
            here = ctx if site is None else ctx[ctx["sids"] == site].view(np.recarray)
            for start in range(0, len(here), CHUNK):
                yield cmakers[group], here[start : start + CHUNK].view(np.recarray)
        return
    if "_csm" not in dstore:
        raise ValueError(
            "the calculation holds no ruptures: OpenQuake stores them for at most "
            f"max_sites_disagg = {dstore['oqparam'].max_sites_disagg} sites; raise it or use "
            "fewer sites"
        )
    sitecol = dstore["sitecol"]
    if site is not None:
        sitecol = sitecol.filtered([site])
    for key in dstore["_csm"]:
        group = read_src_group(dstore, key)
        cmaker = cmakers[group.grp_id]
        for source in group:
            ctx = cmaker.from_srcs([source], sitecol)
            for start in range(0, len(ctx), CHUNK):
                yield cmaker, ctx[start : start + CHUNK].view(np.recarray)


def rates_of(
    cmaker: Any,
    gsim: GenerativeWaveformGMM,
    ctx: np.recarray,
    imts: tuple[str, ...],
    levels: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Annual rate with which each pair exceeds its site's levels, (N, n_imts, n_levels).

    ``levels`` (n_sites, n_imts, n_levels); levels of 0 are exceeded by nothing here.
    """
    with np.errstate(divide="ignore"):
        ln_iml = np.where(levels > 0, np.log(levels), np.inf)[ctx["sids"]]
    probability = exceedance_of(gsim, ctx, imts, ln_iml, cmaker.truncation_level)
    rate: NDArray[np.float64] = np.asarray(cmaker.get_occ_rates(ctx), dtype=np.float64)
    return rate[:, None, None] * probability
