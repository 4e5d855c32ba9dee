"""Virtual boards with small firmwares of their own, compiled when the tests run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial

from host_sdk.boards import Avr
from host_sdk.sim.runner import SOURCES
from tests.conftest import FULL_BOARDS

FIRMWARE = Path(__file__).parent / "firmware"

if "host_sdk.link" not in serial.protocol_handler_packages:
    serial.protocol_handler_packages.append("host_sdk.link")


@pytest.fixture(scope="session", autouse=True)
def _needs_tools() -> None:
    for tool in ("cc", "avr-gcc", "avr-objcopy"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if not Path("/usr/include/simavr").exists():
        pytest.skip("libsimavr-dev is not installed")


@pytest.fixture(params=FULL_BOARDS.values(), ids=FULL_BOARDS)
def board(request: pytest.FixtureRequest) -> Avr:
    """Each fully tested board in turn."""
    chosen: Avr = request.param
    return chosen


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Avr], bytes]:
    """Compiles probe.c for a board and returns its flash image from address 0."""
    folder = tmp_path_factory.mktemp("firmware")
    images: dict[str, bytes] = {}

    def build(board: Avr) -> bytes:
        if board.name not in images:
            elf, image = folder / f"{board.name}.elf", folder / f"{board.name}.bin"
            defines = (f"-mmcu={board.mcu}", f"-DF_CPU={board.clock_hz}UL", f"-DBAUD={board.baud}UL")
            source = FIRMWARE / "probe.c"
            subprocess.run(
                ["avr-gcc", *defines, "-Os", "-Wall", "-Werror", "-std=gnu11", source, "-o", elf], check=True
            )
            subprocess.run(["avr-objcopy", "-O", "binary", elf, image], check=True)
            images[board.name] = image.read_bytes()
        return images[board.name]

    return build


@pytest.fixture
def state(board: Avr, firmware: Callable[[Avr], bytes], tmp_path: Path) -> Path:
    """A state folder whose board has the probe firmware in it."""
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "flash.bin").write_bytes(firmware(board).ljust(board.flash_bytes, b"\xff"))
    return folder


@pytest.fixture
def port(board: Avr, state: Path) -> Iterator[serial.Serial]:
    """An open port to the probe firmware, which has said its '!'."""
    url = f"sim://{board.name}?state={state}&pace=fast"
    with serial.serial_for_url(url, baudrate=board.baud, timeout=5) as opened:
        assert opened.read(1) == b"!"
        yield opened


@pytest.fixture
def sources() -> Path:
    """The folder of the runner's C sources."""
    return SOURCES
