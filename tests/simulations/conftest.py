"""A crust, and a coarse library of its Green's functions."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.simulations.layers import Layers
from gwm_hazard.simulations.library import Library

#: The five layers of section 5 of the reference.
CRUST = np.array(
    [
        (0.5, 3.6, 2.0, 2.3, 200, 100),
        (5.0, 5.5, 3.18, 2.5, 600, 300),
        (10.5, 6.3, 3.64, 2.67, 600, 300),
        (16.0, 6.7, 3.87, 2.8, 600, 300),
        (0.0, 7.8, 4.5, 3.3, 900, 450),
    ]
)


@pytest.fixture(scope="session")
def crust() -> Layers:
    return Layers(*(tuple(float(v) for v in column) for column in CRUST.T))


@pytest.fixture(scope="session")
def green() -> None:
    pytest.importorskip("pygrt", reason="needs pygrt-kit: pip install 'gwm_hazard[physics]'")


@pytest.fixture(scope="session")
def cache(tmp_path_factory, green):
    """A cache of this run's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GWM_HAZARD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def library(crust, cache) -> Library:
    """To 0.3 Hz and 60 km: a row takes half a second."""
    return Library(crust, max_hz=0.3, max_distance_km=60.0, step_km=2.0, after_s=60.0)
