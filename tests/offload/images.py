"""Stream images of any length, which tell each other apart by the CRC in their headers."""

from __future__ import annotations

import random
import struct

from host_sdk.model.crc import crc16

BLOCK = 512


def image(seed: int, blocks: int = 40) -> bytes:
    body = bytearray(random.Random(seed).randbytes(blocks * BLOCK))
    head = struct.pack("<4sIIHH", b"ULMS", 0, len(body), 0, 0xFFFF)
    head += struct.pack(
        "<BBBBIBBBBHHBBHIHHIII8x",
        1,
        1,
        0,
        2,
        seed,
        160,
        40,
        64,
        8,
        127,
        127,
        0,
        0,
        64,
        512,
        70,
        0,
        512,
        512,
        len(body) - 512,
    )
    body[:64] = head
    body[64:80] = b"m%d".ljust(16, b"\0")
    return numbered(bytes(body), 0)


def numbered(image: bytes, sequence: int) -> bytes:
    """The image as it lies in a slot, with its check."""
    body = bytearray(image)
    body[4:8] = sequence.to_bytes(4, "little")
    body[12:14] = crc16(bytes(body[16:])).to_bytes(2, "little")
    return bytes(body)
