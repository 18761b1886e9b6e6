"""Volumes 1 and 2 of the 1970s' laboratory at Caltech, which CSMIP, USC, BHRC and RENADIC write.

A channel is a text header, 100 integers, 50 reals (volume 2: 100), and either a line that tells the
number of samples at an even step, or pairs of time and acceleration; velocity and displacement of
volume 2 follow and are passed over. The dialects differ in the text header only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import even, fixed_width
from gwm_hazard.records.traces import unit_factor

#: Lines of the 50 reals before samples that no line announces.
REALS = 7

_INTEGERS = re.compile(r"^(?=(?:.{0,4}\d){3})[\s\d-]{20,}$")
_SAMPLES = re.compile(
    r"^\s*(?P<n>\d+)\s+(?:accelerogram points|points of acc(?:el)? data)(?P<rest>.*)", re.I
)
_RATE = re.compile(r"at\s+([\d.]+)\s*pts?/sec", re.IGNORECASE)
_STEP = re.compile(r"spaced at\s+([\d.]+)\s*sec", re.IGNORECASE)
_UNIT = re.compile(r"\b(?:in|units:?)\s+(?:units\s+)?(?:of\s+)?(\w\S*?)\s*[.)]*(?:\s|$)", re.I)
_POINTS = re.compile(
    r"no\. of points\s*=\s*(\d+)\s+(?:duration|record length)\s*=\s*([\d.]+)", re.I
)
_PLAIN_UNIT = re.compile(r"units (?:of uncor \w+ )?(?:are|is) (?:sec\w* and )?([\w/]+)", re.I)
_PEAK = re.compile(r"(?:peak acceleration|max)\s*=\s*(-?[\d.]+)\s*([a-z]\S*?)\s*(?:,|\s|$)", re.I)


@dataclass(frozen=True)
class Volume:
    """What a channel holds whatever its dialect: samples in m/s2, the step, the headers.

    peak : of the text header, m/s2; processed : whether it is a volume 2
    """

    text: list[str]
    reals: list[str]
    data: NDArray[np.float64]
    dt_s: float
    peak: float | None
    processed: bool

    def real(self, at: int, width: int = 10) -> float:
        """A number of the real header in lines of eight, from 0; NaN where there is none."""
        line, column = divmod(at, 8)
        try:
            return float(self.reals[line][column * width : (column + 1) * width])
        except (ValueError, IndexError):
            return float("nan")


def read_volume(lines: Sequence[str], where: str) -> Volume:
    """A channel from the lines of its text header on; ValueError for what is damaged."""
    announced = next((i for i, line in enumerate(lines[:80]) if _SAMPLES.match(line)), None)
    first = next((i for i, line in enumerate(lines[:60]) if _INTEGERS.match(line)), announced)
    if first is None:
        raise InputError(
            f"{where}: no integer header and no 'points of accel data' in this channel"
        )
    text = list(lines[:first])
    head = "\n".join(text)
    peak = _peak(head)
    start = next((i for i, line in enumerate(lines[first:], first) if "." in line), len(lines))
    if announced is not None and (match := _SAMPLES.match(lines[announced])):
        dt, data = _even_samples(lines, announced, match, head, f"{where} + {announced}")
        reals = list(lines[start:announced])
        processed = head.lstrip().lower().startswith("corrected")
        return Volume(text, reals, data, dt, _sharper(peak, reals), processed)
    end = start + REALS
    dt, data = _listed_samples(lines[end:], head, where)
    return Volume(text, list(lines[start:end]), data, dt, peak, False)


def _even_samples(
    lines: Sequence[str], at: int, match: re.Match[str], head: str, where: str
) -> tuple[float, NDArray[np.float64]]:
    rest = match["rest"]
    rate, step = _RATE.search(rest), _STEP.search(rest)
    dt = 1.0 / float(rate[1]) if rate and float(rate[1]) > 0 else float(step[1]) if step else 0.0
    if not dt > 0:
        raise InputError(f"{where}: no sampling rate in {lines[at].strip()!r}")
    unit = _UNIT.search(rest.partition("Format")[0]) or _UNIT.search(rest)
    peak = _PEAK.search(head)
    name = unit[1] if unit else peak[2] if peak else None
    if name is None:
        raise InputError(f"{where}: no unit in {lines[at].strip()!r}")
    form = rest[rest.rfind("(") :] if re.search(r"\(\s*\d+[fe]\d+", rest, re.I) else ""
    return dt, fixed_width(lines[at + 1 :], form, int(match["n"]), where) * unit_factor(name)


def _listed_samples(
    lines: Sequence[str], head: str, where: str
) -> tuple[float, NDArray[np.float64]]:
    """Samples that only the text header tells of: pairs with their times, or at an even step."""
    points, unit = _POINTS.search(re.sub(r"\s+", " ", head)), _PLAIN_UNIT.search(head)
    if points is None or unit is None:
        raise InputError(f"{where}: the header tells no number of points or no unit")
    n, duration = int(points[1]), float(points[2])
    factor = unit_factor(unit[1])
    # numbers in lines without text, up to the end of the channel
    rows = next((i for i, row in enumerate(lines) if re.search(r"[^\s\d.eEdD+-]", row)), len(lines))
    pairs = sum(row.count(".") for row in lines[:rows]) >= 2 * n
    values = fixed_width(lines[:rows], "", 2 * n if pairs else n, where)
    if not pairs:
        return duration / n, values * factor
    dt, data = even(values[0::2], values[1::2], where)
    return dt, data * factor


def _peak(head: str) -> float | None:
    found = None
    for match in _PEAK.finditer(head):
        try:
            found = abs(float(match[1])) * unit_factor(match[2])
        except ValueError:
            continue
    return found


def _sharper(peak: float | None, reals: Sequence[str]) -> float | None:
    """The peak of the text, to 0.001 g, or that of the real header if it is the same."""
    try:
        real = abs(float(reals[0][60:70])) * unit_factor("g")
    except (ValueError, IndexError):
        return peak
    return real if peak is not None and abs(real - peak) < 0.006 else peak
