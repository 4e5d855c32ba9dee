"""A virtual flash chip behind Blinka's board without hardware, through the real busio, digitalio and SPIDevice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host_sdk.errors import BoardError, LinkError, UsageError
from host_sdk.flash.blinka import VIRTUAL, blinka_chip
from host_sdk.flash.provision import provision_spi_flash
from tests.flash.test_slots import image

pytest.importorskip("adafruit_blinka")
pytest.importorskip("adafruit_platformdetect")


def bus(folder: Path, options: str = "") -> str:
    return f"{VIRTUAL}?flash={folder / 'w25q.bin'}{options}"


def test_written_and_kept(tmp_path: Path) -> None:
    due, shown = image(273, 1), []
    result = provision_spi_flash(due, bus(tmp_path), progress=lambda *at: shown.append(at))
    assert (result.slot, result.sequence, result.chip_bytes, result.written) == (0, 1, 4 << 20, True)
    assert shown[-1] == (len(due) - 4096, len(due) - 4096)
    chip = (tmp_path / "w25q.bin").read_bytes()
    assert chip[:8] == due[:4] + b"\1\0\0\0"
    assert chip[8 : len(due)] == due[8:]
    assert set(chip[len(due) :]) == {0xFF}
    assert not provision_spi_flash(due, bus(tmp_path)).written
    assert provision_spi_flash(image(8, 2), bus(tmp_path)).slot == 1


def test_the_chip_sleeps_afterwards(tmp_path: Path) -> None:
    with blinka_chip(bus(tmp_path)) as chip:
        transfer = chip._bus.transfer
        assert transfer(b"\x9f", 3) == b"\xef\x40\x16"
        chip.sleep()
        assert transfer(b"\x9f", 3) == b"\xff\xff\xff"


@pytest.mark.parametrize(
    ("chip", "text"),
    [("at45db321", "JEDEC id 1F 27 01"), ("w25q256", "JEDEC id EF 40 19"), ("none", "No flash chip answers")],
)
def test_other_chips(tmp_path: Path, chip: str, text: str) -> None:
    with pytest.raises(BoardError, match=text):
        provision_spi_flash(image(8, 1), bus(tmp_path, f"&chip={chip}"))


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no pin 'D99'"):
        provision_spi_flash(image(8, 1), bus(tmp_path), select="D99")
    with pytest.raises(UsageError, match="MCP2221 has no SPI"):
        provision_spi_flash(image(8, 1), "mcp2221")
    with pytest.raises(UsageError, match="There is no bus 'i2c'"):
        provision_spi_flash(image(8, 1), "i2c")
    with pytest.raises(UsageError, match="A virtual chip is named"):
        provision_spi_flash(image(8, 1), VIRTUAL)
    with pytest.raises(UsageError, match="knows one bus at a time"):
        provision_spi_flash(image(8, 1), "ft232h")


def test_chip_on_another_pin_is_not_selected(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="No flash chip answers"):
        provision_spi_flash(image(8, 1), bus(tmp_path), select="NEOPIXEL")


def test_unplugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = image(40, 1), image(40, 2)
    provision_spi_flash(old, bus(tmp_path))

    def gone(self: object, address: int, page: bytes) -> None:
        raise OSError("[Errno 19] No such device")

    with monkeypatch.context() as patch:
        patch.setattr("host_sdk.flash.w25q.W25qChip._program", gone)
        with pytest.raises(LinkError, match=r"failed in the middle \(.*No such device\)"):
            provision_spi_flash(new, bus(tmp_path))
    assert not provision_spi_flash(old, bus(tmp_path)).written  # it still answers
    assert provision_spi_flash(new, bus(tmp_path)).slot == 1


@pytest.mark.parametrize(
    ("package", "call", "extra"),
    [
        ("adafruit_blinka", f"provision_spi_flash(b'', '{VIRTUAL}?flash=x')", "blinka"),
        ("board", f"provision_spi_flash(b'', '{VIRTUAL}?flash=x')", "blinka"),
        ("adafruit_bus_device", f"provision_spi_flash(b'', '{VIRTUAL}?flash=x')", "blinka"),
        ("pyftdi", "provision_spi_flash(b'', 'ft232h')", "blinka"),
        ("esptool", "provision_spi_flash(b'', 'esp:sim://esp32')", "esp"),
    ],
)
def test_missing_package(package: str, call: str, extra: str, tmp_path: Path) -> None:
    """One sentence with the line that installs it; importing host_sdk needs none of them."""
    program = f"import sys; sys.modules[{package!r}] = None; from host_sdk.flash.provision import *; {call}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert f"MissingError: {'SPI buses need' if extra == 'blinka' else 'Espressif chips need'}" in done.stderr
    assert done.stderr.rstrip().endswith(f"pip install 'micro-lm[{extra}]'")


def test_missing_driver_of_a_pico(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['hid'] = None; from host_sdk.flash.blinka import *\nwith blinka_chip('u2if'): pass"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("BLINKA_")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, env=plain)
    assert done.stderr.rstrip().endswith(
        "MissingError: The Pico with u2if needs the package hidapi: pip install hidapi"
    )
