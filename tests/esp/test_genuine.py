"""Genuine images of MicroPython for an ESP32, as a maker of boards ships them, written through the real esptool."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from host_sdk.boards import ESP_BOARDS
from host_sdk.errors import FitError, UsageError
from host_sdk.flash.esp_firmware import flash_firmware
from host_sdk.flash.esp_partition import flash_partition
from host_sdk.flash.esp_program import MICROPYTHON, program_name
from host_sdk.flash.partitions import APP, DATA, SECTOR, TABLE_ADDRESS, Partition, files_of, parse
from host_sdk.sim.esp.program import holds_micropython
from host_sdk.sim.esp_board import EspBoard, EspOptions
from tests.cli.conftest import ulm
from tests.esp.conftest import FACTORY_ADDRESS, Firmware, address

Genuine = tuple[Path, Path]
START = ESP_BOARDS["esp32"].firmware_address
GAP, FILES = 0x190000, Partition("vfs", DATA, 0x81, 0x200000, 0x200000)
"""What their partition table leaves free, and their files."""


def written(state: Path) -> bytearray:
    return bytearray((state / "flash.bin").read_bytes())


def half_written(image: bytes, count: int, state: Path) -> None:
    """The flash of a board whose cable was pulled after so many bytes."""
    content = b"\xff" * START + image[:count]
    (state / "flash.bin").write_bytes(content.ljust(ESP_BOARDS["esp32"].flash_bytes, b"\xff"))


def test_from_a_file_to_a_board_that_talks(genuine: Genuine, tmp_path: Path) -> None:
    """What is written is read back by the real esptool; MicroPython then has a model, and answers."""
    chip, file, back = f"sim://esp32?state={tmp_path}", genuine[1], tmp_path / "back.bin"
    done = json.loads(ulm("flash", chip, "commands", "--firmware", file, "--json").out)
    firmware, runtime = done["firmware"], done["runtime"]
    assert (firmware["chip"], firmware["firmware_bytes"], firmware["written"]) == ("ESP32", file.stat().st_size, True)
    assert (runtime["model"], runtime["memory"], runtime["files_kept"]) == ("commands", "files", 0)
    with EspBoard(ESP_BOARDS["esp32"], tmp_path, options=EspOptions(boot="rom")) as board:
        command = [sys.executable, "-m", "esptool", "--port", board.tty, "--before", "no-reset", "--after", "no-reset"]
        where = (hex(START), str(file.stat().st_size), str(back))
        subprocess.run([*command, "read-flash", *where], check=True, capture_output=True, timeout=60)
    assert back.read_bytes() == file.read_bytes()
    before = written(tmp_path)
    assert not flash_firmware(address("esp32", tmp_path), file).written
    assert written(tmp_path) == before
    reply = json.loads(ulm("chat", chip, "--once", "help", "--json").out)
    assert (reply["model"], reply["digest_checked"], reply["simulated"]) == ("commands", True, True)


def test_what_they_are(genuine: Genuine) -> None:
    """Built in the old way they do not name their project; the table leaves 448 KB free."""
    for file in genuine:
        flash = b"\xff" * START + file.read_bytes()

        def read(at: int, count: int, flash: bytes = flash) -> bytes:
            return flash[at : at + count]

        table = parse(read(TABLE_ADDRESS, SECTOR))
        (app,) = (one for one in table if one.type == APP)
        assert (app.end, files_of(table, 4 << 20)) == (GAP, FILES)
        assert program_name(read, app) == MICROPYTHON
        assert holds_micropython(read, START)
        nameless = flash.replace(b"MicroPython v", b"Micropython v")
        assert program_name(lambda at, count, flash=nameless: flash[at : at + count], app) == ""


def test_cut_in_the_middle(genuine: Genuine, tmp_path: Path) -> None:
    """In the program, before it says what it is."""
    image = genuine[1].read_bytes()
    half_written(image, FACTORY_ADDRESS - START + 0x3000, tmp_path)
    chip = address("esp32", tmp_path)
    assert flash_firmware(chip, genuine[1]).written
    assert written(tmp_path)[START:].startswith(image)


def test_a_program_without_a_name_is_not_overwritten_unasked(genuine: Genuine, tmp_path: Path) -> None:
    half_written(genuine[0].read_bytes().replace(b"MicroPython v", b"Something v1."), 1 << 20, tmp_path)
    before = written(tmp_path)
    with pytest.raises(UsageError, match="another program, one without a name"):
        flash_firmware(address("esp32", tmp_path), genuine[1])
    assert written(tmp_path) == before


def test_other_chips(genuine: Genuine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is for the ESP32, but the chip on this port is an ESP32-S3;"):
        flash_firmware(address("esp32s3", tmp_path / "s3"), genuine[1])
    assert set(written(tmp_path / "s3")) == {0xFF}
    with pytest.raises(FitError, match="with 4 MB of flash; this one has 2 MB"):
        flash_firmware(address("esp32", tmp_path / "small", "&boot=rom&size=2"), genuine[1])


def test_models_beside_their_table(genuine: Genuine, tmp_path: Path) -> None:
    """A small model takes what nobody owns; a large one is cut from the files, if that is allowed; updates keep it."""
    chip, old, new = address("esp32", tmp_path), *genuine
    half_written(old.read_bytes(), len(old.read_bytes()), tmp_path)
    content = written(tmp_path)
    content[FILES.address : FILES.address + 8] = b"littlefs"
    (tmp_path / "flash.bin").write_bytes(content)
    small, large = random.Random(1).randbytes(40_000), random.Random(2).randbytes(500_000)

    first = flash_partition(chip, small, "model")
    assert (first.address, first.files_cut) == (GAP, False)
    assert flash_firmware(chip, new).table_kept
    assert written(tmp_path)[GAP:].startswith(small)
    assert written(tmp_path)[FILES.address :].startswith(b"littlefs")

    before = written(tmp_path)
    with pytest.raises(UsageError, match="takes its room from MicroPython's files"):
        flash_partition(chip, large, "other")
    assert written(tmp_path) == before
    second = flash_partition(chip, large, "other", yes=True)
    assert (second.address, second.files_cut) == (FILES.end - 0x80000, True)
    assert written(tmp_path)[GAP:].startswith(small)
    assert written(tmp_path)[second.address :].startswith(large)


def test_synthetic_images_are_like_them(firmware: Firmware, genuine: Genuine) -> None:
    """Other tests make images: a virtual chip takes them for sound by the same rules."""
    flash = b"\xff" * START + firmware("esp32", talks=True).read_bytes()
    assert holds_micropython(lambda at, count: flash[at : at + count], START)
    quiet = b"\xff" * START + firmware("esp32").read_bytes()
    assert not holds_micropython(lambda at, count: quiet[at : at + count], START)
