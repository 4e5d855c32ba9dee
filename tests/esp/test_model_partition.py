"""`flash_partition` against the virtual chips: made, grown, kept, refused, cut off in the middle."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from platformdirs import user_state_path

from host_sdk.errors import BoardError, FitError, UlmError, UsageError
from host_sdk.flash import esp_chip
from host_sdk.flash.esp_firmware import flash_firmware
from host_sdk.flash.esp_partition import flash_partition
from host_sdk.flash.partitions import SECTOR, TABLE_ADDRESS, Partition, parse
from host_sdk.link.ports import open_port
from tests.esp.conftest import FACTORY, Firmware, address

SMALL, LARGE = random.Random(7).randbytes(30_000), random.Random(8).randbytes(200_000)


@pytest.fixture
def board(firmware: Firmware, tmp_path: Path) -> str:
    """An ESP32-S3 with MicroPython, whose files are empty."""
    flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3"))
    return address("esp32s3", tmp_path)


def flash(folder: Path) -> bytearray:
    return bytearray((folder / "flash.bin").read_bytes())


def table(folder: Path) -> dict[str, Partition]:
    return {one.label: one for one in parse(bytes(flash(folder)[TABLE_ADDRESS : TABLE_ADDRESS + SECTOR]))}


def use_files(folder: Path) -> None:
    """MicroPython has started and stored something."""
    content = flash(folder)
    content[FACTORY.end : FACTORY.end + 8] = b"littlefs"
    content[-SECTOR:] = b"their own".ljust(SECTOR, b"!")
    (folder / "flash.bin").write_bytes(content)


def test_made_once(board: str, tmp_path: Path) -> None:
    first = flash_partition(board, SMALL, "model")
    assert (first.written, first.table_written, first.files_cut) == (True, True, True)
    assert flash(tmp_path)[first.address : first.address + len(SMALL)] == SMALL
    assert table(tmp_path)["model"].size == first.partition_bytes
    again = flash_partition(board, SMALL, "model")
    assert (again.written, again.table_written) == (False, False)
    other = flash_partition(board, SMALL[::-1], "model")
    assert (other.written, other.table_written, other.address) == (True, False, first.address)
    assert flash(tmp_path)[first.address : first.address + len(SMALL)] == SMALL[::-1]


def test_files_are_not_taken_unasked(board: str, tmp_path: Path) -> None:
    use_files(tmp_path)
    before = flash(tmp_path)
    with pytest.raises(UsageError, match=r"takes its room from MicroPython's files, .* then say --yes"):
        flash_partition(board, SMALL, "model")
    assert flash(tmp_path) == before
    result = flash_partition(board, SMALL, "model", yes=True)
    after, found = flash(tmp_path), table(tmp_path)
    assert after[result.address :].startswith(SMALL)
    assert found["vfs"].end == found["model"].address
    assert after[FACTORY.end : FACTORY.end + 2 * SECTOR] == b"\xff" * 2 * SECTOR


def test_grows(board: str, tmp_path: Path) -> None:
    flash_partition(board, SMALL, "model")
    result = flash_partition(board, LARGE, "model")
    assert result.partition_bytes >= len(LARGE)
    assert flash(tmp_path)[result.address :].startswith(LARGE)
    assert set(table(tmp_path)) == {"nvs", "factory", "vfs", "model"}


def test_files_without_an_entry_get_one(firmware: Firmware, tmp_path: Path) -> None:
    """MicroPython from 1.26 on would otherwise begin its files behind the model."""
    flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3", has_files=False))
    result = flash_partition(address("esp32s3", tmp_path), SMALL, "model")
    found = table(tmp_path)
    assert (found["vfs"].address, found["vfs"].end) == (FACTORY.end, result.address)


def test_too_large(board: str, tmp_path: Path) -> None:
    before = flash(tmp_path)
    with pytest.raises(FitError, match="does not fit: this board has 8192 KB of flash"):
        flash_partition(board, bytes(7 << 20), "model")
    assert flash(tmp_path) == before


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="no sound partition table"):
        flash_partition(address("esp32s3", tmp_path), SMALL, "model")


@pytest.mark.parametrize("label", ["factory", "vfs", "a name that is too long"])
def test_no_place_for_models(board: str, tmp_path: Path, label: str) -> None:
    before = flash(tmp_path)
    with pytest.raises(UsageError):
        flash_partition(board, SMALL, label)
    assert flash(tmp_path) == before


def cut_at(monkeypatch: pytest.MonkeyPatch, folder: Path, moment: Callable[[int], bool]) -> None:
    """Pulls the cable at the write to flash (or MD5) that `moment` chooses by its address; no one plugs it in again."""
    real = esp_chip.EspChip.write
    pids: list[int] = []

    def opened(port: str, baud: int) -> object:
        line = open_port(port, baud)
        pids.append(line.board.pid)
        return line

    def write(self: esp_chip.EspChip, at: int, data: bytes, progress: object = None) -> None:
        if moment(at):
            real(self, at, data[: min(len(data) // 2, 40)])  # so far it came
            os.kill(pids[-1], signal.SIGKILL)
        real(self, at, data)

    monkeypatch.setattr(esp_chip, "open_port", opened)
    monkeypatch.setattr(esp_chip.EspChip, "write", write)
    monkeypatch.setattr("esptool.loader.ESPLoader.WRITE_FLASH_ATTEMPTS", 1)


@pytest.mark.parametrize("moment", ["body", "head", "table"])
def test_cut_off(board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """The table stays sound or has its copy here; a second try repairs what was begun."""
    first = flash_partition(board, SMALL, "model")
    due = LARGE if moment == "table" else SMALL[::-1]
    at = {"body": first.address + SECTOR, "head": first.address, "table": TABLE_ADDRESS}[moment]
    with monkeypatch.context() as patch:
        cut_at(patch, tmp_path, lambda address: address == at)
        with pytest.raises(UlmError):
            flash_partition(board, due, "model")
    if moment == "table":
        with pytest.raises(BoardError):
            table(tmp_path)
    else:
        assert "model" in table(tmp_path)
        assert not flash(tmp_path)[first.address :].startswith(due)
    result = flash_partition(board, due, "model", yes=True)
    assert flash(tmp_path)[result.address :].startswith(due)
    assert table(tmp_path)["model"].size == result.partition_bytes
    assert not list((user_state_path("ulm") / "esp").glob("*.bin"))


@pytest.mark.parametrize("moment", ["body", "head", "table"])
def test_first_model_cut_off(board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """What was begun goes on without a question: nothing but it lies there."""
    at = {"body": 0x7F1000, "head": 0x7F0000, "table": TABLE_ADDRESS}[moment]
    with monkeypatch.context() as patch:
        cut_at(patch, tmp_path, lambda address: address == at)
        with pytest.raises(UlmError):
            flash_partition(board, SMALL, "model")
    result = flash_partition(board, SMALL, "model")
    assert result.address == 0x7F0000
    assert flash(tmp_path)[result.address :].startswith(SMALL)
    assert table(tmp_path)["model"].size == result.partition_bytes
    assert not list((user_state_path("ulm") / "esp").glob("*.bin"))


def test_a_file_system_made_meanwhile_is_asked_for(board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        cut_at(patch, tmp_path, lambda address: address == 0x7F1000)
        with pytest.raises(UlmError):
            flash_partition(board, SMALL, "model")
    use_files(tmp_path)
    with pytest.raises(UsageError, match="MicroPython's files"):
        flash_partition(board, SMALL, "model")
    assert flash_partition(board, SMALL, "model", yes=True).files_cut


def test_table_is_written_behind_the_model(board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[int] = []
    real = esp_chip.EspChip.write

    def write(self: esp_chip.EspChip, at: int, data: bytes, progress: object = None) -> None:
        order.append(at)
        real(self, at, data)

    monkeypatch.setattr(esp_chip.EspChip, "write", write)
    model = flash_partition(board, SMALL, "model").address
    assert order == [model + SECTOR, model, TABLE_ADDRESS]
