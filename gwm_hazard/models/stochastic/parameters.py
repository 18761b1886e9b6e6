"""Parameters of the stochastic model: every number with its unit and source."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field, fields
from functools import lru_cache
from importlib.resources import files

from gwm_hazard.errors import InputError

TABLES = ("horizontal", "vertical", "variability")


@lru_cache(maxsize=1)
def tables_checksum() -> int:
    """CRC-32 of the tables of factors: it tells cards and surfaces of other tables from these."""
    found = 0
    for name in TABLES:
        text = files(__package__).joinpath(f"tables/{name}.csv").read_text("utf-8")
        found = zlib.crc32(text.encode(), found)
    return found


@dataclass(frozen=True)
class StochasticParameters:
    """Seismological parameters for active shallow crust.

    Values marked *calibrated* are those of ``validation/stochastic/calibrate.py``: the point
    source is fitted to the mean of four ground-motion models (Boore et al., Campbell and Bozorgnia,
    Chiou and Youngs, Abrahamson et al., all 2014) with the priors of
    :data:`gwm_hazard.calibration.free.FREE`. What is left, against records of development events
    and the four models, stands in ``tables/horizontal.csv``, a smooth factor on the spectrum.
    ``validation/stochastic/compare.py`` says what that leaves, on events that nothing was fitted
    to.
    """

    # Source: additive double-corner spectrum (Boore et al. 2014, BSSA 104(5): 2584-2597) whose
    # high-frequency level is that of Brune's (1970, 1971) with the stress parameter.
    #: shear-wave velocity at the source, km/s, and density, g/cm3
    beta_km_s: float = 3.5
    density_g_cm3: float = 2.8
    #: average S-wave radiation, free surface, partition onto one horizontal (Boore 2003)
    radiation: float = 0.55
    free_surface: float = 2.0
    partition: float = 1.0 / math.sqrt(2.0)
    #: median stress parameter at the hinge magnitude and 10 km depth, bar (calibrated)
    stress_bar: float = 186.3
    #: slope of ln(stress) with magnitude below and above the hinge (calibrated; the form below
    #: the hinge is that of Yenier and Atkinson 2015)
    stress_mag_hinge: float = 6.0
    stress_slope_below: float = 0.2692
    stress_slope_above: float = -0.3902
    #: slope of ln(stress) with hypocentral depth, 1/km (calibrated; the four models together have
    #: 0.03 to 0.04 a km in ln PGA at a fixed rupture distance), held below the cap
    stress_depth_slope: float = 0.04848
    stress_depth_cap_km: float = 20.0

    #: lower corner log10 fa and weight log10 epsilon of the upper corner, intercept and slope
    #: with magnitude (calibrated; Atkinson and Silva 2000: 2.181, -0.496, 0.605, -0.255)
    fa_intercept: float = 2.835
    fa_slope: float = -0.5614
    epsilon_intercept: float = 0.7051
    epsilon_slope: float = -0.3589

    # Path: equivalent point source R = sqrt(rrup^2 + h^2),
    # log10 h = h_intercept + h_slope * M (Yenier and Atkinson 2015: -0.405, 0.235; slope
    # calibrated).
    h_intercept: float = -0.405
    h_slope: float = 0.2126
    #: geometrical spreading R^b1 to r1_km, then R^b2 (calibrated; -1.0 to 40 km and -0.5 in
    #: Raoof et al. 1999, the hinge of Yenier and Atkinson 2015)
    b1: float = -1.074
    b2: float = -0.5417
    r1_km: float = 50.0
    #: anelastic attenuation Q = q0 * f^eta (calibrated; 180 and 0.45 in Raoof et al. 1999)
    q0: float = 223.1
    eta: float = 0.4906

    # Site: Boore (2016) crustal amplification for Vs30 760 m/s; Bayless and Abrahamson (2019a)
    # Vs30 scaling, linear and nonlinear.
    #: site diminution exp(-pi kappa f), s (calibrated; 0.035 in Boore 2003 for the West)
    kappa_s: float = 0.04345
    #: vertical over horizontal Fourier amplitude of the S waves
    vertical_ratio: float = 0.55

    #: 1 applies the empirical factors of tables/horizontal.csv and vertical.csv, 0 leaves the bare
    #: point source
    adjustment: float = 1.0
    #: which tables these are
    tables_crc32: float = field(default_factory=tables_checksum)

    # Timing and shape
    #: P velocity, km/s (Poisson solid)
    alpha_km_s: float = 3.5 * math.sqrt(3.0)
    #: seconds before the P arrival at the start of each record (Palgunadi et al. 2025)
    pre_p_s: float = 5.0
    #: factor on the significant durations of Afshari and Stewart (2016) (calibrated)
    duration_factor: float = 1.11
    #: share of the horizontal and of the vertical energy that arrives as P and its coda
    p_energy_horizontal: float = 0.02
    p_energy_vertical: float = 0.20
    #: slope of ln odds of the P share of the vertical's energy with ln frequency, about 5 Hz
    p_share_slope: float = 0.7
    #: share of the S energy in the slow coda and its energy decay time, s (Qc / 2 pi f)
    coda_energy: float = 0.01
    coda_decay_s: float = 15.0

    # Variability, natural log units
    #: between-event standard deviation of ln(stress); the rest of tau comes on top
    stress_sigma_ln: float = 0.35
    #: factors on the between-event and within-event standard deviations, which are those of
    #: Bayless and Abrahamson (2019a), tau and sqrt(phi_S2S^2 + phi_SS^2) by frequency, times
    #: tables/variability.csv (development events)
    tau_factor: float = 1.0
    phi_factor: float = 1.0
    #: between-event and within-event standard deviation of ln(duration), cut at 2 sigma together
    #: (D5-95 of development events: 0.36 and 0.45)
    duration_tau: float = 0.37
    duration_phi: float = 0.47

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"stochastic parameter {f.name} = {value!r}: must be a number")
        for name in ("stress_bar", "q0", "kappa_s", "beta_km_s", "density_g_cm3", "r1_km"):
            if getattr(self, name) <= 0:
                raise InputError(
                    f"stochastic parameter {name} = {getattr(self, name)}: must be > 0"
                )
        if self.adjustment and self.tables_crc32 != tables_checksum():
            raise InputError(
                f"stochastic parameter tables_crc32 = {self.tables_crc32}: the tables of factors "
                f"of this version have {tables_checksum()}; calibrate the model again with it"
            )
