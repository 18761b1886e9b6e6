"""Fourier amplitude spectra: source, path and site (Boore 2003), and their variability."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.site_amplification import (
    BOORE_2016_FACTOR,
    BOORE_2016_HZ,
    bayless_abrahamson,
)
from gwm_hazard.core.units import GRAVITY_M_S2
from gwm_hazard.models.stochastic.parameters import StochasticParameters

Columns = dict[str, torch.Tensor]

#: Frequencies at which spectra are evaluated before interpolation to those of the FFT, Hz.
COARSE_HZ = np.geomspace(0.002, 60.0, 192)


def interfrequency_correlation() -> NDArray[np.float64]:
    """Correlation of ln(EAS) residuals between the frequencies of the table, shape (31, 31).

    Bayless and Abrahamson (2019b), eq. 6: tanh(A exp(B fr) + C exp(D fr)) with
    fr = |ln(f1/f2)| and the coefficients at the lower of the two frequencies.
    """
    table = bayless_abrahamson()
    ln_f = np.log(table["freq_hz"])
    fr = np.abs(ln_f[:, None] - ln_f[None, :])
    lower = np.minimum.outer(np.arange(len(ln_f)), np.arange(len(ln_f)))
    a, b, c, d = (table[k][lower] for k in "ABCD")
    rho = np.tanh(a * np.exp(b * fr) + c * np.exp(d * fr))
    np.fill_diagonal(rho, 1.0)
    return rho


@lru_cache(maxsize=1)
def variability() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ln factors on published standard deviations (4, 31), and the correlation (31, 31).

    The factors are those of tau at M 4 and M 6, of phi at M 4 and M 6.
    """
    text = files(__package__).joinpath("tables/variability.csv").read_text("utf-8")
    rows = list(csv.reader(line for line in text.splitlines() if line[0] != "#"))[1:]
    table = np.array(rows, dtype=np.float64)
    rho = table[:, 5:]
    return table[:, 1:5].T, 0.5 * (rho + rho.T)


def term_correlation(p: StochasticParameters) -> NDArray[np.float64]:
    """Correlation of event and of record terms between frequencies, (31, 31)."""
    return variability()[1] if p.adjustment else interfrequency_correlation()


@lru_cache(maxsize=2)
def correlation_factor(p: StochasticParameters) -> NDArray[np.float64]:
    """L with L @ L.T = the interfrequency correlation: symmetric root, eigenvalues >= 0."""
    values, vectors = np.linalg.eigh(term_correlation(p))
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    # Clipping of rounding-size negative eigenvalues must not change the variances.
    return root / np.sqrt((root**2).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class NodeTable:
    """ln of a factor on Fourier amplitudes at nodes of magnitude, distance, Vs30 and frequency.

    Linear in magnitude and in the logarithms of the others between nodes, held beyond them.

    Attributes
    ----------
    mag, rrup, vs30, freq_hz : nodes: Mw, km, m/s, Hz
    values : ln factor, (n_mag, n_rrup, n_vs30, n_freq)
    """

    mag: NDArray[np.float64]
    rrup: NDArray[np.float64]
    vs30: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    values: NDArray[np.float64]

    def corners(self, c: Columns) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of ``values`` as a table of (n_nodes, n_freq) and their weights, (n, 8) each."""
        device = c["mag"].device
        index = torch.zeros((len(c["mag"]), 1), dtype=torch.int64, device=device)
        weight = torch.ones((len(c["mag"]), 1), dtype=torch.float64, device=device)
        for nodes, x in (
            (self.mag, c["mag"]),
            (np.log(self.rrup), torch.log(c["rrup"])),
            (np.log(self.vs30), torch.log(c["vs30"])),
        ):
            at = torch.as_tensor(nodes, dtype=torch.float64, device=device)
            x = x.double()
            low = torch.clamp(torch.searchsorted(at, x.contiguous()) - 1, 0, len(nodes) - 2)
            upper = torch.clamp((x - at[low]) / (at[low + 1] - at[low]), 0.0, 1.0)
            index = len(nodes) * index
            index = torch.cat([index + low[:, None], index + low[:, None] + 1], dim=1)
            weight = torch.cat([weight * (1 - upper[:, None]), weight * upper[:, None]], dim=1)
        return index, weight

    def __call__(self, c: Columns) -> torch.Tensor:
        """ln factor at COARSE_HZ, (n, n_coarse)."""
        index, weight = self.corners(c)
        flat = torch.as_tensor(
            self.values.reshape(-1, len(self.freq_hz)), dtype=torch.float64, device=index.device
        )
        at_nodes = (flat[index] * weight[..., None]).sum(dim=1)
        low, share = _interpolation(np.log(COARSE_HZ), np.log(self.freq_hz), index.device)
        return torch.lerp(at_nodes[:, low], at_nodes[:, low + 1], share.to(at_nodes.dtype))


@lru_cache(maxsize=4)
def node_table(name: str) -> NodeTable:
    """A table of ``tables/``: "horizontal" or "vertical"; its header says where it is from."""
    text = files(__package__).joinpath(f"tables/{name}.csv").read_text("utf-8")
    header, *rows = list(csv.reader(line for line in text.splitlines() if line[0] != "#"))
    table = np.array(rows, dtype=np.float64)
    mag, rrup, vs30 = (np.unique(column) for column in table[:, :3].T)
    shape = (len(mag), len(rrup), len(vs30), len(header) - 3)
    freq_hz = np.array([float(h) for h in header[3:]])
    return NodeTable(mag, rrup, vs30, freq_hz, table[:, 3:].reshape(shape))


def _tabulated(name: str, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(bayless_abrahamson()[name], dtype=like.dtype, device=like.device)


def to_coarse(values: torch.Tensor) -> torch.Tensor:
    """Values at the table's frequencies (n, 31) -> at COARSE_HZ, linear in ln f, ends held."""
    low, weight = _interpolation(
        np.log(COARSE_HZ), np.log(bayless_abrahamson()["freq_hz"]), values.device
    )
    return torch.lerp(values[:, low], values[:, low + 1], weight.to(values.dtype))


def at_table(values: torch.Tensor) -> torch.Tensor:
    """Values at COARSE_HZ (n, n_coarse) -> at the table's frequencies, (n, 31)."""
    low, weight = _interpolation(
        np.log(bayless_abrahamson()["freq_hz"]), np.log(COARSE_HZ), values.device
    )
    return torch.lerp(values[:, low], values[:, low + 1], weight.to(values.dtype))


def _interpolation(
    x: NDArray[np.float64], nodes: NDArray[np.float64], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    low = np.clip(np.searchsorted(nodes, x) - 1, 0, len(nodes) - 2)
    weight = np.clip((x - nodes[low]) / (nodes[low + 1] - nodes[low]), 0.0, 1.0)
    return torch.as_tensor(low, device=device), torch.as_tensor(weight, device=device)


@lru_cache(maxsize=64)
def fft_interpolation(npts: int, dt_s: float, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Node and weight of each FFT frequency above 0 on the COARSE_HZ grid, log f."""
    f = np.fft.rfftfreq(npts, dt_s)[1:]
    return _interpolation(np.log(f), np.log(COARSE_HZ), torch.device(device))


def seismic_moment_dyn_cm(mag: torch.Tensor) -> torch.Tensor:
    """Hanks and Kanamori (1979)."""
    return 10.0 ** (1.5 * mag + 16.05)


def stress_bar(p: StochasticParameters, mag: torch.Tensor, depth_km: torch.Tensor) -> torch.Tensor:
    """Median stress parameter, bar: its logarithm is linear in magnitude and in depth."""
    above = mag - p.stress_mag_hinge
    ln = (
        math.log(p.stress_bar)
        + p.stress_slope_below * torch.clamp(above, max=0.0)
        + p.stress_slope_above * torch.clamp(above, min=0.0)
        + p.stress_depth_slope * (torch.clamp(depth_km, 0.0, p.stress_depth_cap_km) - 10.0)
    )
    return torch.exp(ln)


def corners_hz(
    p: StochasticParameters, mag: torch.Tensor, stress: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Lower and upper corner, Hz, and the weight of the upper one, each (n,).

    Brune's corner fc = 4.9e6 beta (stress / M0)^(1/3) (Boore 2003, eq. 4) sets the
    high-frequency level: (1 - epsilon) fa^2 + epsilon fb^2 = fc^2 (Boore et al. 2014). A lower
    corner above fc (weak stress) is brought down to it: the spectrum is then Brune's.
    """
    fc = 4.906e6 * p.beta_km_s * (stress / seismic_moment_dyn_cm(mag)) ** (1.0 / 3.0)
    fa = torch.minimum(10.0 ** (p.fa_intercept + p.fa_slope * mag), fc)
    epsilon = torch.clamp(10.0 ** (p.epsilon_intercept + p.epsilon_slope * mag), max=1.0)
    fb = torch.sqrt((fc**2 - (1.0 - epsilon) * fa**2) / epsilon)
    return fa, fb, epsilon


def ln_source(p: StochasticParameters, mag: torch.Tensor, stress: torch.Tensor) -> torch.Tensor:
    """ln acceleration source spectrum of unit moment, ln(1/s2), (n, n_coarse)."""
    f = torch.as_tensor(COARSE_HZ, dtype=mag.dtype, device=mag.device)
    fa, fb, epsilon = (v[:, None] for v in corners_hz(p, mag, stress))
    shape = (1.0 - epsilon) / (1.0 + (f / fa) ** 2) + epsilon / (1.0 + (f / fb) ** 2)
    return 2.0 * torch.log(2.0 * math.pi * f) + torch.log(shape)


def effective_distance_km(
    p: StochasticParameters, mag: torch.Tensor, rrup: torch.Tensor
) -> torch.Tensor:
    """Distance to the equivalent point source (Yenier and Atkinson 2014)."""
    h = 10.0 ** (p.h_intercept + p.h_slope * mag)
    return torch.sqrt(rrup**2 + h**2)


def ln_rock(p: StochasticParameters, c: Columns, stress: torch.Tensor) -> torch.Tensor:
    """ln Fourier acceleration of one horizontal below the site, ln(m/s), (n, n_coarse).

    ``c``: mag, rrup, each (n,); ``stress`` (n,), bar. Boore (2003) eq. 5, 9 and 10.
    """
    mag = c["mag"]
    f = torch.as_tensor(COARSE_HZ, dtype=mag.dtype, device=mag.device)
    r = effective_distance_km(p, mag, c["rrup"])
    # SI at the reference distance of 1 km: N m, kg/m3, m/s, m.
    moment = seismic_moment_dyn_cm(mag) * 1e-7
    constant = p.radiation * p.free_surface * p.partition
    constant /= 4.0 * math.pi * p.density_g_cm3 * 1e3 * (p.beta_km_s * 1e3) ** 3 * 1e3
    spreading = p.b1 * torch.log(torch.clamp(r, max=p.r1_km)) + p.b2 * torch.log(
        torch.clamp(r / p.r1_km, min=1.0)
    )
    attenuation = -math.pi * f ** (1.0 - p.eta) / (p.q0 * p.beta_km_s)
    return (
        ln_source(p, mag, stress)
        + (torch.log(moment * constant) + spreading)[:, None]
        + attenuation * r[:, None]
        - math.pi * p.kappa_s * f
    )


def ln_site(vs30: torch.Tensor, ln_eas_5hz_g_s: torch.Tensor) -> torch.Tensor:
    """ln site amplification relative to the source layer, (n, n_coarse).

    Boore (2016) to Vs30 760 m/s, then Bayless and Abrahamson (2019a) eq. 9 and 10: linear
    scaling with Vs30 (capped at 1000 m/s) and nonlinear deamplification driven by the 5 Hz EAS
    at rock, ``ln_eas_5hz_g_s`` (n,).
    """
    crustal = np.interp(np.log(COARSE_HZ), np.log(BOORE_2016_HZ), np.log(BOORE_2016_FACTOR))
    linear = _tabulated("c8", vs30) * torch.log(torch.clamp(vs30, max=1000.0) / 760.0)[:, None]
    f3, f4, f5 = (_tabulated(k, vs30) for k in ("f3", "f4", "f5"))
    shaking_g = torch.exp(1.238 + 0.846 * ln_eas_5hz_g_s)[:, None]
    soil = torch.exp(f5 * (torch.clamp(vs30, max=760.0)[:, None] - 360.0)) - torch.exp(
        f5 * (760.0 - 360.0)
    )
    nonlinear = f4 * soil * torch.log((shaking_g + f3) / f3)
    # Published rule: beyond the strongest deamplification it stays at its minimum.
    nonlinear = torch.cummin(nonlinear, dim=1).values
    return torch.as_tensor(crustal, dtype=vs30.dtype, device=vs30.device) + to_coarse(
        linear + nonlinear
    )


def ln_vertical_ratio(p: StochasticParameters, c: Columns) -> torch.Tensor:
    """ln vertical over horizontal Fourier amplitude, (n, n_coarse).

    The table's factor, without the nonlinear response of the soil at median shaking: it takes
    shear waves, which the horizontals are, and leaves the compressional ones.
    """
    rock = ln_rock(p, c, stress_bar(p, c["mag"], c["hypo_depth"]))
    shaking = ln_reference_eas_5hz(rock)
    nonlinear = ln_site(c["vs30"], shaking) - ln_site(c["vs30"], torch.full_like(shaking, -30.0))
    return math.log(p.vertical_ratio) + p.adjustment * (node_table("vertical")(c) - nonlinear)


def ln_reference_eas_5hz(rock: torch.Tensor) -> torch.Tensor:
    """ln EAS at 5 Hz, g s, on the reference rock (Vs30 1000 m/s) of the nonlinear site term."""
    i = int(np.argmin(np.abs(COARSE_HZ - 5.0)))
    crustal = np.interp(math.log(5.0), np.log(BOORE_2016_HZ), np.log(BOORE_2016_FACTOR))
    table = bayless_abrahamson()
    c8 = np.interp(math.log(5.0), np.log(table["freq_hz"]), table["c8"])
    return rock[:, i] + float(crustal + c8 * math.log(1000.0 / 760.0) - math.log(GRAVITY_M_S2))


def standard_deviations(
    p: StochasticParameters, mag: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """tau and phi of ln(EAS) at the table's frequencies, (n, 31) each.

    Bayless and Abrahamson (2019a) eq. 16-18, linear in magnitude between M 4 and 6, times the
    factors of tables/variability.csv.
    """
    w = torch.clamp((mag - 4.0) / 2.0, 0.0, 1.0)[:, None]
    s = [torch.lerp(_tabulated(f"s{i}", mag), _tabulated(f"s{i + 1}", mag), w) for i in (1, 3, 5)]
    by = torch.as_tensor(p.adjustment * variability()[0], dtype=mag.dtype).to(mag.device)
    tau = s[0] * torch.exp(torch.lerp(by[0], by[1], w))
    phi = torch.hypot(s[1], s[2]) * torch.exp(torch.lerp(by[2], by[3], w))
    return p.tau_factor * tau, p.phi_factor * phi


@lru_cache(maxsize=64)
def packet_factors(
    p: StochasticParameters, npts: int, dt_s: float, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Amplitudes of the S and P packets of the vertical at FFT frequencies; squares sum to 1.

    The P share of the energy, ``p_energy_vertical`` at 5 Hz, grows with frequency: P waves have
    the higher corner and are damped and amplified by soft soil less.
    """
    f = np.fft.rfftfreq(npts, dt_s)
    odds = p.p_energy_vertical / (1.0 - p.p_energy_vertical) * (f / 5.0) ** p.p_share_slope
    share = odds / (1.0 + odds)
    parts = (np.sqrt(1.0 - share), np.sqrt(share))
    of_s, of_p = (torch.as_tensor(v, dtype=torch.float32, device=device) for v in parts)
    return of_s, of_p
