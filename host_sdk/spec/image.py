"""The packed model image for flash (`.ulb`) in numbers. Prose: docs/image.md.

The runtime reads it in this order, once per pass: it is a tape. Offsets count from the image's first byte.
"""

MAGIC = 0x4C55
"""'UL', little-endian. Erased (FFFFh) until the rest of the image is in place: the valid mark."""
ABI = 1
"""Raised when a runtime could misread an older image."""

MODEL_ADDRESS = 0x1600
"""Flash byte address of the image on the ATmega328P: everything below belongs to the runtime."""
IDENT_ADDRESS = 0x68
"""Flash byte address of the runtime's identity, right behind the 26 interrupt vectors."""
IDENT = b"ULMR"
"""The identity is this mark, then FACTS, then the image ABI (u8)."""
FACTS = "<BBBHHI9s"
"""struct layout: protocol revision, HELLO flags, payload bytes, build, spec sum, clock in Hz, board name.
HELLO begins with the same bytes."""
BUILD_OFFSET = 3
"""Of the build number inside FACTS. It is a checksum of the runtime, stamped in when a hex file is shipped."""

# Header fields: (name, byte offset, size in bytes).
HEADER = (
    ("magic", 0, 2),
    ("abi", 2, 1),
    ("kind", 3, 1),
    ("length", 4, 2),
    ("check", 6, 2),
    ("model_crc", 8, 4),
    ("layers", 12, 1),
    ("query_bits", 13, 1),
    ("context_bits", 14, 1),
    ("context_length", 15, 1),
    ("max_query", 16, 1),
    ("max_reply", 17, 1),
    ("arena_b", 18, 2),
    ("arena_cache", 20, 2),
    ("charset", 22, 2),
    ("replies", 24, 2),
    ("name", 26, 2),
    ("tape", 28, 2),
    ("second", 30, 2),
)
HEADER_BYTES = 32
CHECK_FROM = 8
"""CRC-16/X-25 over the image from here to its end."""

# `second` is where the tape goes on behind the first layer, whose columns are read in no order.

# One record per layer, behind the header: rows u16, shift u8, flags u8.
RECORD_BYTES = 4

ARENA_BYTES = 1280
"""SRAM for accumulators and the cached query half; the image says how it is divided."""
ESCAPE_GAP = 15
"""A nibble 0 moves the row pointer so far and adds nothing."""
MAX_CLASSES = 255
"""Outputs of the last layer: the runtime counts them in one byte."""
VALUE_MARK = 0x01
"""In a reply string: the action's value goes here."""
CACHE_MIN = -128
"""Query sums of a character model are kept in one signed byte and cut from below here."""
CACHE_MAX = 127
