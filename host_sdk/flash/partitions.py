"""The partition table of Espressif chips, and where in it a model may go. Nothing here touches a chip.

The table is one sector of 32-byte entries and ends with the MD5 of those before it. Layout: ESP-IDF's page
"Partition Tables". MicroPython keeps its files in the partition `vfs` (CircuitPython-like builds: `ffat`); from 1.26
on it takes whatever flash lies behind the last partition if the table has neither.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from host_sdk.errors import BoardError, FitError, UsageError

TABLE_ADDRESS, SECTOR = 0x8000, 0x1000
APP, DATA = 0, 1
MODEL_SUBTYPE = 0x40
"""Of the model's partition: the first that ESP-IDF leaves to applications."""
FAT_SUBTYPE = 0x81
FILES = ("vfs", "ffat")
LEAST_FILES = 0x10000
"""Bytes of MicroPython's files that are never cut."""
STEP = 0x10000
"""A new partition is so many bytes, or a multiple, so that a slightly larger model fits later."""
MOST_ENTRIES = 95
_ENTRY, _MD5 = b"\xaa\x50", b"\xeb\xeb"
_LABEL_BYTES = 15


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry. Address and size in bytes of flash."""

    label: str
    type: int
    subtype: int
    address: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the model goes, and what must change for it."""

    partition: Partition
    table: tuple[Partition, ...] | None
    """The new table; None when the old one has the partition already."""
    spoils: tuple[tuple[int, int], ...] = ()
    """Regions (address, bytes) that get another use: nothing is lost if they are erased."""
    cut: Partition | None = None
    """MicroPython's files as they will be; they begin anew if the region was not erased."""


def parse(data: bytes) -> tuple[Partition, ...]:
    """The entries of a table, in order of address. BoardError when it is none, or damaged.

    The MD5 must be there: a write that was cut off leaves entries without it.
    """
    entries: list[Partition] = []
    for at in range(0, len(data) - 31, 32):
        entry = data[at : at + 32]
        if entry.startswith(_MD5) and hashlib.md5(data[:at]).digest() == entry[16:] and entries:
            return tuple(sorted(entries, key=lambda one: one.address))
        if not entry.startswith(_ENTRY):
            break
        kind, subtype, address, size, label, flags = struct.unpack("<BBII16sI", entry[2:])
        text = label.partition(b"\0")[0].decode("ascii", "replace")
        entries.append(Partition(text, kind, subtype, address, size, flags))
    raise BoardError(
        f"The board has no sound partition table at {TABLE_ADDRESS:#x}; flash its firmware first, "
        "with `ulm flash PORT --firmware FILE.bin`."
    )


def pack_table(entries: Sequence[Partition]) -> bytes:
    """One sector: the entries, their MD5, and erased bytes. UsageError for a label that has no room."""
    if len(entries) > MOST_ENTRIES:
        raise FitError(f"The partition table has {MOST_ENTRIES} entries at most; this one would have {len(entries)}.")
    body = b""
    for one in entries:
        label = one.label.encode("ascii").ljust(_LABEL_BYTES + 1, b"\0")
        body += _ENTRY + struct.pack("<BBII16sI", one.type, one.subtype, one.address, one.size, label, one.flags)
    return (body + _MD5 + b"\xff" * 14 + hashlib.md5(body).digest()).ljust(SECTOR, b"\xff")


def check_label(label: str) -> str:
    """The label; UsageError when a partition cannot be called so, or when it is MicroPython's own."""
    if not label.isascii() or not label.isprintable() or not 0 < len(label) <= _LABEL_BYTES or " " in label:
        raise UsageError(f"{label!r} is no name of a partition: 1 to {_LABEL_BYTES} ASCII characters without blanks.")
    if label in FILES:
        raise UsageError(
            f"The partition {label!r} holds MicroPython's files; name another for the model, such as model."
        )
    return label


def files_of(table: Sequence[Partition], flash_bytes: int) -> Partition | None:
    """MicroPython's files: their partition, or what it takes behind the last one."""
    named = next((one for one in table if one.label in FILES), None)
    start = -(-max((one.end for one in table), default=flash_bytes) // SECTOR) * SECTOR
    if named or start >= flash_bytes:
        return named
    return Partition(FILES[0], DATA, FAT_SUBTYPE, start, flash_bytes - start)


def plan(table: Sequence[Partition], flash_bytes: int, label: str, need: int) -> Plan:
    """The partition `label` of at least `need` bytes: as it is, grown, or new.

    It goes where nothing is; if there is no such place, MicroPython's files give way at their end. UsageError when
    the partition is no data partition, FitError with the numbers when there is no room.
    """
    old = next((one for one in table if one.label == label), None)
    if old and old.type != DATA:
        raise UsageError(f"The partition {label!r} of this board is not for data; name another.")
    if old and old.size >= need:
        return Plan(old, None)
    others = [one for one in table if one is not old]
    size = -(-need // STEP) * STEP
    files = files_of(others, flash_bytes)
    place = _gap(others, files, flash_bytes, need, size, old)
    cut = None
    if place is None and files:
        if old and old.address == files.end:  # its own room counts
            files = replace(files, size=files.size + old.size)
        if files.size - size >= LEAST_FILES:
            cut = replace(files, size=files.size - size)
            place = Partition(label, DATA, MODEL_SUBTYPE, cut.end, size)
            others = [one for one in others if one.label != files.label]
    if place is None:
        raise _no_room(label, size, others, files, flash_bytes)
    new = replace(place, label=label, subtype=old.subtype if old else MODEL_SUBTYPE)
    entries = sorted([*others, new, *([cut] if cut else [])], key=lambda one: one.address)
    kept = (old.address, old.end) if old else (0, 0)
    spoils = _without(new.address, new.end, *kept)
    if cut:
        spoils.append((cut.address, cut.size))
    return Plan(new, tuple(entries), tuple(spoils), cut)


def _gap(
    others: Sequence[Partition],
    files: Partition | None,
    flash_bytes: int,
    need: int,
    size: int,
    old: Partition | None,
) -> Partition | None:
    """A place that belongs to nobody: the old one and what follows it, else the first that is large enough."""
    taken = sorted([(one.address, one.end) for one in [*others, *([files] if files else [])]])
    start, gaps = TABLE_ADDRESS + SECTOR, []
    for begin, end in [*taken, (flash_bytes, flash_bytes)]:
        if begin > start:
            gaps.append((start, begin))
        start = max(start, -(-end // SECTOR) * SECTOR)
    for begin, end in gaps:
        if old and begin <= old.address < end and end - old.address >= need:
            return Partition("", DATA, 0, old.address, min(size, (end - old.address) // SECTOR * SECTOR))
    for begin, end in gaps:
        if end - begin >= need:
            return Partition("", DATA, 0, begin, min(size, (end - begin) // SECTOR * SECTOR))
    return None


def _without(begin: int, end: int, other_begin: int, other_end: int) -> list[tuple[int, int]]:
    """The parts of one region that are outside another, as (address, bytes)."""
    parts = [(begin, min(end, other_begin)), (max(begin, other_end), end)]
    return list(dict.fromkeys((first, last - first) for first, last in parts if last > first))


def _no_room(label: str, size: int, others: Sequence[Partition], files: Partition | None, flash_bytes: int) -> FitError:
    largest = max(others, key=lambda one: one.size, default=None)
    has = f"{files.size // 1024} KB of MicroPython's files" if files else "no room behind its partitions"
    rest = f"; its largest partition, {largest.label!r}, takes {largest.size // 1024} KB" if largest else ""
    return FitError(
        f"A partition {label!r} of {size // 1024} KB does not fit: this board has {flash_bytes // 1024} KB of flash "
        f"and {has}{rest}. Use a smaller model, or a board with more flash."
    )
