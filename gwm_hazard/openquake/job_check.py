"""What a generative branch cannot give is said when the job is read, not hours later."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from openquake.commonlib.oqvalidation import OqParam
from openquake.hazardlib.imt import from_string

from gwm_hazard.errors import InputError
from gwm_hazard.intensity import parse_imt
from gwm_hazard.openquake import matched
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, surface_of


def check_measures(imts: Iterable[str], gsims: Iterable[Any]) -> None:
    """Refuse a job with a measure that one of its generative branches does not have.

    OpenQuake leaves GSIMs of a logic tree unchecked, because their weights may depend on measures.

    Raises
    ------
    ValueError
        Names the measure, the model and what it has.
    """
    names = tuple(from_string(imt).string for imt in imts)
    for gsim in gsims:
        if not isinstance(gsim, GenerativeWaveformGMM):
            continue
        for name in names:
            try:
                if gsim._gmm is not None:
                    matched.check_measure(gsim, name)
                elif gsim.estimator == "surface":
                    surface_of(gsim).columns((name,))
                else:
                    parse_imt(name)
            except ValueError as exc:
                raise InputError(
                    f"intensity measure {name!r}: GenerativeWaveformGMM, model "
                    f"{gsim.card.name!r}, does not give it: {exc}"
                ) from exc


def install() -> None:
    """Have OpenQuake check the measures of a job's branches when it reads the job."""
    original: Callable[..., Any] = OqParam.check_gsims
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def check_gsims(self: Any, gsims: Any) -> Any:
        found = original(self, gsims)
        check_measures(self.imtls, gsims)
        return found

    OqParam.check_gsims = check_gsims
