"""Virtual boards with small firmwares of their own, compiled when the tests run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import serial

from host_sdk.boards import AVR_BOARDS, Avr
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.sim.part import Part
from host_sdk.sim.runner import SOURCES
from tests.conftest import FULL_BOARDS
from tests.sim.bus import Bus

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
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Compiles probe.c, or another firmware, for a board and returns its flash image from address 0."""
    folder = tmp_path_factory.mktemp("firmware")
    images: dict[tuple[str, str], bytes] = {}

    def build(board: Avr, name: str = "probe") -> bytes:
        if (board.name, name) not in images:
            elf, image = folder / f"{board.name}-{name}.elf", folder / f"{board.name}-{name}.bin"
            defines = (f"-mmcu={board.mcu}", f"-DF_CPU={board.clock_hz}UL", f"-DBAUD={board.baud}UL")
            source = FIRMWARE / f"{name}.c"
            subprocess.run(
                ["avr-gcc", *defines, "-Os", "-Wall", "-Werror", "-std=gnu11", source, "-o", elf], check=True
            )
            subprocess.run(["avr-objcopy", "-O", "binary", elf, image], check=True)
            images[board.name, name] = image.read_bytes()
        return images[board.name, name]

    return build


@pytest.fixture
def state(board: Avr, firmware: Callable[..., bytes], tmp_path: Path) -> Path:
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
def bus(firmware: Callable[..., bytes], tmp_path: Path) -> Iterator[Callable[..., Bus]]:
    """Switches on boards whose firmware moves bytes over SPI on command, with a part on the bus."""
    with ExitStack() as stack:

        def switch_on(part: Part | None, board: Avr = AVR_BOARDS["uno"], pace: str = "fast") -> Bus:
            folder = tmp_path / board.name
            folder.mkdir(exist_ok=True)
            (folder / "flash.bin").write_bytes(firmware(board, "bus").ljust(board.flash_bytes, b"\xff"))
            return stack.enter_context(Bus(AvrBoard(board, folder, part=part, pace=pace, hold=True)))

        yield switch_on


@pytest.fixture
def sources() -> Path:
    """The folder of the runner's C sources."""
    return SOURCES
