"""The distribution of response spectra that an OpenQuake ground-motion model tells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib import const

from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.models.matched.targets import PERIODS_S, SpectralMoments
from gwm_hazard.openquake.correlation import published
from gwm_hazard.openquake.gmm import evaluate, gsim_of, inputs_of, ln_to_rotd50

#: Fewest periods that make a spectrum.
LEAST_PERIODS = 5

#: A scenario that every model answers: what it tells is whether it does.
_PROBE = {
    "mag": 6.0, "vs30": 600.0, "hypo_depth": 10.0, "ztor": 5.0, "zbot": 15.0, "dip": 90.0,
    "width": 10.0, "z1pt0": 100.0, "z1pt4": 150.0, "z2pt5": 1.0, "vs30measured": 1.0,
    "rrup": 30.0, "rjb": 28.0, "rhypo": 32.0, "repi": 30.0, "rx": 28.0, "f0": 2.0, "slope": 0.05,
}  # fmt: skip


class GmmSpectra:
    """Moments of ln SA and ln PGV (RotD50) of a GSIM: a source of spectra to be matched.

    Parameters
    ----------
    gmm : str
        TOML name, "BooreEtAl2014" or "[Class]\\nargument = value".
    correlation : str
        Of :data:`gwm_hazard.openquake.correlation.NAMES`; PGV, where the model covers none, after
        Bradley (2012).

    Raises
    ------
    InputError
        A GSIM that OpenQuake cannot make, that has no spectrum, that is defined for a component
        without a published ratio to RotD50, or that asks for what has no name in scenarios.
    """

    def __init__(self, gmm: str, correlation: str) -> None:
        self.gsim = gsim_of(gmm)
        self.name = type(self.gsim).__name__
        inputs = inputs_of(self.gsim)
        unknown = [name for name in inputs if name not in ALL_CONDITIONS]
        if unknown:
            raise InputError(
                f"gmm = {self.name!r} needs {', '.join(unknown)}, which scenarios of waveforms do "
                "not have: take another GMM"
            )
        self.columns = frozenset(inputs)
        self.tectonic_region = str(getattr(
            self.gsim.DEFINED_FOR_TECTONIC_REGION_TYPE, "value",
            self.gsim.DEFINED_FOR_TECTONIC_REGION_TYPE,
        ))  # fmt: skip
        kinds = {k.__name__ for k in self.gsim.DEFINED_FOR_INTENSITY_MEASURE_TYPES}
        if "SA" not in kinds:
            raise InputError(
                f"gmm = {self.name!r} gives {', '.join(sorted(kinds))}, no SA: waveforms cannot be "
                "matched to it; take a GMM with spectra"
            )
        candidates = ["PGA", *(f"SA({t:g})" for t in PERIODS_S[1:]), "PGV"]
        imts = [i for i in candidates if self.answers(i)]
        spectral = [i for i in imts if i != "PGV"]
        if len(spectral) < LEAST_PERIODS:
            raise InputError(
                f"gmm = {self.name!r} gives {', '.join(imts) or 'nothing'} of a spectrum: fewer "
                f"than {LEAST_PERIODS} periods cannot be matched"
            )
        self.imts = tuple(imts)
        self.with_pgv = "PGV" in imts
        self.periods_s = np.array([_period(i) for i in spectral])
        component = self.gsim.DEFINED_FOR_INTENSITY_MEASURE_COMPONENT
        #: what makes RotD50 of the GSIM's component, ln
        self.shift = np.array([ln_to_rotd50(component, i) for i in imts])
        self.component = component.value
        kinds_of_sigma = self.gsim.DEFINED_FOR_STANDARD_DEVIATION_TYPES
        self._split = const.StdDev.INTER_EVENT in kinds_of_sigma
        self.between_event = self._split
        self.correlation = correlation_of(self.imts, correlation)

    def answers(self, imt: str) -> bool:
        """Whether the GSIM gives a measure, at its period."""
        if imt.split("(")[0] not in {
            k.__name__ for k in self.gsim.DEFINED_FOR_INTENSITY_MEASURE_TYPES
        }:
            return False
        try:
            found = evaluate(
                self.gsim, {c: np.array([_PROBE.get(c, 0.0)]) for c in self.columns}, [imt]
            )
        except Exception:  # a period beyond those tabulated: GSIMs raise many kinds
            return False
        return bool(np.isfinite(found).all() and found[1, 0, 0] > 0)

    def __call__(self, scenarios: Scenarios) -> SpectralMoments:
        """The moments at n scenarios, (n, M) each."""
        names = sorted(self.columns)
        table = np.stack([scenarios[name] for name in names])
        # Many draws of one rupture and site are one question.
        unique, inverse = np.unique(table, axis=1, return_inverse=True)
        found = evaluate(self.gsim, dict(zip(names, unique, strict=True)), self.imts)
        mean, sigma, tau, phi = (x.T[inverse.ravel()] for x in found)
        mean = mean + self.shift
        if not self._split:
            tau, phi = np.zeros_like(sigma), sigma
        return SpectralMoments(mean, tau, phi)


def _period(imt: str) -> float:
    return 0.0 if imt == "PGA" else float(imt[3:-1])


def correlation_of(imts: tuple[str, ...], name: str) -> NDArray[np.float64]:
    """Correlation of the residuals of PGA, SA and PGV by name, (n, n)."""
    model, bradley = published(name), published("Bradley")

    def rho(first: str, second: str) -> float:
        if first == second:
            return 1.0
        return (bradley if "PGV" in (first, second) else model)(first, second)

    return np.array([[rho(a, b) for b in imts] for a in imts])


def describe(source: Any) -> str:
    """A line for the log: what is drawn, and what was converted."""
    spectral = source.periods_s[source.periods_s > 0]
    text = (
        f"gmm {source.name}: spectra of {len(source.periods_s)} ordinates, "
        f"{spectral[0]:g} to {spectral[-1]:g} s"
    )
    if source.shift.any():
        text += (
            f"; {source.component!r} converted to RotD50 by factors of "
            f"{np.exp(source.shift.min()):.3f} to {np.exp(source.shift.max()):.3f}"
        )
    return text if source.with_pgv else text + "; it has no PGV"
