"""From records to a training file: one module a step, and the run over all records."""

from gwm_hazard.datasets.preparation.run import Summary, prepare
from gwm_hazard.datasets.preparation.settings import Settings

__all__ = ["Settings", "Summary", "prepare"]
