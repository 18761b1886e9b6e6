"""The table of intensity measures: names, units, definitions and sources, and their parser."""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gwm_hazard.errors import InputError


@dataclass(frozen=True)
class Measure:
    """One supported intensity measure: OpenQuake's string, unit, definition and source.

    Of a parameter in brackets, T is a period in s, f a frequency in Hz, a an acceleration in g.
    """

    imt: str
    unit: str
    long_name: str
    definition: str
    source: str


MEASURES: tuple[Measure, ...] = (
    Measure(
        "PGA",
        "g",
        "peak ground acceleration",
        "largest absolute acceleration, band-limited between samples",
        "Boore (2010); Boore and Goulet (2014)",
    ),
    Measure(
        "PGV",
        "cm/s",
        "peak ground velocity",
        "largest absolute velocity: cumulative trapezoid of the acceleration as given, from rest, "
        "no baseline correction",
        "Boore (2010)",
    ),
    Measure(
        "PGD",
        "cm",
        "peak ground displacement",
        "largest absolute displacement: cumulative trapezoid of that velocity",
        "Boore (2010)",
    ),
    Measure(
        "SA(T)",
        "g",
        "pseudo-spectral acceleration",
        "(2 pi / T)^2 times the largest absolute displacement of a damped oscillator of period "
        "T s, band-limited input, free vibration after the record included",
        "Nigam and Jennings (1969); Boore (2010)",
    ),
    Measure(
        "Sa_avg2(T)",
        "g",
        "average spectral acceleration, 0.2 T to 2 T",
        "geometric mean of SA of the component at 10 equally spaced periods from 0.2 T to 2 T",
        "Eads et al. (2015); Aristeidou et al. (2024)",
    ),
    Measure(
        "Sa_avg3(T)",
        "g",
        "average spectral acceleration, 0.2 T to 3 T",
        "geometric mean of SA of the component at 10 equally spaced periods from 0.2 T to 3 T",
        "Eads et al. (2015); Aristeidou et al. (2024)",
    ),
    Measure(
        "FIV3(T)",
        "cm/s",
        "filtered incremental velocity",
        "larger of the sums of the three largest maxima and of the three lowest minima of the "
        "velocity gained in a window of 0.7 T, after a causal second-order Butterworth low-pass "
        "at 1 Hz",
        "Davalos and Miranda (2019); Davalos, Heresi and Miranda (2020)",
    ),
    Measure(
        "SI",
        "cm",
        "Housner's spectrum intensity",
        "integral of the pseudo-spectral velocity over periods from 0.1 to 2.5 s, steps of 0.05 s",
        "Housner (1952); Bradley (2009)",
    ),
    Measure(
        "ASI",
        "g s",
        "acceleration spectrum intensity",
        "integral of SA over periods from 0.1 to 0.5 s, steps of 0.02 s",
        "Von Thun et al. (1988); Bradley (2010)",
    ),
    Measure(
        "DSI",
        "cm s",
        "displacement spectrum intensity",
        "integral of the spectral displacement over periods from 2 to 5 s, steps of 0.1 s",
        "Bradley (2011)",
    ),
    Measure(
        "FAS(f)",
        "g s",
        "Fourier amplitude",
        "modulus of the Fourier integral of the acceleration at the frequency f, not smoothed",
        "Boore (2003)",
    ),
    Measure(
        "EAS(f)",
        "g s",
        "effective amplitude spectrum",
        "root mean square of the Fourier amplitudes of the two horizontal components, smoothed "
        "with the window of Konno and Ohmachi, b = 188.5 (bandwidth 1/30 decade); of a single "
        "component, its smoothed Fourier amplitude",
        "Goulet et al. (2018); Konno and Ohmachi (1998)",
    ),
    Measure(
        "JMA",
        "-",
        "JMA instrumental seismic intensity",
        "2 lg(a) + 0.94, a (cm/s2) exceeded for 0.3 s in all by the vector sum of the three "
        "filtered components; not rounded",
        "JMA (1996); Karim and Yamazaki (2002)",
    ),
    Measure(
        "IA",
        "m/s",
        "Arias intensity",
        "pi / (2 g) times the integral of the squared acceleration",
        "Arias (1970)",
    ),
    Measure(
        "CAV",
        "g s",
        "cumulative absolute velocity",
        "integral of the absolute acceleration",
        "EPRI (1988); Reed and Kassawara (1990)",
    ),
    Measure(
        "RSD595",
        "s",
        "5-95 % significant duration",
        "time between 5 % and 95 % of the final Arias intensity",
        "Trifunac and Brady (1975)",
    ),
    Measure(
        "RSD575",
        "s",
        "5-75 % significant duration",
        "time between 5 % and 75 % of the final Arias intensity",
        "Somerville et al. (1997)",
    ),
    Measure(
        "RSD2080",
        "s",
        "20-80 % significant duration",
        "time between 20 % and 80 % of the final Arias intensity",
        "Boore and Thompson (2014)",
    ),
    Measure(
        "RSDppqq",
        "s",
        "pp-qq % significant duration",
        "time between pp % and qq % of the final Arias intensity, such as RSD1090",
        "Trifunac and Brady (1975)",
    ),
    Measure(
        "DB(a)",
        "s",
        "bracketed duration",
        "time between the first and the last crossing of the level a by the absolute acceleration",
        "Bolt (1973); Bommer and Martinez-Pereira (1999)",
    ),
    Measure(
        "DU(a)",
        "s",
        "uniform (cumulative) duration",
        "total time during which the absolute acceleration exceeds the level a",
        "Sarma and Casey (1990); Bommer and Martinez-Pereira (1999)",
    ),
)

_BY_NAME = {measure.imt: measure for measure in MEASURES}
_NUMBER = r"(\d*\.?\d+(?:[eE][-+]?\d+)?|\d+\.)"
_PATTERN = re.compile(rf"(\w+)\({_NUMBER}\)")
_DURATION = re.compile(r"RSD(\d{1,2})(\d{2})")
#: Measures of a period: OpenQuake knows them by it, and spectra are drawn over it.
_OF_PERIOD = ("SA(T)", "Sa_avg2(T)", "Sa_avg3(T)", "FIV3(T)")


class ParsedIMT(NamedTuple):
    """An IMT string taken apart.

    measure : the table's entry.
    parameter : the number in brackets (NaN without one): period s, frequency Hz, or level g.
    fractions : start and end of a significant duration as fractions, else (NaN, NaN).
    """

    measure: Measure
    parameter: float
    fractions: tuple[float, float]

    @property
    def name(self) -> str:
        """The name in front of the bracket; "RSD" for every significant duration."""
        return "RSD" if self.measure.imt.startswith("RSD") else self.measure.imt.split("(")[0]

    @property
    def period(self) -> float:
        """The period in s, NaN for a measure without one."""
        return self.parameter if self.measure.imt in _OF_PERIOD else np.nan


def parse_imt(imt: str) -> ParsedIMT:
    """Take an OpenQuake IMT string apart; ValueError names an unknown one and lists the known."""
    none = (np.nan, np.nan)
    if match := _PATTERN.fullmatch(imt):
        for symbol in ("T", "f", "a"):
            measure = _BY_NAME.get(f"{match[1]}({symbol})")
            if measure and float(match[2]) > 0:
                return ParsedIMT(measure, float(match[2]), none)
    elif match := _DURATION.fullmatch(imt):
        start, end = int(match[1]), int(match[2])
        if start < end:
            measure = _BY_NAME.get(imt, _BY_NAME["RSDppqq"])
            return ParsedIMT(measure, np.nan, (start / 100, end / 100))
    elif imt in _BY_NAME and "(" not in imt and imt != "RSDppqq":
        return ParsedIMT(_BY_NAME[imt], np.nan, none)
    raise InputError(f"unknown intensity measure {imt!r}: give one of {', '.join(_BY_NAME)}")


def canonical(imt: str) -> str:
    """The name of a measure as OpenQuake writes it: "SA(1)" becomes "SA(1.0)".

    Raises ValueError for what is no measure.
    """
    parsed = parse_imt(imt)
    if parsed.name == "SA":
        return f"SA({float(parsed.parameter)})"
    return imt
