"""The packed model image (`.ulb`) for Python boards in numbers. Prose: docs/image-micropython.md.

Offsets count from the image's first byte; all numbers are little-endian.
"""

MAGIC = b"ULMP"
ABI = 0x61
"""Raised when a runtime could misread an older image. AVR images count from 1, those of CP/M from 41h."""
TINY_ABI = 0x62
"""Of the form for a micro:bit: the columns are fields of two bits, weight + 2, all of the same length."""

# Header fields: (name, byte offset, size in bytes).
HEADER = (
    ("magic", 0, 4),
    ("abi", 4, 1),
    ("kind", 5, 1),
    ("layers", 6, 1),
    ("features", 7, 1),
    ("length", 8, 4),
    ("check32", 12, 4),
    ("check16", 16, 2),
    ("reserved", 18, 2),
    ("model_crc", 20, 4),
    ("query_mask", 24, 2),
    ("context_mask", 26, 2),
    ("context_length", 28, 1),
    ("max_query", 29, 1),
    ("max_reply", 30, 1),
    ("spare", 31, 1),
    ("classes", 32, 2),
    ("gap", 34, 2),
    ("groups", 36, 4),
    ("charset_at", 40, 4),
    ("replies_at", 44, 4),
    ("layers_at", 48, 4),
    ("columns_bytes", 52, 4),
)
HEADER_BYTES = 64
CHECK_FROM = 20
"""CRC-32 and CRC-16/X-25 over the image from here to its end: a board compares the one that costs it less."""
LAYER = "<HHBBHIIII"
"""struct layout of one layer's entry: rows, columns, shift, flags, 0, then offset of biases, of the columns' lengths
and of the columns, and how many bytes these take."""
FLAG_SATURATE = 1
FLAG_OTHERS = 2
"""Weights other than -1 and 1, or rows from 256 on."""
BANK_ROWS = 256
"""Rows that one byte can name; a group of weight 0 says which 256 rows follow."""
TINY_ROWS = 255
TINY_QUERY = 62
"""What the runtime of a micro:bit takes."""
RUNTIME_HEAP = 28_500
"""Bytes of heap that the runtime's modules take on a 64-bit machine, as measured; on a 32-bit one it is less."""
