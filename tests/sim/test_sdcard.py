"""The virtual SD card: initialisation, reading, writing, its times, its faults, pulling it out."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.boards import BOARDS
from host_sdk.errors import FileError, UsageError
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.sim.part import FlashChip, SdCard
from tests.sim.bus import FAST, SLOW, Bus

BLOCKS = 4096
CONTENT = random.Random(3).randbytes(BLOCKS * 512)
SINGLE, MULTIPLE, STOP = b"\xfe", b"\xfc", b"\xfd"
ACCEPTED, REFUSED_CRC, REFUSED = 5, 11, 13  # the lower five bits of a data response


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The image of a card full of noise."""
    path = tmp_path / "card.img"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def card(bus: Callable[..., Bus], file: Path) -> Bus:
    """A board with an initialised card that takes no time."""
    card = bus(SdCard(file, latency="ideal"))
    card.ready()
    return card


def content(block: int) -> bytes:
    """A block as it was at first."""
    return CONTENT[block * 512 :][:512]


def respond(card: Bus, token: bytes, data: bytes, crc: bytes = b"\0\0") -> int:
    """Sends a block; the card's data response."""
    card.write(token + data + crc)
    return card.read(1)[0] & 0x1F


def marked_us(card: Bus, command: bytes, answer: bytes) -> float:
    """The microseconds between the two markers of a command to the firmware."""
    card.board.markers()
    assert card.send(command, len(answer)) == answer
    start, end = card.board.markers()
    return (end.cycle - start.cycle) / card.board.clock_hz * 1e6


def read_command(number: int, block: int) -> bytes:
    """What makes the firmware read a block, and measure when it comes."""
    return bytes((*b"k", 0x40 | number, *block.to_bytes(4, "big"), 1))


def times(card: Bus, count: int) -> list[float]:
    """How long a card takes for some blocks, each with its own command."""
    taken = []
    for _ in range(count):
        taken.append(marked_us(card, read_command(17, 7), b"\x00\xfe"))
        card.read(514)
    return taken


# ---- initialisation ----


def test_high_capacity(bus: Callable[..., Bus], file: Path) -> None:
    card = bus(SdCard(file, latency="ideal"))
    card.wake()
    assert card.card(0) == 0x01
    assert card.card(8, 0x1AA) == 0x01
    assert card.read(4) == b"\0\0\x01\xaa"
    assert card.card(17, 0) == 0x05  # not before it is ready
    assert card.card(55) == 0x01
    assert card.card(41, 0) == 0x01  # high capacity must be asked for
    assert card.card(55) == 0x01
    assert card.card(41, 1 << 30) == 0x00
    assert card.card(58) == 0x00
    assert card.read(4) == b"\xc0\xff\x80\x00"
    assert card.card(13) == 0x00
    assert card.read(1) == b"\x00"


@pytest.mark.parametrize(("kind", "answer"), [("sdsc", 0x01), ("sd1", 0x05)])
def test_standard_capacity_addresses_bytes(bus: Callable[..., Bus], file: Path, kind: str, answer: int) -> None:
    card = bus(SdCard(file, kind, latency="ideal"))
    card.wake()
    assert card.card(0) == 0x01
    assert card.card(8, 0x1AA) == answer
    card.ready(0)
    assert card.card(58) == 0x00
    assert card.read(4) == b"\x80\xff\x80\x00"
    assert card.card(16, 512) == 0x00
    assert card.card(16, 1024) == 0x40
    assert card.card(17, 7 * 512) == 0x00
    assert card.block() == content(7)
    assert card.card(17, 7) == 0x40
    assert card.card(9) == 0x00
    csd = int.from_bytes(card.block(16), "big")
    size, multiplier, length = csd >> 62 & 0xFFF, csd >> 47 & 7, csd >> 80 & 15
    assert (size + 1) << multiplier + 2 << length == len(CONTENT)


def test_registers(card: Bus) -> None:
    assert card.card(9) == 0x00
    csd = int.from_bytes(card.block(16), "big")
    assert csd >> 126 == 1
    assert ((csd >> 48 & 0x3FFFFF) + 1) * 512 * 1024 == len(CONTENT)
    assert card.card(10) == 0x00
    assert b"uLM" not in card.block(16)
    assert card.card(6) == 0x04  # no command of this card's
    assert card.board.counters().part_ignored == 1


def test_what_wakes_a_card(bus: Callable[..., Bus], file: Path) -> None:
    card = bus(SdCard(file))
    card.power(True)
    card.configure(*SLOW)
    assert card.card(0) == 0xFF  # not without clocks
    card.send(b"u")
    card.read(20)
    card.configure(*FAST)
    assert card.card(0) == 0xFF  # not that fast
    card.configure(*SLOW)
    assert card.card(0, crc=0x97) == 0xFF  # not with a wrong check
    assert card.card(8, 0x1AA) == 0xFF  # not without CMD0
    assert card.card(0) == 0x01
    assert card.card(8, 0x1AA, crc=0x01) == 0x09
    card.power(False)
    assert card.card(0) == 0xFF
    card.wake()
    assert card.card(0) == 0x01


# ---- reading ----


def test_single_blocks(card: Bus) -> None:
    for block in (0, 1, 77, BLOCKS - 1):
        assert card.card(17, block) == 0x00
        assert card.block() == content(block)
    assert card.card(17, BLOCKS) == 0x40
    assert card.board.counters().part_reads == 4


def test_many_blocks(card: Bus) -> None:
    assert card.card(18, 100) == 0x00
    assert [card.block() for _ in range(5)] == [content(100 + at) for at in range(5)]
    assert card.card(12) == 0x00
    assert card.read(4) == b"\xff" * 4
    assert card.card(18, BLOCKS - 1) == 0x00
    assert card.block() == content(BLOCKS - 1)
    assert card.read(2)[1] == 0x08  # out of range
    assert card.card(12) == 0x00
    assert card.card(17, 5) == 0x00
    assert card.block() == content(5)


def test_streaming_from_a_card_is_clean(card: Bus) -> None:
    assert card.card(18, 0) == 0x00
    before = card.board.counters()
    card.send(b"S", 1)
    after = card.board.counters()
    assert after.part_reads - before.part_reads == 65537 // 516  # blocks with token, gap and check
    assert (after.spi_early, after.spi_collisions) == (0, 0)
    assert card.card(12) == 0x00


# ---- writing ----


def test_writing_single_blocks(card: Bus, file: Path) -> None:
    data = random.Random(4).randbytes(512)
    assert card.card(24, 9) == 0x00
    assert respond(card, SINGLE, data) == ACCEPTED
    assert file.read_bytes() == CONTENT[: 9 * 512] + data + CONTENT[10 * 512 :]
    assert card.card(17, 9) == 0x00
    assert card.block() == data
    assert card.board.wear() == {9: 1}
    assert card.board.counters().part_writes == 1


def test_writing_many_blocks(card: Bus, file: Path) -> None:
    data = random.Random(5).randbytes(3 * 512)
    assert card.card(55) == 0x00
    assert card.card(23, 3) == 0x00
    assert card.card(25, 20) == 0x00
    for at in range(0, len(data), 512):
        assert respond(card, MULTIPLE, data[at:][:512]) == ACCEPTED
    card.write(STOP + b"\xff")
    assert card.card(17, 20) == 0x00
    assert card.block() == data[:512]
    assert file.read_bytes() == CONTENT[: 20 * 512] + data + CONTENT[23 * 512 :]
    assert card.board.wear() == {20: 1, 21: 1, 22: 1}


def test_checks_when_asked_for(card: Bus, file: Path) -> None:
    assert card.card(59, 1) == 0x00
    assert card.card(17, 0, crc=0x01) == 0x08
    assert card.card(24, 0) == 0x00
    assert respond(card, SINGLE, bytes(512), b"\0\1") == REFUSED_CRC
    assert file.read_bytes() == CONTENT
    assert card.card(24, 0) == 0x00
    assert respond(card, SINGLE, bytes(512), b"\0\0") == ACCEPTED
    assert file.read_bytes()[:512] == bytes(512)
    assert card.card(24, BLOCKS) == 0x40


# ---- times ----


def test_a_typical_card(bus: Callable[..., Bus], file: Path) -> None:
    card = bus(SdCard(file))
    card.ready()
    byte_us = 40 / 16  # exchanged by the firmware, polling
    assert times(card, 2) == pytest.approx([330] * 2, abs=2 * byte_us)
    assert marked_us(card, read_command(18, 5), b"\x00\xfe") == pytest.approx(330, abs=2 * byte_us)
    gaps = [marked_us(card, b"g", b"\xfe") for _ in range(3)]
    assert gaps == pytest.approx([120] * 3, abs=2 * byte_us)
    assert card.card(12) == 0x00
    assert card.card(24, 9) == 0x00
    assert marked_us(card, b"B", b"\xe5") == pytest.approx(1000, abs=2 * byte_us)
    assert card.board.counters().part_writing == 16_000


def test_initialisation_takes_its_time(bus: Callable[..., Bus], file: Path) -> None:
    card = bus(SdCard(file), pace="warp")
    start = card.board.counters().cycles
    card.ready()
    assert card.board.counters().cycles - start > 0.020 * card.board.clock_hz


def test_a_cheap_card_takes_what_its_seed_says(bus: Callable[..., Bus], file: Path, tmp_path: Path) -> None:
    taken = []
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        copy = tmp_path / name
        copy.write_bytes(CONTENT)
        card = bus(SdCard(copy, latency="cheap", seed=seed))
        card.ready()
        taken.append(times(card, 30))
        card.port.close()
        card.board.close()
    first, again, other = taken
    assert first == pytest.approx(again, abs=5)
    assert first != pytest.approx(other, abs=5)
    assert all(330 <= us <= 606 or 20_000 <= us <= 20_006 for us in first)


# ---- what goes wrong ----


def test_pulling_the_card_out_and_putting_it_in(card: Bus, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.img"
    other.write_bytes(bytes(1024))
    card.card(18, 0)
    card.read(100)
    powered = card.board.counters().part_powered
    card.board.remove_card()
    assert card.read(4) == b"\xff" * 4
    assert card.card(12) == 0xFF
    assert card.board.counters().part_powered - powered < 16e6
    card.board.insert_card(other)
    assert card.card(17, 0) == 0xFF  # a card that was put in wants to be initialised
    card.ready()
    assert card.card(17, 1) == 0x00
    assert card.block() == bytes(512)
    with pytest.raises(FileError, match="There is no card image"):
        card.board.insert_card(tmp_path / "missing.img")
    (tmp_path / "odd.img").write_bytes(bytes(1000))
    with pytest.raises(FileError, match="has 1000 bytes; the image of a card is a whole number"):
        card.board.insert_card(tmp_path / "odd.img")
    assert card.card(17, 1) == 0x00  # the card in the socket stays
    assert card.block() == bytes(512)


def test_alarms(card: Bus) -> None:
    card.board.after_bytes(100, "remove")
    assert card.card(17, 3) == 0x00
    assert card.read(514) == b"\xff\xfe" + content(3)[:89] + b"\xff" * 423  # 8 bytes were the command's
    card.board.after_bytes(10, "reset")
    resets = card.board.counters().resets
    card.port.write(b"r\x20\x00")
    until(lambda: card.board.counters().resets == resets + 1)
    with pytest.raises(UsageError, match="no action 'melt'"):
        card.board.after_bytes(1, "melt")


def test_an_empty_socket(bus: Callable[..., Bus], file: Path) -> None:
    empty = bus(SdCard(None))
    empty.wake()
    assert empty.card(0) == 0xFF
    empty.board.insert_card(file)
    empty.ready()
    assert empty.card(17, 3) == 0x00
    assert empty.block() == content(3)


def until(true: Callable[[], bool]) -> None:
    """Waits until something has become true."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(card: Bus) -> bool:
    """Whether a card can be initialised."""
    card.wake()
    return card.card(0) == 0x01


def test_the_socket_follows_the_file(card: Bus, file: Path, tmp_path: Path) -> None:
    file.rename(tmp_path / "away.img")
    until(lambda: card.card(13) == 0xFF)
    assert not answers(card)
    (tmp_path / "away.img").rename(file)
    until(lambda: answers(card))
    card.ready()
    assert card.card(17, 5) == 0x00
    assert card.block() == content(5)
    file.write_bytes(bytes(2048))  # another card, written over the first
    until(lambda: card.card(13) == 0xFF)
    until(lambda: answers(card))
    card.ready()
    assert card.card(17, 3) == 0x00
    assert card.block() == bytes(512)
    assert card.card(17, 4) == 0x40
    card.board.remove_card()
    time.sleep(0.2)
    assert not answers(card)


def test_a_file_that_is_cut_off_ends_no_board(bus: Callable[..., Bus], file: Path) -> None:
    file.write_bytes(CONTENT[: 1 << 20])
    chip = bus(FlashChip(file, "w25q80"))
    chip.power_chip()
    os.truncate(file, 1000)
    assert chip.command(b"\x03\x00\x00\x00", 4) == CONTENT[:4]
    assert chip.command(b"\x03\x0f\x00\x00", 4) == bytes(4)


def test_supply_lost_while_writing(bus: Callable[..., Bus], file: Path) -> None:
    card = bus(SdCard(file))
    card.ready()
    assert card.card(24, 2) == 0x00
    card.port.write(b"w\x03\x02" + SINGLE + bytes(512) + b"\0\0" + b"f")
    card.settle()
    torn = file.read_bytes()[1024:1536]
    whole = torn.rstrip(b"\0")
    assert file.read_bytes()[:1024] == CONTENT[:1024]
    assert torn != bytes(512)
    assert content(2).endswith(torn.lstrip(b"\0"))
    assert len(whole) > 0


def test_faults(card: Bus, file: Path) -> None:
    card.board.fault("read", 3)
    assert card.card(17, 3) == 0x00
    assert card.read(2)[1] == 0x04
    assert card.card(17, 4) == 0x00
    assert card.block() == content(4)
    card.board.fault("flip", 4)
    assert card.card(17, 4) == 0x00
    assert card.poll(0xFF)[0] == 0xFE
    got = card.read(514)
    assert sum((a ^ b).bit_count() for a, b in zip(got, content(4), strict=False)) == 1
    card.board.fault("write", 5)
    assert card.card(24, 5) == 0x00
    assert respond(card, SINGLE, bytes(512)) == REFUSED
    assert file.read_bytes() == CONTENT
    card.board.fault("busy")
    assert card.card(17, 0) == 0x00  # what looks like R1 is the busy card
    assert card.read(20) == bytes(20)
    card.board.fault(None)
    card.board.fault("silent")
    assert card.card(17, 0) == 0xFF
    card.board.fault(None)
    assert card.card(17, 0) == 0x00
    assert card.block() == content(0)


def test_the_host_shares_the_card(card: Bus, file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(512)
        opened.write(b"hello".ljust(512))
    assert card.card(17, 1) == 0x00
    assert card.block() == b"hello".ljust(512)


def test_what_cannot_be_a_card(file: Path, tmp_path: Path) -> None:
    uno = BOARDS["uno"]
    with pytest.raises(UsageError, match="no kind of card 'sdxc'"):
        AvrBoard(uno, tmp_path / "one", part=SdCard(file, "sdxc"))
    with pytest.raises(UsageError, match="no latency of a card 'slow'"):
        AvrBoard(uno, tmp_path / "one", part=SdCard(file, latency="slow"))
    file.write_bytes(bytes(100))
    with pytest.raises(FileError, match="has 100 bytes; the image of a card is a whole number"):
        AvrBoard(uno, tmp_path / "one", part=SdCard(file))
