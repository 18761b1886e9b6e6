"""The layout of published StyleGAN3 network files: modules and tensors, read as data.

A module is a call of ``torch_utils.persistence._reconstruct_persistent_obj`` with the source text
of its class; the text is not looked at. A tensor is a chain of calls about a storage, whose bytes
are a pickle again, of the format of ``torch.save`` before zip archives.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from gwm_hazard.errors import ModelError
from gwm_hazard.files.inert_pickle import Call, Name, Persistent, read

_MODULE = "torch_utils.persistence._reconstruct_persistent_obj"
_PARAMETER, _TENSOR = "torch._utils._rebuild_parameter", "torch._utils._rebuild_tensor_v2"
_BYTES = "torch.storage._load_from_bytes"
_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")

#: All that a network file has to name.
NAMES = frozenset(
    {
        _MODULE, _PARAMETER, _TENSOR, _BYTES, *_SCALARS,
        "collections.OrderedDict", "dnnlib.util.EasyDict", "builtins.set",
        "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
        "numpy.dtype", "numpy.ndarray",
    }
)  # fmt: skip
_STORAGES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
}

#: A published file has 243 MB.
LARGEST_FILE = 2**31
_MOST_MODULES, _DEEPEST = 2000, 8
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def read_network(path: Path, key: str = "G_ema") -> Call:
    """One of the networks of a file, as the call that would make it.

    Raises
    ------
    ModelError
        A file that is no network file, or asks for more than one needs.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ModelError(f"{path}: {size} bytes; a network file has at most {LARGEST_FILE}")
        content = path.read_bytes()
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    if content[:2] == b"PK":
        raise ModelError(f"{path}: refused, a zip archive; expected a network pickle (.pkl)")
    found = read(BytesIO(content), NAMES, str(path))
    if not isinstance(found, dict) or not isinstance(found.get(key), Call):
        raise ModelError(f"{path}: holds no network {key!r}; is it a StyleGAN3 network file?")
    network: Call = found[key]
    return network


def settings(module: Call, where: str) -> dict[str, Any]:
    """What a module was made with, numbers of numpy as plain ones."""
    found = _state(module, where).get("_init_kwargs")
    if not isinstance(found, dict):
        raise ModelError(f"{where}: a module without '_init_kwargs'")
    return {str(k): _plain(v) for k, v in found.items()}


def class_name(module: Call, where: str) -> str:
    """Name of the class of a module."""
    return str(_meta(module, where).get("class_name"))


def tensors(module: Call, where: str) -> dict[str, torch.Tensor]:
    """Parameters and buffers of a module and of those below it, by the path of their names."""
    made: dict[str, torch.Tensor] = {}
    waiting: list[tuple[str, int, Any]] = [("", 0, module)]
    seen = 0
    while waiting:
        prefix, depth, node = waiting.pop()
        seen += 1
        if seen > _MOST_MODULES or depth > _DEEPEST:
            raise ModelError(f"{where}: refused, too many modules, or modules too deep")
        state = _state(node, where)
        for part in ("_parameters", "_buffers"):
            for name, value in _mapping(state, part, where).items():
                if value is not None:
                    made[prefix + str(name)] = tensor(value, f"{where}: {prefix}{name}")
        for name, child in _mapping(state, "_modules", where).items():
            if child is not None:
                waiting.append((f"{prefix}{name}.", depth + 1, child))
    return made


def tensor(value: Any, where: str) -> torch.Tensor:
    """A tensor from the calls that would make it.

    Raises
    ------
    ModelError
        Another call, or a tensor that lies outside of its storage or has more elements than it.
    """
    if isinstance(value, Call) and value.name == _PARAMETER and value.arguments:
        value = value.arguments[0]
    if not isinstance(value, Call) or value.name != _TENSOR or len(value.arguments) < 4:
        raise ModelError(f"{where}: refused, not a plain tensor")
    storage, offset, size, stride = value.arguments[:4]
    if not isinstance(storage, Call) or storage.name != _BYTES or len(storage.arguments) != 1:
        raise ModelError(f"{where}: refused, a tensor without a storage")
    flat = _storage(storage.arguments[0], where)
    if not (_sizes(size) and _sizes(stride) and len(size) == len(stride) and _sizes((offset,))):
        raise ModelError(f"{where}: refused, a tensor of size {size!r:.60}, stride {stride!r:.60}")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if math.prod(size) == 0 or math.prod(size) > len(flat) or last >= len(flat):
        raise ModelError(
            f"{where}: refused, a tensor of size {list(size)!r:.60} in {len(flat)} numbers"
        )
    return flat.as_strided(tuple(size), tuple(stride), offset).clone(
        memory_format=torch.contiguous_format
    )


def _storage(content: Any, where: str) -> torch.Tensor:
    """Numbers of a storage that ``torch.save`` wrote without an archive."""
    if not isinstance(content, bytes):
        raise ModelError(f"{where}: refused, a storage that is no bytes")
    if content[:2] == b"PK":
        raise ModelError(f"{where}: refused, a storage in a zip archive")
    file = BytesIO(content)
    magic, protocol, _ = (read(file, (), where) for _ in range(3))
    found = read(file, _STORAGES, where, persistent=True)
    keys = read(file, (), where)
    told = found.key if isinstance(found, Persistent) else None
    if (
        magic != _MAGIC
        or protocol != _PROTOCOL
        or not isinstance(told, tuple)
        or len(told) < 5
        or told[0] != "storage"
        or not isinstance(told[1], Name)
        or keys != [told[2]]
    ):
        raise ModelError(f"{where}: refused, not a storage of torch")
    dtype = _STORAGES[told[1].name]
    head = file.read(8)
    count = struct.unpack("<q", head)[0] if len(head) == 8 else -1
    rest = len(content) - file.tell()
    if count < 1 or count != told[4] or count * dtype.itemsize != rest:
        raise ModelError(f"{where}: refused, a storage of {count} numbers in {rest} bytes")
    return torch.frombuffer(bytearray(file.read()), dtype=dtype)


def _sizes(values: Any) -> bool:
    return isinstance(values, tuple) and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 2**40 for v in values
    )


def _meta(module: Any, where: str) -> dict[Any, Any]:
    if not isinstance(module, Call) or module.name != _MODULE or len(module.arguments) != 1:
        raise ModelError(f"{where}: refused, something else where a module belongs")
    meta = module.arguments[0]
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise ModelError(f"{where}: refused, a module that is no class")
    return meta


def _state(module: Any, where: str) -> Mapping[Any, Any]:
    state = _meta(module, where).get("state")
    if not isinstance(state, dict):
        raise ModelError(f"{where}: a module without a state")
    return state


def _mapping(state: Mapping[Any, Any], part: str, where: str) -> Mapping[Any, Any]:
    found = state.get(part, {})
    if not isinstance(found, dict):
        raise ModelError(f"{where}: {part} is no mapping")
    return found


def _plain(value: Any) -> Any:
    """A number of numpy as Python's; a dictionary's values likewise."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if not isinstance(v, dict)}
    if isinstance(value, Call) and value.name in _SCALARS and len(value.arguments) == 2:
        kind, content = value.arguments
        code = kind.arguments[0] if isinstance(kind, Call) and kind.arguments else None
        formats = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i", "b1": "<?"}
        packed = formats.get(code) if isinstance(code, str) else None
        if packed and isinstance(content, bytes) and len(content) == struct.calcsize(packed):
            return struct.unpack(packed, content)[0]
    return value
