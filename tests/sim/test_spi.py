"""The SPI peripheral: times in cycles, hasty reads and writes, dividers, modes, the interrupt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.boards import AVR_BOARDS
from host_sdk.sim.part import FlashChip
from tests.sim.bus import ENABLED, FAST, Bus

ID = bytes.fromhex("ef4016")


@pytest.fixture
def chip(bus: Callable[..., Bus], tmp_path: Path) -> Bus:
    """A board with a flash chip of known content."""
    (tmp_path / "chip.bin").write_bytes(bytes(range(256)) * 16384)
    chip = bus(FlashChip(tmp_path / "chip.bin"))
    chip.power(True)
    return chip


def test_a_byte_can_be_read_from_the_17th_cycle(chip: Bus) -> None:
    got = []
    for cycles in (17, 16, 5, 18, 40):
        chip.send(b"s")
        chip.write(b"\x9f")
        before = chip.board.counters().spi_early
        got.append((chip.send(bytes((*b"R", 0xFF, cycles)), 1)[0], chip.board.counters().spi_early - before))
        chip.send(b"u")
    assert got == [(0xEF, 0), (0xFF, 1), (0xFF, 1), (0xEF, 0), (0xEF, 0)]


def test_a_write_is_taken_from_the_18th_cycle(chip: Bus) -> None:
    """The two bytes are an address; what lies there tells which of them arrived."""

    def address(cycles: int) -> tuple[int, int, bool, int]:
        before = chip.board.counters().spi_collisions
        chip.send(b"s")
        chip.write(b"\x03\x00")
        status, _ = chip.send(bytes((*b"W", 0x12, 0x34, cycles)), 2)
        first, second = chip.read(2)
        chip.send(b"u")
        return first, second, bool(status & 0x40), chip.board.counters().spi_collisions - before

    assert address(18) == (0x34, 0x35, False, 0)
    assert address(30) == (0x34, 0x35, False, 0)
    assert address(17) == (0x00, 0x01, False, 1)  # goes out as 0
    assert address(16) == (0xFF, 0xFF, True, 1)  # lost: the chip takes the next byte for it
    assert address(4) == (0xFF, 0xFF, True, 1)


def test_streaming_a_byte_in_18_cycles_is_clean(chip: Bus) -> None:
    chip.send(b"s")
    chip.write(b"\x03\x00\x00\x00")
    before = chip.board.counters()
    chip.board.markers()
    chip.send(b"S", 1)
    start, end = chip.board.markers()
    after = chip.board.counters()
    assert (end.cycle - start.cycle) / 65536 == pytest.approx(18, abs=0.001)
    assert (after.spi_bytes - before.spi_bytes, after.spi_early, after.spi_collisions) == (65537, 0, 0)


@pytest.mark.parametrize(
    ("rate", "doubled", "divider"),
    [(0, 1, 2), (0, 0, 4), (1, 1, 8), (1, 0, 16), (2, 1, 32), (2, 0, 64), (3, 1, 64), (3, 0, 128)],
)
def test_dividers(chip: Bus, rate: int, doubled: int, divider: int) -> None:
    chip.configure(ENABLED | rate, doubled)
    chip.board.markers()
    chip.send(b"m")
    chip.settle()
    start, end = chip.board.markers()
    assert end.cycle - start.cycle == 8 * divider + 15  # with the polling loop
    assert chip.command(b"\x9f", 3) == ID


def test_modes_and_bit_order(chip: Bus) -> None:
    for mode, got in ((0x00, ID), (0x0C, ID), (0x04, b"\xff" * 3), (0x08, b"\xff" * 3)):
        chip.configure(ENABLED | mode, 1)
        assert chip.command(b"\x9f", 3) == got
    chip.configure(ENABLED | 0x20, 1)  # the lowest bit first
    assert chip.command(b"\xf9", 3) == bytes.fromhex("f70268")
    chip.configure(*FAST)
    chip.send(b"d\x0d")  # SCK and MOSI are inputs
    assert chip.command(b"\x9f", 3) == b"\xff" * 3


def test_the_interrupt_wakes_the_chip(chip: Bus) -> None:
    chip.send(b"s")
    chip.write(b"\x9f")
    idle = chip.board.counters().idle
    assert chip.send(b"i\xff", 2) == b"\xef\x01"  # SPIF is cleared by the handler
    assert 0 < chip.board.counters().idle - idle < 17


def test_raising_chip_select_too_early_voids_a_command(chip: Bus) -> None:
    chip.send(b"s")
    chip.send(b"C\x06")
    assert chip.command(b"\x05", 1) == b"\x00"
    chip.command(b"\x06")
    assert chip.command(b"\x05", 1) == b"\x02"


def test_nothing_on_the_bus(bus: Callable[..., Bus]) -> None:
    empty = bus(None)
    assert empty.command(b"\x9f", 3) == b"\xff" * 3
    assert empty.board.counters().part_powered == 0


def test_lilypad(bus: Callable[..., Bus], tmp_path: Path) -> None:
    chip = bus(FlashChip(tmp_path / "chip.bin"), AVR_BOARDS["lilypad"])
    chip.power(True)
    assert chip.command(b"\x9f", 3) == ID
