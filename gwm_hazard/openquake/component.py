"""The horizontal component that the numbers of a job are in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def component_of(oq: Any) -> str:
    """Component of all measures of a job, as :mod:`gwm_hazard.intensity` calls it.

    "RotD50", that of the GSIM, or "geometric_mean" where OpenQuake converts it
    (``horiz_comp_to_geom_mean = true``): waveforms are then measured in it, moments converted.
    """
    return "geometric_mean" if getattr(oq, "horiz_comp_to_geom_mean", False) else "RotD50"


def ln_component_ratio(cmaker: Any, gsim: Any, imts: tuple[str, ...]) -> NDArray[np.float64]:
    """ln of RotD50 over the component of the job, by measure, (n_imts,).

    OpenQuake's own conversion (Boore and Kishida 2017, BSSA 107(1): 334-343), which changes the
    median alone; 0 where the job has none.
    """
    if not cmaker.horiz_comp:
        return np.zeros(len(imts))
    component = gsim.DEFINED_FOR_INTENSITY_MEASURE_COMPONENT
    by_name = {measure.string: measure for measure in cmaker.imts}
    return np.log([float(component.apply_conversion(by_name[imt])[0]) for imt in imts])
