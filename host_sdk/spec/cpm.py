"""Memory map and packed image (`.ulb`) of the CP/M port in numbers. Prose: docs/image-cpm.md.

Everything is absolute: a .COM file lies at 0100h, and so an image has one address, and says addresses, not offsets.
"""

ORIGIN = 0x0100
"""Where CP/M loads and starts a program: `jp main`."""
IDENT_ADDRESS = 0x0103
"""The runtime's identity, right behind the jump: IDENT, FACTS and CPM_ABI, as on AVR boards (image.py)."""
KERNEL_ADDRESS = 0x0120
"""The blocks that lists of an image name. They never move within one ABI."""
RAM_ADDRESS = 0x1800
"""The engine's pages of 256 bytes. Code and variables of the runtime end below them, stack included."""
PAIR_BYTES = 0x0200
"""Of the sums of one layer: words for 256 places. Two layers that follow one another take turns."""
IMAGE_ADDRESS = 0x2100
"""The image; ULM.COM loads it here, CHAT.COM brings it along."""
TPA_END = 0xE400
"""First byte that the packer may not use on a CP/M system of 64K: its BDOS."""

ABI = 0x41
"""Raised when a runtime could misread an older image. AVR images count from 1, those of CP/M from 41h."""

# Header fields: (name, byte offset, size in bytes). The first six are those of an AVR image.
HEADER = (
    ("magic", 0, 2),
    ("abi", 2, 1),
    ("kind", 3, 1),
    ("length", 4, 2),
    ("check", 6, 2),
    ("model_crc", 8, 4),
    ("end", 12, 2),
    ("max_query", 14, 1),
    ("max_reply", 15, 1),
    ("classes", 16, 1),
    ("context_length", 17, 1),
    ("query_mask", 18, 2),
    ("context_mask", 20, 2),
    ("features", 22, 1),
    ("flags", 23, 1),
    ("charset", 24, 2),
    ("replies", 26, 2),
    ("name", 28, 2),
    ("query_table", 30, 2),
    ("context_table", 32, 2),
    ("start", 34, 2),
    ("rows", 36, 2),
    ("floor", 38, 1),
    ("prefixes", 39, 1),
    ("prefix_page", 40, 1),
    ("shift", 41, 1),
    ("program", 42, 2),
    ("outputs", 44, 2),
    ("zero", 46, 1),
)
HEADER_BYTES = 47
CHECK_FROM = 8
"""CRC-16/X-25 over the image from here to its end."""

# `end` is the first address behind all that the image needs while it runs.
# `charset`, `replies` (one address per reply, then action, text, NUL each) and `name` (NUL-terminated) are addresses.

FLAG_COUNTS = 1
"""The first layer is counted in bytes; without it, it is summed like the others."""
FLAG_TAPE = 2
"""The columns of the counted first layer are records as on a tape."""
