"""Branches that draw for those which do not: a published GMM, matched, in its own place."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.errors import InputError
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake import matched
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from gwm_hazard.openquake.model_paths import located

#: For a job whose GMMs do not ask for the depth that a shape model is conditioned on: the spectrum
#: is the GMM's whatever it is, and of phases and duration little depends on it.
DEPTH = "hypo_depth=10"


def stand_in(gsim: Any, shape: str, names: Collection[str]) -> GenerativeWaveformGMM | None:
    """The matched branch of a plain or matched one; None for other generative branches.

    Parameters
    ----------
    gsim : of the logic tree
    shape : the model whose waveforms are matched
    names : columns of the job's contexts

    Raises
    ------
    InputError
        A shape model conditioned on what the job does not tell.
    """
    if isinstance(gsim, GenerativeWaveformGMM):
        if gsim._gmm is None:
            return None
        text = gsim._matched.gmm
    else:
        text = gsim._toml
    text = text.strip() if text.lstrip().startswith("[") else f"[{text.strip()}]"
    asked = _asked(shape) - set(names)
    if asked - {"hypo_depth"}:
        raise InputError(
            f"shape = {shape!r} needs {', '.join(sorted(asked - {'hypo_depth'}))}, which the "
            "calculation does not tell: take another shape"
        )
    return _made(text, shape, DEPTH if asked else "")


@lru_cache(maxsize=8)
def _asked(shape: str) -> frozenset[str]:
    return conditioning_of(load_model(located(shape), "cpu").card).columns


@lru_cache(maxsize=64)
def _made(text: str, shape: str, fixed: str) -> GenerativeWaveformGMM:
    return GenerativeWaveformGMM(model=matched.MODEL, gmm=text, shape=shape, fixed=fixed)
