"""Given records through the representation of a model and back: what it can keep of a motion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise

if TYPE_CHECKING:
    from gwm_hazard.models.highfem.model import HighFEMModel


@torch.inference_mode()
def through(
    model: HighFEMModel, acceleration: NDArray[np.floating], dt_s: float, autoencoder: bool
) -> NDArray[np.float32]:
    """Log-spectrograms of records, encoded and decoded where asked, and phases retrieved.

    See :meth:`HighFEMModel.reconstruct`. Raises ValueError for another shape or time step.
    """
    given = np.asarray(acceleration, dtype=np.float32)
    if given.ndim != 3 or given.shape[1] != 3:
        raise ValueError(f"acceleration has shape {given.shape}: must be (n, 3, nt)")
    if abs(dt_s / model.dt_s - 1.0) > 1e-6:
        raise ValueError(f"dt_s = {dt_s:g}: resample to {model.dt_s:g} s first")
    samples = model.representation.transform.samples(128)
    kept = min(samples, given.shape[2])
    out = np.zeros_like(given)
    size = model.batch_size(samples)
    for start in range(0, len(given), size):
        part = slice(start, start + size)
        record = torch.zeros((*given[part].shape[:2], samples), device=model.device)
        record[:, :, :kept] = torch.from_numpy(given[part, :, :kept]).to(model.device)
        image = model.representation.forward(record, torch.float32)
        if autoencoder:
            coder = model.network().autoencoder
            kind = next(coder.parameters()).dtype
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                image = coder.decode(coder.encode(image.to(kind))).float().contiguous()
        same = Noise(0, np.zeros(len(record), dtype=np.int64), 0, 0)
        made = model.records(image, same).float().cpu().numpy()
        out[part, :, :kept] = made[:, :, :kept]
    return out
