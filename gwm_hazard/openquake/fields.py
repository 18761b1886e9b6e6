"""Ground-motion fields that are the measures of waveforms: one drawn for each event and site.

In an ``event_based`` or ``scenario`` calculation (and in the risk calculations that start from
ruptures) OpenQuake samples ground-motion fields from the moments of a GSIM. For a branch with
:class:`GenerativeWaveformGMM` it stores instead the measures (RotD50) of waveforms that the model
draws: all measures of an event and site come from one record, so their correlation is that of
the waveforms, and the event's between-event noise is shared by its sites. What the GSIM's
``estimator`` is does not matter for fields. The key of a draw is (``ses_seed``, event id, site
id, 0), with the ids of OpenQuake: fields depend neither on the number of workers nor on batches,
and :mod:`gwm_hazard.openquake.event_catalogue` draws each waveform again from the datastore.

**The extension point.** :func:`install` sets ``openquake.calculators.event_based.GmfComputer``,
the name from which OpenQuake takes its computer in the workers, to a subclass of that class, and
wraps the function through which every such calculation passes once in the main process
(``run``), to check the job. It is safe because (1) the subclass overrides what happens for our
GSIM only: random numbers, values and order of other branches are OpenQuake's, bit for bit;
(2) storage, ``minimum_intensity``, hazard curves and risk remain OpenQuake's; (3) OpenQuake
imports us in every process through ``OQ_IMPORT_PATH``; (4) :mod:`gwm_hazard.openquake.releases`
compares the signatures of what is overridden with those of the supported releases, and
:func:`install` else leaves OpenQuake as it is, with a warning: fields are then sampled from the
GSIM's lognormal moments.

**What is drawn.** One waveform for each event of the branch and each site where one may reach
``minimum_intensity`` (:func:`gwm_hazard.openquake.event_draws.reaching`); the rest would be drawn
to be dropped. With ``horiz_comp_to_geom_mean`` the measures are of the geometric mean of the two
horizontals.

Within-event terms are correlated between sites by the job's ``ground_motion_correlation_model`` or
by the branch's ``spatial_correlation``: the noise that carries the level of a record is
(:mod:`gwm_hazard.core.spatial`), where it is known which that is.

What does not apply to such a branch, each said in the log: ``truncation_level`` (waveforms are
not truncated; 0 asks for the median, which comes from the GSIM's moments), ``cross_correlation``
(between measures it is the waveforms'), ``extreme_gmv``. A branch with
``fields = "lognormal"`` has them all, and no waveforms. A GSIM within another
(``ModifiableGMPE``) has fields of OpenQuake's own, from the moments. Fields conditioned on station
data: :mod:`gwm_hazard.openquake.conditioned`. Site amplification is refused.
"""

import copy
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.baselib import __version__ as oq_version
from openquake.commonlib.datastore import DataStore
from openquake.hazardlib.calc.gmf import GmfComputer

from gwm_hazard.errors import InputError
from gwm_hazard.openquake import releases
from gwm_hazard.openquake.conditioned import (
    ConditionedWaveformComputer,
    correlation_between_stations,
)
from gwm_hazard.openquake.datastore import gsims_of, logic_trees
from gwm_hazard.openquake.event_draws import (
    correlation_of,
    draws_of,
    has_waveforms,
    measures_of,
    reaching,
    ses_seed,
)
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from gwm_hazard.openquake.workload import estimate

log = logging.getLogger(__name__)

#: What OpenQuake takes for the minimum of a measure that has none.
MIN_IML = 1e-10


class WaveformGmfComputer(GmfComputer):
    """OpenQuake's computer, which draws waveforms where the GSIM is a generative model.

    See :class:`openquake.hazardlib.calc.gmf.GmfComputer` for the parameters.
    """

    def __init__(
        self,
        rupture: Any,
        sitecol: Any,
        cmaker: Any,
        correlation_model: Any = None,
        cross_correl: Any = None,
        amplifier: Any = None,
        sec_perils: Any = (),
    ) -> None:
        super().__init__(
            rupture, sitecol, cmaker, correlation_model, cross_correl, amplifier, sec_perils
        )
        self._fields: NDArray[np.float32] | None = None
        self._reaching: NDArray[np.bool_] | None = None
        if any(has_waveforms(gsim) for gsim in cmaker.gsims):
            self.cmaker = copy.copy(cmaker)
            self.cmaker.get_4MN = self._moments

    def _moments(self, ctxs: list[Any], gsim: Any) -> NDArray[np.float64]:
        """(4, M, N) mean, sigma, tau, phi: NaN where only waveforms would tell, at a price."""
        original = type(self.cmaker).get_4MN
        self._reaching = None
        if not has_waveforms(gsim):
            return original(self.cmaker, ctxs, gsim)
        if gsim.estimator == "direct":
            wanted = getattr(self.cmaker.oq, "mea_tau_phi", False)
            if not (wanted or releases.is_median(self.cmaker)):
                return np.full((4, len(self.cmaker.imts), sum(map(len, ctxs))), np.nan)
            return original(self.cmaker, ctxs, gsim)
        moments = original(self.cmaker, ctxs, gsim)
        self._reaching = reaching(gsim, list(self.cmaker.imtls), moments, self.cmaker.min_iml)
        return moments

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
        sampled = (
            not has_waveforms(gsim)
            or len(mean_stds) == 3  # conditioned on station data, until 3.25
            or releases.is_median(self.cmaker)
        )
        if m == 0:  # OpenQuake asks measure by measure; the waveforms are drawn once
            self._fields = None if sampled else self.draw(gsim)
        if self._fields is None:
            return super()._compute(mean_stds, m, imt, gsim, eps, idxs, *rng)
        mean, _, tau, phi = mean_stds
        if getattr(self.cmaker.oq, "mea_tau_phi", False):
            ok = np.exp(mean) > self.cmaker.min_iml[m]
            for row in zip(self.ctx.sids[ok], mean[ok], tau[ok], phi[ok], strict=True):
                self.mea_tau_phi.append((self.rup_id, row[0], gsim.gid, m, *row[1:]))
        # What gmf_data/sigma_epsilon holds: a waveform has no single epsilon.
        self.sig[idxs, m] = tau.max()
        (self.between_eps if hasattr(self, "between_eps") else self.eps)[idxs, m] = np.nan
        return self._fields[m]

    def draw(self, gsim: GenerativeWaveformGMM) -> NDArray[np.float32]:
        """Measures of one waveform for each event of a branch and site, shape (M, N, E).

        Events come as OpenQuake will label them (:func:`releases.events_as_labelled`). A site
        where no waveform would reach ``minimum_intensity`` (:func:`reaching`) has zeros.
        """
        events = releases.events_as_labelled(self, self.cmaker.gsims[gsim])
        shape = (len(self.cmaker.imtls), self.N, len(events))
        fields = np.zeros(shape, np.float32)
        sites = np.arange(self.N) if self._reaching is None else np.flatnonzero(self._reaching)
        if len(sites):
            oq = self.cmaker.oq
            draws = draws_of(gsim, self.ctx[sites], events, ses_seed(oq), correlation_of(gsim, oq))
            measured = measures_of(oq, gsim, draws)
            fields[:, sites] = measured.reshape(len(events), len(sites), -1).transpose(2, 1, 0)
        return fields

    def update(self, data: Any, array: Any, rlzs: Any, mean: Any, max_iml: Any = None) -> None:
        """See OpenQuake; ``extreme_gmv`` would replace measures by a median."""
        super().update(data, array, rlzs, mean, max_iml if self._fields is None else None)


def check_job(oq: Any, gsims: list[Any]) -> bool:
    """Refuse what cannot be done for waveforms, and log what does not apply to them.

    Returns
    -------
    Whether waveforms will be drawn.

    Raises
    ------
    ValueError
        Site amplification with a generative branch.
    """
    if any(isinstance(getattr(g, "gmpe", None), GenerativeWaveformGMM) for g in gsims):
        log.warning(
            "GenerativeWaveformGMM within another GSIM: its ground-motion fields are sampled "
            "from the modified lognormal moments, not measured on waveforms"
        )
    drawing = [g for g in gsims if has_waveforms(g)]
    if not drawing:
        return False
    if "amplification" in oq.inputs:
        raise InputError(
            "amplification_csv = ...: measures of waveforms cannot be amplified afterwards; take "
            "it out and give the vs30 of the sites, or take GenerativeWaveformGMM out"
        )
    truncation = releases.truncation_of(oq)
    if max(truncation.values()) <= releases.NO_SIGMA:
        log.warning(
            "%s = 0: fields of GenerativeWaveformGMM are its medians, and no waveforms stand "
            "behind them",
            " = ".join(truncation),
        )
        return False
    if "station_data" in oq.inputs:
        return _say_conditioned(oq, drawing)
    ignored = {
        f"{name} = {level:g}": "waveforms are not truncated" for name, level in truncation.items()
    } | {
        "extreme_gmv": (
            "no median stands in for a waveform"
            if np.isfinite(list(oq.extreme_gmv.values())).any()
            else ""
        ),
    }
    for name, reason in ignored.items():
        if reason:
            log.warning("GenerativeWaveformGMM ignores %s in fields: %s", name, reason)
    _say_correlation(oq, drawing)
    if getattr(oq, "horiz_comp_to_geom_mean", False):
        for name in {g.card.name for g in drawing if len(g.card.components) == 1}:
            log.warning(
                "horiz_comp_to_geom_mean = true: model %r draws one horizontal component, whose "
                "measures stand for the geometric mean of two",
                name,
            )
    if np.any(oq.min_iml > MIN_IML) and any(g.estimator == "direct" for g in drawing):
        log.warning(
            'estimator = "direct" tells no moments beforehand: waveforms are drawn for all pairs '
            'of event and site, also those that minimum_intensity drops; "surface" leaves them out'
        )
    return True


def _say_conditioned(oq: Any, drawing: list[Any]) -> bool:
    for gsim in drawing:
        correlation = correlation_between_stations(gsim, oq) if releases.CONDITIONS else None
        if correlation is None:
            log.warning(
                "station data: conditioned fields are sampled from the lognormal moments of "
                "GenerativeWaveformGMM (model %r), not measured on waveforms: %s",
                gsim.card.name,
                "OpenQuake 3.26 and 3.23 leave no room for it"
                if not releases.CONDITIONS
                else "its noise is not correlated in space",
            )
        else:
            log.info(
                "fields of model %r are waveforms conditioned on records; spatial correlation %s",
                gsim.card.name,
                correlation.name,
            )
    return False


def _say_correlation(oq: Any, drawing: list[Any]) -> None:
    wanted = oq.ground_motion_correlation_model
    for gsim in drawing:
        told, name = correlation_of(gsim, oq), gsim.card.name
        if told is not None:
            log.info("spatial correlation of model %r: %s", name, told.name)
        elif wanted:
            log.warning(
                "GenerativeWaveformGMM ignores ground_motion_correlation_model = %s in fields of "
                "model %r: within-event terms of the waveforms are independent between sites, %s",
                wanted,
                name,
                'as spatial_correlation = "none" says'
                if gsim.spatial_correlation == "none"
                else "since it is not known which of its noise carries the level of a record",
            )
    if (getattr(oq, "ground_motion_correlation_params", None) or {}).get("uncertainty_multiplier"):
        log.warning("uncertainty_multiplier: GenerativeWaveformGMM takes the median correlation")


def install(event_based: Any) -> bool:
    """Set our computer in OpenQuake's module ``event_based``; False, with a warning, where not."""
    reason = releases.unsupported(event_based)
    if reason:
        log.warning(
            "openquake.engine %s is not supported by gwm_hazard (%s): ground-motion fields of "
            "GenerativeWaveformGMM are sampled from its lognormal moments, not from waveforms",
            oq_version,
            reason,
        )
        return False
    event_based.GmfComputer = WaveformGmfComputer
    if releases.CONDITIONS:
        event_based.ConditionedGmfComputer = ConditionedWaveformComputer
    entry = releases.entry_of(event_based)
    setattr(event_based, entry, _checked(getattr(event_based, entry)))
    return True


def _checked(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def entry(*args: Any, **kwargs: Any) -> Any:
        oq, dstore = releases.job_of(signature.bind(*args, **kwargs).arguments)
        if check_job(oq, gsims_of(dstore)):
            _say_workload(oq, dstore)
        return original(*args, **kwargs)

    return entry


def _say_workload(oq: Any, dstore: DataStore) -> None:
    try:
        work = estimate(oq, dstore, logic_trees(dstore))
    except Exception as exc:  # of an extra, which must not take the job down
        log.warning("the work that this job has before it cannot be estimated: %s", exc)
        return
    if work is not None:
        log.info("GenerativeWaveformGMM: %s", work)
