"""The bytes of a header whose fields a spec module lists as (name, offset, size in bytes), without gaps."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_FORMATS = {1: "B", 2: "H", 4: "I"}


def layout(fields: Sequence[tuple[str, int, int]], start: str = "<") -> struct.Struct:
    """Little-endian unsigned numbers of these fields, behind what `start` says."""
    return struct.Struct(start + "".join(_FORMATS[size] for _, _, size in fields))
