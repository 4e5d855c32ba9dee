"""What goes into the flash of an Espressif chip: its firmware, and a model in a partition of its own."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from host_sdk.errors import BoardError, FileError, FitError, UsageError
from host_sdk.flash.esp_chip import SECTOR, EspChip, Progress, connected, image_names
from host_sdk.flash.partitions import APP, TABLE_ADDRESS, Partition, Plan, check_label, pack_table, parse, plan

MICROPYTHON = "micropython"
_IMAGE_MAGIC, _CHIP_ID_AT, _HEADER_BYTES = 0xE9, 12, 24
_APP_DESCRIPTION_AT = 0x20
_APP_MAGIC, _PROJECT_AT, _PROJECT_BYTES = 0xABCD5432, 48, 32


@dataclass(frozen=True, slots=True)
class FirmwareResult:
    """What flashing firmware did. Sizes in bytes."""

    chip: str
    flash_bytes: int
    firmware_bytes: int
    written: bool  # False: it was there already
    table_kept: bool  # the board's own partitions stay
    seconds_wall: float


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What writing a model into a partition did. Sizes and addresses in bytes."""

    chip: str
    partition: str
    address: int
    partition_bytes: int
    model_bytes: int
    written: bool  # False: it was there already
    table_written: bool
    files_cut: bool  # MicroPython's files have less room, and begin anew unless they were empty
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

    What is there already is not written. Partitions that the board has beyond the firmware's own stay, unless `erase`
    clears all flash first. FileError when the file is no such image; UsageError when it is for another chip, or when
    the chip runs another program and `yes` is not given; all before anything is touched.
    """
    image = _read(file)
    started = time.monotonic()
    with connected(address, stub=stub) as chip:
        at = _check_firmware(image, file, chip)
        table = _table_on(chip)
        if not yes and table and (program := _foreign(chip, table)):
            raise UsageError(
                f"The {chip.name} runs another program, {program!r}, which flashing would replace; say --yes to do it."
            )
        kept = False
        if erase:
            chip.erase(0, chip.flash_bytes)
        elif table:
            image, kept = _with_table(image, at, chip, table)
        written = not chip.holds(at, image)
        if written:
            chip.write(at, image, progress)
        return FirmwareResult(
            chip.name, chip.flash_bytes, len(image), written or erase, kept, time.monotonic() - started
        )


def flash_partition(
    address: str,
    image: bytes,
    label: str,
    *,
    yes: bool = False,
    stub: bool = True,
    progress: Progress | None = None,
) -> PartitionResult:
    """Write a packed model into the data partition `label`, which is made or grown where that costs nothing.

    Where it would cost MicroPython's files, UsageError says so unless `yes` is given; FitError with the numbers when
    there is no room at all. The model's first sector is written last, the partition table after the model: a cut
    leaves a table that is sound, and a partition that is whole or is seen not to be.
    """
    check_label(label)
    started = time.monotonic()
    with connected(address, stub=stub) as chip:
        backup = user_state_path("ulm") / "esp" / f"{chip.mac}.bin"
        held = chip.read(TABLE_ADDRESS, SECTOR)
        table, broken = _table_or_copy(held, backup)
        due = plan(table, chip.flash_bytes, label, len(image))
        new_table = pack_table(due.table) if due.table else pack_table(table) if broken else None
        used = _used(chip, due)
        if used and not yes:
            raise UsageError(_costs(due, used, chip))
        written = not chip.holds(due.partition.address, image)
        if written:
            _write_model(chip, due.partition.address, image, progress)
        if due.cut and used:
            # MicroPython makes new files where the first sectors are erased.
            chip.erase(due.cut.address, min(due.cut.size, 2 * SECTOR))
        if new_table:
            _write_table(chip, new_table, backup)
        return PartitionResult(
            chip=chip.name,
            partition=label,
            address=due.partition.address,
            partition_bytes=due.partition.size,
            model_bytes=len(image),
            written=written,
            table_written=new_table is not None,
            files_cut=due.cut is not None,
            seconds_wall=time.monotonic() - started,
        )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {file}: {error.strerror}. Name the firmware's .bin file.") from None


def _check_firmware(image: bytes, file: Path, chip: EspChip) -> int:
    """Where the image goes. It begins with the second-stage bootloader, or at address 0 in front of that."""
    at, start = chip.firmware_address, 0
    if image[:1] == b"\xff" and chip.firmware_address:
        at, start = 0, chip.firmware_address
    header = image[start : start + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES or header[0] != _IMAGE_MAGIC:
        raise FileError(
            f"{file} is no firmware of an Espressif chip; take the .bin file from micropython.org/download."
        )
    (chip_id,) = struct.unpack_from("<H", header, _CHIP_ID_AT)
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


def _foreign(chip: EspChip, table: Sequence[Partition]) -> str | None:
    """The name of a program that is not MicroPython; None when there is none."""
    for one in table:
        if one.type == APP:
            header = chip.read(one.address + _APP_DESCRIPTION_AT, _PROJECT_AT + _PROJECT_BYTES)
            if struct.unpack_from("<I", header)[0] == _APP_MAGIC:
                name = header[_PROJECT_AT:].partition(b"\0")[0].decode("ascii", "replace")
                if not name.startswith(MICROPYTHON):
                    return name
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


def _table_or_copy(held: bytes, backup: Path) -> tuple[tuple[Partition, ...], bool]:
    """The board's table; if a cut damaged it, the copy that was kept while it was written, and True."""
    try:
        table = parse(held)
    except BoardError:
        if not backup.exists():
            raise
        return parse(backup.read_bytes()), True
    backup.unlink(missing_ok=True)
    return table, False


def _used(chip: EspChip, due: Plan) -> list[tuple[int, int]]:
    return [(at, count) for at, count in due.spoils if not chip.is_erased(at, count)]


def _costs(due: Plan, used: Sequence[tuple[int, int]], chip: EspChip) -> str:
    if due.cut:
        return (
            f"The flash of this {chip.name} is full: a partition {due.partition.label!r} of "
            f"{due.partition.size // 1024} KB takes its room from MicroPython's files, which begin anew with "
            f"{due.cut.size // 1024} KB. Save what you need of them (`mpremote fs cp -r : COPY`), then say --yes."
        )
    at, count = used[0]
    return (
        f"The room for the partition {due.partition.label!r} is not empty: {count // 1024} KB at {at:#x} hold "
        "something that no partition owns. Say --yes to overwrite it."
    )


def _write_model(chip: EspChip, at: int, image: bytes, progress: Progress | None) -> None:
    """The first sector last: without it nobody takes the rest for a model."""
    chip.erase(at, SECTOR)
    chip.write(at + SECTOR, image[SECTOR:], progress)
    chip.write(at, image[:SECTOR])
    if not chip.holds(at, image):
        raise BoardError("The partition reads back differently than it was written; flash again, or use another board.")


def _write_table(chip: EspChip, table: bytes, backup: Path) -> None:
    """The new table, with a copy on this computer until it is in place."""
    try:
        backup.parent.mkdir(parents=True, exist_ok=True)
        backup.write_bytes(table)
    except OSError as error:
        raise FileError(
            f"Cannot keep a copy of the partition table in {backup.parent}: {error.strerror}. The board's table is as "
            "it was; make the folder writable and flash again."
        ) from None
    chip.write(TABLE_ADDRESS, table)
    backup.unlink()
