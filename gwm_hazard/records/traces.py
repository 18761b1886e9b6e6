"""From traces to a record: units, orientation of the components, common window."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.units import GRAVITY_M_S2
from gwm_hazard.errors import InputError

if TYPE_CHECKING:
    from gwm_hazard.records.record import Record, Value

#: m/s2 in one unit of acceleration.
UNITS = {
    "m/s2": 1.0,
    "cm/s2": 0.01,
    "gal": 0.01,
    "mm/s2": 1e-3,
    "nm/s2": 1e-9,
    "g": GRAVITY_M_S2,
    "%g": GRAVITY_M_S2 / 100,
    "mg": GRAVITY_M_S2 / 1000,
    "g/10": GRAVITY_M_S2 / 10,
}

_VERTICAL = {"UP", "DWN", "DOWN", "DN", "UPDO", "V", "VER", "VERT", "VERTICAL", "Z"}
_VERTICAL |= {"UD", "UD1", "UD2"}
_FIRST = {"N", "NS", "NS1", "NS2", "NORTH", "H1", "1", "R", "X", "L", "S", "SN"}
_SECOND = {"E", "EW", "EW1", "EW2", "EAST", "H2", "2", "T", "Y", "W", "WE"}


@dataclass(frozen=True)
class Trace:
    """One component: samples in m/s2, the time of the first one in s from a common zero."""

    name: str
    vertical: bool
    data: NDArray[np.float64]
    dt_s: float
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise InputError(f"component {self.name}: time step = {self.dt_s:g} s: must be > 0")


def unit_factor(unit: str) -> float:
    """m/s2 in one ``unit``; ValueError names an unknown one and lists the known."""
    plain = unit.strip().lower().replace("²", "2").replace(" ", "")
    plain = re.sub(r"gals?$|^gals$", "gal", plain.replace("cms/", "cm/"))
    plain = re.sub(
        r"(?<=m)(/(s|sec)(\*\*|\^)?2|/(s|sec)/(s|sec)|_?s-2|ps2|_s2|s\^-2)$", "/s2", plain
    )
    if plain not in UNITS:
        raise InputError(f"unit {unit!r} is not one of acceleration: give {', '.join(UNITS)}")
    return UNITS[plain]


#: Ratio of sensitivities, counts per m/s2, of the components of a record from which on it is told.
SENSITIVITY_RATIO = 3.0


def differing(sensitivities: Mapping[str, float]) -> str:
    """A remark on sensitivities by component that differ by `SENSITIVITY_RATIO`; else empty."""
    known = {name: abs(value) for name, value in sensitivities.items() if value}
    if not known or max(known.values()) < SENSITIVITY_RATIO * min(known.values()):
        return ""
    low, high = min(known, key=lambda n: known[n]), max(known, key=lambda n: known[n])
    return (
        f"sensitivity of {high} is {known[high] / known[low]:.3g} times that of {low}: is the "
        "inventory right?"
    )


def _tokens(name: str) -> list[str]:
    plain = re.sub(
        r"\b(U)-(D)\b|\b(N)-(S)\b|\b(E)-(W)\b", lambda m: m[0].replace("-", ""), name.upper()
    )
    return [t for t in re.split(r"[^A-Z0-9]+", plain) if t]


def _is(name: str, words: set[str], codes: str) -> bool:
    """Whether a part of the name is one of the words, or a SEED channel with one of the codes.

    The location may follow the channel, as in the files of NGA-East: BHZ00.
    """
    seed = rf"[A-Z]{{2}}[{codes}](\d{{2}})?"
    return any(t in words or re.fullmatch(seed, t) for t in _tokens(name))


def azimuth_name(text: str) -> str | None:
    """A direction as degrees from north, "196", of S16W, N90E or "16 deg"; None for another."""
    plain = re.sub(r"\s*DEG\w*$|\s+", "", text.upper())
    if match := re.fullmatch(r"([NS])(\d{1,2}(?:\.\d+)?)([EW])", plain):
        degrees = round(float(match[2])) if match[1] == "N" else 180 - round(float(match[2]))
        return f"{(degrees if match[3] == 'E' else -degrees) % 360:03d}"
    if plain.isdigit() and int(plain) <= 360:
        return f"{int(plain) % 360:03d}"
    return None


def is_vertical(name: str) -> bool:
    """Whether a component's name says that it is vertical: UP, DWN, VER, V, Z, UD, HNZ ..."""
    return _is(name, _VERTICAL, "Z")


def is_horizontal(name: str) -> bool:
    """Whether a name says horizontal: an azimuth in degrees, N, E, NS, EW, H1, H2, R, T, HN1 ..."""
    azimuth = any(re.fullmatch(r"\d{3}|[NS]\d{1,2}[EW]", t) for t in _tokens(name))
    return not is_vertical(name) and (azimuth or _is(name, _FIRST | _SECOND, "NE12RTXY"))


def _rank(trace: Trace) -> int:
    """Order within a record: north, 1, radial or x, then what cannot be told, then the others."""
    if trace.vertical:
        return 3
    ranks = ((0, _FIRST, "-"), (2, _SECOND, "-"), (0, set[str](), "N1RX"), (2, set[str](), "E2TY"))
    return next((rank for rank, words, codes in ranks if _is(trace.name, words, codes)), 1)


def named(name: str, components: Mapping[str, str]) -> str:
    """What the user says that a component is, by its whole name or its code; else its name."""
    codes = [name, *_tokens(name)]
    return next((to for told, to in components.items() if told.upper() in map(str.upper, codes)),
                name)  # fmt: skip


def assemble(
    traces: Sequence[Trace],
    metadata: Mapping[str, Value],
    components: Mapping[str, str] | None = None,
    *,
    raw: bool = False,
) -> Record:
    """Put one to three traces together as a record, cut to the window that they share.

    components : what the user says of their names, see `gwm_hazard.records.record.Options`
    raw : whether they are what an instrument gave, offsets included

    Raises ValueError for components that are not at most two horizontals and a vertical, unequal
    time steps, traces that do not overlap, and a channel that does not move while another does.
    """
    from gwm_hazard.records.record import Record

    for told in (renamed := [(t, named(t.name, components)) for t in traces] if components else []):
        if told[1] != told[0].name and not (
            told[1] == "-" or is_vertical(told[1]) or is_horizontal(told[1])
        ):
            raise InputError(f"component {told[0].name} is told to be {told[1]!r}: give N, E, H1, "
                             "H2, an azimuth of three digits, Z, or - to leave it out")  # fmt: skip
    if renamed:
        traces = [t if name == t.name else replace(t, name=name, vertical=is_vertical(name))
                  for t, name in renamed if name != "-"]  # fmt: skip
    names = ", ".join(t.name for t in traces)
    ordered = sorted(traces, key=_rank)
    horizontals = [t for t in ordered if not t.vertical]
    if not ordered or len(horizontals) > 2 or len(ordered) - len(horizontals) > 1:
        raise InputError(
            f"{len(ordered)} components ({names}), {len(horizontals)} of them horizontal: a record "
            "has at most two horizontals and one vertical; give the files of each record apart, or "
            "say what its components are with --components NAME=Z,NAME=H1,NAME=-"
        )
    dt = ordered[0].dt_s
    if any(abs(t.dt_s - dt) > 1e-6 * dt for t in ordered):
        steps = ", ".join(f"{t.name} {t.dt_s:g} s" for t in ordered)
        raise InputError(f"components of different time steps ({steps}): resample them first")
    begin = max(t.start_s for t in ordered)
    offsets = [round((begin - t.start_s) / dt) for t in ordered]
    length = min(t.data.size - o for t, o in zip(ordered, offsets, strict=True))
    if length < 2:
        raise InputError(f"components {names} share {max(length, 0)} samples: at least 2 needed")
    acceleration = np.stack(
        [t.data[o : o + length] for t, o in zip(ordered, offsets, strict=True)]
    ).astype(np.float64, copy=False)
    still = np.ptp(acceleration, axis=1) == 0
    if still.any() and not still.all():
        raise InputError(
            f"component {ordered[int(np.argmax(still))].name} is constant: dead channel"
        )
    record = Record(
        acceleration, dt, tuple(t.name for t in ordered), len(horizontals), dict(metadata), raw=raw
    )
    azimuths = [int(t.name) for t in ordered if re.fullmatch(r"\d{3}", t.name)]
    if len(azimuths) == 2 and abs((azimuths[1] - azimuths[0]) % 180 - 90) > 2:
        record = record.noted(
            f"horizontals at {azimuths[0]} and {azimuths[1]} deg, not at a "
            "right angle: rotated measures are not exact"
        )
    if any(offsets) or any(t.data.size != length for t in ordered):
        lengths = ", ".join(f"{t.name} {t.data.size}" for t in ordered)
        return record.noted(f"components cut to their common {length} samples ({lengths})")
    return record
