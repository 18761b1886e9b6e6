"""From what a decoder made to a motion that has the target spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.models.cvae_gan.form import Form

#: Ordinates that the passes look at: between those of a network a spectrum may turn.
ORDINATES = 120
#: How long a record rises from nothing, s.
RISE_S = 0.5
#: Largest factor of one pass on an amplitude.
_LARGEST = 3.0


def window(samples: int, dt_s: float, onset_s: float) -> NDArray[np.float32]:
    """0 until RISE_S before the onset, 1 from it on, (samples,); without an onset, 1."""
    if not onset_s:
        return np.ones(samples, dtype=np.float32)
    share = np.clip((np.arange(samples) * dt_s - onset_s) / RISE_S + 1.0, 0.0, 1.0)
    return (0.5 - 0.5 * np.cos(np.pi * share)).astype(np.float32)


def at_rest(acceleration: NDArray[np.float32], quiet: NDArray[np.float32]) -> NDArray[np.float32]:
    """Records whose velocity and displacement end at 0, (..., nt).

    Two waves as long as the motion, which begins where ``quiet`` (nt,) is not 0, take away what is
    left: 1 - cos and sin of one turn, both 0 at its ends.
    """
    nt = acceleration.shape[-1]
    first = int(np.argmax(quiet > 0))
    turn = 2.0 * np.pi * np.clip((np.arange(nt) - first) / (nt - 1 - first), 0.0, 1.0)
    waves = np.stack([1.0 - np.cos(turn), np.sin(turn)])
    # both ends by the trapezoidal rule, in units of the time step
    ends = np.stack([np.ones(nt), np.arange(nt)[::-1].astype(float)], axis=1)
    ends[[0, -1], 0] = 0.5
    ends[0, 1], ends[-1, 1] = 0.5 * (nt - 1) - 0.25, 0.25
    amounts = (acceleration.astype(np.float64) @ ends) @ np.linalg.inv(waves @ ends)
    return (acceleration - amounts @ waves).astype(np.float32)


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
    onset_s: float = 0.0,
) -> NDArray[np.float32]:
    """Fourier amplitudes times the ratio of the spectra at 1 / f, so many times over.

    ``ln_target`` (n, any number) has ordinates on the form's grid of so many periods.

    One real factor a frequency for all components: phases, and the ratios of components, stay.
    Beyond the periods of the spectrum the factor is that of its end. Each pass takes away
    what it brings before the onset, and brings the motion to rest.
    """
    quiet = window(acceleration.shape[2], dt_s, onset_s)
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
        acceleration = at_rest(acceleration * quiet, quiet)
    return acceleration
