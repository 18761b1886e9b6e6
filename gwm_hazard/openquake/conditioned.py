"""Fields of waveforms that are conditioned on records: a scenario with ``station_data``.

OpenQuake conditions the moments of a GSIM on what stations recorded (Engler et al. 2022) and
samples fields from them. For a branch with waveforms the noise of the waveforms is conditioned
instead (:mod:`gwm_hazard.models.conditional`): the measures of its waveforms are the recorded ones
at the stations, and follow the conditional distribution between them. All measures that the
stations give are taken at once, PGV too; MMI is not. The correlation in space is that of the branch
or of the job, and, as in OpenQuake, "JB2009-clustered" where neither says one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib.calc.conditioned_gmfs import ConditionedGmfComputer

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial.noise import SpatialCorrelation
from gwm_hazard.models.conditional import Conditioned, Stations
from gwm_hazard.openquake import releases
from gwm_hazard.openquake.event_draws import (
    component_of,
    correlation_of,
    has_waveforms,
    measures_of,
    scenarios_of,
    ses_seed,
)
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, conditions_of, model_of


def correlation_between_stations(gsim: GenerativeWaveformGMM, oq: Any) -> SpatialCorrelation | None:
    """How the noise of a branch is correlated in a conditioned scenario; None where it is not."""
    parameters = getattr(oq, "ground_motion_correlation_params", None) or {}
    clustered = bool(parameters.get("vs30_clustering", True))
    return correlation_of(gsim, oq, "JB2009" + "-clustered" * clustered)


def has_conditioned_waveforms(gsim: Any, oq: Any) -> bool:
    """Whether the fields of a branch in a conditioned scenario are measures of waveforms."""
    return has_waveforms(gsim) and correlation_between_stations(gsim, oq) is not None


def conditioned(gsim: Any, ctx: Any, data: Any, oq: Any) -> Conditioned:
    """The conditioned noise of a branch.

    Parameters
    ----------
    gsim : the branch
    ctx : recarray
        OpenQuake's context of the rupture at sites, the stations among them.
    data : DataFrame
        ``IMT_mean`` and ``IMT_std`` of the stations, by site id.
    oq : parameters of the job
    """
    rows = np.flatnonzero(np.isin(ctx["sids"], data.index))
    table = data.loc[ctx["sids"][rows]]
    names = [c.removesuffix("_mean") for c in table.columns if c.endswith("_mean")]
    imts = tuple(n for n in names if n != "MMI")
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.log(table[[f"{n}_mean" for n in imts]].to_numpy(np.float64))
    columns = {n: np.float32(v[rows]) for n, v in conditions_of(gsim, ctx).items()}
    stations = Stations(
        Scenarios(**columns),
        np.asarray(ctx["lon"][rows], dtype=np.float64),
        np.asarray(ctx["lat"][rows], dtype=np.float64),
        imts,
        observed,
        table[[f"{n}_std" for n in imts]].to_numpy(np.float64),
    )
    model, correlation = model_of(gsim), correlation_between_stations(gsim, oq)
    assert correlation is not None
    component = component_of(oq, len(model.card.components))
    return Conditioned(model, correlation, stations, ses_seed(oq), component)


def draws_at(
    gsim: Any, ctx: Any, rows: NDArray[np.int64], event: NDArray[Any], noise: Conditioned
) -> Draws:
    """Conditioned draws of events at rows of a context, (n,) each."""
    at = ctx[rows]
    made = noise.noise(event, at["sids"], at["lon"], at["lat"])
    return Draws(scenarios_of(gsim, ctx, rows, made), made)


class ConditionedWaveformComputer(ConditionedGmfComputer):
    """OpenQuake's computer of conditioned fields, which draws waveforms for generative models."""

    _fields: NDArray[np.float64] | None = None

    def _compute(
        self,
        mean_stds: Any,
        m: int,
        imt: Any,
        gsim: Any,
        eps: Any,
        idxs: NDArray[np.int64],
        *rng: Any,
    ) -> Any:
        """Field of the m-th measure, shape (N, E), for the events ``idxs`` of a branch."""
        oq = self.cmaker.oq
        if m == 0:
            sampled = releases.is_median(self.cmaker) or not has_conditioned_waveforms(gsim, oq)
            self._fields = None if sampled else self.draw(gsim)
        if self._fields is None:
            return super()._compute(mean_stds, m, imt, gsim, eps, idxs, *rng)
        return self._fields[m]

    def draw(self, gsim: GenerativeWaveformGMM) -> NDArray[np.float64]:
        """Measures of one waveform for each event of a branch and site, shape (M, N, E)."""
        oq = self.cmaker.oq
        events = releases.events_as_labelled(self, self.cmaker.gsims[gsim])
        noise = conditioned(gsim, self.ctx, self.station_data, oq)
        rows = np.tile(np.arange(self.N), len(events))
        draws = draws_at(gsim, self.ctx, rows, np.repeat(events, self.N), noise)
        measured = measures_of(oq, gsim, draws).reshape(len(events), self.N, -1)
        return measured.transpose(2, 1, 0)
