"""How well one signal reproduces another: scores for models that reconstruct a given record.

Three published scales, all for pairs of signals on one time axis:

- Kristekova et al. (2006, BSSA 96(5): 1836-1850; 2009, GJI 178(2): 813-825): envelope and phase
  goodness of fit in the time-frequency plane, 0 to 10, by ``obspy.signal.tf_misfit``;
- Anderson (2004, 13th WCEE, paper 243): ten characteristics in narrow bands, 0 to 10; below 4 is
  poor, 4 to 6 fair, 6 to 8 good, above 8 excellent. Two horizontals of one record score "good";
- Olsen and Mayhew (2010, SRL 81(5): 715-723): ten characteristics, 0 to 100; 45 to 65 is fair,
  65 to 80 very good, above 80 excellent. Weights are equal (they leave them to the user).
  Inelastic ratios and spectral durations are defined as in the authors' program that the SCEC
  Broadband Platform distributes (MOGof: GOF_InElFit, GOF_SpecDurFit).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy.signal import butter, sosfiltfilt
from scipy.special import erfc

from gwm_hazard.benchmark.metrics.inelastic import inelastic_ratios, spectral_durations
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import effective_amplitude, rotd

#: Pass-bands, Hz, as the SCEC Broadband Platform scores them; those below Nyquist are used, and
#: the whole range.
BANDS_HZ = ((0.1, 0.2), (0.2, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 5.0), (5.0, 10.0), (10.0, 20.0),
            (20.0, 50.0))  # fmt: skip

ANDERSON = ("C1 Arias duration", "C2 energy duration", "C3 Arias intensity", "C4 energy integral",
            "C5 PGA", "C6 PGV", "C7 PGD", "C8 response spectrum", "C9 Fourier spectrum",
            "C10 cross correlation")  # fmt: skip
OLSEN_MAYHEW = ("PGA", "PGV", "PGD", "response spectrum", "Fourier spectrum", "inelastic ratio",
                "cumulative energy", "energy duration", "spectral duration",
                "cross correlation")  # fmt: skip

#: Periods of Olsen and Mayhew (2010), s.
PERIODS_S = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0)

#: Strength reduction factors of the inelastic ratios.
REDUCTIONS = tuple(1.0 + 0.5 * k for k in range(19))

_ORDER = 2  # of the Butterworth filter in each direction
_PERIODS_A_BAND = 5
_TINY = 1e-300


def kristekova(
    signal: ArrayLike, reference: ArrayLike, dt_s: float, *, fmin_hz: float = 0.2,
    fmax_hz: float = 20.0, n_frequencies: int = 40,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Envelope and phase goodness of fit, each (n_components,), 0 to 10.

    signal, reference : (n_components, nt); each component by itself, globally normalised with
    ``reference`` as reference, A = 10, k = 1: EG = 10 exp(-|EM|), PG = 10 (1 - |PM|) of the
    single-valued misfits.

    Raises ValueError for other shapes or a silent reference.
    """
    from obspy.signal.tf_misfit import eg, pg

    a, b = (np.atleast_2d(np.asarray(v, dtype=np.float64)) for v in (signal, reference))
    if a.shape != b.shape:
        raise InputError(f"signal {a.shape} and reference {b.shape}: the shapes must agree")
    if not np.abs(b).max(axis=1).all():
        raise InputError("a reference is silent: there is nothing to compare with")
    settings = {"dt": dt_s, "fmin": fmin_hz, "fmax": fmax_hz, "nf": n_frequencies}
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = [(eg(x, y, **settings), pg(x, y, **settings)) for x, y in zip(a, b, strict=True)]
    envelope, phase = np.array(scores, dtype=np.float64).T
    return envelope, phase


def anderson_scale(p1: ArrayLike, p2: ArrayLike) -> NDArray[np.float64]:
    """10 exp(-((p1 - p2) / min(p1, p2))^2) of positive numbers; 0 where one is 0."""
    a, b = np.asarray(p1, dtype=np.float64), np.asarray(p2, dtype=np.float64)
    least = np.minimum(a, b)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        score = 10.0 * np.exp(-(((a - b) / least) ** 2))
    return np.where(least > 0, score, np.where(a == b, 10.0, 0.0))


def olsen_mayhew_scale(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """100 erfc(2 |x - y| / (x + y)) of numbers that are not negative."""
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return np.asarray(100.0 * erfc(2.0 * np.abs(a - b) / np.maximum(a + b, _TINY)))


def anderson(
    signals: ArrayLike, references: ArrayLike, dt_s: float, *, lowest_hz: float = 0.1,
    highest_hz: float | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Scores of pairs of accelerograms: a row a pair, the ten characteristics and ``score``.

    signals, references : (n, nt) m/s2. Bands between ``lowest_hz`` and ``highest_hz`` (default
    0.9 Nyquist) and the whole range are scored; a characteristic is the mean over the bands, the
    score that of the characteristics. Response and Fourier spectra are those of the unfiltered
    signals at the frequencies of the band.

    Raises ValueError for other shapes, or where no band lies in the range.
    """
    a, b = _pairs(signals, references)
    top = 0.45 / dt_s if highest_hz is None else highest_hz
    bands = [band for band in BANDS_HZ if band[0] >= lowest_hz * 0.999 and band[1] <= top]
    if not bands:
        raise InputError(f"no band of {BANDS_HZ} lies between {lowest_hz:g} and {top:g} Hz")
    bands.append((bands[0][0], bands[-1][1]))
    frequency = scipy.fft.rfftfreq(a.shape[1], dt_s)
    spectra = [np.abs(scipy.fft.rfft(x, axis=1)) for x in (a, b)]
    scores = np.empty((len(bands), len(a), len(ANDERSON)))
    for k, (low, high) in enumerate(bands):
        fa, fb = (_bandpass(x, dt_s, low, high) for x in (a, b))
        scores[k, :, :7] = _integrals_and_peaks(fa, fb, dt_s)
        periods = np.geomspace(1.0 / high, 1.0 / low, _PERIODS_A_BAND)
        scores[k, :, 7] = anderson_scale(*(_response(x, dt_s, periods) for x in (a, b))).mean(1)
        inside = (frequency >= low) & (frequency <= high)
        scores[k, :, 8] = anderson_scale(*(s[:, inside] for s in spectra)).mean(axis=1)
        scores[k, :, 9] = 10.0 * np.maximum(_correlation(fa, fb), 0.0)
    table = pd.DataFrame(scores.mean(axis=0), columns=list(ANDERSON))
    table["score"] = table.mean(axis=1)
    return table


def olsen_mayhew(
    signals: ArrayLike, references: ArrayLike, dt_s: float, *, longest_s: float = 10.0
) -> pd.DataFrame:
    """Scores of pairs of accelerograms: a row a pair, ten characteristics and ``score``.

    signals, references : (n, nt) m/s2, zero or filtered below 1 / ``longest_s``.

    PGA, PGV, PGD; SA at `PERIODS_S` up to ``longest_s``; the Fourier spectrum smoothed over 1/10
    decade at 30 frequencies; the ratio of inelastic to elastic peak displacements at the same
    periods, the least score over `REDUCTIONS` (2 % hardening, 5 % damping); the integral of squared
    velocity, and its 5 to 75 % duration; that of the relative velocity of the oscillators; the
    largest correlation over lags. Raises ValueError for other shapes.
    """
    a, b = _pairs(signals, references)
    periods = np.array([t for t in PERIODS_S if 2 * dt_s <= t <= longest_s])
    frequencies = np.geomspace(1.0 / longest_s, min(0.45 / dt_s, 20.0), 30)
    motions = [(x, v := _integral(x, dt_s), _integral(v, dt_s)) for x in (a, b)]
    peaks = [np.stack([np.abs(m).max(axis=1) for m in three], axis=1) for three in motions]
    energy = [np.cumsum(three[1] ** 2, axis=1) * dt_s for three in motions]
    durations = [_duration(e, dt_s, 0.05, 0.75) for e in energy]
    ratios = [inelastic_ratios(x, dt_s, periods, REDUCTIONS) for x in (a, b)]
    spectral = [spectral_durations(x, dt_s, periods) for x in (a, b)]
    smooth = [effective_amplitude(x[:, None], dt_s, frequencies, b=62.8) for x in (a, b)]
    columns = [
        *olsen_mayhew_scale(peaks[0], peaks[1]).T,
        olsen_mayhew_scale(*(_response(x, dt_s, periods) for x in (a, b))).mean(axis=1),
        olsen_mayhew_scale(smooth[0], smooth[1]).mean(axis=1),
        olsen_mayhew_scale(ratios[0], ratios[1]).min(axis=2).mean(axis=1),
        olsen_mayhew_scale(energy[0][:, -1], energy[1][:, -1]),
        olsen_mayhew_scale(durations[0], durations[1]),
        olsen_mayhew_scale(spectral[0], spectral[1]).mean(axis=1),
        100.0 * np.maximum(_largest_correlation(a, b), 0.0),
    ]
    table = pd.DataFrame(dict(zip(OLSEN_MAYHEW, columns, strict=True)))
    table["score"] = table.mean(axis=1)
    return table


def _pairs(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise InputError(f"signals {a.shape} and references {b.shape}: must both be (n, nt)")
    return a, b


def _bandpass(x: NDArray[np.float64], dt_s: float, low: float, high: float) -> NDArray[np.float64]:
    sections = butter(_ORDER, (low, high), "bandpass", fs=1.0 / dt_s, output="sos")
    return np.asarray(sosfiltfilt(sections, x, axis=1, padtype=None))


def _integral(x: NDArray[np.float64], dt_s: float) -> NDArray[np.float64]:
    out = np.zeros_like(x)
    np.cumsum(0.5 * dt_s * (x[:, 1:] + x[:, :-1]), axis=1, out=out[:, 1:])
    return out


def _integrals_and_peaks(
    a: NDArray[np.float64], b: NDArray[np.float64], dt_s: float
) -> NDArray[np.float64]:
    """C1 to C7 of filtered accelerations, (n, 7)."""
    motions = [(x, v := _integral(x, dt_s), _integral(v, dt_s)) for x in (a, b)]
    columns: list[NDArray[np.float64]] = []
    totals = []
    for kind in (0, 1):
        growth = [np.cumsum(m[kind] ** 2, axis=1) for m in motions]
        shape = [g / np.maximum(g[:, -1:], _TINY) for g in growth]
        columns.append(10.0 * (1.0 - np.abs(shape[0] - shape[1]).max(axis=1)))
        totals.append(anderson_scale(growth[0][:, -1], growth[1][:, -1]))
    columns += totals
    for kind in (0, 1, 2):
        columns.append(anderson_scale(*(np.abs(m[kind]).max(axis=1) for m in motions)))
    return np.stack(columns, axis=1)


def _response(
    x: NDArray[np.float64], dt_s: float, periods_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """SA of single components, (n, n_periods): RotD100 of the pair with a silent component."""
    return rotd(np.stack([x, np.zeros_like(x)], axis=1), dt_s, periods_s, (100,))[:, 0]


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    product = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.asarray((a * b).sum(axis=1) / np.maximum(product, _TINY))


def _largest_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    size = scipy.fft.next_fast_len(2 * a.shape[1], real=True)
    cross = scipy.fft.rfft(a, size, axis=1) * scipy.fft.rfft(b, size, axis=1).conj()
    product = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.asarray(scipy.fft.irfft(cross, size, axis=1).max(axis=1) / np.maximum(product, _TINY))


def _duration(
    energy: NDArray[np.float64], dt_s: float, start: float, end: float
) -> NDArray[np.float64]:
    total = energy[:, -1:]
    return np.asarray(((energy < end * total).sum(1) - (energy < start * total).sum(1)) * dt_s)
