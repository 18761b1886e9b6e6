"""Folders of the user: what is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where surfaces that were built on demand are kept: GWM_HAZARD_CACHE, else the user's."""
    if chosen := os.environ.get("GWM_HAZARD_CACHE"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("gwm_hazard")
