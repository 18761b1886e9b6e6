"""The stochastic method (Boore 2003, 2009) in batched torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial.coherency import Coherent
from gwm_hazard.core.spatial.noise import SpatialCorrelation
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.stochastic import spatial, spectrum, window
from gwm_hazard.models.stochastic.card import card
from gwm_hazard.models.stochastic.parameters import StochasticParameters


class StochasticModel(WaveformModel):
    """Three-component accelerograms from an equivalent point source.

    The Fourier amplitude of each horizontal is source x path x site (Boore 2003) times the
    exponential of a between-event and a within-event term, both correlated between frequencies
    after Bayless and Abrahamson (2019); durations vary likewise; noise windowed into P, S and
    coda packets carries it.
    The between-event term has two parts: the stress parameter, and what remains of the
    published tau after it.

    Conditions: ``mag``, ``rrup`` (km), ``vs30`` (m/s), ``hypo_depth`` (km); ``rhypo``, where
    given, sets the P-S time.
    """

    bytes_per_sample = 48

    def __init__(self, **parameters: Any) -> None:
        self.parameters = StochasticParameters(**parameters)
        self.card = card(self.parameters)

    def _timing(
        self, scenarios: Scenarios
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """D5-75 and D5-95 of the energy, P onset and S onset, s, each (n,)."""
        p = self.parameters
        d575, d595 = (
            p.duration_factor
            * window.significant_duration_s(k, *(scenarios[c] for c in ("mag", "rrup", "vs30")))
            for k in ("RSD575", "RSD595")
        )
        return d575, d595, *window.arrivals_s(p, scenarios["rhypo"])

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """See :meth:`WaveformModel.npts`."""
        _, d595, _, onset_s = self._timing(scenarios)
        return window.record_samples(self.parameters, d595, onset_s, self.dt_s)

    def spatial_correlation(self, name: str, coherency: str = "none") -> SpatialCorrelation:
        """See :meth:`WaveformModel.spatial_correlation`."""
        coherent = None if coherency == "none" else Coherent("waveform", 3, self.dt_s)
        return SpatialCorrelation(name, {"record": spatial.matrices(name)}, coherent)

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`."""
        p = self.parameters
        npts = int(self.npts(scenarios.take(slice(0, 1)))[0])
        size = len(spectrum.correlation_factor(p))
        # event: stress parameter, duration, spectral residual; record: duration, residual
        event = self._tensor(noise.normal("event", size + 2, per_event=True))
        record = self._tensor(noise.normal("record", size + 1))

        d575, d595, *onsets = self._timing(scenarios)
        shape, scale, onset_p, onset_s = (
            self._tensor(v, torch.float32) for v in (*window.shape_and_scale(d575, d595), *onsets)
        )
        shift = p.duration_tau * event[:, 1] + p.duration_phi * record[:, 0]
        limit = 2.0 * math.hypot(p.duration_tau, p.duration_phi)
        scale = scale * torch.exp(torch.clamp(shift, -limit, limit))
        horizontal, s_packet, p_packet = window.envelopes(
            p, shape, scale, onset_p, onset_s, npts, self.dt_s
        )

        noise_of = self._tensor(noise.normal("waveform", 3 * npts)).view(-1, 3, npts)
        white = torch.empty((len(noise_of), 4, npts), dtype=noise_of.dtype, device=self.device)
        torch.mul(noise_of[:, :2], horizontal[:, None], out=white[:, :2])
        torch.mul(noise_of[:, 2], s_packet, out=white[:, 2])
        # The P packet takes the vertical's noise from its end, where the S packet has none.
        torch.mul(noise_of[:, 2].flip(-1), p_packet, out=white[:, 3])
        spectra = torch.fft.rfft(white)
        ln_amplitude = self._ln_amplitude(scenarios, event[:, 0], event[:, 2:], record[:, 1:])
        ln_vertical = spectrum.ln_vertical_ratio(
            p, {k: self._tensor(scenarios[k]) for k in self.card.condition_names}
        )
        ln_amplitude -= math.log(self.dt_s)
        factors = torch.stack([ln_amplitude, ln_amplitude + ln_vertical], dim=1).float()
        low, weight = spectrum.fft_interpolation(npts, self.dt_s, str(self.device))
        amplitude = torch.lerp(factors[..., low], factors[..., low + 1], weight.float()).exp_()
        of_s, of_p = spectrum.packet_factors(p, npts, self.dt_s, str(self.device))
        spectra[:, 2] *= of_s
        spectra[:, 2].addcmul_(spectra[:, 3], of_p)
        spectra = spectra[:, :3]
        spectra[..., 0] = 0.0
        spectra[:, :2, 1:] *= amplitude[:, :1]
        spectra[:, 2, 1:] *= amplitude[:, 1]
        return window.brought_to_rest(torch.fft.irfft(spectra, n=npts), self.dt_s)

    def _ln_amplitude(
        self,
        scenarios: Scenarios,
        z_stress: torch.Tensor,
        z_event: torch.Tensor,
        z_record: torch.Tensor,
    ) -> torch.Tensor:
        """ln Fourier amplitude of a horizontal with its random terms, ln(m/s), (n, n_coarse).

        Standard normals: of the stress parameter (n,), of the between-event and of the
        within-event residual (n, 31).
        """
        p = self.parameters
        columns = {k: self._tensor(scenarios[k]) for k in self.card.condition_names}
        factor = self._tensor(spectrum.correlation_factor(p))
        tau, phi = spectrum.standard_deviations(p, columns["mag"])
        median = spectrum.stress_bar(p, columns["mag"], columns["hypo_depth"])
        stress = median * torch.exp(p.stress_sigma_ln * z_stress.double())
        # The stress parameter gives a part of the published tau; the rest is a correlated field.
        one_sigma = median * math.exp(p.stress_sigma_ln)
        by_stress = spectrum.at_table(
            spectrum.ln_source(p, columns["mag"], one_sigma)
            - spectrum.ln_source(p, columns["mag"], median)
        )
        rest = torch.sqrt(torch.clamp(tau**2 - by_stress**2, min=0.0))
        residual = rest * (z_event.double() @ factor.T) + phi * (z_record.double() @ factor.T)

        rock = spectrum.ln_rock(p, columns, stress) + spectrum.to_coarse(residual)
        site = spectrum.ln_site(columns["vs30"], spectrum.ln_reference_eas_5hz(rock))
        return rock + site + p.adjustment * spectrum.node_table("horizontal")(columns)

    def _tensor(self, values: NDArray[Any], dtype: torch.dtype | None = None) -> torch.Tensor:
        return torch.as_tensor(values, dtype=dtype, device=self.device)
