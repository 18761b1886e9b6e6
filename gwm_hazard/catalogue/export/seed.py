"""Codes of the SEED standard for records: station, channel, component letters.

A synthetic record has neither a network nor a station. The network is XX (reserved for data
without a network); the station code stands for the record, so that no two records share an
identifier; the time of the first sample is 1970-01-01T00:00:00.
"""

from __future__ import annotations

from collections.abc import Sequence

from gwm_hazard.errors import InputError

NETWORK = "XX"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: SEED 2.4, appendix A: letters of the orientation; horizontal pairs 1-2, N-E, R-T.
_LETTERS = {"V": "Z", "UP": "Z", "H1": "1", "H2": "2"} | {c: c for c in "ZNERT12"}


def station(record: int) -> str:
    """Five-character code of a record; it starts with a letter, so that a table reads it as text.

    >>> station(0), station(36), station(10**6)
    ('A0000', 'A0010', 'ALFLS')
    """
    code, rest = "", record
    for _ in range(4):
        rest, digit = divmod(rest, 36)
        code = _DIGITS[digit] + code
    if rest >= 26:
        raise InputError(f"record {record}: five characters name {26 * 36**4} records; export less")
    return _DIGITS[10 + rest] + code


def letters(components: Sequence[str]) -> list[str]:
    """One letter a component, the orientation code of SEED."""
    found = [_LETTERS.get(c.upper(), "") for c in components]
    if "" in found or len(set(found)) < len(found):
        return list(_DIGITS[1 : len(components) + 1])
    return found


def channels(components: Sequence[str], sampling_rate_hz: float) -> list[str]:
    """Channel codes: band by sampling rate, N for accelerometer, orientation (appendix A)."""
    bands = ((1000.0, "F"), (250.0, "C"), (80.0, "H"), (10.0, "B"), (1.0, "M"))
    band = next((code for lowest, code in bands if sampling_rate_hz >= lowest), "L")
    return [f"{band}N{letter}" for letter in letters(components)]
