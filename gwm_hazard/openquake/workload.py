"""What the waveforms behind the fields of a job will cost, said when it starts.

A few of the job's ruptures tell how many of its pairs of event and site may reach
``minimum_intensity``; a few waveforms of these pairs tell the time.
"""

import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from openquake.commonlib.datastore import DataStore
from openquake.hazardlib.calc.filters import SourceFilter

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.models.devices import one_thread
from gwm_hazard.openquake import releases
from gwm_hazard.openquake.event_draws import (
    has_waveforms,
    measures_of,
    reaching,
    scenarios_of,
    ses_seed,
)

#: Ruptures from which the number of waveforms is estimated.
SAMPLED = 32
#: Waveforms that are drawn to tell the time, and below how many of the job it is not worth it.
TIMED, WORTH_TIMING = 32, 5000
#: Unit of time in s, its name, and up to how many s it is used.
UNITS = ((1.0, "s", 120.0), (60.0, "min", 7200.0), (3600.0, "h", np.inf))


@dataclass(frozen=True)
class Workload:
    """Events of generative branches, pairs within reach, waveforms among these, s for each.

    ``seconds`` is None where it was not measured.
    """

    events: float
    pairs: float
    waveforms: float
    seconds: float | None

    def __str__(self) -> str:
        text = (
            f"about {_rounded(self.waveforms)} waveforms for {_rounded(self.events)} events "
            f"({_rounded(self.pairs)} pairs of event and site, of which "
            f"{1.0 - self.waveforms / max(self.pairs, 1e-9):.0%} stay below minimum_intensity)"
        )
        if self.seconds is None:
            return text
        total = self.waveforms * self.seconds
        unit, name = next(u for u in UNITS if total < u[2])[:2]
        return f"{text}: {total / unit:.0f} {name} of one process, shared by the workers"


def _rounded(value: float) -> str:
    digits = max(0, len(str(int(value))) - 2)
    return f"{round(value, -digits):,.0f}"


def estimate(oq: Any, dstore: DataStore, trees: list[Any]) -> Workload | None:
    """The work that a job has before it; None for calculations of several hazard models."""
    if len(trees) > 1:
        return None
    oq, tree, sites = copy.copy(oq), trees[0].init(), dstore["sitecol"].complete
    ruptures = dstore["ruptures"][:]
    share = {
        int(group): sum(len(r) for g, r in gsims.items() if has_waveforms(g))
        / sum(map(len, gsims.values()))
        for group, gsims in tree.get_rlzs_by_gsim_dic().items()
    }
    ours = ruptures["n_occ"] * np.array([share[int(g)] for g in ruptures["trt_smr"]])
    sample = ruptures[np.unique(np.linspace(0, len(ruptures) - 1, SAMPLED).astype(int))]
    makers = releases.makers_of(oq, tree, sample, sites)
    weight = pairs = kept = 0.0
    timed: list[tuple[Any, Draws]] = []
    for proxy in releases.proxies_of(dstore, sample):
        maker = makers[int(proxy["trt_smr"])]
        rlzs = sum(map(len, maker.gsims.values()))
        weight += float(proxy["n_occ"])
        near = SourceFilter(sites, oq.maximum_distance(maker.trt)).close_sids(proxy, maker.trt)
        if not len(near):
            continue
        rupture = proxy.to_ebr(maker.trt).rupture
        ctx = releases.context_of(maker, rupture, sites.filtered(near))
        if ctx is None:
            continue
        for gsim in filter(has_waveforms, maker.gsims):
            events = float(proxy["n_occ"]) * len(maker.gsims[gsim]) / rlzs
            rows = np.arange(len(ctx))
            if gsim.estimator == "surface":
                moments = maker.get_4MN([ctx], gsim)
                rows = np.flatnonzero(reaching(gsim, list(oq.imtls), moments, oq.min_iml))
            pairs += events * len(ctx)
            kept += events * len(rows)
            if len(rows):
                at = rows[:1]
                noise = Noise(ses_seed(oq), int(proxy["e0"]), ctx["sids"][at], 0)
                timed.append((gsim, Draws(scenarios_of(gsim, ctx, at, noise), noise)))
    events = float(ours.sum())
    total = float(ruptures["n_occ"].sum())
    waveforms = kept / weight * total
    seconds = _seconds(timed, oq) if waveforms > WORTH_TIMING and timed else None
    return Workload(events, pairs / weight * total, waveforms, seconds)


def _seconds(timed: list[tuple[Any, Draws]], oq: Any) -> float:
    """Time to draw and measure one waveform, in a batch, with one thread as workers have."""
    gsim = timed[0][0]
    alike = [draws for g, draws in timed if g == gsim]
    draws = Draws.concat((alike * TIMED)[:TIMED])
    with one_thread():
        measures_of(oq, gsim, draws.take(np.arange(1)))  # compiles
        start = time.process_time()
        measures_of(oq, gsim, draws)
        return (time.process_time() - start) / TIMED
