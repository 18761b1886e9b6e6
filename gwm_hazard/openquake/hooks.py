"""What OpenQuake's calculators learn of us: they import this module through OQ_IMPORT_PATH.

``postproc_func = gwm_hazard.waveforms`` in a job.ini is looked up as an attribute of
``openquake.calculators.postproc``: this module sets that attribute and nothing else. The
functions themselves are imported when a job calls them.
"""

from types import SimpleNamespace
from typing import Any

# ``as`` because this runs while openquake.calculators is still being imported.
import openquake.calculators.postproc as oq_postproc


def waveforms(dstore: Any, **options: Any) -> None:
    """See :func:`gwm_hazard.openquake.postproc.waveforms`."""
    from gwm_hazard.openquake import postproc

    postproc.waveforms(dstore, **options)


oq_postproc.gwm_hazard = SimpleNamespace(waveforms=waveforms)
