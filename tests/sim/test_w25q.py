"""The virtual flash chip: identification, reading, programming, erasing, sleep, supply, faults."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.boards import AVR_BOARDS, BOARDS
from host_sdk.errors import FileError, PortError, UsageError
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.sim.part import CHIPS, FlashChip
from tests.sim.bus import Bus

FLASHROM = shutil.which("flashrom", path=f"{os.environ['PATH']}:/usr/sbin")
CONTENT = random.Random(1).randbytes(1 << 20)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a W25Q80 full of noise."""
    path = tmp_path / "chip.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def chip(bus: Callable[..., Bus], file: Path) -> Bus:
    """A board with it, powered."""
    chip = bus(FlashChip(file, "w25q80"))
    chip.power_chip()
    return chip


def at(command: int, address: int, data: bytes = b"") -> bytes:
    """A command with an address."""
    return bytes((command, *address.to_bytes(3, "big"))) + data


def alter(chip: Bus, command: bytes, status: int = 0) -> float:
    """A command that programs or erases, and waiting for its end; for how many microseconds the chip was busy."""
    chip.board.markers()
    assert chip.send(b"F" + len(command).to_bytes(2, "little") + command, 1)[0] == status
    start, end = chip.board.markers()
    return (end.cycle - start.cycle) / chip.board.clock_hz * 1e6


@pytest.mark.parametrize(("name", "jedec"), [("w25q16", "ef4015"), ("w25q128", "ef4018"), ("at45db321", "1f2701")])
def test_identification(bus: Callable[..., Bus], tmp_path: Path, name: str, jedec: str) -> None:
    chip = bus(FlashChip(tmp_path / "new.bin", name))
    chip.power_chip()
    assert chip.command(b"\x9f", 3).hex() == jedec
    assert (tmp_path / "new.bin").stat().st_size == CHIPS[name]
    assert chip.command(at(0x03, 0x1234), 4) == b"\xff" * 4


@pytest.mark.skipif(FLASHROM is None, reason="flashrom is not installed")
def test_flashrom_programs_the_chip(firmware: Callable[..., bytes], file: Path, tmp_path: Path) -> None:
    """Unmodified flashrom, through a firmware that is a programmer of its kind."""
    state, wanted, layout = tmp_path / "board", tmp_path / "wanted.bin", tmp_path / "layout"
    content = bytearray(CONTENT)
    content[0x10000:0x12000] = random.Random(6).randbytes(0x2000)
    wanted.write_bytes(content)
    layout.write_text("00010000:00011fff part\n")
    state.mkdir()
    uno = AVR_BOARDS["uno"]
    (state / "flash.bin").write_bytes(firmware(uno, "serprog").ljust(uno.flash_bytes, b"\xff"))
    with AvrBoard(uno, state, part=FlashChip(file, "w25q80"), pace="fast") as board:
        programmer = ["-p", f"serprog:dev={board.tty}:{uno.baud}", "-c", "W25Q80.V"]
        region = ["-l", str(layout), "-i", "part", "--noverify-all", "-w", str(wanted)]
        done = subprocess.run(
            [str(FLASHROM), *programmer, *region], capture_output=True, text=True, timeout=60, check=False
        )
        counters = board.counters()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERIFIED" in done.stdout
    assert file.read_bytes() == content
    assert (counters.part_erases, counters.part_writes, counters.part_ignored) == (2, 32, 0)


def test_no_chip(bus: Callable[..., Bus], tmp_path: Path) -> None:
    chip = bus(FlashChip(tmp_path / "none.bin", "none"))
    chip.power_chip()
    assert chip.command(b"\x9f", 3) == b"\xff" * 3
    assert not (tmp_path / "none.bin").exists()


def test_reading(chip: Bus) -> None:
    assert chip.command(at(0x03, 0x3210), 300) == CONTENT[0x3210:][:300]
    assert chip.command(at(0x0B, 0x3210, b"\x00"), 30) == CONTENT[0x3210:][:30]
    assert chip.command(at(0x03, 0xFFFFE), 4) == CONTENT[-2:] + CONTENT[:2]
    assert chip.board.counters().part_reads == 3


def test_programming_can_only_clear_bits_and_wraps_in_its_page(chip: Bus, file: Path) -> None:
    noise = random.Random(2)
    expected = bytearray(CONTENT)
    for length in (1, 2, 100, 256, 300, 700):
        address, data = noise.randrange(1 << 20), noise.randbytes(length)
        busy_us = alter(chip, at(0x02, address, data))
        for offset, byte in list(enumerate(data))[-256:]:
            expected[address & ~0xFF | (address + offset) & 0xFF] &= byte
        assert file.read_bytes() == expected
        assert busy_us == pytest.approx(400, abs=10)
    assert chip.board.counters().part_writes == 6
    assert chip.board.wear() == {}


def test_nothing_changes_without_write_enable(chip: Bus, file: Path) -> None:
    chip.command(at(0x02, 0, b"\0\0"))
    chip.command(at(0x20, 0))
    chip.command(b"\x06")
    chip.command(b"\x04")
    chip.command(at(0xD8, 0))
    alter(chip, at(0x20, 0)[:3], status=2)  # too short to be a command
    assert file.read_bytes() == CONTENT
    assert chip.board.counters().part_ignored == 4


@pytest.mark.parametrize(
    ("command", "size", "busy_us"), [(0x20, 4096, 45e3), (0x52, 32768, 120e3), (0xD8, 65536, 150e3)]
)
def test_erasing(chip: Bus, file: Path, command: int, size: int, busy_us: float) -> None:
    assert alter(chip, at(command, 3 * size + 77)) == pytest.approx(busy_us, abs=10)
    expected = bytearray(CONTENT)
    expected[3 * size : 4 * size] = b"\xff" * size
    assert file.read_bytes() == expected
    assert chip.board.wear() == dict.fromkeys(range(3 * size // 4096, 4 * size // 4096), 1)
    counters = chip.board.counters()
    assert counters.part_writing == busy_us * 16
    assert counters.part_erases == 1


def test_erasing_everything(chip: Bus, file: Path) -> None:
    assert alter(chip, b"\xc7") == pytest.approx(2.5e6, abs=10)
    assert set(file.read_bytes()) == {0xFF}


def test_a_slow_chip(bus: Callable[..., Bus], file: Path) -> None:
    chip = bus(FlashChip(file, "w25q80", latency="slow"))
    chip.power_chip()
    assert alter(chip, at(0x20, 0)) == pytest.approx(400e3, abs=10)


def test_a_busy_chip_obeys_nothing_but_status(bus: Callable[..., Bus], file: Path) -> None:
    chip = bus(FlashChip(file, "w25q80", latency="slow"), pace="warp")
    chip.power_chip()
    chip.command(b"\x06")
    chip.command(at(0xD8, 0))  # for two seconds
    assert chip.command(at(0x03, 8192), 2) == b"\xff\xff"
    assert chip.command(b"\x9f", 3) == b"\xff\xff\xff"
    assert chip.command(b"\x05", 2) == b"\x03\x03"
    assert chip.board.counters().part_ignored == 2
    chip.send(b"s")
    chip.write(b"\x05")
    assert chip.poll(0x03)[0] == 0x00
    chip.send(b"u")
    assert chip.command(at(0x03, 8192), 2) == b"\xff\xff"
    assert chip.command(at(0x03, 65536), 2) == CONTENT[65536:][:2]


def test_sleep(chip: Bus) -> None:
    chip.command(b"\xb9")
    before = chip.board.counters()
    assert chip.command(b"\x9f", 3) == b"\xff\xff\xff"
    after = chip.board.counters()
    assert after.part_asleep - before.part_asleep == after.part_powered - before.part_powered > 0
    chip.command(b"\xab")
    assert chip.command(b"\x9f", 3) == b"\xef\x40\x14"
    assert chip.command(b"\xab\0\0\0", 1) == b"\x13"
    asleep = chip.board.counters().part_asleep
    chip.settle()
    assert chip.board.counters().part_asleep == asleep


def test_without_supply(chip: Bus) -> None:
    chip.command(b"\x06")
    chip.power(False)
    powered = chip.board.counters().part_powered
    assert chip.command(b"\x9f", 3) == b"\xff\xff\xff"
    assert chip.board.counters().part_powered == powered
    assert chip.board.counters().part_backfed > 0  # chip select is high
    chip.send(b"s")
    chip.settle()
    backfed = chip.board.counters().part_backfed
    chip.settle()
    assert chip.board.counters().part_backfed == backfed
    chip.send(b"u")
    chip.power(True)
    assert chip.command(b"\x05", 1) == b"\x00"
    assert chip.command(b"\x9f", 3) == b"\xef\x40\x14"
    chip.start()  # a reset lets go of the switch
    assert chip.command(b"\x9f", 3) == b"\xff\xff\xff"


def test_writing_soon_after_power_up(chip: Bus, file: Path) -> None:
    chip.power(False)
    chip.port.write(b"osw\x01\x00\x06u")
    assert len(chip.port.read(1)) == 1
    assert chip.command(b"\x05", 1) == b"\x00"
    assert chip.board.counters().part_ignored == 1
    chip.read(60)
    chip.command(b"\x06")
    assert chip.command(b"\x05", 1) == b"\x02"
    assert file.read_bytes() == CONTENT


def test_a_chip_without_a_switch(bus: Callable[..., Bus], file: Path) -> None:
    chip = bus(FlashChip(file, "w25q80", switched=False))
    assert chip.command(b"\x9f", 3) == b"\xef\x40\x14"


def cut(chip: Bus, command: bytes) -> None:
    """Programs or erases, and switches the supply off at once."""
    chip.command(b"\x06")
    chip.port.write(b"sw" + len(command).to_bytes(2, "little") + command + b"uf")
    assert len(chip.port.read(1)) == 1
    chip.settle()


def test_supply_lost_while_writing_spoils_what_was_written(chip: Bus, file: Path) -> None:
    cut(chip, at(0x20, 4096))
    content = file.read_bytes()
    assert content[:4096] + content[8192:] == CONTENT[:4096] + CONTENT[8192:]
    assert content[4096:8192] not in (CONTENT[4096:8192], b"\xff" * 4096)
    chip.power_chip()
    alter(chip, at(0x20, 0))
    cut(chip, at(0x02, 256, bytes(256)))
    content = file.read_bytes()
    assert set(content[256:512]) == {0x00, 0xFF}
    assert set(content[:256] + content[512:4096]) == {0xFF}


def test_the_host_shares_the_file(chip: Bus, file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(0x2000)
        opened.write(b"hello")
    assert chip.command(at(0x03, 0x2000), 5) == b"hello"


def test_faults(chip: Bus, file: Path) -> None:
    chip.board.fault("flip", 3)
    assert chip.command(at(0x03, 3 * 512), 512)[0] == CONTENT[3 * 512] ^ 1
    chip.board.fault("silent")
    assert chip.command(b"\x9f", 3) == b"\xff\xff\xff"
    chip.board.fault(None)
    assert chip.command(at(0x03, 3 * 512), 1) == CONTENT[3 * 512 :][:1]
    chip.board.fault("busy")
    assert chip.command(b"\x05", 1)[0] & 1
    chip.board.fault(None)
    chip.board.fault("write", 0)
    alter(chip, at(0x02, 0, bytes(4)))
    assert file.read_bytes() == CONTENT
    with pytest.raises(UsageError, match="no fault 'fire'"):
        chip.board.fault("fire")


def test_what_cannot_be_a_chip(file: Path, tmp_path: Path) -> None:
    uno = BOARDS["uno"]
    with pytest.raises(FileError, match="has 1048576 bytes; a w25q32 has 4194304"):
        AvrBoard(uno, tmp_path / "one", part=FlashChip(file))
    with pytest.raises(UsageError, match="no flash chip 'w25q1'"):
        AvrBoard(uno, tmp_path / "one", part=FlashChip(file, "w25q1"))
    with pytest.raises(UsageError, match="no latency of a flash chip 'ideal'"):
        AvrBoard(uno, tmp_path / "one", part=FlashChip(file, "w25q80", latency="ideal"))
    with (
        AvrBoard(uno, tmp_path / "one", part=FlashChip(file, "w25q80"), hold=True),
        pytest.raises(PortError, match="is in another virtual board"),
    ):
        AvrBoard(uno, tmp_path / "two", part=FlashChip(file, "w25q80"))
    with AvrBoard(uno, tmp_path / "one", hold=True) as plain, pytest.raises(UsageError, match="nothing on its SPI"):
        plain.fault("silent")
