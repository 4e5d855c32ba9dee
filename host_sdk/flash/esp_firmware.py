"""The firmware of an Espressif chip: an image of all flash, such as MicroPython's."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from host_sdk.errors import BoardError, FileError, FitError, UsageError
from host_sdk.flash.esp_chip import SECTOR, EspChip, Progress, connected, image_names
from host_sdk.flash.esp_partition import FILES_START, begin_files_anew
from host_sdk.flash.esp_program import CHIP_ID_AT, HEADER_BYTES, IMAGE_MAGIC, is_micropython, program_name
from host_sdk.flash.partitions import APP, TABLE_ADDRESS, Partition, files_of, parse


@dataclass(frozen=True, slots=True)
class FirmwareResult:
    """What flashing firmware did. Sizes in bytes."""

    chip: str
    flash_bytes: int
    firmware_bytes: int
    written: bool  # False: it was there already
    table_kept: bool  # the board's own partitions stay
    seconds_wall: float


def flash_firmware(
    address: str,
    file: Path,
    *,
    yes: bool = False,
    erase: bool = False,
    stub: bool = True,
    progress: Progress | None = None,
) -> FirmwareResult:
    """Put an image of all flash, such as MicroPython's .bin, on the chip at `address`, and start it.

    Errors as those of write_firmware.
    """
    image = read_firmware(file)
    with connected(address, stub=stub) as chip:
        return write_firmware(chip, image, file, yes=yes, erase=erase, progress=progress)


def write_firmware(
    chip: EspChip,
    image: bytes,
    file: Path,
    *,
    yes: bool = False,
    erase: bool = False,
    progress: Progress | None = None,
) -> FirmwareResult:
    """Put an image of all flash, read from `file`, on a chip that is in its loader.

    What is there already is not written. Partitions that the board has beyond the firmware's own stay, unless `erase`
    clears all flash first. FileError when it is no such image; UsageError when it is for another chip, or, unless
    `yes` is given, when another program, MicroPython's files or other partitions would be lost; all before anything is
    touched.
    """
    started = time.monotonic()
    at = _check_firmware(image, file, chip)
    table = _table_on(chip)
    if not yes and table and (program := _foreign(chip, table, image, at)):
        raise UsageError(
            f"The {chip.name} runs another program, {program}, which flashing would replace; say --yes to do it."
        )
    kept, files = False, None
    if erase:
        chip.erase(0, chip.flash_bytes)
    elif table:
        image, kept = _with_table(image, at, chip, table)
        if not kept:
            files = _files_lost(image, at, chip, table, file, yes)
    written = not chip.holds(at, image)
    if written:
        chip.write(at, image, progress)
    if files:
        begin_files_anew(chip, files)
    seconds = time.monotonic() - started
    return FirmwareResult(chip.name, chip.flash_bytes, len(image), written or erase, kept, seconds)


def read_firmware(file: Path) -> bytes:
    """The bytes of an image; FileError when they cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {file}: {error.strerror}. Name the firmware's .bin file.") from None


def _check_firmware(image: bytes, file: Path, chip: EspChip) -> int:
    """Where the image goes. It begins with the second-stage bootloader, or at address 0 in front of that."""
    at, start = chip.firmware_address, 0
    if image[:1] == b"\xff" and chip.firmware_address:
        at, start = 0, chip.firmware_address
    header = image[start : start + HEADER_BYTES]
    if len(header) < HEADER_BYTES or header[0] != IMAGE_MAGIC:
        raise FileError(
            f"{file} is no firmware of an Espressif chip; take the .bin file from micropython.org/download."
        )
    (chip_id,) = struct.unpack_from("<H", header, CHIP_ID_AT)
    if chip_id != chip.chip_id:
        raise UsageError(
            f"{file} is for the {image_names([chip_id])}, but the chip on this port is an {chip.name}; "
            f"take the file for the {chip.name}."
        )
    try:
        entries = parse(image[TABLE_ADDRESS - at : TABLE_ADDRESS - at + SECTOR])
    except BoardError:
        raise FileError(
            f"{file} has no partition table, so it is not an image of all flash (perhaps an update, .app-bin); "
            "take the .bin file for new boards."
        ) from None
    end = max(at + len(image), max(one.end for one in entries))
    if end > chip.flash_bytes:
        raise FitError(
            f"{file} is for boards with {end / (1 << 20):.3g} MB of flash; this one has {chip.flash_bytes >> 20} MB. "
            "Take the file for its size."
        )
    return at


def _table_on(chip: EspChip) -> tuple[Partition, ...] | None:
    try:
        return parse(chip.read(TABLE_ADDRESS, SECTOR))
    except BoardError:
        return None


def _foreign(chip: EspChip, table: Sequence[Partition], image: bytes, at: int) -> str | None:
    """What a program is called that is not MicroPython, for a sentence; None when there is none.

    One that begins as that in the image does is the same, perhaps cut in the middle.
    """
    for one in table:
        name = program_name(chip.read, one) if one.type == APP else None
        if name is None or is_micropython(name):
            continue
        due = image[one.address - at :][:SECTOR]
        if not due or not chip.holds(one.address, due):
            return repr(name) if name else "one without a name"
    return None


def _with_table(image: bytes, at: int, chip: EspChip, table: Sequence[Partition]) -> tuple[bytes, bool]:
    """The image with the board's own table if that only adds partitions to the firmware's, and whether it does."""
    start = TABLE_ADDRESS - at
    due = parse(image[start : start + SECTOR])
    files = {one.label: one for one in table}
    same = all(
        (has := files.get(one.label)) and (has.type, has.address) == (one.type, one.address) and has.size <= one.size
        for one in due
    )
    if not same or len(table) <= len(due):
        return image, False
    return image[:start] + chip.read(TABLE_ADDRESS, SECTOR) + image[start + SECTOR :], True


def _files_lost(
    image: bytes, at: int, chip: EspChip, table: Sequence[Partition], file: Path, yes: bool
) -> Partition | None:
    """MicroPython's files as the firmware lays them out, if what lies there now is none that fits; None if it may stay.

    UsageError, unless `yes`, naming what the firmware's table gives up.
    """
    due = parse(image[TABLE_ADDRESS - at : TABLE_ADDRESS - at + SECTOR])
    before, after = files_of(table, chip.flash_bytes), files_of(due, chip.flash_bytes)
    moved = after and (not before or (before.address, before.size) != (after.address, after.size))
    lost = moved and after and not chip.is_erased(after.address, min(after.size, FILES_START))
    known = {one.label for one in due} | {before.label if before else ""}
    given_up = [
        repr(one.label) for one in table if one.label not in known and not chip.is_erased(one.address, one.size)
    ]
    if not yes and (lost or given_up):
        what = ["MicroPython's files begin anew"] if lost else []
        what += [f"what is in {', '.join(given_up)} is given up"] if given_up else []
        raise UsageError(
            f"{file.name} lays out the flash in another way: {' and '.join(what)}. Save what you need of it, then "
            "say --yes."
        )
    return after if lost else None
