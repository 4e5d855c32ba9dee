"""A stream image in the halves of a flash chip: which half is written, what a cut leaves, what is refused."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from host_sdk.errors import BoardError, FileError, FitError, UsageError
from host_sdk.flash.slots import SECTOR, is_image, place, provision
from host_sdk.flash.w25q import W25qChip
from host_sdk.model.crc import crc16
from host_sdk.sim.w25q import W25q
from host_sdk.spec.stream import HEADER_BYTES, MAGIC

HALF = 512 * 1024  # of a W25Q80


class Wires:
    """A bus with a virtual chip, whose clock is that of the polls; `left` transfers until the cable is pulled."""

    def __init__(self, file: Path, chip: str = "w25q80") -> None:
        self.now = 0.0
        self.left = -1
        self.bytes = 0
        self.chip = W25q(file, chip, lambda: self.now)

    def transfer(self, out: bytes, count: int = 0) -> bytes:
        if self.left == 0:
            raise OSError("unplugged")
        self.left -= 1
        self.now += 0.01
        self.bytes += len(out) + count
        self.chip.select()
        self.chip.exchange(out)
        got = self.chip.exchange(b"\xff" * count)
        self.chip.deselect()
        return got


@pytest.fixture
def wires(tmp_path: Path) -> Wires:
    return Wires(tmp_path / "w25q.bin")


def image(blocks: int, seed: int) -> bytes:
    """A sound image whose content is noise."""
    body = bytes([1, 0]) + random.Random(seed).randbytes(blocks * 512 - 18)
    return struct.pack("<IIIHH", MAGIC, 0, blocks * 512, crc16(body), 0xFFFF) + body


def sequence_of(wires: Wires, slot: int) -> int:
    return int.from_bytes(wires.chip.read(slot * HALF + 4, 4), "little")


def stored(wires: Wires, slot: int, due: bytes) -> bool:
    got = wires.chip.read(slot * HALF, len(due))
    return is_image(got) and got[8:] == due[8:]


def chip_on(wires: Wires) -> W25qChip:
    return W25qChip(wires, "the bench")


def test_halves_in_turn(wires: Wires) -> None:
    chip, images, shown = chip_on(wires), [image(20, seed) for seed in range(3)], []
    first = provision(chip, images[0], progress=lambda *at: shown.append(at))
    assert (first.slot, first.sequence, first.written) == (0, 1, True)
    assert shown[-1][0] == shown[-1][1] == len(images[0]) - SECTOR
    second = provision(chip, images[1])
    assert (second.slot, second.sequence) == (1, 2)
    assert stored(wires, 0, images[0])
    assert stored(wires, 1, images[1])
    third = provision(chip, images[2])
    assert (third.slot, third.sequence, sequence_of(wires, 0)) == (0, 3, 3)
    assert stored(wires, 1, images[1])


def test_unchanged_takes_no_writes(wires: Wires) -> None:
    chip = chip_on(wires)
    provision(chip, image(300, 1))
    before = wires.chip.programmed, wires.chip.erased
    again = provision(chip, image(300, 1))
    assert (again.written, again.slot, again.sequence) == (False, 0, 1)
    assert (wires.chip.programmed, wires.chip.erased) == before


@pytest.mark.parametrize(("blocks", "new", "used", "same"), [(64, 3.42, 4.43, 1.01), (2000, 3.05, 3.22, 1.01)])
def test_bytes_on_the_bus(tmp_path: Path, blocks: int, new: float, used: float, same: float) -> None:
    """Per byte of an image, at the most: on a new chip, over an older model, when it is there already."""
    wires = Wires(tmp_path / "w25q.bin", "w25q32")
    chip, spent = chip_on(wires), []
    for seed in (1, 2, 3, 3):
        before = wires.bytes
        provision(chip, image(blocks, seed))
        spent.append((wires.bytes - before) / (blocks * 512))
    assert spent[0] <= new
    assert spent[2] <= used
    assert spent[3] <= same


def test_image_as_packed_counts_as_there(wires: Wires) -> None:
    wires.chip.program(0, image(8, 1))
    assert not provision(chip_on(wires), image(8, 1)).written
    assert provision(chip_on(wires), image(8, 2)).slot == 1


def test_a_damaged_newest_is_the_one_to_replace(wires: Wires) -> None:
    chip = chip_on(wires)
    provision(chip, image(20, 1))
    provision(chip, image(20, 2))
    wires.chip.program(HALF + 5000, bytes(10))
    assert provision(chip, image(20, 3)).slot == 1
    assert stored(wires, 0, image(20, 1))


def test_record_of_a_boards_own_upload_is_forgotten(wires: Wires) -> None:
    wires.chip.program(HALF - SECTOR, b"begun")
    provision(chip_on(wires), image(8, 1))
    assert wires.chip.read(HALF - SECTOR, 5) == b"\xff" * 5


@pytest.mark.parametrize("step", range(0, 101, 10))
def test_cut_off(wires: Wires, step: int) -> None:
    """At any moment one sound image answers: the old one until the new one is whole."""
    chip, old, new = chip_on(wires), image(40, 1), image(40, 2)
    provision(chip, old)
    wires.left = 10_000
    provision(chip, image(40, 3))
    provision(chip, old)
    all_ = 10_000 - wires.left
    wires.left = all_ * step // 200
    with pytest.raises(OSError, match="unplugged"):
        provision(chip, new)
    wires.left = -1
    assert stored(wires, 0, old)
    assert provision(chip_on(wires), new).slot == 1
    assert stored(wires, 1, new)


def test_too_large(wires: Wires) -> None:
    fits = (HALF - SECTOR) // 512
    with pytest.raises(FitError, match=r"half of this chip of 1024 KB has 520192 for it, 512 too few"):
        provision(chip_on(wires), image(fits + 1, 1))
    assert wires.chip.programmed == wires.chip.erased == 0
    assert provision(chip_on(wires), image(fits, 1)).written


@pytest.mark.parametrize("data", [b"", b"ULMS", image(8, 1)[:-512], b"x" + image(8, 1)[1:], image(8, 1)[:-1] + b"\0"])
def test_no_image(wires: Wires, data: bytes) -> None:
    with pytest.raises(FileError, match="no image for an SPI flash chip"):
        provision(chip_on(wires), data)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("none", "No flash chip answers on the bench"),
        ("at45db321", "JEDEC id 1F 27 01"),
        ("w25q256", "JEDEC id EF 40 19"),
    ],
)
def test_other_chips(tmp_path: Path, kind: str, text: str) -> None:
    with pytest.raises(BoardError, match=text):
        chip_on(Wires(tmp_path / "other.bin", kind))


def test_protected(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = chip_on(wires)
    monkeypatch.setattr(wires.chip, "program", lambda *_: None)
    with pytest.raises(BoardError, match="reads back differently at 0x001000"):
        provision(chip, image(20, 1))


def test_write_enable_refused(wires: Wires) -> None:
    chip = chip_on(wires)
    wires.chip.program(0, bytes(10))
    wires.chip._work(1e9)  # busy for ever
    with pytest.raises(BoardError, match="refuses to be written"):
        chip.write(0, b"x")


def test_header_is_the_spec() -> None:
    assert len(image(1, 1)) == 512
    assert HEADER_BYTES == 64


def test_image_for_python_boards_at_the_start(wires: Wires) -> None:
    chip, due = chip_on(wires), b"ULMP" + random.Random(5).randbytes(9000)
    result = place(chip, due)
    assert (result.written, result.sequence) == (True, 0)
    assert wires.chip.read(0, len(due)) == due
    before = wires.chip.programmed
    assert not place(chip, due).written
    assert wires.chip.programmed == before
    with pytest.raises(FitError, match="1 too few"):
        place(chip, b"ULMP" + bytes(2 * HALF - 3))


def test_neither_kind_replaces_the_other_unasked(wires: Wires) -> None:
    chip, python = chip_on(wires), b"ULMP" + bytes(5000)
    place(chip, python)
    with pytest.raises(UsageError, match="for a Python board; say --yes"):
        provision(chip, image(8, 1))
    assert wires.chip.read(0, 100) == python[:100]
    assert provision(chip, image(8, 1), yes=True).written
    with pytest.raises(UsageError, match="for a board that streams"):
        place(chip, python)
    assert stored(wires, 0, image(8, 1))
    assert place(chip, python, yes=True).written
