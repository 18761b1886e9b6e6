"""A writer of TensorFlow variable bundles, good and bad, for tests of the reader."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from gwm_hazard.files.variable_bundle import crc32c


def masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(shape, offset, size, crc, dtype=1, shard=0) -> bytes:
    dims = b"".join(field(2, field(1, n)) for n in shape)
    numbers = field(3, shard) + field(4, offset) + field(5, size)
    return field(1, dtype) + field(2, dims) + numbers + varint(6 << 3 | 5) + struct.pack("<I", crc)


def header(shards=1, endianness=0) -> bytes:
    return field(1, shards) + field(2, endianness) + field(3, field(1, 1))


def block(items: list[tuple[bytes, bytes]]) -> bytes:
    """Entries with shared prefixes and one restart point."""
    out, last = b"", b""
    for key, value in items:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        lengths = varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += lengths + key[shared:] + value
        last = key
    return out + struct.pack("<II", 0, 1)


def sealed(content: bytes, kind: int = 0) -> bytes:
    typed = content + bytes([kind])
    return typed + struct.pack("<I", masked(crc32c(typed)))


def table(items: dict[bytes, bytes], kind: int = 0, repeat: int = 1) -> bytes:
    """A LevelDB table of one data block, which the index names ``repeat`` times."""
    data = block(sorted(items.items()))
    out = sealed(data, kind)
    handle = varint(0) + varint(len(data))
    index = block([(b"\xff%d" % i, handle) for i in range(repeat)])
    meta_at, index_at = len(out), len(out) + len(sealed(block([])))
    out += sealed(block([])) + sealed(index)
    handles = [meta_at, len(block([])), index_at, len(index)]
    footer = b"".join(map(varint, handles)).ljust(40, b"\0")
    return out + footer + struct.pack("<Q", 0xDB4775248B80FB57)


def write_bundle(folder: Path, arrays: dict[str, np.ndarray], **changes: bytes) -> Path:
    """Write the files of a bundle, with entries replaced by name; returns its prefix."""
    folder.mkdir(parents=True, exist_ok=True)
    items, data = {b"": header()}, b""
    for name, array in arrays.items():
        content = array.astype("<f4").tobytes()
        value = entry(array.shape, len(data), len(content), masked(crc32c(content)))
        items[name.encode()] = value
        data += content
    items |= {name.encode(): value for name, value in changes.items()}
    (folder / "variables.index").write_bytes(table(items))
    (folder / "variables.data-00000-of-00001").write_bytes(data)
    return folder / "variables"
