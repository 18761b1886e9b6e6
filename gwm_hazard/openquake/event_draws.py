"""What is drawn behind the fields of a job: conditions, keys and measures of its events.

The key of a draw is (``ses_seed``, event id, site id, 0), with the ids of OpenQuake. Where the
branch has a spatial correlation, the coordinates of the site take the place of its id, and the
noise that carries the level of a record is correlated between the sites of an event.
"""

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial.noise import SpatialCorrelation, SpatialNoise
from gwm_hazard.errors import InputError
from gwm_hazard.intensity.one_component import component_sigma
from gwm_hazard.models.devices import one_thread
from gwm_hazard.models.measuring import measured
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, conditions_of, model_of
from gwm_hazard.openquake.progress import Progress

#: Standard deviations above the median, beyond which no waveform is drawn to see whether it
#: reaches ``minimum_intensity``: of a normal ln IM one in 32,000 does.
BOUND = 4.0

#: Records that are drawn at once by one thread.
FEW = 64

_progress = Progress()


def scenarios_of(
    gsim: GenerativeWaveformGMM, ctx: Any, rows: NDArray[np.int64], noise: Noise
) -> Scenarios:
    """Conditions of the waveforms behind fields, as float32 values, which a catalogue holds.

    Parameters
    ----------
    gsim : the branch
    ctx : recarray, shape (N,)
        OpenQuake's context of the rupture, one row a site.
    rows : (n,) int
        The site of each draw, as a row of ``ctx``.
    noise : n keys
        A condition with a prior (one for which OpenQuake has no word) is drawn from it, once
        for each event.
    """
    if gsim.conditioning.priors:
        u = gsim.conditioning.drawn(noise)
        columns = conditions_of(gsim, ctx[rows].view(np.recarray), u)
    else:
        columns = {name: values[rows] for name, values in conditions_of(gsim, ctx).items()}
    return Scenarios(**{name: np.float32(values) for name, values in columns.items()})


def correlation_name(gsim: GenerativeWaveformGMM, oq: Any) -> str:
    """Name of the spatial correlation that a branch asks for in a job; "none" where it has none."""
    if gsim.spatial_correlation != "auto":
        return gsim.spatial_correlation
    name = getattr(oq, "ground_motion_correlation_model", None)
    parameters = getattr(oq, "ground_motion_correlation_params", None) or {}
    if name == "JB2009" and parameters.get("vs30_clustering"):
        return "JB2009-clustered"
    return name or "none"


def correlation_of(
    gsim: GenerativeWaveformGMM, oq: Any, otherwise: str = "none"
) -> SpatialCorrelation | None:
    """How the noise of a branch is correlated between the sites of an event; None if it is not.

    ``otherwise`` is taken where neither the branch nor the job says anything.

    Raises
    ------
    InputError
        A correlation that the branch names and its model cannot give.
    """
    name = correlation_name(gsim, oq)
    if name == "none" and gsim.spatial_correlation == "auto":
        name = otherwise
    if name == "none":
        return None
    try:
        return model_of(gsim).spatial_correlation(name, gsim.coherency)
    except InputError:
        if gsim.spatial_correlation == "auto":
            return None  # said by gwm_hazard.openquake.fields, once
        raise


def draws_of(
    gsim: GenerativeWaveformGMM,
    ctx: Any,
    eids: Any,
    seed: int,
    correlation: SpatialCorrelation | None = None,
) -> Draws:
    """Conditions and keys of the waveforms behind a rupture's fields.

    Parameters
    ----------
    gsim, ctx : see :func:`scenarios_of`
    eids : array_like of int, shape (E,)
        Event ids.
    seed : the job's ``ses_seed``
    correlation : in space

    Returns
    -------
    Draws of E x N rows, sites within events.
    """
    event = np.repeat(np.asarray(eids, dtype=np.uint64), len(ctx))
    site = np.tile(np.asarray(ctx["sids"], dtype=np.uint32), len(eids))
    noise = Noise(seed, event, site, 0)
    rows = np.tile(np.arange(len(ctx)), len(eids))
    if correlation is not None:
        noise = SpatialNoise.of(noise, ctx["lon"][rows], ctx["lat"][rows], correlation)
    return Draws(scenarios_of(gsim, ctx, rows, noise), noise)


def has_waveforms(gsim: Any) -> bool:
    """Whether the fields of a branch are measures of waveforms."""
    return isinstance(gsim, GenerativeWaveformGMM) and gsim.fields == "waveforms"


def measures_of(oq: Any, gsim: GenerativeWaveformGMM, draws: Draws) -> NDArray[np.float64]:
    """Measures of one waveform for each of n draws, in the component of the job, (n, M)."""
    model = model_of(gsim)
    imts = list(oq.imtls)
    component = component_of(oq, len(model.card.components))
    found = np.empty((len(draws), len(imts)))
    with one_thread() if len(draws) <= FEW else contextlib.nullcontext():
        for rows, _, values in measured(model, draws, imts, component):
            found[rows] = values
            _progress.add(len(rows))
    return found


def reaching(
    gsim: GenerativeWaveformGMM,
    imts: list[str],
    moments: NDArray[np.float64],
    min_iml: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Sites where a waveform may reach ``minimum_intensity``, and is drawn to see it.

    OpenQuake drops an event and site whose measures are all below their minimum. Where the
    moments of ln IM put every minimum more than :data:`BOUND` standard deviations above the mean,
    that is known beforehand, but for one waveform in 32,000 for each measure, were it normal.

    Parameters
    ----------
    moments : (4, M, N)
        Mean, sigma, tau and phi of ln IM.
    min_iml : (M,)

    Returns
    -------
    (N,) bool
    """
    mean, sigma = moments[:2]
    if len(gsim.card.components) == 1:
        # Moments of RotD50; the waveforms that are drawn vary as one component does.
        sigma = np.hypot(sigma, np.array([component_sigma(imt) for imt in imts])[:, None])
    ln_minimum = np.log(np.asarray(min_iml, dtype=np.float64))[:, None]
    found: NDArray[np.bool_] = (mean + BOUND * sigma >= ln_minimum).any(axis=0)
    return found


def component_of(oq: Any, n_components: int) -> str:
    """Horizontal component of the fields of a job, by a model that draws so many components.

    With ``horiz_comp_to_geom_mean`` the geometric mean of the two horizontals. A model that draws
    one horizontal has no other: over arbitrary components the mean of ln IM is that of their
    geometric mean (:mod:`gwm_hazard.intensity.one_component`), so its own, "H1", stands for it.
    """
    if not getattr(oq, "horiz_comp_to_geom_mean", False):
        return "RotD50"
    return "geometric_mean" if n_components > 1 else "H1"


def ses_seed(oq: Any) -> int:
    """Seed of the waveforms behind the fields of a job."""
    return int(getattr(oq, "ses_seed", 42))
