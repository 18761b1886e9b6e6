"""``GenerativeWaveformGMM``: a generative waveform model as an OpenQuake ground-motion model."""

# OpenQuake checks that ``compute`` is annotated with the class numpy.recarray itself, so this
# module must not postpone annotations.

import logging
import multiprocessing
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib import const, imt
from openquake.hazardlib.gsim.base import GMPE

from gwm_hazard.models.base import ModelCard, WaveformModel
from gwm_hazard.models.registry import load_model
from gwm_hazard.scenario import Scenarios
from gwm_hazard.surface.build import find_or_build, load_for
from gwm_hazard.surface.ensemble import Ensemble, Moments, estimate
from gwm_hazard.surface.surface import Surface
from gwm_hazard.units import CONDITIONS

log = logging.getLogger(__name__)

ESTIMATORS = ("surface", "direct")
POLICIES = ("clip", "error")

#: Where OpenQuake keeps each condition of a rupture-site pair.
SITE_PARAMETERS = frozenset({"vs30"})
DISTANCES = frozenset({"rrup", "rhypo", "rjb", "repi"})

#: What is drawn at once for ``estimator = "direct"``: bounds the records held in memory.
DIRECT_PAIRS = 256


class GenerativeWaveformGMM(GMPE):
    """Ground-motion model made from a generative waveform model (GWM).

    The distribution of ln IM for a rupture-site pair is that of the measures (RotD50) of the
    waveforms that the model draws for it; it is handed to OpenQuake as a lognormal with mean,
    between-event (tau), within-event (phi) and total standard deviation.

    Parameters
    ----------
    model : str
        A family with built-in parameters ("stochastic") or the path of a model folder.
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
        torch device for "direct": "auto" takes CUDA where there is one.
    out_of_range : "clip" or "error"
        A pair outside the model's range of validity is moved to the nearest bound, with one
        warning a process; or it stops the calculation.

    Raises
    ------
    ValueError
        An unknown model, estimator or policy; a surface that is missing, unreadable, or made
        from another model.
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
    ):
        _check_choice("estimator", estimator, ESTIMATORS)
        _check_choice("out_of_range", out_of_range, POLICIES)
        self.model = model
        self.estimator = estimator
        self.realizations = realizations
        self.seed = seed
        self.device = device
        self.out_of_range = out_of_range
        loaded = load_model(model, device)
        self.card = loaded.card
        names = set(loaded.card.condition_names)
        self.REQUIRES_SITES_PARAMETERS = names & SITE_PARAMETERS
        self.REQUIRES_DISTANCES = names & DISTANCES
        self.REQUIRES_RUPTURE_PARAMETERS = names - SITE_PARAMETERS - DISTANCES
        if not loaded.card.between_event:
            self.DEFINED_FOR_STANDARD_DEVIATION_TYPES = {const.StdDev.TOTAL}
        self._surface = None
        if estimator == "direct":
            Ensemble(realizations, seed)  # refuses bad values before the calculation starts
        elif surface_file:
            # OpenQuake removes the file after this call when it reads a datastore.
            self._surface = load_for(loaded, surface_file)
        else:
            _found_surface(model)
        self._range = surface_range(self)

    def compute(self, ctx: np.recarray, imts, mean, sig, tau, phi):  # type: ignore[no-untyped-def]
        """Fill the moments of ln IM for the N rupture-site pairs of ``ctx`` and M measures.

        See ``openquake.hazardlib.gsim.base.GMPE.compute``; arrays are (M, N).
        """
        for measure in imts:
            if measure.damping != 5.0:
                raise ValueError(f"{measure.string}: damping {measure.damping} %, only 5 % is held")
        names = tuple(measure.string for measure in imts)
        moments = distribution(self, ctx, names)
        mean[:] = moments.mean.T
        tau[:] = moments.tau.T
        phi[:] = moments.phi.T
        sig[:] = moments.sigma.T


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} = {value!r}: must be one of {', '.join(choices)}")


@lru_cache(maxsize=4)
def _loaded_model(model: str, device: str) -> WaveformModel:
    """One instance a process: networks do not travel between processes."""
    if multiprocessing.parent_process() is not None:
        import numba
        import torch

        # A worker of OpenQuake, which runs one process a core already.
        torch.set_num_threads(1)
        numba.set_num_threads(1)
    return load_model(model, device)


@lru_cache(maxsize=4)
def _found_surface(model: str) -> Surface:
    loaded = load_model(model, "cpu")
    return load_for(loaded, find_or_build(loaded))


def surface_of(gsim: GenerativeWaveformGMM) -> Surface:
    """The surface behind a GSIM with ``estimator = "surface"``."""
    return gsim._surface if gsim._surface is not None else _found_surface(gsim.model)


def surface_range(gsim: GenerativeWaveformGMM) -> dict[str, tuple[float, float]]:
    """Range of each condition: that of the card, or of the surface where it holds less."""
    ranges = {r.name: (r.low, r.high) for r in gsim.card.conditions}
    if gsim.estimator == "surface":
        for name, (low, high) in surface_of(gsim).ranges.items():
            ranges[name] = (max(low, ranges[name][0]), min(high, ranges[name][1]))
    return ranges


def distribution(gsim: GenerativeWaveformGMM, ctx: np.recarray, imts: tuple[str, ...]) -> Moments:
    """Moments of ln IM at the N pairs of a context array, each (N, n_imts)."""
    conditions = conditions_of(gsim, ctx)
    if gsim.estimator == "surface":
        return surface_of(gsim)(conditions, imts)
    # Pairs that differ in nothing the model takes (the same rupture seen twice) are drawn once.
    table = np.stack([conditions[name] for name in gsim.card.condition_names])
    unique, inverse = np.unique(table, axis=1, return_inverse=True)
    model = _loaded_model(gsim.model, gsim.device)
    ensemble = Ensemble(gsim.realizations, gsim.seed)
    parts = []
    for start in range(0, unique.shape[1], DIRECT_PAIRS):
        part = unique[:, start : start + DIRECT_PAIRS]
        scenarios = Scenarios(**dict(zip(gsim.card.condition_names, part, strict=True)))
        parts.append(estimate(model, scenarios, list(imts), ensemble))
    mean, tau, phi = (
        np.concatenate([getattr(p, k) for p in parts])[inverse.ravel()]
        for k in ("mean", "tau", "phi")
    )
    return Moments(mean, tau, phi)


def conditions_of(gsim: GenerativeWaveformGMM, ctx: np.recarray) -> dict[str, NDArray[np.float64]]:
    """The model's conditions at the N pairs, inside its range by the chosen policy."""
    found = {}
    for name, (low, high) in gsim._range.items():
        values = np.asarray(ctx[name], dtype=np.float64)
        spec = CONDITIONS[name]
        wrong = ~((values >= spec.low) & (values <= spec.high))
        if wrong.any():
            raise ValueError(
                f"{name} = {values[wrong][0]:g} {spec.unit} {_where(ctx, wrong)}: must be from "
                f"{spec.low:g} to {spec.high:g} {spec.unit} ({spec.description})"
            )
        outside = (values < low) | (values > high)
        if outside.any():
            message = (
                f"{name} = {values[outside][0]:g} {spec.unit} {_where(ctx, outside)} is outside "
                f"the range of model {gsim.card.name!r}, {low:g} to {high:g} {spec.unit}"
            )
            if gsim.out_of_range == "error":
                raise ValueError(f'{message}; out_of_range = "clip" moves it to the bound')
            _warn_once(gsim.card, name, message)
            values = np.clip(values, low, high)
        found[name] = values
    return found


def _where(ctx: np.recarray, mask: NDArray[np.bool_]) -> str:
    names = ctx.dtype.names or ()
    parts = [
        f"{label} {ctx[column][mask][0]}"
        for column, label in (("sids", "at site"), ("rup_id", "of rupture"))
        if column in names
    ]
    return " ".join(parts)


_warned: set[tuple[str, str]] = set()


def _warn_once(card: ModelCard, name: str, message: str) -> None:
    key = (card.name, name)
    if key not in _warned:
        _warned.add(key)
        log.warning(
            '%s: clipped to the bound, like all further ones (out_of_range = "clip")', message
        )
