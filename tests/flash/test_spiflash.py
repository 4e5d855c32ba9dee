"""The Python runtime's reader of SPI flash chips: on a MicroPython-like bus, on Blinka's real busio, as a whole."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from host_sdk.flash import blinka
from host_sdk.model.engine import run
from host_sdk.model.library import shipped_model
from host_sdk.sim.w25q import W25q
from tests.blinka import replies_on_blinka

SOURCE = Path(__file__).parents[2] / "device" / "micropython" / "ulm_spiflash.py"
CONTENT = random.Random(3).randbytes(70_000)


@pytest.fixture(scope="module")
def runtime() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ulm_spiflash", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def chip(tmp_path: Path) -> W25q:
    chip = W25q(tmp_path / "w25q.bin", "w25q80")
    chip.program(0, CONTENT)
    return chip


class Spi:
    """machine.SPI, as far as the reader uses it."""

    def __init__(self, chip: W25q) -> None:
        self.chip = chip

    def write(self, data: bytes) -> None:
        self.chip.exchange(bytes(data))

    def readinto(self, data: Any, write: int = 0) -> None:
        data[:] = self.chip.exchange(bytes([write]) * len(data))


class Pin:
    """machine.Pin."""

    OUT = 1

    def __init__(self, chip: W25q) -> None:
        self.chip = chip

    def init(self, mode: int, value: int) -> None:
        assert mode == Pin.OUT
        self.value(value)

    def value(self, level: int) -> None:
        (self.chip.deselect if level else self.chip.select)()


def check(reader: Any, base: int = 0) -> None:
    assert reader.view is None
    for offset, count in ((0, 64), (1, 3), (65_530, 12), (300, 2000), (5, 1)):
        got = reader.read(offset, count)
        assert bytes(got) == CONTENT[base + offset : base + offset + count]


def test_machine_spi(runtime: ModuleType, chip: W25q) -> None:
    chip.select()
    chip.exchange(b"\xb9")  # asleep, as a board leaves it
    chip.deselect()
    check(runtime.SpiFlash(Spi(chip), Pin(chip)))
    check(runtime.SpiFlash(Spi(chip), Pin(chip), base=700), 700)


def test_reads_share_one_buffer(runtime: ModuleType, chip: W25q) -> None:
    reader = runtime.SpiFlash(Spi(chip), Pin(chip))
    assert reader.read(0, 10).obj is reader.read(100, 20).obj


def test_busio(runtime: ModuleType, chip: W25q, tmp_path: Path) -> None:
    pytest.importorskip("adafruit_platformdetect")
    chip.close()
    blinka._load(blinka._VIRTUAL, blinka.VIRTUAL)
    with blinka._wired(f"flash={tmp_path / 'w25q.bin'}&chip=w25q80"):
        import board
        import busio
        import digitalio

        bus = busio.SPI(board.SCK, board.MOSI, board.MISO)
        check(runtime.SpiFlash(bus, digitalio.DigitalInOut(board.Dx_OUTPUT)))
        assert bus.try_lock()  # it was let go


def test_no_chip(runtime: ModuleType, tmp_path: Path) -> None:
    nothing = W25q(tmp_path / "none.bin", "none")
    with pytest.raises(OSError, match="no flash chip answers"):
        runtime.SpiFlash(Spi(nothing), Pin(nothing))


@pytest.mark.parametrize("name", ["commands", "guess", "tinychat"])
def test_whole_runtime_on_blinka(name: str, tmp_path: Path) -> None:
    """CPython, busio, SPIDevice's bus: all golden replies of a model on the chip, with every number."""
    pytest.importorskip("adafruit_platformdetect")
    model = shipped_model(name)
    due = run(model, model.golden)
    assert replies_on_blinka(model, tmp_path) == {
        query: (one.digest, one.text) for query, one in zip(model.golden, due, strict=True)
    }
