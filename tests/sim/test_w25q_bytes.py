"""The byte-level model of a W25Q: what programming, erasing and busy times do."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_sdk.errors import FileError
from host_sdk.sim.w25q import W25q


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chip(tmp_path: Path, clock: Clock) -> W25q:
    return W25q(tmp_path / "chip.bin", "w25q80", clock)


def send(chip: W25q, text: str, count: int = 0) -> bytes:
    chip.select()
    chip.exchange(bytes.fromhex(text))
    got = chip.exchange(b"\xff" * count)
    chip.deselect()
    return got


def test_id_and_status(chip: W25q) -> None:
    assert send(chip, "9f", 4) == b"\xef\x40\x14\xff"
    assert send(chip, "05", 2) == b"\0\0"
    assert send(chip, "5a 000000 00", 4) == b"SFDP"
    assert send(chip, "ab 000000", 1) == b"\x13"


def test_page_wraps_and_only_clears_bits(chip: W25q, clock: Clock) -> None:
    send(chip, "06")
    send(chip, "02 0001fe 0f0e0d")
    assert send(chip, "05", 1) == b"\x03"
    assert send(chip, "03 0001fe", 2) == b"\xff\xff"  # busy: deaf to all but status
    clock.now += 0.001
    assert send(chip, "03 0001fe", 3) == b"\x0f\x0e\xff"
    assert send(chip, "0b 000100 00", 2) == b"\x0d\xff"
    send(chip, "06")
    send(chip, "02 0001fe f1")
    clock.now += 0.001
    assert send(chip, "03 0001fe", 1) == b"\x01"
    assert (chip.programmed, chip.ignored) == (2, 1)


def test_nothing_changes_unless_enabled(chip: W25q) -> None:
    send(chip, "02 000000 00")
    send(chip, "20 000000")
    assert send(chip, "03 000000", 1) == b"\xff"
    assert chip.ignored == 2


@pytest.mark.parametrize(("command", "size"), [("20", 4096), ("52", 32768), ("d8", 65536)])
def test_erases(chip: W25q, clock: Clock, command: str, size: int) -> None:
    chip.program(0, bytes(3 * 65536))
    send(chip, "06")
    send(chip, f"{command} 010203")
    assert send(chip, "05", 1) == b"\x03"
    clock.now += 1
    assert chip.read(0, 3 * 65536) == bytes(65536) + b"\xff" * size + bytes(2 * 65536 - size)


def test_reads_go_on_at_the_start(chip: W25q) -> None:
    chip.program(0, b"\x12")
    assert send(chip, "03 0fffff", 2) == b"\xff\x12"


def test_sleep(chip: W25q) -> None:
    send(chip, "b9")
    assert send(chip, "9f", 3) == b"\xff\xff\xff"
    assert send(chip, "05", 1) == b"\xff"
    send(chip, "ab")
    assert send(chip, "9f", 3) == b"\xef\x40\x14"


def test_content_is_the_file(chip: W25q, tmp_path: Path) -> None:
    chip.program(5, b"abc")
    chip.close()
    assert (tmp_path / "chip.bin").read_bytes()[5:8] == b"abc"
    with pytest.raises(FileError, match="bytes; a w25q16 has"):
        W25q(tmp_path / "chip.bin", "w25q16")
