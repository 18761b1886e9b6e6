"""Network files that nobody vouches for: read as data, or refused by name."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gwm_hazard.errors import ModelError
from gwm_hazard.files import inert_pickle
from gwm_hazard.models.registry import import_model
from gwm_hazard.models.stylegan_eq.pickle_file import NAMES, read_network, settings, tensor, tensors
from tests.models import network_files
from tests.models.network_files import Named, forged_storage, module, storage, written


def opened(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "net.pkl"
    path.write_bytes(content)
    return read_network(path)


def value_of(content: bytes) -> Any:
    return inert_pickle.read(io.BytesIO(content), NAMES, "file")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_plain_values_are_those_of_pickle(protocol: int) -> None:
    shared = [1, 2]
    value = {
        "a": [1, -2, 2**70, 2.5, True, None, "text", "é"], "b": (shared, shared, (), {}),
        3: {"x": [[], [1]] * 3}, "many": list(range(3000)), "t": (1, 2, 3, 4),
    }  # fmt: skip
    if protocol >= 3:
        value["bytes"] = b"\0abc" * 100
    if protocol >= 4:
        value["set"] = {"p", "q"}
    found = value_of(pickle.dumps(value, protocol))
    assert found == value
    assert found["b"][0] is found["b"][1]


def test_the_writer_of_the_tests_is_read_by_torch() -> None:
    """Storages are torch's own; tensors come back, transposed ones too."""
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    call = value_of(written(network_files.tensor(values)))
    assert torch.equal(tensor(call, "t"), torch.from_numpy(values))
    turned = value_of(written(network_files.tensor(values, size=(3, 2), stride=(1, 3))))
    assert torch.equal(tensor(turned, "t"), torch.from_numpy(values.T))


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("executed",)


def protocol(text: bytes) -> bytes:
    return b"\x80\x02" + text + b"."


HOSTILE = {
    "reduce": pickle.dumps({"G_ema": Evil()}),
    "reduce, old protocol": pickle.dumps({"G_ema": Evil()}, 0),
    "global eval": protocol(b"cbuiltins\neval\nX\x08\0\0\0os.mkdir\x85R"),
    "stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R.",
    "attribute of an allowed module": protocol(b"ctorch.storage\nos.system\n"),
    "attribute below an allowed name": protocol(b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n"),
    "torch.load": protocol(b"ctorch\nload\n"),
    "persistence of other classes": protocol(b"ctorch_utils.persistence\nimport_hook\n"),
    "inst": protocol(b"(X\x02\0\0\0lsiposix\nsystem\n"),
    "obj": protocol(b"(cposix\nsystem\nX\x02\0\0\0lso"),
    "extension": protocol(b"\x82\x01"),
    "persistent id": protocol(b"X\x01\0\0\0aQ"),
    "call of a call": protocol(b"cnumpy\ndtype\n)R)R"),
    "state of a plain value": protocol(b"}}b"),
    "key that is nested": protocol(b"})Ks"),
    "bytes longer than the file": b"\x80\x04\x8e" + (2**60).to_bytes(8, "little") + b"abc.",
    "text longer than the file": b"\x80\x04X\xff\xff\xff\x7fabc.",
    "truncated": pickle.dumps({"a": [1] * 50})[:-20],
    "empty": b"",
    "text": b"this is not a pickle at all",
    "two values": protocol(b"K\x01K\x02"),
    "underflow": protocol(b"0"),
    "mark missing": protocol(b"t"),
    "memo missing": protocol(b"h\x07"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="refused"):
        opened(tmp_path, HOSTILE[name])
    assert not (tmp_path / "executed").exists()


def test_the_name_that_is_asked_for_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'posix.mkdir'.*nothing of the file was executed"):
        opened(tmp_path, HOSTILE["reduce"])
    evil = storage(np.ones(2)).replace(b"torch\nFloatStorage", b"posix\nsystem")
    call = Named("torch.storage._load_from_bytes", evil)
    made = Named("torch._utils._rebuild_tensor_v2", call, 0, (2,), (1,), False, {})
    with pytest.raises(ModelError, match=r"'posix.system'"):
        tensor(value_of(written(made)), "t")


def test_archives_are_not_opened(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", b"\0" * 2**24)
    with pytest.raises(ModelError, match="zip archive"):
        opened(tmp_path, out.getvalue())
    call = Named("torch.storage._load_from_bytes", out.getvalue())
    made = Named("torch._utils._rebuild_tensor_v2", call, 0, (2,), (1,), False, {})
    with pytest.raises(ModelError, match="zip archive"):
        tensor(value_of(written(made)), "t")


def test_nesting_and_references_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="holds no network"):  # read, without recursion
        opened(tmp_path, b"\x80\x02" + b")" + b"\x85" * 200_000 + b".")
    with pytest.raises(ModelError, match="instructions"):
        monkeypatch.setattr(inert_pickle, "MOST_INSTRUCTIONS", 1000)
        opened(tmp_path, b"\x80\x02(" + b"K\x01" * 2000 + b"t.")
    monkeypatch.undo()
    deep = module("Part")
    for _ in range(20):
        deep = module("Part", modules={"a": deep})
    with pytest.raises(ModelError, match="too deep"):
        tensors(value_of(written(deep)), "net")
    wide: Any = value_of(written(module("Part")))
    for _ in range(8):  # 100^8 paths through 9 modules
        above: Any = value_of(written(module("Part")))
        above.arguments[0]["state"]["_modules"] = {str(i): wide for i in range(100)}
        wide = above
    with pytest.raises(ModelError, match="too many modules"):
        tensors(wide, "net")
    loop: Any = value_of(written(module("Part")))
    loop.arguments[0]["state"]["_modules"] = {"a": loop}
    with pytest.raises(ModelError, match="too deep"):
        tensors(loop, "net")


@pytest.mark.parametrize(
    "made",
    [
        network_files.tensor([1.0, 2.0], size=(2**39,), stride=(0,)),
        network_files.tensor([1.0, 2.0], size=(2**20, 2**20), stride=(0, 0)),
        network_files.tensor([1.0, 2.0], size=(2,), stride=(7,)),
        network_files.tensor([1.0, 2.0], offset=1),
        network_files.tensor([1.0, 2.0], size=(-2,)),
        network_files.tensor([1.0, 2.0], size=(2,), stride=(1, 1)),
        network_files.tensor([1.0, 2.0], size="ab", stride=(1, 1)),
        Named("torch._utils._rebuild_tensor_v2", b"", 0, (1,), (1,)),
        Named("numpy.dtype", "f8"),
        *(
            Named(
                "torch._utils._rebuild_tensor_v2",
                Named("torch.storage._load_from_bytes", content), 0, (2,), (1,), False, {},
            )
            for content in (
                forged_storage(2**40), forged_storage(3), forged_storage(-1), forged_storage(2, 9),
                b"abc", storage(np.ones(2))[:-3], "text",
            )
        ),
    ],
)  # fmt: skip
def test_tensors_that_are_none_are_refused(made: Named) -> None:
    with pytest.raises(ModelError, match="refused"):
        tensor(value_of(written(made)), "t")


def test_files_that_are_no_generator(tmp_path: Path) -> None:
    def imported(content: Any, words: str) -> None:
        path = tmp_path / "net.pkl"
        path.write_bytes(written(content))
        with pytest.raises(ModelError, match=words):
            import_model("stylegan-eq", [path], tmp_path / "m")

    good = {
        "z_dim": 6, "c_dim": 0, "w_dim": 8, "img_resolution": 128, "img_channels": 1,
        "mapping_kwargs": {"num_layers": 2}, "channel_base": 128, "channel_max": 4,
    }  # fmt: skip
    imported({"G": module("Generator", kwargs=good)}, "no network 'G_ema'")
    imported({"G_ema": module("Discriminator", kwargs=good)}, "no Generator")
    imported({"G_ema": module("Generator", kwargs=good)}, "is missing")
    imported({"G_ema": module("Generator", kwargs=good | {"c_dim": 3})}, "c_dim = 3")
    imported({"G_ema": module("Generator", kwargs=good | {"use_radial": 1})}, "use_radial")
    imported(
        {"G_ema": module("Generator", kwargs={"z_dim": 6})}, r"'(w_dim|img_resolution)' is missing"
    )
    imported({"G_ema": module("Generator", kwargs=good | {"z_dim": "os"})}, "z_dim = 'os'")
    with pytest.raises(ModelError, match="cannot be read"):
        read_network(tmp_path / "none.pkl")


def test_numbers_of_numpy_in_settings() -> None:
    kind = Named("numpy.dtype", "f8", False, True)
    number = Named("numpy.core.multiarray.scalar", kind, np.float64(0.25).tobytes())
    call = value_of(written(module("Part", kwargs={"beta": number, "n": 3})))
    assert settings(call, "net") == {"beta": 0.25, "n": 3}
