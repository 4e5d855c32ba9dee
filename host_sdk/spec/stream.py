"""The stream image (`.ulb` for a card or a flash chip) in numbers. Prose: docs/image-stream.md.

The runtime reads it from front to back, once per pass. Offsets count from the image's first byte.
"""

from enum import IntEnum

MAGIC = int.from_bytes(b"ULMS", "little")
"""The valid mark: a board that stores an upload writes it last."""
ABI = 1
"""Raised when a runtime could misread an older image."""
BLOCK_BYTES = 512
"""Of a card. Images have whole blocks."""

# Header fields: (name, byte offset, size in bytes). The rest of the header is 0.
HEADER = (
    ("magic", 0, 4),
    ("sequence", 4, 4),
    ("length", 8, 4),
    ("check", 12, 2),
    ("ones", 14, 2),
    ("abi", 16, 1),
    ("form", 17, 1),
    ("kind", 18, 1),
    ("layers", 19, 1),
    ("model_crc", 20, 4),
    ("max_query", 24, 1),
    ("max_reply", 25, 1),
    ("classes", 26, 1),
    ("context_length", 27, 1),
    ("query_mask", 28, 2),
    ("context_mask", 30, 2),
    ("features", 32, 1),
    ("kept", 33, 1),
    ("name", 34, 2),
    ("charset", 36, 4),
    ("replies", 40, 2),
    ("zeros", 42, 2),
    ("first", 44, 4),
    ("pass", 48, 4),
    ("stream_bytes", 52, 4),
)
HEADER_BYTES = 64
CHECK_FROM = 16
"""CRC-16/X-25 over the image from here to its end. What is before may change when the image is stored."""


class Form(IntEnum):
    """How weights are written."""

    LISTS = 0
    """Sparse columns; inputs that are zero are skipped."""
    ROWS = 1
    """All weights, row by row; the first layer column by column."""


GROUP = 16
"""Lists: so many lengths stand in front of the columns that they are of."""
LISTS_BUCKETS = 256
"""Lists: most buckets of the query, and of the context; one byte counts each."""

LAYER_BYTES = 8
"""Rows: of the header of a layer."""
FIELDS = {2: (-2, 1), 4: (-8, 7), 8: (-128, 127)}
"""Rows: bits of a weight, and the least and the largest that they say."""
MAX_CLASSES = 256

ARENA_BYTES = 1280
"""SRAM for activations and sums, and in the form rows for the query."""
WAITING_BYTES = 2
"""Rows: behind the first layer's sums, for the bucket of a column that waits to be read."""
MIN_QUERY = 40
"""Rows: characters of a query for which there must be room; most typed questions are shorter."""
