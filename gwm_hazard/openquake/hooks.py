"""What OpenQuake's calculators learn of us: they import this module through OQ_IMPORT_PATH.

Four things, and nothing else:

- ``postproc_func = gwm_hazard.waveforms`` (or ``range_accounting``) in a job.ini is looked up as
  an attribute of ``openquake.calculators.postproc``: this module sets that attribute; the
  functions themselves are imported when a job calls them.
- Ground-motion fields of ``GenerativeWaveformGMM`` are measured on waveforms
  (:mod:`gwm_hazard.openquake.fields`).
- A branch's ``model = "path"`` is relative to the job.ini
  (:mod:`gwm_hazard.openquake.model_paths`).
- A measure that a branch does not have stops a job when it is read
  (:mod:`gwm_hazard.openquake.job_check`).
"""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# ``as`` because this runs while openquake.calculators is still being imported.
import openquake.calculators.event_based as oq_event_based
import openquake.calculators.postproc as oq_postproc

log = logging.getLogger(__name__)


def waveforms(dstore: Any, **options: Any) -> None:
    """See :func:`gwm_hazard.openquake.postproc.waveforms`."""
    from gwm_hazard.openquake import postproc

    _without_loss("waveforms", postproc.waveforms, dstore, options)


def range_accounting(dstore: Any, **options: Any) -> None:
    """See :func:`gwm_hazard.openquake.accounting.range_accounting`."""
    from gwm_hazard.openquake import accounting

    _without_loss("range_accounting", accounting.range_accounting, dstore, options)


def _without_loss(
    name: str, function: Callable[..., None], dstore: Any, options: dict[str, Any]
) -> None:
    """Call what comes after the hazard; where it fails, the finished job goes on to its exports."""
    try:
        function(dstore, **options)
    except Exception as exc:
        what = str(exc)
        if not isinstance(exc, (ValueError, OSError)):  # not a user's mistake: say where
            frame = traceback.extract_tb(exc.__traceback__)[-1]
            what = f"{type(exc).__name__} in {Path(frame.filename).name}:{frame.lineno}: {exc}"
        log.error(
            "gwm_hazard.%s stopped: %s (the hazard of calculation %s is complete; oq engine "
            "--log-level debug shows the traceback)",
            name,
            what,
            dstore.calc_id,
        )
        log.debug("traceback of gwm_hazard.%s", name, exc_info=True)


def _install() -> None:
    try:
        from gwm_hazard.openquake import fields, job_check, model_paths

        model_paths.install()
        job_check.install()
    except ImportError as exc:
        # OpenQuake must go on working when a dependency of ours is missing, or one of its moved.
        log.warning(
            "no ground-motion fields from waveforms, no model folders beside a job.ini: %s", exc
        )
    else:
        fields.install(oq_event_based)


oq_postproc.gwm_hazard = SimpleNamespace(waveforms=waveforms, range_accounting=range_accounting)
_install()
