"""The state of a fit in one safetensors file, written under another name and renamed.

What is not a tensor stands as JSON in the file's header: nothing is pickled, and a kill at any
moment leaves the checkpoint before whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing


def save_state(path: Path, tensors: Mapping[str, torch.Tensor], notes: Mapping[str, Any]) -> None:
    """Write named tensors and JSON notes."""
    with replacing(path) as temporary:
        plain = {k: t.detach().cpu().contiguous().clone() for k, t in tensors.items()}
        save_file(plain, temporary, metadata={"notes": json.dumps(dict(notes))})


def load_state(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What :func:`save_state` wrote.

    Raises
    ------
    ValueError
        A file that is none.
    """
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads(file.metadata()["notes"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as exc:  # safetensors raises its own error class
        raise InputError(f"{path}: not a checkpoint of a training ({exc})") from exc
    return tensors, notes


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The moments of Adam as named tensors: "INDEX.NAME"."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, values in state.items()
        for name, value in values.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """The inverse of :func:`optimizer_tensors`."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    whole = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
