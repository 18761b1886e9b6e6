"""Evaluations, one module each, with ``section(data: Comparison) -> Section | Skipped``.

To add one, write the module and name it here, where it is to stand on the page.
"""

SECTIONS: tuple[str, ...] = (
    "bias",
    "variability",
    "probabilities",
    "scaling",
    "durations",
    "correlations",
    "convergence",
    "envelopes",
    "fourier",
    "frechet",
    "physics",
    "goodness_of_fit",
    "memorisation",
)
