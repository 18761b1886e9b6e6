"""Green's functions of a layered earth, by pygrt (Zhu 2025, SRL, doi:10.1785/0220250057).

The only place that knows pygrt: generalised reflection and transmission coefficients, discrete
wavenumbers. Another code takes its place by giving what :func:`green_functions` gives.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError, MissingPackageError
from gwm_hazard.simulations.layers import Layers

#: Elementary sources of a double couple and the component: 45 deg dip-slip (DD), vertical dip-slip
#: (DS) and strike-slip (SS); radial, transverse, up. pygrt's files have these names.
ELEMENTARY = ("DDR", "DDZ", "DSR", "DST", "DSZ", "SSR", "SST", "SSZ")

#: pygrt gives cm for 1e20 dyne cm of moment.
_M_A_N_M = 1e-2 / 1e13

#: Largest wavenumber times the depth of the source, over pi: static terms have fallen to e^-19. Of
#: pygrt's own 50 a source near the surface takes minutes, and differs by less than 1 %.
_WAVENUMBERS = 6.0

#: Bytes of a SAC file before its samples; floats among them: first P and first S arrival.
_SAC_HEADER, _SAC_P, _SAC_S = 632, 10, 11


@dataclass(frozen=True)
class GreenFunctions:
    """Of one source depth at n distances.

    Attributes
    ----------
    velocity : (n, 8, nt) float32, m/s at the surface after a step of moment of 1 N m, ``lead_s``
        before origin time on, of :data:`ELEMENTARY`, in the frame of the path
    p_s, s_s : (n,) first P and S arrival, s
    """

    velocity: NDArray[np.float32]
    p_s: NDArray[np.float64]
    s_s: NDArray[np.float64]


def pygrt() -> Any:
    """The package, or an error that says how it comes."""
    try:
        import pygrt
    except ImportError as exc:
        raise MissingPackageError(
            "low frequencies of a layered earth are computed by pygrt-kit, which is not "
            'installed: pip install "gwm_hazard[physics]"'
        ) from exc
    return pygrt


def green_functions(
    layers: Layers,
    depth_km: float,
    distances_km: NDArray[np.float64],
    nt: int,
    dt_s: float,
    max_hz: float,
    lead_s: float = 0.0,
) -> GreenFunctions:
    """Green's functions for double couples, receivers at the surface.

    Parameters
    ----------
    distances_km : (n,) epicentral, rising, > 0
    nt, dt_s : samples, s; nt * dt_s should be twice the last arrival, later ones wrap around
    max_hz : frequencies above are zero
    lead_s : the first sample is so long before origin time

    Raises
    ------
    MissingPackageError
        pygrt is not installed.
    InputError
        What pygrt refuses.
    """
    package = pygrt()
    with tempfile.TemporaryDirectory(prefix="gwm_hazard_") as folder:
        path, out = Path(folder) / "layers", Path(folder) / "green"
        path.write_text(layers.text(), encoding="utf-8")
        try:
            package.PyModel1D(grn=str(out), modelpath=str(path)).greenfn(
                depsrc=float(depth_km), deprcv=0.0, dists=distances_km, nt=nt, dt=dt_s,
                freqband=(-1.0, max_hz), keepAllFreq=True, gf_source=["DC"], nthreads=1,
                delayT0=-lead_s, k0=_WAVENUMBERS, print_log=False,
            )  # fmt: skip
        except (RuntimeError, ValueError) as exc:
            raise InputError(f"Green's functions at {depth_km:g} km: {exc}") from exc
        samples = np.empty((len(distances_km), len(ELEMENTARY), nt), dtype=np.float32)
        times = np.empty((2, len(distances_km)))
        for i, distance in enumerate(distances_km):
            at = out / f"{path.name}_{float(depth_km):.15g}_0_{float(distance):.15g}"
            for j, name in enumerate(ELEMENTARY):
                held = np.fromfile(at / f"{name}.sac", dtype="<f4")
                samples[i, j] = held[_SAC_HEADER // 4 :]
            times[:, i] = held[_SAC_P], held[_SAC_S]
    return GreenFunctions(samples * np.float32(_M_A_N_M), *times)
