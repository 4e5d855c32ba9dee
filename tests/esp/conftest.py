"""Virtual Espressif chips, and images for them."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from host_sdk.boards import ESP_BOARDS
from host_sdk.flash.partitions import APP, DATA, TABLE_ADDRESS, Partition, pack_table

Firmware = Callable[..., Path]
FACTORY_ADDRESS, FACTORY_BYTES = 0x10000, 0x1F0000
NVS = Partition("nvs", DATA, 2, 0x9000, 0x6000)
FACTORY = Partition("factory", APP, 0, FACTORY_ADDRESS, FACTORY_BYTES)


def files(flash_bytes: int) -> Partition:
    """MicroPython's files behind its program."""
    return Partition("vfs", DATA, 0x81, FACTORY.end, flash_bytes - FACTORY.end)


@pytest.fixture(scope="session", autouse=True)
def _needs_esptool() -> None:
    pytest.importorskip("esptool")


@pytest.fixture
def firmware(tmp_path: Path) -> Firmware:
    """`firmware("esp32s3")`: an image of all flash as MicroPython's are: bootloader, table, a program of that name."""

    def make(name: str, program: str = "micropython", has_files: bool = True, seed: int = 1, larger: int = 0) -> Path:
        """`larger`: so many bytes more for the program, at the cost of the files."""
        board = ESP_BOARDS[name]
        factory, behind = replace(FACTORY, size=FACTORY.size + larger), files(board.flash_bytes)
        behind = replace(behind, address=factory.end, size=behind.size - larger)
        table = [NVS, factory, *([behind] if has_files else [])]
        image = bytearray(b"\xff" * (FACTORY_ADDRESS + 40_000))
        image[:24] = struct.pack("<BBBBI16x", 0xE9, 1, 2, 0x3F, 0x40374000)
        struct.pack_into("<H", image, 12, board.chip_id)
        bootloader = board.firmware_address
        image = bytearray(b"\xff" * bootloader) + image[: len(image) - bootloader]
        image[bootloader + 24 : bootloader + 3000] = random.Random(seed).randbytes(2976)
        image[TABLE_ADDRESS : TABLE_ADDRESS + 0x1000] = pack_table(table)
        app = struct.pack("<BBBBI16x", 0xE9, 1, 2, 0x3F, 0x40374000) + bytes(8)
        app += struct.pack("<II8x32s32s", 0xABCD5432, 0, b"v1", program.encode())
        image[FACTORY_ADDRESS:] = (app + random.Random(seed + 1).randbytes(40_000))[:40_000]
        path = tmp_path / f"{name}-{program}-{seed}.bin"
        path.write_bytes(image[bootloader:])
        return path

    return make


def address(name: str, state: Path, options: str = "&boot=rom") -> str:
    """Of a chip that is in its loader already, unless the options say otherwise."""
    return f"sim://{name}?state={state}{options}"
