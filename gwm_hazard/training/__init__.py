"""Training of the HighFEM family at any size; needs the extra ``train`` (lightning-fabric)."""

from gwm_hazard.training.config import TrainingConfig
from gwm_hazard.training.run import train

__all__ = ["TrainingConfig", "train"]
