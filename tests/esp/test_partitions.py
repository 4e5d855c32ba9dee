"""The partition table as bytes, and where a model goes in it."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.errors import BoardError, FitError, UsageError
from host_sdk.flash.partitions import (
    APP,
    DATA,
    LEAST_FILES,
    SECTOR,
    TABLE_ADDRESS,
    Partition,
    check_label,
    pack_table,
    parse,
    plan,
)

MB = 1 << 20
NVS = Partition("nvs", DATA, 2, 0x9000, 0x6000)
PHY = Partition("phy_init", DATA, 1, 0xF000, 0x1000)
FACTORY = Partition("factory", APP, 0, 0x10000, 0x1F0000)
VFS = Partition("vfs", DATA, 0x81, 0x200000, 0x200000)
OLD = (NVS, PHY, FACTORY, VFS)  # MicroPython up to 1.25 on 4 MB
NEW = (NVS, PHY, FACTORY)  # from 1.26 on: files take what is left


def overlap(table: tuple[Partition, ...]) -> bool:
    ordered = sorted(table, key=lambda one: one.address)
    return any(first.end > second.address for first, second in itertools.pairwise(ordered))


def test_bytes() -> None:
    data = pack_table(OLD)
    assert len(data) == SECTOR
    assert data[:32] == bytes.fromhex("aa50 01 02 00900000 00600000") + b"nvs".ljust(16, b"\0") + bytes(4)
    assert data[128:160] == b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(data[:128]).digest()
    assert parse(data) == OLD


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * SECTOR,
        bytes(SECTOR),
        b"",
        pack_table(OLD)[:90],
        pack_table(OLD)[:38] + b"\7" + pack_table(OLD)[39:],
        b"\xff" * 32 + pack_table(OLD)[32:],
    ],
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(BoardError, match="no sound partition table"):
        parse(data)


def test_files_in_the_table_are_cut_at_their_end() -> None:
    due = plan(OLD, 4 * MB, "model", 100_000)
    assert due.partition == Partition("model", DATA, 0x40, 4 * MB - 0x20000, 0x20000)
    assert due.cut
    assert (due.cut.address, due.cut.end) == (VFS.address, due.partition.address)
    assert due.table == (NVS, PHY, FACTORY, due.cut, due.partition)
    assert due.spoils == ((due.partition.address, 0x20000), (VFS.address, due.cut.size))


def test_files_behind_the_table_get_an_entry_and_stay_where_they_begin() -> None:
    due = plan(NEW, 8 * MB, "model", 100_000)
    assert due.cut == Partition("vfs", DATA, 0x81, FACTORY.end, 8 * MB - FACTORY.end - 0x20000)
    assert due.partition.end == 8 * MB


def test_room_behind_files_in_the_table_costs_nothing() -> None:
    due = plan(OLD, 8 * MB, "model", 100_000)
    assert due.partition.address == VFS.end
    assert due.cut is None


def test_as_it_is() -> None:
    model = Partition("model", DATA, 0x40, 0x400000, 0x20000)
    assert plan((*OLD, model), 8 * MB, "model", 0x20000) == plan((*OLD, model), 8 * MB, "model", 1)
    assert plan((*OLD, model), 8 * MB, "model", 0x20000).table is None


def test_grows_where_it_is() -> None:
    model = Partition("model", DATA, 0x06, 0x400000, 0x20000)
    due = plan((*OLD, model), 8 * MB, "model", 0x20001)
    assert due.partition == Partition("model", DATA, 0x06, 0x400000, 0x30000)
    assert due.spoils == ((0x420000, 0x10000),)


def test_grows_into_the_files_before_it() -> None:
    first = plan(OLD, 4 * MB, "model", 0x10000)
    assert first.table
    second = plan(first.table, 4 * MB, "model", 0x40000)
    assert second.partition == Partition("model", DATA, 0x40, 4 * MB - 0x40000, 0x40000)
    assert second.table
    assert not overlap(second.table)


def test_a_program_is_no_place() -> None:
    with pytest.raises(UsageError, match="not for data"):
        plan(OLD, 4 * MB, "factory", 10)


def test_no_room() -> None:
    with pytest.raises(FitError, match=r"of 2048 KB .* 4096 KB of flash and 2048 KB of MicroPython's files"):
        plan(OLD, 4 * MB, "model", 0x1F0001)


@pytest.mark.parametrize("label", ["", "a" * 16, "ä", "a b", "vfs", "ffat", "a\n"])
def test_labels(label: str) -> None:
    with pytest.raises(UsageError):
        check_label(label)


@given(
    st.integers(1, 3 * MB),
    st.sampled_from([4 * MB, 8 * MB, 16 * MB]),
    st.lists(st.integers(1, 40), max_size=4),
    st.booleans(),
    st.integers(0, 60),
)
def test_any_plan_is_sound(need: int, flash: int, gaps: list[int], has_files: bool, old_sectors: int) -> None:
    entries, at = [NVS, PHY, FACTORY], FACTORY.end
    for number, gap in enumerate(gaps):
        at += gap * SECTOR
        entries.append(Partition(f"p{number}", DATA, 6, at, gap * SECTOR))
        at += gap * SECTOR
    if old_sectors:
        entries.append(Partition("model", DATA, 0x40, at, old_sectors * SECTOR))
        at += old_sectors * SECTOR
    if has_files:
        entries.append(Partition("vfs", DATA, 0x81, at, flash - at))
    before = tuple(entries)
    try:
        due = plan(before, flash, "model", need)
    except FitError:
        assert need > 64 * 1024
        return
    assert due.partition.size >= need
    assert due.partition.address % SECTOR == due.partition.size % SECTOR == 0
    assert due.partition.end <= flash
    table = due.table or before
    assert not overlap(table)
    assert due.partition in table
    assert parse(pack_table(table)) == tuple(sorted(table, key=lambda one: one.address))
    for one in before:  # all others as they were
        assert one in table or one.label in ("model", "vfs")
    assert all(at >= TABLE_ADDRESS + SECTOR for at, _ in due.spoils)
    if due.cut:
        assert due.cut.size >= LEAST_FILES
        assert due.cut in table
