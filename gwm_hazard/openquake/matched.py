"""``model = "matched"``: a branch that has the moments of a published GMM, and waveforms.

Measures of the GMM are the GMM's own, whatever their component; those that it does not give
(durations, CAV, IA, ...) are of ensembles of matched waveforms. A draw is
:class:`gwm_hazard.models.matched.MatchedModel`'s, which takes the GMM's conditions as they are, in
or out of the shape model's range, and gives the shape model what is inside.
"""

import copy
import logging
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib import imt as oq_imt

from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.distribution.estimator import DirectEstimator
from gwm_hazard.distribution.moments import Moments
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import parse_imt
from gwm_hazard.models.matched import MatchedModel
from gwm_hazard.models.matched.model import CORRELATION
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake.spectra import GmmSpectra, describe

log = logging.getLogger(__name__)

MODEL, SHAPE = "matched", "stochastic"

#: Measures that ensembles tell where the GMM does not.
OF_ENSEMBLES = frozenset({"PGA", "PGV", "IA", "CAV", "RSD595", "RSD575", "RSD2080"})

_said: set[str] = set()


class Made(NamedTuple):
    """What a matched model is made of, as the branch says it."""

    gmm: str
    shape: str
    correlation: str
    distance: str
    fixed: str


def check_arguments(
    model: str, gmm: str, shape: str, correlation: str, low_frequency: str = ""
) -> None:
    """Refuse arguments of a matched branch that stand without it, and those it does not take."""
    if low_frequency and model == MODEL:
        raise InputError(
            f"low_frequency = {low_frequency!r}: goes with a broadband model, not with model = "
            f'"{MODEL}"'
        )
    given = {"gmm": gmm, "shape": shape, "correlation": correlation}
    for name, value in given.items():
        if value and model != MODEL:
            raise InputError(
                f'{name} = {value!r}: goes with model = "{MODEL}", not with model = {model!r}'
            )


def source_of(model: MatchedModel) -> GmmSpectra:
    """The GMM behind a matched model."""
    source = model.spectra.source
    assert isinstance(source, GmmSpectra)
    return source


@lru_cache(maxsize=8)
def made(of: Made) -> MatchedModel:
    """One instance a process."""
    model = MatchedModel(
        of.gmm, of.shape or SHAPE, of.correlation or CORRELATION, of.distance, of.fixed
    )
    told = describe(source_of(model)) + f"; shape {model.shape.card.name!r}"
    if told not in _said:
        _said.add(told)
        log.info("matched: %s", told)
    return model


def prepare(gsim: Any, of: Made) -> None:
    """Give a GSIM what it is asked for: card, conditioning, and what OpenQuake reads on it.

    Parameters
    ----------
    gsim : GenerativeWaveformGMM
    of : what its model is made of
    """
    for name, value, default in (
        ("estimator", gsim.estimator, "surface"),
        ("distribution", gsim.distribution, "lognormal"),
    ):
        if value != default:
            raise InputError(
                f'{name} = {value!r}: a branch with model = "{MODEL}" has the moments of its gmm; '
                "leave it out"
            )
    gsim._matched = of
    model = made(of)
    gsim.estimator = "gmm"
    gsim.card = model.card
    inner = gsim._gmm = copy.copy(source_of(model).gsim)
    names = model.card.condition_names
    gsim.conditioning = conditioning_of(
        model.card, distance="rhypo" if "rhypo" in names else "rrup" if "rrup" in names else ""
    )
    for kind in ("TECTONIC_REGION_TYPE", "INTENSITY_MEASURE_COMPONENT", "STANDARD_DEVIATION_TYPES"):
        setattr(gsim, f"DEFINED_FOR_{kind}", getattr(inner, f"DEFINED_FOR_{kind}"))
    gsim.DEFINED_FOR_INTENSITY_MEASURE_TYPES = set(inner.DEFINED_FOR_INTENSITY_MEASURE_TYPES) | {
        getattr(oq_imt, name) for name in OF_ENSEMBLES
    }


def of_gmm(gsim: Any, name: str) -> bool:
    """Whether a measure is one of the GMM's own."""
    kinds = {kind.__name__ for kind in gsim._gmm.DEFINED_FOR_INTENSITY_MEASURE_TYPES}
    return name.split("(")[0] in kinds


def check_measure(gsim: Any, name: str) -> None:
    """Refuse a measure that neither the GMM nor the waveforms tell."""
    if of_gmm(gsim, name):
        source = source_of(made(gsim._matched))
        if name.startswith("SA(") and not source.answers(name):
            periods = source.periods_s[source.periods_s > 0]
            raise InputError(
                f"gmm {source.name!r} has SA for periods from {periods[0]:g} to {periods[-1]:g} s"
            )
        return
    parse_imt(name)
    if name not in OF_ENSEMBLES:
        raise InputError(f"neither its gmm nor {', '.join(sorted(OF_ENSEMBLES))} give it")


def fill(gsim: Any, ctx: Any, imts: Any, mean: Any, sig: Any, tau: Any, phi: Any) -> None:
    """Moments of ln IM at the N pairs of ``ctx``, into arrays (M, N)."""
    own = [of_gmm(gsim, measure.string) for measure in imts]
    if all(own):
        gsim._gmm.compute(ctx, imts, mean, sig, tau, phi)
        return
    rows = np.flatnonzero(own)
    if len(rows):
        part = np.zeros((4, len(rows), len(ctx)))
        gsim._gmm.compute(ctx, [imts[i] for i in rows], *part)
        mean[rows], sig[rows], tau[rows], phi[rows] = part
    rest = np.flatnonzero(~np.array(own))
    moments = _of_ensembles(gsim, ctx, tuple(imts[i].string for i in rest))
    mean[rest], sig[rest] = moments.mean.T, moments.sigma.T
    tau[rest], phi[rest] = moments.tau.T, moments.phi.T


def _of_ensembles(gsim: Any, ctx: Any, imts: tuple[str, ...]) -> Moments:
    model = model_of(gsim)
    estimator = DirectEstimator(model, gsim.realizations, gsim.seed)
    return estimator(conditions(gsim, ctx), imts)[0]


def model_of(gsim: Any) -> MatchedModel:
    """The model of a matched branch, on its device."""
    return _on_device(gsim._matched, gsim.device)


@lru_cache(maxsize=8)
def _on_device(of: Made, device: str) -> MatchedModel:
    model = copy.copy(made(of))
    model.shape = load_model(of.shape or SHAPE, device)
    return model


def conditions(gsim: Any, ctx: Any) -> dict[str, NDArray[np.float64]]:
    """What a matched model is given at the N pairs: as OpenQuake has it, in range or not."""
    given = gsim.conditioning
    if gsim.out_of_range == "error":
        return given.conditions(ctx, "error")
    return given.values(ctx)


def moments(gsim: Any, ctx: Any, imts: tuple[str, ...]) -> Moments:
    """Moments of ln IM at the N pairs, each (N, n_imts); a sigma that is not split is phi."""
    found = np.zeros((4, len(imts), len(ctx)))
    fill(gsim, ctx, [oq_imt.from_string(name) for name in imts], *found)
    mean, sig, tau, phi = found
    phi = np.where((tau == 0.0) & (phi == 0.0), sig, phi)
    return Moments(mean.T, tau.T, phi.T)
