"""Checkpoints that are damaged, foreign or malicious are refused with a message, never executed."""

from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile

import pytest
import torch

from gwm_hazard.errors import ModelError
from gwm_hazard.models import registry
from gwm_hazard.models.highfem.config import AutoencoderConfig, UNetConfig
from gwm_hazard.models.highfem.denoiser import LatentDiffusion
from gwm_hazard.models.highfem.importer import import_model

UNET = UNetConfig(
    in_channels=4, out_channels=4, model_channels=32, channel_mult=(1,), num_res_blocks=1
)
CODER = AutoencoderConfig(
    latent_channels=4, model_channels=32, channel_mult=(1, 1, 1), num_res_blocks=1
)


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Settings:
    """Stands for the class that the published file pickles."""


Settings.__module__, Settings.__qualname__, Settings.__name__ = "tqdne.edm", "EDM", "EDM"


def contents():
    """What the two published files hold, at a small size."""
    torch.manual_seed(0)
    state = LatentDiffusion(UNET, CODER).state_dict()
    own = {k.removeprefix("autoencoder."): v for k, v in state.items() if k[0] == "a"}
    sizes = {"model_channels": 32, "channel_mult": (1, 1, 1), "num_res_blocks": 1, "dims": 2}
    edm = {
        "epoch": 3,
        "state_dict": state,
        "hyper_parameters": {"unet_config": dict(vars(UNET))},
        "ema_state": {k: 2 * v for k, v in state.items() if k[0] == "u" and k[-2:] != ".W"},
    }
    autoencoder = {
        "state_dict": own,
        "hyper_parameters": {
            "encoder_config": sizes | {"in_channels": 3, "out_channels": 8},
            "decoder_config": sizes | {"in_channels": 4, "out_channels": 3},
        },
    }
    return edm, autoencoder


@pytest.fixture
def files(tmp_path):
    """Write the two files, changed before by a function of their contents."""

    def write(change=None):
        edm, autoencoder = contents()
        if change:
            change(edm, autoencoder)
        paths = [tmp_path / "edm.ckpt", tmp_path / "autoencoder.ckpt"]
        torch.save(edm, paths[0])
        torch.save(autoencoder, paths[1])
        return paths

    return write


def test_good_files(files):
    model = import_model(files())
    torch.testing.assert_close(dict(model.weights.tensors), dict(contents()[0]["state_dict"]))
    assert model.card.parameters["averaging"] == "raw"


def test_averaged_weights(files):
    model = import_model(files(), weights="ema")
    want = contents()[0]["state_dict"]
    name = "unet.out.2.weight"
    torch.testing.assert_close(model.weights.tensors[name], 2 * want[name])
    for name in ("unet.time_embed.W", "autoencoder.decoder.output_layer.weight"):
        torch.testing.assert_close(model.weights.tensors[name], want[name])


def test_without_average(files):
    paths = files(lambda edm, autoencoder: edm.pop("ema_state"))
    import_model(paths)
    with pytest.raises(ModelError, match="no 'ema_state'; import it with weights=raw"):
        import_model(paths, weights="ema")


def test_half_precision_is_read_as_float32(files):
    def halve(edm, autoencoder):
        for content in (edm, autoencoder):
            content["state_dict"] = {k: v.half() for k, v in content["state_dict"].items()}

    tensors = import_model(files(halve)).weights.tensors
    assert {t.dtype for t in tensors.values()} == {torch.float32}


@pytest.mark.parametrize("place", ["hyper_parameters", "callbacks", "state_dict"])
def test_pickle_that_runs_code(files, tmp_path, place):
    mark = tmp_path / "executed"
    paths = files(lambda edm, autoencoder: edm.update({place: Touch(mark)}))
    with pytest.raises(ModelError, match=r"edm.ckpt: refused, it asks for '\w+.mkdir'.*executed"):
        import_model(paths)
    assert not mark.exists()
    torch.load(paths[0], weights_only=False)  # the proof that the file is what it claims to be
    assert mark.exists()


def test_classes_of_the_training_become_shells(files, monkeypatch, tmp_path):
    """The published file pickles an instance of a class of tqdne; it is not imported."""
    import sys
    import types

    module = types.ModuleType("tqdne.edm")
    module.EDM = Settings
    monkeypatch.setitem(sys.modules, "tqdne", types.ModuleType("tqdne"))
    monkeypatch.setitem(sys.modules, "tqdne.edm", module)
    paths = files(lambda edm, autoencoder: edm["hyper_parameters"].update(edm=Settings()))
    monkeypatch.delitem(sys.modules, "tqdne.edm")
    monkeypatch.delitem(sys.modules, "tqdne")
    with pytest.raises(ModuleNotFoundError):
        torch.load(paths[0], weights_only=False)
    import_model(paths)
    assert "tqdne" not in sys.modules


def archive(path, pickled, **more):
    """A checkpoint around a pickle of our own."""
    with zipfile.ZipFile(path, "w", **more) as file:
        file.writestr("edm/data.pkl", pickled)
        file.writestr("edm/byteorder", "little")
        file.writestr("edm/version", "3\n")
    return [path, path]


def test_shell_of_an_allowed_package_runs_nothing(tmp_path):
    """A function of a package whose classes become shells is not called either."""
    mark = tmp_path / "executed"
    line = f"import os; os.mkdir({str(mark)!r})".encode()
    code = b"cnumpy.testing._private.utils\nrunstring\n(V" + line + b"\n}tR."
    pickle.loads(code)
    assert mark.exists()
    mark.rmdir()
    with pytest.raises(ModelError):
        import_model(archive(tmp_path / "edm.ckpt", code))
    assert not mark.exists()


@pytest.mark.parametrize("code", [b"", b"garbage", b"\x80\x02]q\x00h\x00h\x00", b"(" * 1000 + b"."])
def test_broken_pickle(tmp_path, code):
    with pytest.raises(ModelError, match=r"edm\.ckpt"):
        import_model(archive(tmp_path / "edm.ckpt", code))


def test_zip_bomb(tmp_path):
    paths = archive(tmp_path / "edm.ckpt", b"\0" * 2**26, compression=zipfile.ZIP_DEFLATED)
    assert paths[0].stat().st_size < 2**17
    with pytest.raises(ModelError, match=r"refused, 'edm/data.pkl' is compressed"):
        import_model(paths)


def test_overlapping_zip_bomb(tmp_path):
    """One stored part, listed many times: nothing is compressed, but the sum is too large."""
    path = tmp_path / "edm.ckpt"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as file:
        warnings.simplefilter("ignore")
        file.writestr("edm/data.pkl", b"\0" * 2**20)
        for i in range(1000):
            import copy

            twin = copy.copy(file.filelist[0])
            twin.filename = f"edm/data/{i}"
            file.filelist.append(twin)
    with pytest.raises(ModelError, match="parts are larger than the file itself"):
        import_model([path, path])


def test_large_pickle(tmp_path):
    with pytest.raises(ModelError, match=r"its pickle has 17825792 bytes; at most"):
        import_model(archive(tmp_path / "edm.ckpt", b"\0" * (17 * 2**20)))


def test_truncated(files):
    paths = files()
    data = paths[0].read_bytes()
    for share in (0, 100, len(data) // 2, len(data) - 10):
        paths[0].write_bytes(data[:share])
        with pytest.raises(ModelError, match=r"edm.ckpt: not a complete zip archive.*truncated"):
            import_model(paths)


def test_flipped_bits(files):
    paths = files()
    data = bytearray(paths[0].read_bytes())
    with zipfile.ZipFile(paths[0]) as file:
        info = max(file.infolist(), key=lambda i: i.file_size)
    data[info.header_offset + 2000] ^= 0xFF
    paths[0].write_bytes(data)
    with pytest.raises(ModelError, match=r"is damaged \(checksum\)"):
        import_model(paths)


def test_storage_shorter_than_its_tensor(files):
    """A tensor that claims more numbers than its part of the file has."""
    paths = files()
    source = io.BytesIO(paths[0].read_bytes())
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(paths[0], "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(
                info.filename, data[: len(data) // 2] if "/data/" in info.filename else data
            )
    with pytest.raises(ModelError, match=r"edm\.ckpt"):
        import_model(paths)


def legacy(path):
    torch.save({"state_dict": {}}, path, _use_new_zipfile_serialization=False)


def text(path):
    path.write_text("<html>404</html>")


def no_torch_zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")


def tensor_only(path):
    torch.save(torch.zeros(3), path)


def other_model(path):
    torch.save({"state_dict": {"w": torch.zeros(3)}, "hyper_parameters": {"hidden": 3}}, path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (legacy, "expected a Lightning checkpoint"),
        (text, "not a complete zip archive"),
        (no_torch_zip, "0 files data.pkl inside"),
        (tensor_only, "holds a Tensor"),
        (other_model, "neither the denoiser.*found: hidden"),
    ],
)
def test_foreign_files(tmp_path, files, make, message):
    paths = files()
    make(paths[0])
    with pytest.raises(ModelError, match=message):
        import_model(paths)


def test_folder_and_number_of_files(files, tmp_path):
    edm, autoencoder = files()
    with pytest.raises(ModelError, match="1 files: give two"):
        import_model([edm])
    with pytest.raises(ModelError, match="two files of the same kind"):
        import_model([edm, edm])
    with pytest.raises(ModelError, match="cannot be read"):
        import_model([edm, tmp_path])
    with pytest.raises(ModelError, match="does not exist"):
        registry.import_model("highfem", [edm, tmp_path / "none.ckpt"], tmp_path / "out")


NAME = "unet.out.2.weight"


def set_tensor(value):
    def change(edm, autoencoder):
        edm["state_dict"][NAME] = value(edm["state_dict"][NAME])

    return change


def nan(t):
    t = t.clone()
    t[0, 0, 0, 0] = float("nan")
    return t


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_tensor(nan), f"weight '{NAME}' has values that are not finite"),
        (set_tensor(lambda t: t[:2]), r"has shape \(2, 32, 3, 3\), expected \(4, 32, 3, 3\)"),
        (set_tensor(lambda t: t.int()), "is torch.int32"),
        (set_tensor(lambda t: t.to_sparse()), "not a plain tensor"),
        (set_tensor(lambda t: t.to("meta")), "on meta"),
        (set_tensor(lambda t: 3.0), "not a plain tensor"),
        # 4 TB if it were unfolded
        (set_tensor(lambda t: torch.zeros(1).expand(10**12)), r"has shape \(1000000000000,\)"),
        (lambda e, a: e["state_dict"].pop(NAME), f"weight '{NAME}' is missing"),
        (lambda e, a: e["state_dict"].update(more=torch.zeros(1)), "unknown weight 'more'"),
        (lambda e, a: e.update(state_dict=[1]), "no 'state_dict'"),
        (lambda e, a: e["ema_state"].pop(NAME), r"\(ema_state\): weight"),
        (lambda e, a: a["state_dict"].update({"decoder.output_layer.bias": torch.ones(3)}),
         "the two files do not belong together"),
        (lambda e, a: e["hyper_parameters"]["unet_config"].update(model_channels=10**9),
         "edm.ckpt: model_channels = 1000000000: expected a whole number from 1 to 1024"),
        (lambda e, a: e["hyper_parameters"]["unet_config"].update(num_res_blocks=10**9),
         "num_res_blocks = 1000000000"),
        (lambda e, a: e["hyper_parameters"]["unet_config"].update(channel_mult=[1] * 10**5),
         "channel_mult = .*expected up to 8"),
        (lambda e, a: e["hyper_parameters"]["unet_config"].update(dims=1), "only 2 is supported"),
        (lambda e, a: e["hyper_parameters"]["unet_config"].pop("num_heads"), "without 'num_heads'"),
        (lambda e, a: e["hyper_parameters"].update(unet_config="big"), "expected a table of sizes"),
        (lambda e, a: a["hyper_parameters"]["decoder_config"].update(in_channels=7),
         "autoencoder.ckpt: .*do not fit together"),
        (lambda e, a: e["hyper_parameters"]["unet_config"].update(cond_features=3),
         "has shape"),
    ],
)  # fmt: skip
def test_wrong_content(files, change, message):
    with pytest.raises(ModelError, match=message) as error:
        import_model(files(change), weights="ema")
    assert "\n" not in str(error.value)


def test_nothing_is_written_when_refused(files, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ModelError):
        registry.import_model("highfem", files(set_tensor(nan)), out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"weights": "best"}, "weights = 'best': give 'raw' or 'ema'"),
        ({"steps": "many"}, "steps = 'many': give a whole number"),
        ({"sampler": "magic"}, "sampler = 'magic'"),
    ],
)
def test_bad_options(files, option, message):
    with pytest.raises(ValueError, match=message):
        import_model(files(), **option)
