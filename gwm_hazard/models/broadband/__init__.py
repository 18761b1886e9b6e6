"""From physics-based low frequencies to broadband motions."""

from gwm_hazard.models.broadband.model import BroadbandModel

__all__ = ["BroadbandModel"]
