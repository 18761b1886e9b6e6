"""Published parameters of a region -> the model: what ``gwm-hazard models import`` calls."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from windowed_noise import WindowedNoise


def import_model(paths: Sequence[Path], *, region: str = "north") -> WindowedNoise:
    """Read one CSV file with the columns region, stress_bar, kappa_s; options are strings."""
    with paths[0].open(encoding="utf-8", newline="") as file:
        rows = {row["region"]: row for row in csv.DictReader(file)}
    if region not in rows:
        raise ValueError(f"{paths[0]}: no region {region!r}; it has {', '.join(rows)}")
    found = rows[region]
    return WindowedNoise(float(found["stress_bar"]), float(found["kappa_s"]))
