"""`flash_firmware` against the virtual chips, through the real esptool."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from host_sdk.boards import ESP_BOARDS
from host_sdk.errors import FileError, FitError, LinkError, PortError, UsageError
from host_sdk.flash import esp_chip
from host_sdk.flash.esp_firmware import flash_firmware
from host_sdk.flash.esp_partition import flash_partition
from host_sdk.flash.partitions import SECTOR, TABLE_ADDRESS, parse
from host_sdk.link.ports import open_port
from tests.esp.conftest import FACTORY, FACTORY_ADDRESS, Firmware, address


@pytest.mark.parametrize("name", ESP_BOARDS)
def test_written_once(name: str, firmware: Firmware, tmp_path: Path) -> None:
    file, shown = firmware(name), []
    result = flash_firmware(address(name, tmp_path), file, progress=lambda *at: shown.append(at))
    assert (result.chip, result.written, result.firmware_bytes) == (
        ESP_BOARDS[name].title,
        True,
        file.stat().st_size,
    )
    assert shown[-1][0] == shown[-1][1]
    start = ESP_BOARDS[name].firmware_address
    flash = (tmp_path / "flash.bin").read_bytes()
    assert flash[start : start + file.stat().st_size] == file.read_bytes()
    assert not flash_firmware(address(name, tmp_path), file).written


def test_reset_into_the_loader_and_out_of_it(firmware: Firmware, tmp_path: Path) -> None:
    flash_firmware(address("esp32s3", tmp_path, ""), firmware("esp32s3"))
    with open_port(address("esp32s3", tmp_path), 115_200) as port:
        port.dtr = False
        port.rts = True
        port.rts = False
        text = port.read_until(b"BOOT)\r\n")
    assert b"SPI_FAST_FLASH_BOOT" in text
    assert b"invalid header" not in text


def test_loader_of_the_rom_alone(firmware: Firmware, tmp_path: Path) -> None:
    file = firmware("esp32s3")
    flash_firmware(address("esp32s3", tmp_path), file, stub=False)
    assert (tmp_path / "flash.bin").read_bytes().startswith(file.read_bytes())
    assert not flash_firmware(address("esp32s3", tmp_path), file, stub=False).written


def test_image_from_address_0(firmware: Firmware, tmp_path: Path) -> None:
    file = firmware("esp32")
    merged = tmp_path / "merged.bin"
    merged.write_bytes(b"\xff" * 0x1000 + file.read_bytes())
    flash_firmware(address("esp32", tmp_path), merged)
    assert not flash_firmware(address("esp32", tmp_path), file).written


def test_wrong_chip(firmware: Firmware, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is for the ESP32-S3, but the chip on this port is an ESP32;"):
        flash_firmware(address("esp32", tmp_path), firmware("esp32s3"))
    assert (tmp_path / "flash.bin").read_bytes() == b"\xff" * ESP_BOARDS["esp32"].flash_bytes


def test_files_that_are_no_firmware(firmware: Firmware, tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"UF2\n" * 100)
    with pytest.raises(FileError, match="no firmware of an Espressif chip"):
        flash_firmware(address("esp32s3", tmp_path), other)
    other.write_bytes(firmware("esp32s3").read_bytes()[:0x8000])
    with pytest.raises(FileError, match="no partition table"):
        flash_firmware(address("esp32s3", tmp_path), other)
    with pytest.raises(FileError, match="Cannot read"):
        flash_firmware(address("esp32s3", tmp_path), tmp_path / "none.bin")


def test_flash_too_small(firmware: Firmware, tmp_path: Path) -> None:
    with pytest.raises(FitError, match="with 8 MB of flash; this one has 4 MB"):
        flash_firmware(address("esp32s3", tmp_path, "&boot=rom&size=4"), firmware("esp32s3"))


def test_foreign_program(firmware: Firmware, tmp_path: Path) -> None:
    flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3", project="doorbell"))
    with pytest.raises(UsageError, match="another program, 'doorbell'"):
        flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3"))
    assert flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3"), yes=True).written


def test_update_keeps_the_model(firmware: Firmware, tmp_path: Path) -> None:
    flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3"))
    model = flash_partition(address("esp32s3", tmp_path), b"ULM" * 5000, "model")
    update = firmware("esp32s3", seed=5)
    result = flash_firmware(address("esp32s3", tmp_path), update)
    assert (result.written, result.table_kept) == (True, True)
    flash = (tmp_path / "flash.bin").read_bytes()
    assert flash[FACTORY_ADDRESS:].startswith(update.read_bytes()[FACTORY_ADDRESS:])
    found = {one.label: one for one in parse(flash[TABLE_ADDRESS : TABLE_ADDRESS + SECTOR])}
    assert found["model"].address == model.address
    assert flash[model.address :].startswith(b"ULM" * 5000)
    assert not flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3", seed=5), erase=True).table_kept
    assert (tmp_path / "flash.bin").read_bytes()[model.address] == 0xFF


def test_another_layout_gives_up_nothing_unasked(firmware: Firmware, tmp_path: Path) -> None:
    flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3"))
    flash_partition(address("esp32s3", tmp_path), b"ULM" * 5000, "model")
    content = bytearray((tmp_path / "flash.bin").read_bytes())
    new_files = FACTORY.end + 0x10000
    content[new_files : new_files + 8] = b"a's file"
    (tmp_path / "flash.bin").write_bytes(content)
    update = firmware("esp32s3", seed=3, larger=0x10000)
    with pytest.raises(UsageError, match=r"MicroPython's files begin anew and what is in 'model' is given up\. Save"):
        flash_firmware(address("esp32s3", tmp_path), update)
    assert (tmp_path / "flash.bin").read_bytes() == content
    assert not flash_firmware(address("esp32s3", tmp_path), update, yes=True).table_kept
    after = (tmp_path / "flash.bin").read_bytes()
    assert after[new_files : new_files + 2 * SECTOR] == b"\xff" * 2 * SECTOR
    assert {found.label for found in parse(after[TABLE_ADDRESS : TABLE_ADDRESS + SECTOR])} == {
        "nvs",
        "factory",
        "vfs",
    }


def test_files_that_may_stay(firmware: Firmware, tmp_path: Path) -> None:
    """MicroPython 1.26 has no entry for them, but begins them at the same place."""
    flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3"))
    content = bytearray((tmp_path / "flash.bin").read_bytes())
    content[FACTORY.end : FACTORY.end + 8] = b"littlefs"
    (tmp_path / "flash.bin").write_bytes(content)
    assert flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3", has_files=False, seed=4)).written
    assert (tmp_path / "flash.bin").read_bytes()[FACTORY.end :].startswith(b"littlefs")


def test_board_that_nothing_resets(firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from esptool import cmds

    monkeypatch.setattr(cmds, "detect_chip", partial(cmds.detect_chip, connect_attempts=1))
    with pytest.raises(PortError, match="Hold BOOT, press RESET"):
        flash_firmware(address("esp32s3", tmp_path, "&manual"), firmware("esp32s3"))


def test_no_such_port(firmware: Firmware, tmp_path: Path) -> None:
    with pytest.raises(PortError, match="There is no port /dev/ttyUSB77"):
        flash_firmware("/dev/ttyUSB77", firmware("esp32s3"))


def unplug(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes of virtual chips that are opened from now on."""
    pids: list[int] = []

    def opened(address: str, baud: int) -> object:
        line = open_port(address, baud)
        pids.append(line.board.pid)
        return line

    monkeypatch.setattr(esp_chip, "open_port", opened)
    return pids


def test_unplugged_and_plugged_in_again(firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """esptool waits for the port, connects anew and writes all again."""
    pids, file = unplug(monkeypatch), firmware("esp32s3")

    def show(done: int, total: int) -> None:
        if done > total // 2 and pids:
            os.kill(pids.pop(), signal.SIGKILL)

    assert flash_firmware(address("esp32s3", tmp_path), file, progress=show).written
    assert (tmp_path / "flash.bin").read_bytes().startswith(file.read_bytes())


def test_unplugged_for_good(firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids, file = unplug(monkeypatch), firmware("esp32s3")
    started = time.monotonic()

    def show(done: int, total: int) -> None:
        if done > total // 2 and pids:
            os.kill(pids.pop(), signal.SIGKILL)
            (tmp_path / "flash.bin").rename(tmp_path / "drawer.bin")
            (tmp_path / "flash.bin").write_bytes(b"")  # no board any more

    with pytest.raises((LinkError, FileError, PortError)):
        flash_firmware(address("esp32s3", tmp_path), file, progress=show)
    assert time.monotonic() - started < 20
    (tmp_path / "drawer.bin").replace(tmp_path / "flash.bin")
    assert flash_firmware(address("esp32s3", tmp_path), file).written
    assert (tmp_path / "flash.bin").read_bytes().startswith(file.read_bytes())
