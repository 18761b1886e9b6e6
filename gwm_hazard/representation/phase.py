"""Phase retrieval: the waveform of a spectrogram whose phase is not known.

Both methods go from a magnitude and an initial phase to a record, in the dtype of the magnitude
and on its device. The records of a batch do not meet: on one CPU each comes out bit for bit the
same in a batch of any size. On a GPU, and between machines, that holds to rounding, which
Griffin-Lim keeps small (1e-6 in the magnitude becomes 1e-5 of the peak) but ADMM magnifies
(after 20 iterations float32 rounding reaches a quarter of the peak).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError
from gwm_hazard.representation.stft import STFT

#: Records that the CPU works on at once: their arrays stay in the cache.
CPU_RECORDS = 4


def griffin_lim(
    magnitude: torch.Tensor,
    phase: torch.Tensor,
    transform: STFT,
    iterations: int,
    momentum: float = 0.0,
) -> torch.Tensor:
    """Alternate projections between the magnitude and the transforms of records.

    Parameters
    ----------
    magnitude : (n, n_freq, n_frames), float32 or float64
        Modulus of the transform, in the unit of the record.
    phase : (n, n_freq, n_frames)
        Initial phase, rad.
    transform : STFT
        With the same ``n_freq``.
    iterations : int
        0 gives the inverse transform of magnitude and initial phase.
    momentum : float
        0 for Griffin and Lim (1984, IEEE Trans. ASSP 32(2): 236-243); above 0, 0.99 say, the fast
        Griffin-Lim of Perraudin, Balazs and Sondergaard (2013, WASPAA).

    Returns
    -------
    Tensor (n, hop (n_frames - 1))
    """
    if momentum < 0.0:
        raise InputError(f"momentum = {momentum}: must be 0 or more")
    # Projecting X + m (X - X') is projecting X - m / (1 + m) X': only the phase counts.
    back = momentum / (1.0 + momentum)

    def retrieve(s: torch.Tensor, spectra: torch.Tensor) -> torch.Tensor:
        previous = None
        for _ in range(iterations):
            found = transform.analyse(transform.synthesise(spectra))
            ahead = found if previous is None else found - back * previous
            previous = found if back else None
            spectra = ahead * _over_modulus(s, ahead)
        return transform.synthesise(spectra)

    return _by_record(retrieve, magnitude, phase, transform, iterations)


def admm(
    magnitude: torch.Tensor,
    phase: torch.Tensor,
    transform: STFT,
    iterations: int,
    rho: float = 1e-5,
) -> torch.Tensor:
    """Phase retrieval by the alternating direction method of multipliers.

    Minimises the squared misfit of the magnitude with a penalty ``rho`` on the difference from
    the transform of a record, a dual variable carrying that difference on (Vial et al. 2021, IEEE
    J. Sel. Top. Signal Process. 15(1): 51-64, with the Euclidean loss; as used by Esfahani et
    al. 2023, BSSA 113(1): 453-467). Arguments and result as of :func:`griffin_lim`.
    """
    if rho <= 0.0:
        raise InputError(f"rho = {rho}: must be above 0")

    def retrieve(s: torch.Tensor, spectra: torch.Tensor) -> torch.Tensor:
        record = transform.synthesise(spectra)
        found = transform.analyse(record)
        dual = torch.zeros_like(found)  # divided by rho
        for _ in range(iterations):
            h = found + dual
            # modulus (rho |h| + 2 s) / (rho + 2), phase of h
            split = h * _over_modulus(s, h).mul_(2.0).add_(rho).div_(rho + 2.0)
            record = transform.synthesise(split - dual)
            found = transform.analyse(record)
            dual += found - split
        return record

    return _by_record(retrieve, magnitude, phase, transform, iterations)


def uniform_phase(
    noise: Noise, stream: str, n_freq: int, n_frames: int, high: float = 2.0 * math.pi
) -> torch.Tensor:
    """Initial phases from keyed noise, uniform from 0 to ``high`` rad.

    Returns (n, n_freq, n_frames), float32, on the CPU.
    """
    normal = torch.from_numpy(noise.normal(stream, n_freq * n_frames))
    return torch.special.ndtr(normal).mul_(high).view(-1, n_freq, n_frames)


def _by_record(
    retrieve: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    magnitude: torch.Tensor,
    phase: torch.Tensor,
    transform: STFT,
    iterations: int,
) -> torch.Tensor:
    """Check the arguments, bring the frequency last, and go through the records in portions."""
    if magnitude.ndim != 3 or magnitude.shape != phase.shape:
        raise InputError(
            f"magnitude {tuple(magnitude.shape)} and phase {tuple(phase.shape)}: must both be "
            "(n, n_freq, n_frames)"
        )
    if magnitude.shape[1] != transform.n_freq:
        raise InputError(
            f"magnitude has {magnitude.shape[1]} rows, the transform {transform.n_freq}"
        )
    if iterations < 0:
        raise InputError(f"iterations = {iterations}: must be 0 or more")
    portion = CPU_RECORDS if magnitude.device.type == "cpu" else max(1, len(magnitude))
    out = magnitude.new_empty(len(magnitude), transform.samples(magnitude.shape[2]))
    for start in range(0, len(magnitude), portion):
        rows = slice(start, start + portion)
        s = magnitude[rows].transpose(1, 2).contiguous()
        angle = phase[rows].transpose(1, 2).to(s.dtype)
        out[rows] = retrieve(s, torch.polar(s, angle.contiguous()))
    return out


def _over_modulus(magnitude: torch.Tensor, spectra: torch.Tensor) -> torch.Tensor:
    """``magnitude / |spectra|``, finite where the spectra are 0."""
    power = spectra.real.square().add_(spectra.imag.square())
    return magnitude * power.clamp_(min=torch.finfo(power.dtype).tiny).rsqrt_()
