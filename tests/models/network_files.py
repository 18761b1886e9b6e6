"""Network files in the layout of StyleGAN3, written instruction by instruction.

The embedded source raises when it is executed. No third-party class is needed: names are written
as text, and what they would make stands beside them.
"""

from __future__ import annotations

import io
import pickle
import struct
import warnings
from typing import Any

import numpy as np
import torch

SOURCE = "raise RuntimeError('module source of a network file was executed')"


class Named:
    """``module.name`` called with arguments, as REDUCE writes it."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.name, self.arguments = name, arguments


def written(value: Any) -> bytes:
    """A pickle of protocol 2 of plain values and :class:`Named`."""
    return b"\x80\x02" + _written(value) + b"."


def _written(value: Any) -> bytes:
    if isinstance(value, Named):
        module, _, name = value.name.rpartition(".")
        return f"c{module}\n{name}\n".encode() + _written(value.arguments) + b"R"
    if isinstance(value, dict):
        items = b"".join(_written(k) + _written(v) for k, v in value.items())
        return b"}(" + items + b"u"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_written, value)) + b"t"
    if isinstance(value, bytes | str):
        content = value.encode() if isinstance(value, str) else value
        head = b"X" if isinstance(value, str) else b"B"
        return head + struct.pack("<I", len(content)) + content
    return pickle.dumps(value, 3)[2:-1]  # a number or a constant, without head and end


def storage(values: np.ndarray[Any, Any]) -> bytes:
    """Bytes of a storage, as ``torch.save`` wrote them before archives; by torch itself."""
    out = io.BytesIO()
    flat = torch.from_numpy(np.array(values, np.float32).reshape(-1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the deprecated class is the one that old files hold
        old = flat.storage()
    torch.save(old, out, _use_new_zipfile_serialization=False)
    return out.getvalue()


def tensor(values: Any, size: Any = None, stride: Any = None, offset: int = 0) -> Named:
    values = np.asarray(values, np.float32)
    size = values.shape if size is None else size
    if stride is None:
        stride = tuple(int(np.prod(values.shape[i + 1 :])) for i in range(values.ndim))
    kept = Named("torch.storage._load_from_bytes", storage(values))
    hooks = Named("collections.OrderedDict")
    made = Named("torch._utils._rebuild_tensor_v2", kept, offset, size, stride, False, hooks)
    return Named("torch._utils._rebuild_parameter", made, False, hooks)


def module(name: str, parameters: Any = (), modules: Any = (), kwargs: Any = ()) -> Named:
    state = {
        "training": False,
        "_parameters": dict(parameters),
        "_buffers": {"none": None},
        "_modules": dict(modules),
        "_init_kwargs": dict(kwargs),
    }
    meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": name, "state": state}
    return Named("torch_utils.persistence._reconstruct_persistent_obj", meta)


def network(weights: dict[str, Any], kwargs: dict[str, Any]) -> Named:
    """A module tree of weights by path."""

    def below(prefix: str) -> Named:
        own, children = {}, {}
        for path, value in weights.items():
            if path.startswith(prefix):
                head, dot, _ = path[len(prefix) :].partition(".")
                if dot:
                    children[head] = None
                else:
                    own[head] = tensor(value)
        made = {k: below(f"{prefix}{k}.") for k in children}
        return module("Generator" if not prefix else "Part", own, made, () if prefix else kwargs)

    return below("")


def forged_storage(count: int, told: int | None = None) -> bytes:
    """A storage whose head says ``count`` numbers, with eight bytes behind it."""
    good = storage(np.ones(2))
    head = good[:-16] if told is None else good[:-16].replace(b"K\x02", b"K" + bytes([told]))
    return head + struct.pack("<q", count) + b"\0" * 8
