"""Reader of TensorFlow's variable bundle: ``variables.index`` and its data files.

The index is a LevelDB table (github.com/google/leveldb, doc/table_format.md) whose values are
``BundleEntryProto`` messages (tensorflow/core/protobuf/tensor_bundle.proto). Every length and
offset is held against the file before it is used, every block and tensor against its CRC-32C,
and nothing in a file is executed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import ModelError

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_BLOCK_TRAILER = 5  # type and checksum
# Far above any network of this kind, and small enough to be read whole.
_LARGEST_INDEX = 2**20
_LARGEST_TENSOR = 2**30
_MOST_ENTRIES = 10_000
_LONGEST_KEY = 4096
_DT_FLOAT = 1


class _Malformed(Exception):
    """Where and how a file departs from its format."""


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies: shape, and bytes in a data file."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc32c: int
    sliced: bool


class VariableBundle:
    """The variables of a SavedModel or checkpoint, by name.

    Parameters
    ----------
    prefix : Path
        Path of the index without its suffix, ".../variables/variables".

    Raises
    ------
    ModelError
        A missing, truncated, corrupt or foreign index.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        index = prefix.with_name(prefix.name + ".index")
        try:
            if index.stat().st_size > _LARGEST_INDEX:
                raise _Malformed(f"larger than {_LARGEST_INDEX} bytes")
            table = dict(_table(index.read_bytes()))
            self.shards, self.entries = _bundle(table)
        except OSError as exc:
            raise ModelError(f"{index}: cannot be read ({exc.strerror or exc})") from exc
        except _Malformed as exc:
            raise ModelError(f"{index}: not a TensorFlow variable index ({exc})") from exc

    @classmethod
    def of_saved_model(cls, folder: Path) -> VariableBundle:
        """Of a folder with ``saved_model.pb`` and ``variables``, or of the folder ``variables``."""
        variables = folder if folder.name == "variables" else folder / "variables"
        if not (variables / "variables.index").is_file():
            raise ModelError(
                f"{folder}: not a TensorFlow SavedModel, it has no variables/variables.index"
            )
        return cls(variables / "variables")

    def read(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The variable ``name``, which must be float32 and of the shape expected.

        Raises
        ------
        ModelError
            A missing variable, another type or shape, or a truncated or corrupt data file.
        """
        where = f"{self.prefix}: variable {name!r}"
        entry = self.entries.get(name)
        if entry is None:
            raise ModelError(f"{where} is missing")
        if entry.dtype != _DT_FLOAT or entry.sliced:
            raise ModelError(f"{where} is not a whole float32 tensor")
        if entry.shape != shape:
            raise ModelError(f"{where} has shape {entry.shape}, expected {shape}")
        if entry.size != 4 * math.prod(shape) or entry.size > _LARGEST_TENSOR:
            raise ModelError(f"{where} takes {entry.size} bytes, expected {4 * math.prod(shape)}")
        data = self.prefix.with_name(
            f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.shards:05d}"
        )
        try:
            with data.open("rb") as file:
                length = file.seek(0, 2)
                if entry.offset + entry.size > length:
                    raise ModelError(
                        f"{where} lies at bytes {entry.offset} to {entry.offset + entry.size} of "
                        f"{data.name}, which has {length}: the file is truncated or foreign"
                    )
                file.seek(entry.offset)
                content = file.read(entry.size)
        except OSError as exc:
            raise ModelError(f"{data}: cannot be read ({exc.strerror or exc})") from exc
        if _masked(crc32c(content)) != entry.crc32c:
            raise ModelError(f"{where}: {data.name} is corrupt (its CRC-32C does not fit)")
        return np.frombuffer(content, dtype="<f4").reshape(shape).astype(np.float32)


def _bundle(table: dict[bytes, bytes]) -> tuple[int, dict[str, Entry]]:
    """Number of data files, and the entries by name."""
    header = dict(_message(table.pop(b"", b"")))
    shards = _integer(header.get(1, 0))
    if not 1 <= shards <= 99999 or _integer(header.get(2, 0)) != 0:
        raise _Malformed("its header is missing or not of a little-endian bundle")
    entries = {}
    for key, value in table.items():
        entry = _entry(value)
        if entry.shard >= shards:
            raise _Malformed(f"a tensor in data file {entry.shard} of {shards}")
        entries[key.decode("utf-8", "replace")] = entry
    return shards, entries


def _entry(value: bytes) -> Entry:
    fields: dict[int, int | bytes] = {}
    sliced = False
    for number, content in _message(value):
        fields[number] = content
        sliced |= number == 7
    shape = []
    for number, content in _message(_bytes(fields.get(2, b""))):
        if number == 2:
            shape.append(_integer(dict(_message(_bytes(content))).get(1, 0)))
    return Entry(
        dtype=_integer(fields.get(1, 0)),
        shape=tuple(shape),
        shard=_integer(fields.get(3, 0)),
        offset=_integer(fields.get(4, 0)),
        size=_integer(fields.get(5, 0)),
        crc32c=_integer(fields.get(6, 0)),
        sliced=sliced,
    )


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table."""
    if len(content) < _FOOTER:
        raise _Malformed(f"only {len(content)} bytes")
    footer = content[-_FOOTER:]
    if struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise _Malformed("it does not end as a table does")
    position = 0
    handles = []
    for _ in range(4):  # offset and size of the metaindex, then of the index
        value, position = _varint(footer, position)
        handles.append(value)
    entries = 0
    for _, handle in _block(content, handles[2], handles[3]):
        offset, position = _varint(handle, 0)
        size, _ = _varint(handle, position)
        for entry in _block(content, offset, size):
            entries += 1
            if entries > _MOST_ENTRIES:
                raise _Malformed(f"more than {_MOST_ENTRIES} entries")
            yield entry


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block: keys share prefixes, restart points stand at the end."""
    end = offset + size + _BLOCK_TRAILER
    if end > len(content) - _FOOTER:
        raise _Malformed(f"a block at bytes {offset} to {end} of {len(content)}")
    block = content[offset : offset + size]
    kind, checksum = struct.unpack("<BI", content[offset + size : end])
    if kind != 0:
        raise _Malformed("a compressed block")
    if _masked(crc32c(content[offset : offset + size + 1])) != checksum:
        raise _Malformed("a block whose CRC-32C does not fit")
    if size < 4:
        raise _Malformed("a block without restart points")
    limit = size - 4 - 4 * struct.unpack("<I", block[-4:])[0]
    if limit < 0:
        raise _Malformed("more restart points than bytes")
    position, key = 0, b""
    while position < limit:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + unshared + length > limit:
            raise _Malformed("an entry longer than its block")
        if shared + unshared > _LONGEST_KEY:
            raise _Malformed(f"a name longer than {_LONGEST_KEY} bytes")
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


def _message(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protocol buffer: (number, integer or bytes)."""
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, position = _varint(content, position)
            yield number, value
            continue
        if kind == 2:
            length, position = _varint(content, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise _Malformed(f"a protocol buffer field of type {kind}")
        if position + length > len(content):
            raise _Malformed("a protocol buffer field longer than its message")
        field = content[position : position + length]
        position += length
        yield number, field if kind == 2 else int.from_bytes(field, "little")


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """A variable-length integer below 2**64, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(content):
            raise _Malformed("a number beyond the end")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**63:
                raise _Malformed("a negative number")
            return value, position
    raise _Malformed("a number of more than 64 bits")


def _integer(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise _Malformed("bytes where a number belongs")
    return value


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise _Malformed("a number where bytes belong")
    return value


def _crc_table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = ((table >> 1) ^ np.where(table & 1, 0x82F63B78, 0)).astype(np.uint32)
    return table


_CRC_TABLE = _crc_table()


@numba.njit(cache=True, nogil=True)
def _crc(content: NDArray[np.uint8], table: NDArray[np.uint32]) -> np.uint32:
    crc = np.uint32(0xFFFFFFFF)
    for byte in content:
        crc = table[(crc ^ byte) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc ^ np.uint32(0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """CRC-32C (Castagnoli; RFC 3720, appendix B.4)."""
    return int(_crc(np.frombuffer(content, dtype=np.uint8), _CRC_TABLE))


def _masked(crc: int) -> int:
    """LevelDB and TensorFlow store checksums rotated and shifted."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
