"""The card of the stochastic model, which needs no torch to be read."""

from __future__ import annotations

from dataclasses import asdict

from gwm_hazard._version import __version__
from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.models.stochastic.parameters import StochasticParameters

CITATIONS = (
    "Boore (2003) Pure Appl. Geophys. 160: 635-676; Boore (2009) BSSA 99(6): 3202-3216 "
    "(the stochastic method)",
    "Boore, Di Alessandro and Abrahamson (2014) BSSA 104(5): 2584-2597; Atkinson and Silva "
    "(2000) BSSA 90(2): 255-274 (double-corner source)",
    "Yenier and Atkinson (2014) BSSA 104(3): 1458-1478; (2015) BSSA 105(4): 1989-2009 "
    "(equivalent point source)",
    "Afshari and Stewart (2016) Earthquake Spectra 32(4): 2057-2081 (duration)",
    "Boore (2016) BSSA 106(1): 316-320 (crustal amplification)",
    "Bayless and Abrahamson (2019) BSSA 109(5): 2088-2105 (site scaling, variability); "
    "BSSA 109(1): 19-28 (interfrequency correlation)",
    "Boore, Stewart, Seyhan and Atkinson; Campbell and Bozorgnia; Chiou and Youngs; Abrahamson, "
    "Silva and Kamai (2014) Earthquake Spectra 30(3) (level where records are few)",
    "Gulerce and Abrahamson (2011) Earthquake Spectra 27(4): 1023-1047; Bozorgnia and Campbell "
    "(2016) Earthquake Spectra 32(2): 951-978 (vertical over horizontal)",
)

LIMITATIONS = (
    "Finite ruptures are equivalent point sources: no directivity, pulses, hanging-wall or "
    "style-of-faulting effects.",
    "Phases are random: surface waves and basin resonances are not modelled beyond the average "
    "amplification for Vs30.",
    "Displacements end at 0: no fling.",
    "Empirical factors by magnitude, distance, Vs30 and frequency on the point source's spectra "
    "(adjustment = 0 leaves them out); horizontal P waves share the shape of the S waves.",
    "Depths beyond 20 km keep the crustal path model and the stress parameter of 20 km.",
)


def card(parameters: StochasticParameters | None = None) -> ModelCard:
    """The card of the model with these parameters, by default its own."""
    return ModelCard(
        name="stochastic",
        family="stochastic",
        version=__version__,
        summary="Stochastic method, equivalent point source, active shallow crust.",
        licence="AGPL-3.0-or-later",
        citation=CITATIONS,
        training_data=(
            "no waveforms; spectra, durations and variability calibrated on intensity "
            "measures of some 11,000 records and, where these are few, on the mean of four "
            "NGA-West2 ground-motion models"
        ),
        conditions=(
            Range("mag", 4.0, 8.0),
            Range("rrup", 1.0, 300.0),
            Range("vs30", 150.0, 1500.0),
            Range("hypo_depth", 0.0, 100.0),
        ),
        components=("H1", "H2", "V"),
        sampling_rate_hz=100.0,
        tectonic_region="Active Shallow Crust",
        between_event=True,
        limitations=LIMITATIONS,
        parameters=asdict(parameters or StochasticParameters()),
    )
