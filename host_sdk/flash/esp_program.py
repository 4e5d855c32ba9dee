"""The program in a partition of an Espressif chip: whether it is MicroPython. Nothing here touches a chip."""

from __future__ import annotations

import struct
from collections.abc import Callable

from host_sdk.flash.partitions import Partition

Read = Callable[[int, int], bytes]
"""Bytes of the flash: address, count."""
MICROPYTHON = "micropython"
IMAGE_MAGIC, CHIP_ID_AT, HEADER_BYTES = 0xE9, 12, 24
SEGMENT = struct.Struct("<II")
"""In front of each segment: where it is loaded to, its bytes."""
_DESCRIPTION = struct.Struct("<I44x32s")
"""At the start of the first segment: magic, behind version and checks the name of the project."""
_DESCRIPTION_MAGIC = 0xABCD5432
_SAYS_SO = b"MicroPython v"
_MOST_SEARCHED = 0x80000
"""Bytes of the first segment, the constants, that are searched for this. Old firmware has it at 60 KB."""


def program_name(read: Read, app: Partition) -> str | None:
    """What the program calls itself, "" if it does not say; None when there is none.

    MicroPython until 1.16 or so was built in a way that left the name empty, so it is looked for in the constants.
    """
    start = read(app.address, HEADER_BYTES + SEGMENT.size + _DESCRIPTION.size)
    if start[0] != IMAGE_MAGIC:
        return None
    magic, name = _DESCRIPTION.unpack_from(start, HEADER_BYTES + SEGMENT.size)
    text = str(name.partition(b"\0")[0], "ascii", "replace") if magic == _DESCRIPTION_MAGIC else ""
    _, count = SEGMENT.unpack_from(start, HEADER_BYTES)
    if not text and _SAYS_SO in read(app.address + HEADER_BYTES, min(count, _MOST_SEARCHED)):
        return MICROPYTHON
    return text


def is_micropython(name: str) -> bool:
    """Whether a program of this name is MicroPython; builds with much in them add to it."""
    return name.startswith(MICROPYTHON)
