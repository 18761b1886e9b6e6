"""Reading a checkpoint of torch that nobody vouches for.

A checkpoint is a zip archive of a pickle and of raw tensors. PyTorch's restricted unpickler reads
the pickle: it knows tensors and plain containers and calls nothing else. Classes of the packages
that write such files become empty shells; any other name refuses the file. The archive is checked
before: nothing in it may be compressed, so that it cannot grow when read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.files.foreign import regular

#: Packages whose classes a checkpoint may name: settings of the training, which are not needed.
_SHELLS = ("tqdne.", "pytorch_lightning.", "lightning.", "lightning_fabric.", "pathlib.", "numpy.")
#: A pickle of the full-size model has 0.2 MB.
_LARGEST_PICKLE = 16 * 2**20
_EXPECTED = "expected a Lightning checkpoint (.ckpt) as torch.save writes it"


class _Shell:
    """Stands for an object whose class is not imported: takes anything, keeps nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Shell:
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint; its tensors stay in the file until they are used.

    Raises
    ------
    ModelError
        A file that is not a checkpoint, is truncated or damaged, could grow when read, or names
        code that it wants to run.
    """
    _check_archive(path)
    try:
        foreign = get_unsafe_globals_in_checkpoint(str(path))
    except Exception as exc:  # a forged pickle may fail anywhere
        raise _refused(path, exc) from exc
    for name in sorted(foreign):
        if not name.startswith(_SHELLS):
            raise ModelError(
                f"{path}: refused, it asks for {name!r:.120}, which a model has no use for; "
                "nothing of the file was executed"
            )
    try:
        with safe_globals([(_Shell, name) for name in foreign]):
            found = torch.load(str(path), map_location="cpu", weights_only=True, mmap=True)
    except Exception as exc:
        raise _refused(path, exc) from exc
    if not isinstance(found, dict):
        raise ModelError(f"{path}: holds a {type(found).__name__}; {_EXPECTED}")
    return found


def read_state(path: Path) -> Any:
    """The content of a safetensors file, or of a checkpoint.

    Raises
    ------
    ModelError
        A file that cannot be read, or as :func:`read_checkpoint`.
    """
    if path.suffix != ".safetensors":
        return read_checkpoint(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(regular(path))
    except (SafetensorError, OSError, ValueError) as exc:
        raise ModelError(f"{path}: not a readable safetensors file ({exc})") from exc


def take_tensors(
    found: Any, expected: Mapping[str, tuple[int, ...]], where: str
) -> dict[str, torch.Tensor]:
    """Copies of named tensors in float32, held against the expected names and shapes.

    Parameters
    ----------
    found : mapping of str to Tensor
    expected : {name: shape}
    where : str
        What to call the source in a message.

    Raises
    ------
    ModelError
        A tensor that is missing, unknown, of another shape or type, or not finite.
    """
    if not isinstance(found, Mapping):
        raise ModelError(f"{where}: expected named tensors, found {type(found).__name__}")
    unknown = sorted(str(n) for n in found if n not in expected)
    if unknown:
        raise ModelError(f"{where}: unknown weight {unknown[0]!r:.120}; is it another model?")
    taken = {}
    for name, shape in expected.items():
        tensor = found.get(name)
        if tensor is None:
            raise ModelError(f"{where}: weight {name!r} is missing")
        if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
            raise ModelError(f"{where}: weight {name!r} is not a plain tensor")
        if tuple(tensor.shape) != tuple(shape):
            raise ModelError(
                f"{where}: weight {name!r} has shape {tuple(tensor.shape)}, expected {tuple(shape)}"
            )
        if not tensor.is_floating_point() or tensor.device.type != "cpu":
            raise ModelError(f"{where}: weight {name!r} is {tensor.dtype} on {tensor.device.type}")
        taken[name] = tensor.detach().to(torch.float32, copy=True).contiguous()
        if not bool(torch.isfinite(taken[name]).all()):
            raise ModelError(f"{where}: weight {name!r} has values that are not finite")
    return taken


def _check_archive(path: Path) -> None:
    try:
        size = regular(path).stat().st_size
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            for entry in entries:
                if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                    raise ModelError(
                        f"{path}: refused, {entry.filename!r:.120} is compressed or encrypted; "
                        f"{_EXPECTED}, which does neither"
                    )
            if sum(entry.file_size for entry in entries) > size:
                raise ModelError(f"{path}: refused, its parts are larger than the file itself")
            pickles = [e for e in entries if e.filename.endswith("data.pkl")]
            if len(pickles) != 1:
                raise ModelError(f"{path}: {len(pickles)} files data.pkl inside; {_EXPECTED}")
            if pickles[0].file_size > _LARGEST_PICKLE:
                raise ModelError(
                    f"{path}: refused, its pickle has {pickles[0].file_size} bytes; at most "
                    f"{_LARGEST_PICKLE} are read"
                )
            damaged = archive.testzip()
    except zipfile.BadZipFile as exc:
        raise ModelError(
            f"{path}: not a complete zip archive ({exc}): truncated, or another file; {_EXPECTED}"
        ) from exc
    except InputError as exc:
        raise ModelError(f"{path}: cannot be read, {str(exc).removeprefix(f'{path}: ')}") from exc
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    if damaged:
        raise ModelError(f"{path}: {damaged!r:.120} is damaged (checksum); download it again")


def _refused(path: Path, exc: Exception) -> ModelError:
    reason = (str(exc).splitlines() or [type(exc).__name__])[0]
    return ModelError(f"{path}: refused ({reason:.200}); {_EXPECTED}")
