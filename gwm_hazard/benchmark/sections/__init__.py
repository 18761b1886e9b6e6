"""Evaluations, one module each, with ``section(data: Comparison) -> Section | Skipped``.

To add one, write the module and name it here, where it is to stand on the page. One of another
package is an entry point of the group `GROUP`: its key, and the module; it stands at the end.
"""

from importlib.metadata import entry_points

GROUP = "gwm_hazard.sections"

_OWN = (
    "bias",
    "variability",
    "probabilities",
    "scaling",
    "durations",
    "correlations",
    "convergence",
    "envelopes",
    "fourier",
    "moments",
    "frechet",
    "physics",
    "goodness_of_fit",
    "memorisation",
)

#: key -> module, in the order of the page
MODULES: dict[str, str] = {key: f"{__name__}.{key}" for key in _OWN}
MODULES |= {e.name: e.value for e in entry_points(group=GROUP) if e.name not in _OWN}

SECTIONS: tuple[str, ...] = tuple(MODULES)
