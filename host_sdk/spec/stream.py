"""The stream image in numbers: for boards whose weights come from a card or a flash chip."""

MAGIC = int.from_bytes(b"ULMS", "little")
ABI = 1
HEADER_BYTES = 64
