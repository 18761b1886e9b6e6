"""The share of the latent that sites of an event have in common, found from draws.

How much of the variance of ln IM is the latent's, and how it grows with the share, is the network's
own affair: phases and other noise stay each record's. So ensembles of events with several sites are
drawn at some shares, with the same noise, and the parts of the variance taken from them (one-way
analysis of variance, unbiased); the wanted part is interpolated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.event_share import EventShare, partition
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_measures

IMTS = ("PGA", "SA(0.2)", "SA(1.0)", "PGV")
SITES, EVENTS = 4, 60
#: Shares at which ensembles are drawn.
SHARES = (0.25, 0.5, 0.75, 1.0)

NO_EVENT = "No between-event term"


@dataclass(frozen=True)
class Found:
    """Parts of the variance that were drawn: ``parts[mag]`` at each of ``SHARES``."""

    share: EventShare
    parts: Mapping[float, NDArray[np.float64]]


def shared(model: WaveformModel, share: EventShare) -> WaveformModel:
    """The model, of whose latent the sites of an event share a part; the card says so.

    Raises
    ------
    InputError
        A model that has between-event terms of its own.
    """
    if model.card.between_event:
        raise InputError(f"model {model.card.name!r} has between-event terms already")
    model.event_share = share
    told = ", ".join(f"{s:.2f} at M {m:g}" for m, s in zip(share.mag, share.share, strict=True))
    kept = [line for line in model.card.limitations if not line.startswith(NO_EVENT)]
    line = (
        "Between-event terms are not learned: sites of an event share a part of the latent "
        f"variance ({told}), chosen so that tau^2 / sigma^2 is a published one's on average over "
        "measures; by measure and distance it differs."
    )
    model.card = replace(
        model.card,
        between_event=True,
        limitations=(*kept, line),
        parameters=model.card.parameters | {"event_share": share.to_dict()},
    )
    return model


def calibrated(
    model: WaveformModel,
    wanted: Mapping[float, float],
    scenario: Mapping[str, float],
    *,
    imts: Sequence[str] = IMTS,
    events: int = EVENTS,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Found:
    """The share with which tau^2 / sigma^2 of a model's draws is what is wanted.

    Parameters
    ----------
    model : without between-event terms
    wanted : tau^2 / sigma^2 by magnitude, averages over measures
    scenario : the other conditions
    imts : measures over which the parts are averaged
    events : of each ensemble, with :data:`SITES` sites each

    Raises
    ------
    InputError
        A model that has between-event terms, or a part that no share gives.
    """
    if model.card.between_event:
        raise InputError(f"model {model.card.name!r} has between-event terms already")
    wanted = partition(wanted)
    noise = Noise(seed, np.repeat(np.arange(events), SITES), np.tile(np.arange(SITES), events), 0)
    parts: dict[float, NDArray[np.float64]] = {}
    found = []
    for number, (mag, goal) in enumerate(wanted.items()):
        at = Scenarios(mag=[mag], **{k: [v] for k, v in scenario.items()}).repeat(len(noise))
        part = np.zeros(len(SHARES))
        for k, rho in enumerate(SHARES):
            mixed = EventShare((mag,), (rho,)).noise(at, noise)
            ln = ln_measures(model, Draws(at, mixed), imts)
            part[k] = between(ln.reshape(events, SITES, -1))
            if progress is not None:
                progress((number * len(SHARES) + k + 1) / (len(wanted) * len(SHARES)))
        parts[mag] = part
        growing = np.maximum.accumulate(np.concatenate([[0.0], part]))
        if goal > growing[-1]:
            raise InputError(
                f"tau^2 / sigma^2 = {goal:g} at M {mag:g}: latents of {model.card.name!r} that are "
                f"shared wholly give {growing[-1]:.2f}, the rest is each record's"
            )
        found.append(float(np.interp(goal, growing, (0.0, *SHARES))))
    return Found(EventShare(tuple(wanted), tuple(round(s, 3) for s in found)), parts)


def between(ln: NDArray[np.float64]) -> float:
    """Part of the variance that is between events of ln IM (events, sites, measures)."""
    sites = ln.shape[1]
    within = ln.var(axis=1, ddof=1).mean(axis=0)
    tau2 = ln.mean(axis=1).var(axis=0, ddof=1) - within / sites
    return float(np.mean(tau2 / (tau2 + within)))
