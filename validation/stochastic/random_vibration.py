"""Medians of ln IM from Fourier spectra by random vibration theory: fast, and with derivatives.

Boore (2003), section 4: root-mean-square motion from the moments of the spectrum, peak factor of
Cartwright and Longuet-Higgins (1956) in its asymptotic form, duration of oscillators after Boore
and Joyner (1984). Draws of the model correct it (``medians.py``); it is used for what a small
change of the spectrum does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.units import GRAVITY_M_S2
from gwm_hazard.models.stochastic import StochasticModel, spectrum, window
from gwm_hazard.models.stochastic.parameters import StochasticParameters

Array = NDArray[np.float64]
HZ = spectrum.COARSE_HZ
_LN_STEP = np.gradient(np.log(HZ))
_BELOW_NYQUIST = HZ < 50.0


def ln_amplitude(
    p: StochasticParameters, c: dict[str, Array], tables: bool = True
) -> tuple[Array, Array]:
    """ln Fourier amplitude of a horizontal, ln(m/s), and of the vertical, (n, n_coarse) each."""
    columns = {k: torch.as_tensor(c[k], dtype=torch.float64) for k in c}
    stress = spectrum.stress_bar(p, columns["mag"], columns["hypo_depth"])
    rock = spectrum.ln_rock(p, columns, stress)
    ln = rock + spectrum.ln_site(columns["vs30"], spectrum.ln_reference_eas_5hz(rock))
    if tables:
        ln = ln + p.adjustment * spectrum.node_table("horizontal")(columns)
    vertical = ln + spectrum.ln_vertical_ratio(p, columns)
    return ln.numpy(), vertical.numpy()


def transfer(imt: str) -> tuple[Array, float, float]:
    """Square of the transfer function from acceleration, unit in OpenQuake's, period (0: none)."""
    if imt == "PGA":
        return np.ones_like(HZ), 1.0 / GRAVITY_M_S2, 0.0
    if imt == "PGV":
        return (2.0 * np.pi * HZ) ** -2.0, 100.0, 0.0
    period = float(imt[3:-1])
    x = HZ * period
    return 1.0 / ((1.0 - x**2) ** 2 + (0.1 * x) ** 2), 1.0 / GRAVITY_M_S2, period


def peaks(ln_eas: Array, duration_s: Array, imts: Sequence[str]) -> tuple[Array, Array]:
    """Mean of ln IM, (n, m), and its derivative with respect to ``ln_eas``, (m, n, n_coarse).

    The derivative is that of the root mean square: the peak factor changes little.
    """
    power = np.exp(2.0 * ln_eas) * (HZ * _LN_STEP * _BELOW_NYQUIST)
    out = np.empty((len(ln_eas), len(imts)))
    share = np.empty((len(imts), *ln_eas.shape), dtype=np.float32)
    for j, imt in enumerate(imts):
        squared, unit, period = transfer(imt)
        m0 = 2.0 * power @ squared
        m2 = 2.0 * power @ (squared * (2.0 * np.pi * HZ) ** 2)
        rms_s = duration_s.copy()
        if period:
            cube = (duration_s / period) ** 3
            rms_s += period / (2.0 * np.pi * 0.05) * cube / (cube + 1.0 / 3.0)
        crossings = np.maximum(duration_s / np.pi * np.sqrt(m2 / m0), 1.5)
        root = np.sqrt(2.0 * np.log(crossings))
        out[:, j] = np.log(unit * (root + 0.5772 / root) * np.sqrt(m0 / rms_s))
        share[j] = 2.0 * power * squared / m0[:, None]
    return out, share


def durations(p: StochasticParameters, c: dict[str, Array]) -> Array:
    """D5-95 of the energy, s, (n,)."""
    of = window.significant_duration_s("RSD595", c["mag"], c["rrup"], c["vs30"])
    return np.asarray(p.duration_factor * of, dtype=np.float64)


def model_of(p: StochasticParameters) -> StochasticModel:
    """The model with these parameters."""
    return StochasticModel(**{k: getattr(p, k) for k in p.__dataclass_fields__})
