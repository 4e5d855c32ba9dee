"""What a card for boards with an SD slot holds: two equal files for models, and a note for whoever reads it."""

from __future__ import annotations

from host_sdk.errors import FitError
from host_sdk.pack.fat import disk
from host_sdk.spec.stream import BLOCK_BYTES

SLOT_NAMES = ("ULM-A.ULB", "ULM-B.ULB")
NOTE_NAME = "README.TXT"
LABEL = "ULM"
MIB = 1 << 20
LEAST_CAPACITY = 4 * MIB
"""Of a file, where nobody asks for another: ten times the largest model of the zoo, and small on any card."""
RECORD_BYTES = BLOCK_BYTES
"""At the end of a file, where a board notes how far an upload has come."""
MARKS_BYTES = 4096
"""The same at the end of each half of a flash chip: the smallest part that is erased by itself."""

_NOTE = """\
This card holds a language model for a micro-LM board.

ULM-A.ULB and ULM-B.ULB have the same size. One holds the model, the other is for the next one: the board
writes uploads into it by itself. Do not delete, rename, shorten or defragment them while you use the card.

To put another model on the card from a computer:  ulm pack MODEL.ulm --for sd -o THIS-FOLDER
To see what is on it:                              ulm info THIS-FOLDER
Other files may lie beside them.
"""


def card_image(data: bytes, capacity: int | None = None) -> bytes:
    """A whole card: partition table, FAT16, both files in one piece each, the stream image `data` in the first.

    `capacity` in bytes is that of each file. FitError when `data` has no room in it.
    """
    return disk(card_files(data, capacity), LABEL)


def card_files(data: bytes, capacity: int | None = None) -> dict[str, bytes]:
    """Name and contents of each file of a card. FitError when `capacity` bytes have no room for `data`."""
    if capacity is None:
        capacity = default_capacity(data)
    if (least := len(data) + RECORD_BYTES) > capacity:
        raise FitError(
            f"The model takes {least} bytes of a file on the card, but the files are to have {capacity}; "
            f"say --capacity {-(-least // MIB)} or more."
        )
    note = _NOTE.replace("\n", "\r\n").encode("ascii")
    return {SLOT_NAMES[0]: data + bytes(capacity - len(data)), SLOT_NAMES[1]: bytes(capacity), NOTE_NAME: note}


def default_capacity(data: bytes) -> int:
    """Bytes of each file: room for a model twice as large, and at least LEAST_CAPACITY."""
    return max(LEAST_CAPACITY, -(-2 * len(data) // MIB) * MIB)
