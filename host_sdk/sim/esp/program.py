"""Whether a virtual chip finds a MicroPython when it starts from its flash.

No instruction of it is executed: if it is there and whole, MicroPython's Unix port starts in its place (boot.py).
Layouts: Espressif's pages "Firmware Image Format" and "Partition Tables".
"""

from __future__ import annotations

import hashlib
import operator
import struct
from collections.abc import Callable
from functools import reduce

Read = Callable[[int, int], bytes]
"""Bytes of the flash: address, count."""
IMAGE = 0xE9
"""The first byte of a bootloader and of a program."""
_TABLE, _TABLE_BYTES = 0x8000, 0xC00
_ENTRY, _ENTRY_MAGIC, _SUM_MAGIC = struct.Struct("<2sBBII20x"), b"\xaa\x50", b"\xeb\xeb"
_APP = 0
_HEADER_BYTES, _SEGMENTS_AT, _HASHED_AT = 24, 1, 23
_SEGMENT = struct.Struct("<II")
_MOST_SEGMENTS = 16
_CHECKSUM, _CHECKSUM_UNIT = 0xEF, 16
_BANNER = b"MicroPython v"
"""Of its REPL, among the constants, which are the first segment."""


def holds_micropython(read: Read, bootloader: int) -> bool:
    """Whether what the chip would start is one; `bootloader` is the address of its second-stage bootloader."""
    if read(bootloader, 1)[0] != IMAGE:
        return False
    try:
        whole = (segments for app in _apps(read) if (segments := _whole(read, *app)))
        return _BANNER in next(whole, [b""])[0]
    except (struct.error, IndexError):
        return False  # it leads beyond the flash


def _apps(read: Read) -> list[tuple[int, int]]:
    """Address and size of each partition with a program; none if the table's MD5 is wrong."""
    table = read(_TABLE, _TABLE_BYTES)
    apps: list[tuple[int, int]] = []
    for at in range(0, _TABLE_BYTES, _ENTRY.size):
        magic, kind, _, address, size = _ENTRY.unpack_from(table, at)
        if magic == _SUM_MAGIC:
            return apps if table[at + 16 : at + 32] == hashlib.md5(table[:at]).digest() else []
        if magic != _ENTRY_MAGIC:
            break
        if kind == _APP:
            apps.append((address, size))
    return []


def _whole(read: Read, start: int, size: int) -> list[bytes] | None:
    """The segments of a program, if checksum and SHA-256 are right; the second-stage bootloader looks at them, too."""
    header = read(start, _HEADER_BYTES)
    if header[0] != IMAGE or not 0 < header[_SEGMENTS_AT] <= _MOST_SEGMENTS:
        return None
    at, segments = start + _HEADER_BYTES, []
    for _ in range(header[_SEGMENTS_AT]):
        _, count = _SEGMENT.unpack(read(at, _SEGMENT.size))
        at += _SEGMENT.size + count
        if at > start + size:
            return None
        segments.append(read(at - count, count))
    checksum = reduce(operator.xor, (byte for segment in segments for byte in segment), _CHECKSUM)
    end = start + ((at - start) // _CHECKSUM_UNIT + 1) * _CHECKSUM_UNIT
    hashed = not header[_HASHED_AT] or read(end, 32) == hashlib.sha256(read(start, end - start)).digest()
    return segments if hashed and read(end - 1, 1)[0] == checksum else None
