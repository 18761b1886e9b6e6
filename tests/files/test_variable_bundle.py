"""The reader of variable bundles: good files are read, all others refused in one line."""

from __future__ import annotations

import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwm_hazard.errors import ModelError
from gwm_hazard.files import variable_bundle as bundle
from gwm_hazard.files.variable_bundle import VariableBundle, crc32c
from tests.files import bundles

RNG = np.random.default_rng(1)
ARRAYS = {
    "layer-0/kernel": RNG.standard_normal((3, 4)).astype(np.float32),
    "layer-0/bias": RNG.standard_normal(4).astype(np.float32),
    "layer-10/scale": np.float32(2.5).reshape(()),
}
WHOLE = bundles.table(
    {b"": bundles.header()}
    | {k.encode(): bundles.entry(a.shape, 0, a.nbytes, 1) for k, a in ARRAYS.items()}
)


@pytest.fixture
def prefix(tmp_path):
    return bundles.write_bundle(tmp_path, ARRAYS)


def index_of(prefix):
    return prefix.with_name("variables.index")


def data_of(prefix):
    return prefix.with_name("variables.data-00000-of-00001")


def test_crc32c_known_answers():
    """RFC 3720, appendix B.4."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_reads_what_was_written(prefix):
    found = VariableBundle(prefix)
    assert sorted(found.entries) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        got = found.read(name, array.shape)
        assert got.dtype == np.float32
        assert np.array_equal(got, array)


def test_reads_what_tensorflow_wrote(shared):
    from safetensors.numpy import load_file

    folder = shared / "reference" / "tfcgan"
    found = VariableBundle(folder / "saved_model" / "variables" / "variables")
    want = load_file(folder / "weights.safetensors")
    for name, key in (
        ("label_dense_1.kernel", "layer_with_weights-0/kernel"),
        ("conv_5.bias", "layer_with_weights-10/bias"),
        ("noise_bn.moving_variance", "layer_with_weights-4/moving_variance"),
    ):
        got = found.read(f"{key}/.ATTRIBUTES/VARIABLE_VALUE", want[name].shape)
        assert np.array_equal(got, want[name])


def refused(prefix, name="layer-0/kernel", shape=(3, 4)):
    with pytest.raises(ModelError) as error:
        VariableBundle(prefix).read(name, shape)
    message = str(error.value)
    assert "\n" not in message
    assert str(prefix.parent) in message
    return message


def test_missing_files(prefix):
    data_of(prefix).unlink()
    assert "cannot be read" in refused(prefix)
    index_of(prefix).unlink()
    assert "cannot be read" in refused(prefix)


def test_missing_variable(prefix):
    assert "'layer-7/kernel' is missing" in refused(prefix, "layer-7/kernel")


def test_wrong_shape(prefix):
    assert "has shape (3, 4), expected (4, 3)" in refused(prefix, shape=(4, 3))


def test_truncated_data(prefix):
    data_of(prefix).write_bytes(data_of(prefix).read_bytes()[:40])
    assert "bytes 0 to 48" in refused(prefix)
    assert "truncated" in refused(prefix)


def test_corrupt_data(prefix):
    content = bytearray(data_of(prefix).read_bytes())
    content[17] ^= 1
    data_of(prefix).write_bytes(content)
    assert "corrupt (its CRC-32C does not fit)" in refused(prefix)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (bundles.entry((3, 4), 10**15, 48, 0), "which has 68: the file is truncated or foreign"),
        (bundles.entry((3, 4), 2**62, 48, 0), "truncated or foreign"),
        (bundles.entry((3, 4), 40, 48, 0), "bytes 40 to 88"),
        (bundles.entry((3, 4), 0, 2**40, 0), "takes 1099511627776 bytes, expected 48"),
        (bundles.entry((3, 4), 0, 44, 0), "takes 44 bytes"),
        (bundles.entry((3, 4), 0, 48, 0, dtype=2), "not a whole float32"),
        (bundles.entry((3, 4), 0, 48, 0, dtype=7), "not a whole float32"),
        (bundles.entry((3, 4), 0, 48, 0) + bundles.field(7, b"x"), "not a whole float32"),
        (bundles.entry((3, 4), 0, 48, 0, shard=5), "data file 5 of 1"),
        (bundles.entry((2**40, 2**40), 0, 48, 0), "has shape (1099511627776"),
        (bundles.entry((3, 4), -1 % 2**64, 48, 0), "a negative number"),
        (b"\x0a\x7f", "longer than its message"),
        (b"\x0f", "field of type 7"),
        (b"\x80" * 12, "more than 64 bits"),
        (bundles.field(4, b"bytes"), "bytes where a number belongs"),
        (bundles.field(2, 12), "a number where bytes belong"),
    ],
)
def test_entries_that_lie(tmp_path, changed, words):
    prefix = bundles.write_bundle(tmp_path, ARRAYS, **{"layer-0/kernel": changed})
    assert words in refused(prefix)


class Bomb:
    def __reduce__(self):
        return (eval, ("__import__('pathlib').Path('executed').touch()",))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "only 0 bytes"),
        (pickle.dumps(Bomb()) * 4, "does not end as a table"),
        (b"PK\x03\x04" + bytes(2**16), "does not end as a table"),
        (bytes(2**20 + 1), "larger than"),
        (bundles.table({b"": bundles.header()}, kind=1), "a compressed block"),
        (bundles.table({b"": bundles.header(shards=0)}), "header"),
        (bundles.table({b"": bundles.header(endianness=1)}), "little-endian"),
        (bundles.table({b"a": b""}), "header"),
        (bundles.table({b"": bundles.header(), b"k" * 5000: b""}), "longer than 4096"),
        (bundles.table({b"": bundles.header(), b"k": b""}, repeat=6000), "more than 10000"),
        (WHOLE[:-8] + struct.pack("<Q", 0xDB4775248B80FB56), "does not end as a table"),
        (bytes(64) + WHOLE[-48:], "a block at bytes"),
    ],
)
def test_files_that_are_something_else(tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "variables.index").write_bytes(content)
    assert words in refused(tmp_path / "variables")
    assert not (tmp_path / "executed").exists()


@given(st.integers(0, len(WHOLE) - 1))
def test_every_truncated_index_is_refused(tmp_path_factory, length):
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "variables.index").write_bytes(WHOLE[:length])
    with pytest.raises(ModelError):
        VariableBundle(folder / "variables")


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255), st.booleans())
def test_a_changed_byte_is_refused_or_harmless(tmp_path_factory, position, change, checked):
    """With checksums held against the file, and with checksums that the attacker has mended."""
    folder = tmp_path_factory.mktemp("bundle")
    content = bytearray(WHOLE)
    content[position] ^= change
    (folder / "variables.index").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        if not checked:
            patch.setattr(bundle, "crc32c", lambda _: 0)
            patch.setattr(bundle, "_masked", lambda _: Anything())
        try:
            VariableBundle(folder / "variables")
        except ModelError as error:
            assert "\n" not in str(error)


class Anything:
    """Equal to every checksum."""

    __hash__ = None

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False
