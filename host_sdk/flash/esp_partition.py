"""A model in a partition of its own, in the flash of an Espressif chip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from host_sdk.errors import BoardError, FileError, UsageError
from host_sdk.flash.esp_chip import SECTOR, EspChip, Progress, connected
from host_sdk.flash.partitions import TABLE_ADDRESS, Partition, Plan, check_label, pack_table, parse, plan

FILES_START = 2 * SECTOR
"""Of a file system: where it says what it is."""


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


def flash_partition(
    address: str,
    image: bytes,
    label: str,
    *,
    yes: bool = False,
    stub: bool = True,
    progress: Progress | None = None,
) -> PartitionResult:
    """Write a packed model into the data partition `label` of the chip at `address`, and start the chip.

    Errors as those of write_partition.
    """
    check_label(label)
    with connected(address, stub=stub) as chip:
        return write_partition(chip, image, label, yes=yes, progress=progress)


def write_partition(
    chip: EspChip, image: bytes, label: str, *, yes: bool = False, progress: Progress | None = None
) -> PartitionResult:
    """Write a packed model into a data partition of a chip in its loader; it is made or grown where that costs nothing.

    Where it would cost MicroPython's files, UsageError says so unless `yes` is given; FitError with the numbers when
    there is no room at all. The model's first sector is written last, the partition table after the model: a cut
    leaves a table that is sound, and a partition that is whole or is seen not to be.
    """
    started = time.monotonic()
    backup = user_state_path("ulm") / "esp" / f"{chip.mac}.bin"
    kept = backup.read_bytes() if backup.exists() else None
    table, broken = _table_or_kept(chip.read(TABLE_ADDRESS, SECTOR), kept)
    due = plan(table, chip.flash_bytes, check_label(label), len(image))
    new_table = pack_table(due.table) if due.table else kept if broken else None
    used = _used(chip, due, begun=kept is not None and kept == new_table)
    if used and not yes:
        raise UsageError(_costs(due, used, chip))
    if new_table:
        _keep(new_table, backup)
    written = not chip.holds(due.partition.address, image)
    if written:
        _write_model(chip, due.partition.address, image, progress)
    if due.cut and used:
        begin_files_anew(chip, due.cut)
    if new_table:
        chip.write(TABLE_ADDRESS, new_table)
    backup.unlink(missing_ok=True)
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


def begin_files_anew(chip: EspChip, files: Partition) -> None:
    """MicroPython makes a file system where the first sectors are erased; one of another size it cannot mount."""
    chip.erase(files.address, min(files.size, FILES_START))


def _table_or_kept(held: bytes, kept: bytes | None) -> tuple[tuple[Partition, ...], bool]:
    """The board's table; if a cut damaged it, the one that was about to be written, and True."""
    try:
        return parse(held), False
    except BoardError:
        if kept is None:
            raise
        return parse(kept), True


def _used(chip: EspChip, due: Plan, begun: bool) -> list[tuple[int, int]]:
    """The regions that hold something; if the same was begun before, what lies in the partition is ours."""
    new = due.partition
    return [
        (at, count)
        for at, count in due.spoils
        if not (begun and new.address <= at and at + count <= new.end) and not chip.is_erased(at, count)
    ]


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


def _keep(table: bytes, backup: Path) -> None:
    """A copy of the new table on this computer until it is in place."""
    try:
        backup.parent.mkdir(parents=True, exist_ok=True)
        backup.write_bytes(table)
    except OSError as error:
        raise FileError(
            f"Cannot keep a copy of the partition table in {backup.parent}: {error.strerror}. The board is as it was; "
            "make the folder writable and flash again."
        ) from None
