"""A model on a flash chip that a board streams from: the two halves of the chip are its slots, the newest answers.

The image is docs/image-stream.md; the rules of the slots are those of device/offload_sd: the last sector of a half is
kept for a board's own uploads, mark and sequence vouch for the rest and come last.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from host_sdk.errors import FileError, FitError, UsageError
from host_sdk.model.crc import crc16
from host_sdk.spec.micropython import MAGIC as PYTHON_MAGIC
from host_sdk.spec.stream import HEADER_BYTES, MAGIC

Progress = Callable[[int, int], None]

SECTOR = 4096
SLOTS = 2
_CHECK_FROM = 16
_HEAD = struct.Struct("<IIIH")  # mark, sequence, length, check


class Chip(Protocol):
    """A flash chip, wherever it is. W25qChip and EspChip are."""

    flash_bytes: int

    def read(self, address: int, count: int, progress: Progress | None = None) -> bytes:
        """Bytes from any address on."""

    def write(self, address: int, data: bytes, progress: Progress | None = None) -> None:
        """Erase the sectors that these bytes touch, program them and compare; `address` begins a sector."""


@dataclass(frozen=True, slots=True)
class SlotResult:
    """What provisioning did. Sizes in bytes."""

    slot: int  # 0 or 1: the half that answers now
    sequence: int  # counts the models that the chip has had; 0 for Python boards
    model_bytes: int
    chip_bytes: int
    written: bool  # False: it was there already
    seconds_wall: float


@dataclass(frozen=True, slots=True)
class _Marked:
    """A half with a valid mark."""

    slot: int
    sequence: int
    length: int
    head: bytes
    image: bytes | None = None  # if it was read


def provision(chip: Chip, image: bytes, yes: bool = False, progress: Progress | None = None) -> SlotResult:
    """Make the image the one that answers: in the half whose model is older, so that a cut leaves the other working.

    FileError when it is no stream image, UsageError when the chip has a model for Python boards, unless `yes`, FitError
    with the numbers when a half is too small; before anything is touched.
    """
    started = time.monotonic()
    if not is_image(image):
        raise FileError("This is no image for an SPI flash chip; make one with `ulm pack M.ulm --for uno-flash`.")
    half = chip.flash_bytes // SLOTS
    if len(image) > half - SECTOR:
        raise FitError(
            f"The model takes {len(image)} bytes packed; half of this chip of {chip.flash_bytes >> 10} KB has "
            f"{half - SECTOR} for it, {len(image) - half + SECTOR} too few. Take a larger chip or a smaller model."
        )
    newest = _newest(chip, half)
    if newest and newest.head[8:] == image[8:HEADER_BYTES]:
        held = newest.image or chip.read(newest.slot * half, len(image))
        if held[8:] == image[8:]:
            return SlotResult(
                newest.slot, newest.sequence, len(image), chip.flash_bytes, False, time.monotonic() - started
            )
    if not newest and not yes and chip.read(0, len(PYTHON_MAGIC)) == PYTHON_MAGIC:
        raise UsageError("The chip holds a model for a Python board; say --yes to replace it.")
    slot, sequence = (1 - newest.slot, newest.sequence + 1) if newest else (0, 1)
    start = slot * half
    if chip.read(start + half - SECTOR, SECTOR) != b"\xff" * SECTOR:
        chip.write(start + half - SECTOR, b"\xff" * SECTOR)  # no board goes on with an upload of its own
    head = image[:4] + sequence.to_bytes(4, "little") + image[8:SECTOR]
    chip.write(start, b"\xff" * len(head))  # from here on this half is no model
    chip.write(start + SECTOR, image[SECTOR:], progress)
    chip.write(start, head)
    return SlotResult(slot, sequence, len(image), chip.flash_bytes, True, time.monotonic() - started)


def place(chip: Chip, image: bytes, yes: bool = False, progress: Progress | None = None) -> SlotResult:
    """Put an image for Python boards on the chip, at its start: they have no slots. The first sector comes last.

    UsageError when the chip has a model that a streaming board answers with, unless `yes`; FitError when it is too
    small; before anything is touched.
    """
    started = time.monotonic()
    if len(image) > chip.flash_bytes:
        raise FitError(
            f"The model takes {len(image)} bytes packed; this chip has {chip.flash_bytes}, "
            f"{len(image) - chip.flash_bytes} too few. Take a larger chip or a smaller model."
        )
    if not yes and _newest(chip, chip.flash_bytes // SLOTS):
        raise UsageError("The chip holds a model for a board that streams (uno-flash); say --yes to replace it.")
    written = chip.read(0, len(image)) != image
    if written:
        chip.write(0, b"\xff" * min(SECTOR, len(image)))
        chip.write(SECTOR, image[SECTOR:], progress)
        chip.write(0, image[:SECTOR])
    return SlotResult(0, 0, len(image), chip.flash_bytes, written, time.monotonic() - started)


def is_image(image: bytes) -> bool:
    """Whether this is a whole, undamaged stream image."""
    if len(image) < HEADER_BYTES:
        return False
    mark, _, length, check = _HEAD.unpack_from(image)
    return bool(mark == MAGIC and length == len(image) and crc16(image[_CHECK_FROM:]) == check)


def _newest(chip: Chip, half: int) -> _Marked | None:
    """The half that answers; of two with a mark that with the larger sequence, if it is sound."""
    marked = []
    for slot in range(SLOTS):
        head = chip.read(slot * half, HEADER_BYTES)
        mark, sequence, length, _ = _HEAD.unpack_from(head)
        if mark == MAGIC and HEADER_BYTES <= length <= half:
            marked.append(_Marked(slot, sequence, length, head))
    marked.sort(key=lambda one: one.sequence)
    if len(marked) > 1:
        image = chip.read(marked[-1].slot * half, marked[-1].length)
        marked[-1] = replace(marked[-1], image=image)
        if not is_image(image):
            marked.pop()
    return marked[-1] if marked else None
