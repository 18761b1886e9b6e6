"""Which format of obspy a file has, found without loading it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path


def obspy_format(path: Path) -> str | None:
    """obspy's name of the format; None for what it does not read.

    As obspy finds it, but never PICKLE: obspy tells a pickle by loading it, and a pickle may run
    any program.
    """
    for name, is_format in _obspy_checks():
        try:
            if is_format(str(path)):
                return name
        except Exception:  # obspy's checks raise whatever they meet
            continue
    return None


@lru_cache(maxsize=1)
def _obspy_checks() -> tuple[tuple[str, Callable[[str], bool]], ...]:
    from obspy.core.util.base import ENTRY_POINTS

    checks: list[tuple[str, Callable[[str], bool]]] = []
    for name in ENTRY_POINTS["waveform"]:
        group = entry_points(group=f"obspy.plugin.waveform.{name}", name="isFormat")
        if name != "PICKLE":
            checks.extend((name, entry.load()) for entry in group)
    return tuple(checks)
