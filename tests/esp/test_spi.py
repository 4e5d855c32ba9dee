"""An Espressif board as programmer of a second flash chip, wired to its pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_sdk.boards import ESP_BOARDS
from host_sdk.errors import BoardError, LinkError, UsageError
from host_sdk.flash import esp_chip
from host_sdk.flash.provision import provision_spi_flash
from tests.esp.conftest import address
from tests.flash.test_slots import image


def bus(name: str, folder: Path, options: str = "") -> str:
    return "esp:" + address(name, folder / name, f"&boot=rom&spi={folder / 'w25q.bin'}{options}")


@pytest.mark.parametrize("name", ESP_BOARDS)
def test_written_and_kept(name: str, tmp_path: Path) -> None:
    due = image(100, 1)
    result = provision_spi_flash(due, bus(name, tmp_path))
    assert (result.slot, result.sequence, result.chip_bytes, result.written) == (0, 1, 4 << 20, True)
    chip = (tmp_path / "w25q.bin").read_bytes()
    assert chip[8 : len(due)] == due[8:]
    assert set((tmp_path / name / "flash.bin").read_bytes()) == {0xFF}  # the board's own flash is not touched
    assert not provision_spi_flash(due, bus(name, tmp_path)).written
    assert provision_spi_flash(image(50, 2), bus(name, tmp_path)).slot == 1


def test_other_pins(tmp_path: Path) -> None:
    pins = ESP_BOARDS["esp32s3"].spi_pins
    assert provision_spi_flash(image(8, 1), bus("esp32s3", tmp_path), pins=pins).written
    with pytest.raises(BoardError, match=r"No flash chip answers on the ESP32-S3 on GPIO 1, 2, 3, 4, 5 \(CLK"):
        provision_spi_flash(image(8, 1), bus("esp32s3", tmp_path), pins=(1, 2, 3, 4, 5))
    with pytest.raises(UsageError, match="SPI Pin numbers"):
        provision_spi_flash(image(8, 1), bus("esp32s3", tmp_path), pins=(1, 2, 3, 4, 99))


@pytest.mark.parametrize(("chip", "text"), [("at45db321", "JEDEC id 1F 27 01"), ("none", "No flash chip answers")])
def test_other_chips(tmp_path: Path, chip: str, text: str) -> None:
    with pytest.raises(BoardError, match=text):
        provision_spi_flash(image(8, 1), bus("esp32s3", tmp_path, f"&chip={chip}"))


def test_wired_badly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = esp_chip.EspChip.write

    def write(self: esp_chip.EspChip, at: int, data: bytes, progress: object = None) -> None:
        real(self, at, data)
        if data[:4] == image(8, 1)[:4]:
            raise OSError("unplugged")

    monkeypatch.setattr(esp_chip.EspChip, "write", write)
    with pytest.raises(LinkError, match=r"is gone \(unplugged\)"):
        provision_spi_flash(image(8, 1), bus("esp32s3", tmp_path))
