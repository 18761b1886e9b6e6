"""Through this module OpenQuake finds GenerativeWaveformGMM.

The wheel places it in ``openquake/hazardlib/gsim/``, whose modules OpenQuake imports all.
"""

import warnings

try:
    # A plain import: ``from`` would be circular when a user imports gwm_hazard first.
    import gwm_hazard.openquake.gsim  # noqa: F401
except ImportError as exc:
    # OpenQuake must go on working when a dependency of ours is missing.
    warnings.warn(f"GenerativeWaveformGMM is not available: {exc}", stacklevel=1)
