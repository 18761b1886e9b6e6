"""Classifiers of records, whose embeddings the benchmark compares: named, found, or none.

A classifier is any object with the attribute and the two methods of :class:`Classifier`. One of a
package of its own is an entry point of the group `GROUP`: a function that returns it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

GROUP = "gwm_hazard.classifiers"

#: The word for no classifier.
NONE = "none"

#: The one that is asked where none is named: trained on simulated records, in this package.
DEFAULT = "classifier-small"


class Classifier(Protocol):
    """What embeddings are taken from."""

    @property
    def about(self) -> Mapping[str, Any]:
        """Plain values for the page: ``name``, ``training_data``, ``limitations`` ..."""
        ...

    def embed(self, waveforms: NDArray[np.float32]) -> NDArray[np.floating]:
        """Feature vectors (n, d) of waveforms (n, 3, nt), m/s2, 100 Hz, P at 5 s."""
        ...

    def accuracy(self, embeddings: NDArray[np.floating], conditions: pd.DataFrame) -> float:
        """Share of embeddings that are put in the class of their ``mag`` and distance."""
        ...


def find_classifier(name: str = DEFAULT) -> Classifier | None:
    """A classifier by the name of an entry point, a folder, or the name of one among the models.

    None for "none". Raises ModelError (ValueError) for an unknown name or a damaged folder.
    """
    if name == NONE:
        return None
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            made: Classifier = entry.load()()
            return made
    from gwm_hazard.models.highfem.classifier import load_classifier

    return load_classifier(name)
