"""Committed files that are generated are what their generators make today."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from host_sdk.boards import OFFLOAD_BOARDS, avr_named
from host_sdk.flash.memory import Memory
from host_sdk.spec.emit import files
from host_sdk.spec.image import IDENT, IDENT_ADDRESS, MODEL_ADDRESS

ROOT = Path(__file__).parents[1]
PORTS = (ROOT / "device" / "avr_native", ROOT / "device" / "offload_sd")
HEX = ROOT / "host_sdk" / "flash" / "hex"
BOARDS = sorted(path.stem for path in HEX.glob("*.hex"))


@pytest.mark.parametrize("name", sorted(files()))
def test_headers_are_current(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == files()[name]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("avr-gcc"):
        pytest.skip("avr-gcc is not installed (apt install gcc-avr avr-libc)")
    folder = tmp_path_factory.mktemp("build")
    for port in PORTS:
        places = (f"BUILD={folder / port.name}", f"SHIPPED={folder}", f"PYTHON={sys.executable}")
        subprocess.run(["make", "-s", "-C", str(port), *places, "ship"], check=True, timeout=120)
    return folder


@pytest.mark.parametrize("board", BOARDS)
def test_shipped_runtimes_are_current(built: Path, board: str) -> None:
    assert (HEX / f"{board}.hex").read_text() == (built / f"{board}.hex").read_text()


@pytest.mark.parametrize("board", BOARDS)
def test_a_runtime_names_itself_and_ends_below_what_follows(board: str) -> None:
    """The model, or where that lies on a card or a chip the bootloader."""
    memory = Memory.from_hex_file(HEX / f"{board}.hex")
    assert memory.end <= (avr_named(board).code_bytes if board in OFFLOAD_BOARDS else MODEL_ADDRESS)
    assert bytes(memory.cells[IDENT_ADDRESS + i] for i in range(len(IDENT))) == IDENT
