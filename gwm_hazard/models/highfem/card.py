"""What the card of HighFEM says, and the constants that its checkpoints do not hold."""

from __future__ import annotations

from typing import Any

#: Conditions in the order of the network: mean and standard deviation over the training database
#: (from the published generator; the checkpoints do not hold them).
CONDITIONS = {
    "rhypo": (101.29891904350877, 40.78415968551517),
    "mag": (4.801697862929673, 0.7146698731358634),
    "vs30": (384.7045105848187, 220.11269086015872),
    "hypo_depth": (38.359214998072, 22.472499592355014),
    "azimuthal_gap": (129.92139043457396, 89.69479051949207),
}

#: mag and the upper rhypo: span of the training database as the classifier's bins tell it. The
#: others: three standard deviations of that database about its mean, cut at what is physical,
#: since its limits are not published with the code.
RANGES = {
    "rhypo": (5.0, 200.0),
    "mag": (4.0, 9.1),
    "vs30": (100.0, 1045.0),
    "hypo_depth": (0.0, 105.0),
    "azimuthal_gap": (0.0, 360.0),
}

FIXED: dict[str, Any] = {
    "name": "highfem",
    "family": "highfem",
    "version": "tqdne 0.2",
    "summary": "HighFEM: latent diffusion on log-spectrograms, trained on records of Japan.",
    "licence": (
        "network code and architecture (tqdne): Apache-2.0; weights: as stated on the record that "
        "they were downloaded from, check it before passing them on"
    ),
    "citation": (
        "Palgunadi, Bergmeister, Bosisio, Ermert, Koroni, Perraudin, Dirmeier and Meier (2025) "
        "High resolution seismic waveform generation using denoising diffusion, submitted to "
        "JGR: Machine Learning and Computation, arXiv:2410.19343",
        "Software and weights: Zenodo record 16405538 (tqdne)",
    ),
    "training_data": "strong-motion records of Japan, M 4 to 9.1, up to 200 km",
    "components": ("R", "T", "Z"),
    "sampling_rate_hz": 100.0,
    "tectonic_region": "Active Shallow Crust",
    "between_event": False,
    "limitations": (
        "No between-event term: draws of one event at several sites share nothing but their "
        "conditions; all variability counts as within-event.",
        "Records are 40.64 s long with the P wave at 5 s: shaking that lasts longer, of large or "
        "distant events, is cut, and periods beyond about 10 s are not resolved.",
        "Trained on records high-passed at 0.1 Hz: no displacement offsets, and spectral "
        "accelerations beyond 10 s mean nothing.",
        "Few records above M 7.5 (mean 4.8, standard deviation 0.7): extrapolation in practice.",
        "Point source: distance is hypocentral; no rupture extent, directivity or style of "
        "faulting. The depths (mean 38 km, standard deviation 22 km) mix crustal and subduction "
        "earthquakes.",
        "azimuthal_gap is a property of the station network around the event; OpenQuake has no "
        "such quantity: fix it, or let it vary over its range.",
        "Phases come from Griffin-Lim with one initial phase for every record and component, as "
        "published (parameter phases = 'published'); 'random' draws them.",
    ),
}
