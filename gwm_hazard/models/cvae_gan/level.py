"""From what a decoder made to a motion that has the target spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.models.cvae_gan.form import Form

#: Ordinates that the passes look at: between those of a network a spectrum may turn.
ORDINATES = 120
#: Largest factor of one pass on an amplitude.
_LARGEST = 3.0


def scaled(
    acceleration: NDArray[np.float32], dt_s: float, ln_target: NDArray[np.float64], form: Form
) -> NDArray[np.float32]:
    """Records times the factor that brings ln SA nearest to the target, (n, n_components, nt).

    exp of the mean over periods of ln target less ln SA: the smallest misfit of logarithms.
    """
    ln_sa = form.ln_sa(acceleration, dt_s, ln_target.shape[1])
    factor = np.exp((ln_target - ln_sa).mean(axis=1))
    return (acceleration * factor[:, None, None]).astype(np.float32)


def corrected(
    acceleration: NDArray[np.float32],
    dt_s: float,
    ln_target: NDArray[np.float64],
    form: Form,
    passes: int,
) -> NDArray[np.float32]:
    """Fourier amplitudes times the ratio of the spectra at 1 / f, so many times over.

    ``ln_target`` (n, any number) has ordinates on the form's grid of so many periods.

    One real factor a frequency for all components: phases, and the ratios of components, stay.
    Beyond the periods of the spectrum the factor is that of its end.
    """
    nt = acceleration.shape[2]
    frequency = np.fft.rfftfreq(2 * nt, dt_s)  # twice: the end of a record stays at its end
    ln_f = np.log(np.maximum(frequency, frequency[1]))
    ln_grid = -np.log(form.periods_s(ln_target.shape[1]))[::-1]
    for _ in range(passes):
        misfit = ln_target - form.ln_sa(acceleration, dt_s, ln_target.shape[1])
        misfit = np.clip(misfit, -np.log(_LARGEST), np.log(_LARGEST))[:, ::-1]
        gain = np.exp(np.stack([np.interp(ln_f, ln_grid, row) for row in misfit]))
        spectrum = np.fft.rfft(acceleration, n=2 * nt) * gain[:, None]
        acceleration = np.fft.irfft(spectrum, n=2 * nt)[..., :nt].astype(np.float32)
    return acceleration
