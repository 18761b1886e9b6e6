"""Weights of a model: named tensors in a safetensors file, known by their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.foreign import regular

if TYPE_CHECKING:
    import torch

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and the SHA-256 of the safetensors file that holds them."""

    tensors: Mapping[str, torch.Tensor]
    sha256: str

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> Weights:
        """Weights that no file holds yet, on the CPU.

        Raises
        ------
        ModelError
            A tensor with values that are not finite.
        """
        from safetensors.torch import save

        tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        _check_finite(tensors, "weights")
        return cls(tensors, hashlib.sha256(save(tensors)).hexdigest())

    @classmethod
    def read(cls, path: Path, sha256: str) -> Weights:
        """Read a file and hold it against its checksum.

        Raises
        ------
        ModelError
            A missing, unreadable or changed file, or values that are not finite.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            found = file_sha256(regular(path))
        except OSError as exc:
            raise ModelError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
        except InputError as exc:
            raise ModelError(str(exc)) from exc
        if found != sha256:
            raise ModelError(
                f"{path}: SHA-256 {found[:16]}... is not that of its card ({sha256[:16]}...): "
                "the file was changed or damaged; import the model again"
            )
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError, ValueError) as exc:
            raise ModelError(f"{path}: not a readable safetensors file ({exc})") from exc
        _check_finite(tensors, str(path))
        return cls(tensors, sha256)

    def write(self, path: Path) -> None:
        """Write the file that :meth:`read` reads."""
        from safetensors.torch import save_file

        with replacing(path) as temporary:
            save_file(dict(self.tensors), temporary)


def check_shapes(
    tensors: Mapping[str, torch.Tensor], expected: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Raise a ModelError that names the first tensor missing, unknown or of another shape."""
    for name, shape in expected.items():
        if name not in tensors:
            raise ModelError(f"{where}: weight {name!r} is missing")
        if tuple(tensors[name].shape) != tuple(shape):
            raise ModelError(
                f"{where}: weight {name!r} has shape {tuple(tensors[name].shape)}, "
                f"expected {tuple(shape)}"
            )
    for name in tensors:
        if name not in expected:
            raise ModelError(f"{where}: unknown weight {name!r}")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_finite(tensors: Mapping[str, torch.Tensor], where: str) -> None:
    import torch

    for name, t in tensors.items():
        if t.is_floating_point() and not bool(torch.isfinite(t).all()):
            raise ModelError(f"{where}: weight {name!r} has values that are not finite")
