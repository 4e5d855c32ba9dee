"""The packed model image for flash and EEPROM (`.ulb`) in numbers. Prose: docs/image.md.

The runtime reads it in this order, once per pass: it is a tape. Offsets count from the image's first byte.
"""

from enum import IntEnum

MAGIC = 0x4C55
"""'UL', little-endian. Erased (FFFFh) until the rest of the image is in place: the valid mark."""
ABI = 3
"""Raised when a runtime could misread an older image."""

MODEL_ADDRESS = 0x1B80
"""Flash byte address of the image on the ATmega328P: everything below belongs to the runtime."""
IDENT_ADDRESS = 0x68
"""Flash byte address of the runtime's identity, right behind the 26 interrupt vectors."""
IDENT = b"ULMR"
"""The identity is this mark, then FACTS, then the image ABI (u8)."""
FACTS = "<BBBHHI13s"
"""struct layout: protocol revision, HELLO flags, payload bytes, build, spec sum, clock in Hz, board name.
HELLO begins with the same bytes."""
BUILD_OFFSET = 3
"""Of the build number inside FACTS. It is a checksum of the runtime, stamped in when a hex file is shipped."""

PLACE = "<BI"
"""struct layout of what follows FACTS in a runtime, and begins INFO: ABI, address of the model; 0: not in flash."""

# Header fields: (name, byte offset, size in bytes).
HEADER = (
    ("magic", 0, 2),
    ("abi", 2, 1),
    ("kind", 3, 1),
    ("length", 4, 2),
    ("check", 6, 2),
    ("model_crc", 8, 4),
    ("layers", 12, 1),
    ("context_length", 13, 1),
    ("query_mask", 14, 2),
    ("context_mask", 16, 2),
    ("max_query", 18, 1),
    ("max_reply", 19, 1),
    ("classes", 20, 1),
    ("zero", 21, 1),
    ("floor", 22, 1),
    ("lift", 23, 1),
    ("first_places", 24, 1),
    ("features", 25, 1),
    ("form", 26, 1),
    ("output_first", 27, 1),
    ("output_groups", 28, 1),
    ("output_shift", 29, 1),
    ("charset", 30, 2),
    ("replies", 32, 2),
    ("name", 34, 2),
    ("tape", 36, 2),
    ("table", 38, 2),
    ("second", 40, 2),
)
HEADER_BYTES = 42
CHECK_FROM = 8
"""CRC-16/X-25 over the image from here to its end."""


class Form(IntEnum):
    """How weights are written, and how the first layer is reached."""

    TABLE = 0
    """Lists; a table finds the column of each bucket as it is hashed."""
    BUCKETS = 1
    """Lists; buckets are counted first and are then read as a layer of their own. `table` and `tape` are 0."""
    BITS = 2
    """A stream of bits, for an EEPROM; buckets are counted first."""


BIT_BUCKETS = 256
"""Most buckets of the forms that count them: one byte and one place each."""

# `second` is where the tape goes on behind the first layer, whose columns are read in no order.

# First layer of a character model: a row's count byte is its count less its threshold, plus `zero`, and at least
# `floor` when the context comes: the row is active from `zero` on. `first_places` 0 means 256.

# `lift` is `zero` less the threshold where all rows have the same one; 0: each has its own, on the tape.

# Where counts do not fit a byte, zero - floor is SUMS_ZERO: biases are on the tape, and sums are formed.
SUMS_ZERO = 128

PLACES = 256
"""Of one layer's sums: a page of SRAM for their low bytes and one for their high bytes."""
GROUP_ROWS = 14
"""Rows between two spare places; only the first group may be shorter."""
BLOCK_COLUMNS = 4
"""First-layer columns between two of which the offset is in the table."""
PRESET = 128
"""Added to every bias: sums around zero then rarely carry into their high byte."""
BYTE_CODE = 0x80
"""Set in the first byte of a column whose lists are places, not moves."""
MAX_CLASSES = 255
"""Outputs of the last layer: the runtime counts them in one byte."""
VALUE_MARK = 0x01
"""In a reply string: the action's value goes here."""
