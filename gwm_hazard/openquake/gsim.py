"""``GenerativeWaveformGMM``: a generative waveform model as an OpenQuake ground-motion model."""

# OpenQuake checks that ``compute`` is annotated with the class numpy.recarray itself, so this
# module must not postpone annotations.

import copy
import multiprocessing
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from openquake.hazardlib import const, imt
from openquake.hazardlib.gsim.base import GMPE

from gwm_hazard.core.card import ModelCard
from gwm_hazard.core.conditioning import Columns, conditioning_of
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.spatial import coherency as coherencies
from gwm_hazard.core.spatial import published
from gwm_hazard.distribution.estimator import (
    DirectEstimator,
    Estimator,
    SurfaceEstimator,
    exceedance_at,
)
from gwm_hazard.distribution.find import load_for, surface_by_name
from gwm_hazard.distribution.moments import Moments
from gwm_hazard.distribution.shape import Shape
from gwm_hazard.distribution.surface import Surface
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.card_file import CARD_FILE
from gwm_hazard.models.devices import keep_one_thread
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake import layered, matched
from gwm_hazard.openquake.model_paths import located, located_file

ESTIMATORS = ("surface", "direct")
POLICIES = ("clip", "error")
DISTRIBUTIONS = ("lognormal", "empirical")
FIELDS = ("waveforms", "lognormal")
CORRELATIONS = ("auto", "none", *published.NAMES)

#: Parameters of a rupture that OpenQuake's contexts can hold (ContextMaker.add_rup_params).
RUPTURE_PARAMETERS = frozenset(
    "mag width strike dip rake ztor zbot hypo_lon hypo_lat hypo_depth".split()
)
#: Waveforms a pair from which a direct ensemble tells its shape: the kurtosis of 1000 draws has
#: a standard error of 0.15.
LEAST_FOR_SHAPE = 1000


class GenerativeWaveformGMM(GMPE):
    """Ground-motion model made from a generative waveform model (GWM).

    The distribution of ln IM for a rupture-site pair is that of the measures (RotD50) of the
    waveforms that the model draws for it; it is handed to OpenQuake with mean, between-event
    (tau), within-event (phi) and total standard deviation, as a lognormal or as the smoothed
    empirical distribution.

    Parameters
    ----------
    model : str
        A family with built-in parameters ("stochastic"), the name of an installed model, or a
        model folder: a path relative to the job.ini or the logic tree file, in plain Python to
        the current folder.
    estimator : "surface" or "direct"
        "surface" interpolates moments that were estimated beforehand over the scenario space;
        "direct" draws ``realizations`` waveforms for every rupture-site pair: exact, and slow.
    surface_file : str
        A surface made by ``gwm-hazard surface build``, relative to the logic tree file. Empty:
        the bundled surface of the model, else one kept from before, else one built now.
    realizations : int
        Waveforms for each rupture-site pair with ``estimator = "direct"``; an even number.
    seed : int
        Seed of the draws of ``estimator = "direct"``: all pairs share its random numbers, so
        that results depend neither on the number of workers nor on the order of the pairs.
    device : str
        torch device for "direct" and for fields: "auto" takes CUDA where there is one.
    out_of_range : "clip" or "error"
        A pair outside the model's range of validity is moved to the nearest bound, with one
        warning a process; or it stops the calculation.
    distribution : "lognormal" or "empirical"
        "empirical": the exceedance probabilities of a classical calculation are those of the
        mixture of two normals, of equal weight, that has the mean, variance, skewness and
        kurtosis of the ensemble (:mod:`gwm_hazard.distribution.shape`: closed form, and why the
        tail beyond the draws is normal). OpenQuake evaluates it as it does its ``AvgPoeGMPE``
        (``openquake.hazardlib.contexts.set_poes``): the mean of two exceedance probabilities,
        each truncated at ``truncation_level`` standard deviations of its own component about
        the component's mean. A lognormal ensemble gives the lognormal. Where OpenQuake takes
        moments only (disaggregation bins, conditional spectra, ``ModifiableGMPE``) it remains
        lognormal; fields of event-based jobs are waveforms and need no distribution.
    distance : "effective", "rrup" or "rhypo"
        What a model that is conditioned on ``rhypo``, the distance to a point, is given for a
        finite rupture; by default what its card says. "effective": sqrt(rrup^2 + h(M)^2) with the
        saturation length h of Boore and Thompson (2015), :mod:`gwm_hazard.core.distance`, which
        most cards say, because the hypocentral distance of a long rupture depends on where along
        it OpenQuake puts the hypocentre (its centre), and the closest distance alone would put
        the whole rupture there.
        A model conditioned on ``rrup`` is given ``rrup``: it has its own saturation.
    fixed : str
        Conditions with one value for all pairs, "azimuthal_gap=120". A condition for which
        OpenQuake has no word and which is not fixed is integrated over a uniform prior on the
        model's range; its effect on the mean adds to tau, since it belongs to the earthquake.
    fields : "waveforms" or "lognormal"
        Ground-motion fields of event-based and scenario jobs: "waveforms", the measures of drawn
        waveforms (:mod:`gwm_hazard.openquake.fields`); "lognormal", sampled by OpenQuake from
        mean, tau and phi as for any GMM, with its correlation models and truncation.
    spatial_correlation : str
        Of the within-event terms of waveforms behind fields: "auto", the job's
        ``ground_motion_correlation_model`` where it has one and the model's noise is known to
        carry the level of a record; a name of :data:`gwm_hazard.core.spatial.published.NAMES`;
        or "none", independent from site to site.
    coherency : str
        With a spatial correlation: of phases at short distances, "HarichandranVanmarcke1986", or
        "none" (:mod:`gwm_hazard.core.spatial.coherency`); for arrays, bridges and dams.
    gmm : str
        With ``model = "matched"``: the ground-motion model that the branch has the moments of, and
        whose spectra its waveforms show (:mod:`gwm_hazard.openquake.matched`); any of OpenQuake,
        with arguments as TOML, '[AbrahamsonEtAl2014]\\nregion = "JPN"'.
    shape : str
        With ``model = "matched"``: the model whose waveforms are matched; "stochastic" by default.
    correlation : str
        With ``model = "matched"``: between periods of a drawn spectrum, of
        :data:`gwm_hazard.openquake.correlation.NAMES`; "BakerJayaram2008" by default.
    low_frequency : str
        With a broadband model: the file of a layered earth, relative to the job.ini, of which the
        low frequencies are (:mod:`gwm_hazard.openquake.layered`).

    Raises
    ------
    ValueError
        An unknown model, estimator, policy, distribution, distance, condition or kind of fields; a
        model without a level; a surface that is missing, unreadable, or made from another model.
    """

    DEFINED_FOR_TECTONIC_REGION_TYPE = const.TRT.ACTIVE_SHALLOW_CRUST
    DEFINED_FOR_INTENSITY_MEASURE_TYPES = {
        imt.PGA, imt.PGV, imt.SA, imt.IA, imt.CAV, imt.RSD595, imt.RSD575, imt.RSD2080,
    }  # fmt: skip
    DEFINED_FOR_INTENSITY_MEASURE_COMPONENT = const.IMC.RotD50
    DEFINED_FOR_STANDARD_DEVIATION_TYPES = {
        const.StdDev.TOTAL, const.StdDev.INTER_EVENT, const.StdDev.INTRA_EVENT,
    }  # fmt: skip
    # Those of the bundled model; an instance has those of its own.
    REQUIRES_SITES_PARAMETERS = {"vs30"}
    REQUIRES_RUPTURE_PARAMETERS = {"mag", "hypo_depth"}
    REQUIRES_DISTANCES = {"rrup"}

    def __init__(
        self,
        model: str = "stochastic",
        estimator: str = "surface",
        surface_file: str = "",
        realizations: int = 100,
        seed: int = 1,
        device: str = "auto",
        out_of_range: str = "clip",
        distribution: str = "lognormal",
        distance: str = "",
        fixed: str = "",
        fields: str = "waveforms",
        spatial_correlation: str = "auto",
        coherency: str = "none",
        gmm: str = "",
        shape: str = "",
        correlation: str = "",
        low_frequency: str = "",
    ):
        _check_choice("estimator", estimator, ESTIMATORS)
        _check_choice("out_of_range", out_of_range, POLICIES)
        _check_choice("distribution", distribution, DISTRIBUTIONS)
        _check_choice("fields", fields, FIELDS)
        _check_choice("spatial_correlation", spatial_correlation, CORRELATIONS)
        _check_choice("coherency", coherency, ("none", *coherencies.NAMES))
        #: Where the model is, whatever the folder of the process that asks.
        self.model = model = located(model)
        self.estimator = estimator
        self.realizations = realizations
        self.seed = seed
        self.device = device
        self.out_of_range = out_of_range
        self.distribution = distribution
        self.fields = fields
        self.spatial_correlation = spatial_correlation
        self.coherency = coherency
        #: An estimator of this GSIM's own, None for the one that all share in a process.
        self._estimator: SurfaceEstimator | None = None
        held = None
        #: The GSIM of a matched branch, and what makes its model.
        self._gmm = None
        self._layered = None  # what makes the model of a branch with low_frequency
        matched.check_arguments(model, gmm, shape, correlation, low_frequency)
        if low_frequency:
            self.low_frequency = located_file(low_frequency)
            self._layered = layered.Made(model, self.low_frequency, distance, fixed)
            distance = fixed = ""  # of the broadband model, which the layered one conditions
            self.card = layered.made(self._layered).card
            if estimator == "surface":
                held = layered.surface(self._layered, surface_file)
                self._estimator = SurfaceEstimator(held)
            else:
                Ensemble(realizations, seed)
        elif model == matched.MODEL:
            if surface_file:
                raise InputError(
                    f"surface_file = {surface_file!r}: a matched branch has the moments of its gmm"
                )
            shape = located(shape) if shape else ""
            matched.prepare(self, matched.Made(gmm, shape, correlation, distance, fixed))
        elif estimator == "direct":
            Ensemble(realizations, seed)  # refuses bad values before the calculation starts
            self.card = layered.check_alone(load_model(model, device)).card
        elif surface_file:
            # OpenQuake removes the file after this call when it reads a datastore.
            loaded = layered.check_alone(load_model(model, device))
            held = load_for(loaded, surface_file)
            self.card = loaded.card
        else:
            held, self.card = _found_surface(model)
        if self._gmm is None:
            self.card.require_level()
            within = None if held is None else held.ranges
            self.conditioning = conditioning_of(
                self.card, within=within, distance=distance, fixed=fixed
            )
        told = self.conditioning.fixed or self.conditioning.priors
        if held is not None and self._layered is None and (surface_file or told):
            self._estimator = SurfaceEstimator.of(held, self.conditioning)
        sites, rupture, distances = _required(self.conditioning.columns)
        self.REQUIRES_SITES_PARAMETERS = sites
        self.REQUIRES_RUPTURE_PARAMETERS = rupture
        self.REQUIRES_DISTANCES = distances
        if self._gmm is None and not (self.card.between_event or self.conditioning.priors):
            self.DEFINED_FOR_STANDARD_DEVIATION_TYPES = {const.StdDev.TOTAL}
        if distribution == "empirical":
            _check_shape(held, realizations)
            # OpenQuake averages the exceedance probabilities of ``gsims`` where it finds this.
            self.weights = np.array([0.5, 0.5])

    @property
    def gsims(self):  # type: ignore[no-untyped-def]
        """The two normals of ``distribution = "empirical"``."""
        return [_component(self, k) for k in range(len(vars(self).get("weights", ())))]

    def compute(self, ctx: np.recarray, imts, mean, sig, tau, phi):  # type: ignore[no-untyped-def]
        """Fill the moments of ln IM for the N rupture-site pairs of ``ctx`` and M measures.

        See ``openquake.hazardlib.gsim.base.GMPE.compute``; arrays are (M, N).
        """
        if self._gmm is not None:
            matched.fill(self, ctx, imts, mean, sig, tau, phi)
            return
        for measure in imts:
            if measure.damping != 5.0:
                raise InputError(f"{measure.string}: damping {measure.damping} %, only 5 % is held")
        names = tuple(measure.string for measure in imts)
        component = vars(self).get("_component")
        moments, shape = estimated(self, ctx, names, component is not None)
        mean[:] = moments.mean.T
        sig[:] = moments.sigma.T
        tau[:] = moments.tau.T
        phi[:] = moments.phi.T
        if component is not None and shape is not None:
            offset, spread = (x[component].T for x in shape.components())
            mean += offset * sig
            for deviation in (sig, tau, phi):
                deviation *= spread


def _component(gsim: GenerativeWaveformGMM, k: int) -> GenerativeWaveformGMM:
    part = copy.copy(gsim)
    del part.weights
    part._component = k
    return part


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} = {value!r}: must be one of {', '.join(choices)}")


def _check_shape(held: Surface | None, realizations: int) -> None:
    """Refuse ``distribution = "empirical"`` where nothing tells the shape."""
    if held is None and realizations < LEAST_FOR_SHAPE:
        raise InputError(
            f'distribution = "empirical": realizations = {realizations} do not tell the shape '
            f'of a distribution; give at least {LEAST_FOR_SHAPE}, or estimator = "surface"'
        )
    if held is not None and held.skewness is None:
        raise InputError(
            'distribution = "empirical": the surface holds moments only; build it again with '
            "`gwm-hazard surface build`"
        )


def _required(columns: frozenset[str]) -> tuple[set[str], set[str], set[str]]:
    """Site parameters, rupture parameters and distances of OpenQuake among names of columns."""
    # OpenQuake imports this module, by its registry, before these are there.
    from openquake.hazardlib.contexts import KNOWN_DISTANCES
    from openquake.hazardlib.site import site_param_dt

    distances = frozenset(KNOWN_DISTANCES)
    sites = frozenset(site_param_dt) - distances - RUPTURE_PARAMETERS
    return set(columns & sites), set(columns & RUPTURE_PARAMETERS), set(columns & distances)


@lru_cache(maxsize=4)
def _loaded_model(model: str, device: str) -> WaveformModel:
    """One instance a process: networks do not travel between processes."""
    return load_model(model, device)


@lru_cache(maxsize=4)
def _found_surface(model: str) -> tuple[Surface, ModelCard]:
    if (Path(model) / CARD_FILE).is_file():
        layered.check_alone(_loaded_model(model, "cpu"))
    return surface_by_name(model)


def model_of(gsim: GenerativeWaveformGMM) -> WaveformModel:
    """The model that draws the waveforms of a GSIM, loaded once a process."""
    if multiprocessing.parent_process() is not None:
        keep_one_thread()  # a worker of OpenQuake, which runs one process a core already
    if gsim._gmm is not None:
        return matched.model_of(gsim)
    if gsim._layered is not None:
        return layered.made(gsim._layered, "rupture", gsim.device)
    return _loaded_model(gsim.model, gsim.device)


def model_name(gsim: GenerativeWaveformGMM) -> str:
    """Tells models apart: where one is, or the shape of a matched one; ends in its name."""
    if gsim._layered is not None:
        return layered.name(gsim._layered)
    if gsim._gmm is None:
        return gsim.model
    shape = Path(gsim._matched.shape)
    told = gsim._matched._replace(shape=shape.name)
    return str(shape / re.sub(r"[^\w.+-]+", "_", "-".join(filter(None, ("matched", *told)))))


def estimator_of(gsim: GenerativeWaveformGMM) -> Estimator:
    """What tells the distribution of ln IM behind a GSIM."""
    if gsim.estimator == "direct":
        model = model_of(gsim)
        given = gsim.conditioning
        priors = {name: given.ranges[name] for name in given.priors}
        return DirectEstimator(model, gsim.realizations, gsim.seed, priors)
    return _by_surface(gsim)


def _by_surface(gsim: GenerativeWaveformGMM) -> SurfaceEstimator:
    return gsim._estimator or SurfaceEstimator(_found_surface(gsim.model)[0])


def surface_of(gsim: GenerativeWaveformGMM) -> Surface:
    """The surface behind a GSIM with ``estimator = "surface"``."""
    return _by_surface(gsim).surface


def conditions_of(
    gsim: GenerativeWaveformGMM, ctx: np.recarray, u: Mapping[str, ArrayLike] | None = None
) -> Columns:
    """All of the model's conditions at the N pairs, inside its range by the chosen policy.

    ``u`` gives the quantile, 0 to 1, of conditions that have a prior; by default the median.
    """
    if gsim._gmm is not None:
        return matched.conditions(gsim, ctx)
    return gsim.conditioning.conditions(ctx, gsim.out_of_range, u)


def distribution(gsim: GenerativeWaveformGMM, ctx: np.recarray, imts: tuple[str, ...]) -> Moments:
    """Moments of ln IM at the N pairs of a context array, each (N, n_imts)."""
    return estimated(gsim, ctx, imts, False)[0]


def exceedance_of(
    gsim: GenerativeWaveformGMM,
    ctx: np.recarray,
    imts: tuple[str, ...],
    ln_iml: NDArray[np.float64],
    truncation: float,
) -> NDArray[np.float64]:
    """P(ln IM > ln_iml) at the N pairs as OpenQuake's classical calculator has it.

    ln_iml (n_imts, n_levels) or, by pair, (N, n_imts, n_levels) -> (N, n_imts, n_levels)
    """
    moments, shape = estimated(gsim, ctx, imts, gsim.distribution == "empirical")
    return exceedance_at(moments, shape, ln_iml, truncation)


def estimated(
    gsim: GenerativeWaveformGMM, ctx: np.recarray, imts: tuple[str, ...], with_shape: bool
) -> tuple[Moments, Shape | None]:
    """Moments, and the shape where asked for, at the N pairs, each (N, n_imts)."""
    if gsim._gmm is not None:
        return matched.moments(gsim, ctx, imts), None
    return estimator_of(gsim)(conditions_of(gsim, ctx), imts, with_shape)
