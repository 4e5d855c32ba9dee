"""`ulm flash` for Espressif chips and `ulm provision`, run as people run them."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from host_sdk.errors import BoardError, FileError, PortError, UsageError
from host_sdk.flash.result import FlashResult
from host_sdk.model.container import write
from host_sdk.model.engine import run
from host_sdk.pack.micropython import pack_python
from tests.cli.conftest import sentence, ulm
from tests.esp.conftest import Firmware, address
from tests.esp.conftest import firmware as firmware
from tests.synthetic import character_model

pytest.importorskip("esptool")
pytest.importorskip("adafruit_platformdetect")

FIRMWARE_KEYS = ["chip", "flash_bytes", "firmware_bytes", "written", "table_kept", "seconds_wall"]
PARTITION_KEYS = [
    "chip", "partition", "address", "partition_bytes", "model_bytes", "written", "table_written", "files_cut",
    "seconds_wall",
]  # fmt: skip
SLOT_KEYS = ["slot", "sequence", "model_bytes", "chip_bytes", "written", "seconds_wall"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.ulm"
    path.write_bytes(write(character_model(1)))
    return path


def test_all_in_one_command(firmware: Firmware, model: Path, tmp_path: Path) -> None:
    """MicroPython, the model in a partition, and the runtime that serves it."""
    pytest.importorskip("micropython_unix")
    chip = address("esp32s3", tmp_path / "esp", "")
    file = firmware("esp32s3", talks=True)
    done = ulm("flash", chip, model, "--firmware", file, "--partition", "model", "--json")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert list(shown) == ["firmware", "partition", "runtime"]
    assert (list(shown["firmware"]), list(shown["partition"])) == (FIRMWARE_KEYS, PARTITION_KEYS)
    assert (shown["firmware"]["chip"], shown["firmware"]["written"]) == ("ESP32-S3", True)
    image = pack_python(character_model(1)).data
    at = shown["partition"]["address"]
    assert (tmp_path / "esp" / "flash.bin").read_bytes()[at : at + len(image)] == image
    assert list(shown["runtime"]) == [field.name for field in fields(FlashResult)]
    assert (shown["runtime"]["memory"], shown["runtime"]["files_kept"]) == ("partition", 0)
    reply = json.loads(ulm("chat", chip, "--once", "hello", "--json").out)
    assert (reply["reply"], reply["digest_checked"]) == (run(character_model(1), ["hello"])[0].text, True)


def test_sentences_of_success(firmware: Firmware, model: Path, tmp_path: Path) -> None:
    chip = address("esp32", tmp_path / "esp")
    done = ulm("flash", chip, "--firmware", firmware("esp32"))
    assert done.out.startswith("The ESP32 now has esp32-micropython-1.bin: ")
    image = tmp_path / "small.ulb"
    image.write_bytes(pack_python(character_model(1)).data)
    done = ulm("flash", chip, image, "--partition", "model")
    first, second = done.out.splitlines()
    assert first.startswith("The ESP32 now has small.ulb in the partition 'model': ")
    assert second.startswith("It was not made to talk: No MicroPython answers on sim://esp32")  # it is in its loader


def test_requests_that_make_no_sense(firmware: Firmware, model: Path, tmp_path: Path) -> None:
    chip = address("esp32", tmp_path / "esp")
    assert "Name the model" in sentence(ulm("flash", chip, "--partition", "model"), UsageError)
    other = tmp_path / "other.ulb"
    other.write_bytes(b"ULMR" + bytes(600))
    assert "not a packed model image" in sentence(ulm("flash", chip, other, "--partition", "model"), FileError)
    words = ("--partition", "model", "--memory", "files")
    assert "--memory, --programmer and --compact are not" in sentence(ulm("flash", chip, model, *words), UsageError)
    assert "name the firmware" in sentence(ulm("flash", chip, "--erase"), UsageError)
    assert "Name the model" in sentence(ulm("flash", chip), UsageError)
    assert "is for the ESP32-S3" in sentence(ulm("flash", chip, "--firmware", firmware("esp32s3")), UsageError)
    assert "Cannot read" in sentence(ulm("flash", chip, tmp_path / "no.ulb", "--partition", "model"), FileError)
    new = address("esp32", tmp_path / "new")
    assert "runs no MicroPython" in sentence(ulm("chat", new, "--once", "hi"), UsageError)
    assert "no sound partition table" in sentence(ulm("flash", chip, model, "--partition", "model"), BoardError)
    assert "no port" in sentence(ulm("flash", "/dev/ttyUSB9", "--firmware", firmware("esp32")), PortError)


@pytest.mark.parametrize("bus", ["sim://w25q?flash=CHIP", "esp:sim://esp32s3?state=STATE&boot=rom&spi=CHIP"])
def test_provision(bus: str, tmp_path: Path) -> None:
    bus = bus.replace("CHIP", str(tmp_path / "w25q.bin")).replace("STATE", str(tmp_path / "esp"))
    done = ulm("provision", "spi-flash", "commands", "--bus", bus, "--json")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert list(shown) == SLOT_KEYS
    assert (shown["slot"], shown["sequence"], shown["chip_bytes"], shown["written"]) == (0, 1, 4 << 20, True)
    again = ulm("provision", "spi-flash", "commands", "--bus", bus)
    assert again.out.startswith("The chip of 4096 KB had already commands in its first half, as number 1: ")
    other = ulm("provision", "spi-flash", "guess", "--bus", bus)
    assert other.out.startswith("The chip of 4096 KB now has guess in its second half, as number 2: ")


def test_provision_for_python_boards(tmp_path: Path) -> None:
    bus = f"sim://w25q?flash={tmp_path / 'w25q.bin'}"
    done = ulm("provision", "spi-flash", "commands", "--for", "micropython", "--bus", bus)
    assert done.out.startswith("The chip of 4096 KB now has commands at its start: ")
    assert (tmp_path / "w25q.bin").read_bytes().startswith(b"ULMP")
    assert "say --yes" in sentence(ulm("provision", "spi-flash", "commands", "--bus", bus), UsageError)


def test_provision_that_makes_no_sense(tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        return sentence(ulm("provision", "spi-flash", "commands", *words), UsageError)

    assert "no list of five GPIO numbers" in refused("--bus", "esp:sim://esp32", "--pins", "1,2,3")
    assert "--pins is for" in refused("--bus", "ft232h", "--pins", "1,2,3,4,5")
    assert "MCP2221 has no SPI" in refused("--bus", "mcp2221")
    other = tmp_path / "other.ulb"
    other.write_bytes(b"ULMR" + bytes(600))
    bus = f"sim://w25q?flash={tmp_path / 'w25q.bin'}"
    assert "no image" in sentence(ulm("provision", "spi-flash", other, "--bus", bus), FileError)
    done = ulm("provision", "spi-flash", "commands", "--bus", "ft232h")
    assert "no FT232H device found" in sentence(done, PortError)
