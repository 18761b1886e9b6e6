"""What importers are given: paths, and options as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.errors import ModelError


def one_path(paths: Sequence[Path], family: str, what: str) -> Path:
    """The only path; a ModelError says ``what`` it has to be, "the one network file"."""
    if len(paths) != 1:
        raise ModelError(f"{family}: {len(paths)} paths given: give {what}")
    return paths[0]


def span(text: str, family: str, option: str, why: str = "") -> tuple[float, float]:
    """Two numbers that grow, of "LOW,HIGH"; ``why`` one is asked for at all, in the message."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high:
        reason = f" ({why})" if why else ""
        raise ModelError(
            f"{family}: {option} = {text!r}: give --option {option}=LOW,HIGH, two numbers that "
            f"grow{reason}"
        )
    return low, high
