"""What was written into a partition or onto a flash chip, a real MicroPython reads as a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from host_sdk.flash.blinka import VIRTUAL
from host_sdk.flash.esp_firmware import flash_firmware
from host_sdk.flash.esp_partition import flash_partition
from host_sdk.flash.provision import provision_spi_flash
from host_sdk.model.engine import run
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Model
from host_sdk.pack.micropython import pack_python
from host_sdk.spec.protocol import Status
from tests.esp.conftest import Firmware, address

BOARD = Path(__file__).parent / "board"
RUNTIME = Path(__file__).parents[2] / "device" / "micropython"


def ask(file: Path, label: str | None, queries: list[bytes]) -> list[str]:
    pytest.importorskip("micropython_unix")
    command = [sys.executable, "-m", "micropython_unix", "-X", "heapsize=190wK", str(BOARD / "ask.py")]
    done = subprocess.run(
        [*command, str(RUNTIME), str(file), *([label] if label else [])],
        input=b"".join(query + b"\n" for query in queries),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("name", ["commands", "guess", "tinychat"])
def test_served_from_the_partition(name: str, firmware: Firmware, tmp_path: Path) -> None:
    model = shipped_model(name)
    flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3"))
    flash_partition(address("esp32s3", tmp_path), pack_python(model).data, "model")
    check(model, tmp_path / "flash.bin", "model")


@pytest.mark.parametrize("name", ["commands", "tinychat"])
def test_served_from_a_flash_chip(name: str, tmp_path: Path) -> None:
    pytest.importorskip("adafruit_platformdetect")
    model, chip = shipped_model(name), tmp_path / "w25q.bin"
    provision_spi_flash(pack_python(model).data, f"{VIRTUAL}?flash={chip}")
    check(model, chip, None)


def check(model: Model, file: Path, label: str | None) -> None:
    """All golden replies, with every number."""
    queries = [query.encode() for query in model.golden]
    assert queries
    status, *lines = ask(file, label, queries)
    assert int(status) == Status.OK
    due = [run(model, [query])[0] for query in queries]
    assert lines == [f"{one.digest} {one.text}" for one in due]


def test_cut_off_in_the_middle(firmware: Firmware, tmp_path: Path) -> None:
    """Its first sector is missing: no model. A byte is wrong: a bad one."""
    flash_firmware(address("esp32s3", tmp_path), firmware("esp32s3"))
    image = pack_python(shipped_model("guess")).data
    where = flash_partition(address("esp32s3", tmp_path), image, "model").address
    whole = (tmp_path / "flash.bin").read_bytes()
    for at, due in ((where, Status.NO_MODEL), (where + len(image) - 100, Status.BAD_MODEL)):
        damaged = bytearray(whole)
        damaged[at : at + 4] = b"\xff\0\xff\0"
        (tmp_path / "flash.bin").write_bytes(damaged)
        assert ask(tmp_path / "flash.bin", "model", []) == [str(int(due))]
