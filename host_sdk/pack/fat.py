"""A new FAT16 file system in a partition, each file in one piece (Microsoft's FAT specification, version 1.03).

The same files give the same bytes: serial numbers come from the contents, and times are those of 1980.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np

from host_sdk.errors import UsageError

BLOCK = 512
FIRST_BLOCK = 2048
"""Of the partition: 1 MiB, as formatting programs do."""
FEWEST_CLUSTERS, MOST_CLUSTERS = 4085, 65524
"""What makes a volume FAT16."""
PARTITION_TYPE = 0x0E
"""FAT16, reached by block numbers."""
_BOOT = struct.Struct("<3s8sHBHBHHBHHHII BBBI11s8s")
_PARTITION = struct.Struct("<B3sB3sII")
_ENTRY = struct.Struct("<11sBBBHHHHHHHI")
_RESERVED = 1
_FATS = 2
_ROOT_ENTRIES = 512
_FIXED_DISK = 0xF8
_NO_CYLINDER = b"\xfe\xff\xff"  # the partition is reached by block numbers
_NEW_YEAR_1980 = 0x0021
_VOLUME, _ARCHIVE = 0x08, 0x20


def disk(files: Mapping[str, bytes], label: str) -> bytes:
    """A whole disk whose only partition holds the files (8.3 names), in this order, and room for small ones.

    UsageError when FAT16 cannot hold them.
    """
    needed = sum(_blocks(len(data)) for data in files.values())
    per = next((1 << n for n in range(2, 7) if needed >> n <= MOST_CLUSTERS - 2048), None)
    if per is None:
        raise UsageError(f"Files of {needed * BLOCK >> 20} MiB are more than a card of ours holds; make them smaller.")
    bytes_per = per * BLOCK
    clusters = max(sum(-(-len(data) // bytes_per) for data in files.values()) + 256, FEWEST_CLUSTERS + 16)
    serial = zlib.crc32(b"".join(files.values()))
    table = np.zeros(2 + clusters, "<u2")
    table[:2] = 0xFF00 | _FIXED_DISK, 0xFFFF
    root = _ENTRY.pack(label.encode("ascii").ljust(11), _VOLUME, 0, 0, 0, 0, 0, 0, 0, _NEW_YEAR_1980, 0, 0)
    contents = bytearray()
    for name, data in files.items():
        first = 2 + len(contents) // bytes_per
        count = -(-len(data) // bytes_per)
        table[first : first + count] = np.arange(first + 1, first + count + 1)
        table[first + count - 1] = 0xFFFF
        root += _entry(name, first, len(data))
        contents += data + bytes(-len(data) % bytes_per)
    fat = table.tobytes()
    fat += bytes(-len(fat) % BLOCK)
    root += bytes(_ROOT_ENTRIES * _ENTRY.size - len(root))
    volume = _boot(per, len(fat) // BLOCK, clusters, serial, label) + _FATS * fat + root
    volume += contents + bytes(clusters * bytes_per - len(contents))
    return _partition_table(len(volume) // BLOCK, serial) + bytes((FIRST_BLOCK - 1) * BLOCK) + volume


def _boot(per: int, fat_blocks: int, clusters: int, serial: int, label: str) -> bytes:
    total = _RESERVED + _FATS * fat_blocks + _ROOT_ENTRIES * _ENTRY.size // BLOCK + clusters * per
    fields = _BOOT.pack(
        b"\xeb\x3c\x90",
        b"ULM     ",
        BLOCK,
        per,
        _RESERVED,
        _FATS,
        _ROOT_ENTRIES,
        total if total < 0x10000 else 0,
        _FIXED_DISK,
        fat_blocks,
        63,  # blocks of a track and heads: what everyone writes
        255,
        FIRST_BLOCK,
        total if total >= 0x10000 else 0,
        0x80,
        0,
        0x29,  # the next three fields are there
        serial,
        label.encode("ascii").ljust(11),
        b"FAT16   ",
    )
    return fields.ljust(BLOCK - 2, b"\0") + b"\x55\xaa"


def _entry(name: str, cluster: int, size: int) -> bytes:
    stem, _, ending = name.encode("ascii").partition(b".")
    assert name.isupper()
    assert 1 <= len(stem) <= 8
    assert len(ending) <= 3
    padded = stem.ljust(8) + ending.ljust(3)
    return _ENTRY.pack(padded, _ARCHIVE, 0, 0, 0, _NEW_YEAR_1980, _NEW_YEAR_1980, 0, 0, _NEW_YEAR_1980, cluster, size)


def _partition_table(blocks: int, serial: int) -> bytes:
    entry = _PARTITION.pack(0, _NO_CYLINDER, PARTITION_TYPE, _NO_CYLINDER, FIRST_BLOCK, blocks)
    return struct.pack("<440xI2x", serial) + entry.ljust(64, b"\0") + b"\x55\xaa"


def _blocks(size: int) -> int:
    return -(-size // BLOCK)
