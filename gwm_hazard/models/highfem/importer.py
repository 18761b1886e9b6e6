"""From the published Lightning checkpoints of HighFEM to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch

from gwm_hazard.errors import ModelError
from gwm_hazard.models.checkpoint import read_checkpoint, take_tensors
from gwm_hazard.models.highfem.config import autoencoder_config, unet_config
from gwm_hazard.models.highfem.model import HighFEMModel, expected_shapes
from gwm_hazard.models.weights import Weights

T = TypeVar("T")

#: The one tensor of the U-Net that is not trained, and so has no moving average.
FIXED = "unet.time_embed.W"


def import_model(
    paths: Sequence[Path],
    *,
    weights: str = "raw",
    sampler: str = "heun",
    steps: str = "25",
    precision: str = "float32",
    griffin_lim: str = "128",
    phases: str = "published",
) -> HighFEMModel:
    """Read ``edm.ckpt`` and ``autoencoder.ckpt``, in either order; nothing in them is executed.

    The autoencoder inside ``edm.ckpt`` is used, as the published generator does; the other file
    gives its sizes.

    Parameters
    ----------
    paths : sequence of Path
        The two checkpoints.
    weights : str
        "raw": as trained, what the published generator uses. "ema": exponential moving average
        of the denoiser's weights.
    sampler, steps, precision, griffin_lim, phases : str
        As :class:`HighFEMModel` takes them; defaults as published.

    Raises
    ------
    ModelError
        Files that are not these two checkpoints, are damaged, or could run code.
    """
    if weights not in ("raw", "ema"):
        raise ModelError(f"weights = {weights!r}: give 'raw' or 'ema'")
    (edm_path, edm_file), (ae_path, ae_file) = _tell_apart(paths)
    unet = _sizes(edm_path, unet_config, _hyper(edm_file)["unet_config"])
    encoder, decoder = (_hyper(ae_file)[f"{name}_config"] for name in ("encoder", "decoder"))
    coder = _sizes(ae_path, autoencoder_config, encoder, decoder)
    shapes = _sizes(edm_path, expected_shapes, unet, coder)

    tensors = take_tensors(edm_file["state_dict"], shapes, str(edm_path))
    if weights == "ema":
        tensors |= _moving_average(edm_file, shapes, edm_path)
    _check_autoencoder(ae_file["state_dict"], tensors, ae_path)
    return HighFEMModel(
        weights=Weights.of(tensors),
        unet=asdict(unet),
        autoencoder=asdict(coder),
        averaging=weights,
        sampler=sampler,
        steps=_whole(steps, "steps"),
        precision=precision,
        griffin_lim=_whole(griffin_lim, "griffin_lim"),
        phases=phases,
    )


def _tell_apart(paths: Sequence[Path]) -> tuple[tuple[Path, Any], tuple[Path, Any]]:
    """(path, content) of the denoiser's file and of the autoencoder's."""
    if len(paths) != 2:
        raise ModelError(f"{len(paths)} files: give two, edm.ckpt and autoencoder.ckpt")
    found: dict[str, tuple[Path, Any]] = {}
    for path in paths:
        content = read_checkpoint(path)
        names = _hyper(content)
        if not isinstance(content.get("state_dict"), Mapping):
            raise ModelError(f"{path}: no 'state_dict'; expected a checkpoint of HighFEM")
        if "unet_config" in names:
            found["edm"] = (path, content)
        elif "encoder_config" in names and "decoder_config" in names:
            found["autoencoder"] = (path, content)
        else:
            raise ModelError(
                f"{path}: neither the denoiser (hyper-parameter 'unet_config') nor the "
                "autoencoder ('encoder_config' and 'decoder_config') of HighFEM; hyper-parameters "
                f"found: {', '.join(map(str, names)) or 'none':.200}"
            )
    if len(found) != 2:
        raise ModelError(f"two files of the same kind ({next(iter(found))}): give one of each")
    return found["edm"], found["autoencoder"]


def _hyper(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found = content.get("hyper_parameters")
    return found if isinstance(found, Mapping) else {}


def _sizes(path: Path, read: Callable[..., T], *found: Any) -> T:
    try:
        return read(*found)
    except ValueError as exc:
        raise ModelError(f"{path}: {exc}") from exc


def _moving_average(
    content: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path
) -> dict[str, torch.Tensor]:
    if "ema_state" not in content:
        raise ModelError(f"{path}: has no 'ema_state'; import it with weights=raw")
    trained = {n: s for n, s in shapes.items() if n.startswith("unet.") and n != FIXED}
    return take_tensors(content["ema_state"], trained, f"{path} (ema_state)")


def _check_autoencoder(state: Any, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """The autoencoder's own file must hold the network that is inside the denoiser's."""
    inside = "autoencoder."
    shapes = {
        n.removeprefix(inside): tuple(t.shape) for n, t in tensors.items() if n.startswith(inside)
    }
    for name, own in take_tensors(state, shapes, str(path)).items():
        if not torch.equal(own, tensors[inside + name]):
            raise ModelError(
                f"{path}: weight {name!r} differs from the copy in the denoiser's checkpoint: the "
                "two files do not belong together"
            )


def _whole(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ModelError(f"{name} = {text!r}: give a whole number") from None
