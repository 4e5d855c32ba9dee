"""What all tests share: a state folder of their own, virtual boards, reference data, real boards by --port."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host_sdk.boards import BOARDS, board_named
from host_sdk.device import Device
from host_sdk.flash.memory import Memory
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.kinds import fitted
from host_sdk.model.library import remember
from host_sdk.model.model import Model
from host_sdk.spec.image import MODEL_ADDRESS

FULL_BOARDS = {name: BOARDS[name] for name in ("uno", "lilypad")}
"""One of each bootloader and clock: tests of the chip and the line run on these, the other boards are only data."""

Prepare = Callable[..., Path]
OpenBoard = Callable[..., Device]
Show = Callable[[str], None]
_SHOWN = "shown"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--port", help="The serial port of a real board, for tests marked hardware.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--port"):
        return
    for item in items:
        if "hardware" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs a real board: name its port with --port"))


@pytest.fixture
def show(record_property: Callable[[str, object], None]) -> Show:
    """`show(text)`: measured figures that are printed when all tests have run, in other processes, too."""
    return lambda text: record_property(_SHOWN, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests have shown."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.user_properties:
                if name == _SHOWN:
                    terminalreporter.write_line(f"\n{text}")


@pytest.fixture(scope="session")
def hardware_port(request: pytest.FixtureRequest) -> str:
    """The port of a real board."""
    return str(request.config.getoption("--port"))


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models and boards of these tests stay out of the user's; the cache of compiled tools is shared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def simavr() -> None:
    """Skips where virtual boards cannot be built."""
    for tool in ("cc", "avr-gcc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if not Path("/usr/include/simavr").exists():
        pytest.skip("libsimavr-dev is not installed")


@pytest.fixture(scope="session")
def prepare(tmp_path_factory: pytest.TempPathFactory, simavr: None) -> Prepare:
    """`prepare("uno", model)`: a new state folder whose board has the runtime and, if given, that model."""

    def make(name: str, model: Model | None = None, runtime: bool = True) -> Path:
        folder = tmp_path_factory.mktemp(name)
        (folder / "flash.bin").write_bytes(flash_contents(name, model, runtime))
        if model:
            remember(model)
        return folder

    return make


@pytest.fixture(scope="module")
def open_board(prepare: Prepare) -> Iterator[OpenBoard]:
    """`open_board("uno", model)`: a Device on a virtual board, opened once per module and model.

    A test that changes the board's memories, or closes it, prepares one of its own.
    """
    opened: dict[tuple[str, int], Device] = {}

    def get(name: str, model: Model) -> Device:
        key = name, model.crc
        if key not in opened:
            opened[key] = Device(address_of(name, prepare(name, model)))
        return opened[key]

    yield get
    for device in opened.values():
        device.close()


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data that is not part of the project (ULM_REFERENCE or ../shared/reference)."""
    named = os.environ.get("ULM_REFERENCE")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}; name its folder in ULM_REFERENCE")
    return folder


def address_of(name: str, state: Path) -> str:
    """The address of a virtual board."""
    return f"sim://{name}?state={state}"


def flash_contents(name: str, model: Model | None, runtime: bool = True) -> bytes:
    """All flash of a board: the shipped runtime and a packed model."""
    board = board_named(name)
    memory = shipped_runtime(board).memory if runtime else Memory({}, board.flash_page)
    if model:
        memory = memory.merged(Memory.from_bytes(MODEL_ADDRESS, fitted(model, board).data, board.flash_page))
    flash = bytearray(b"\xff") * board.flash_bytes
    for address, page in memory.pages.items():
        flash[address : address + len(page)] = page
    return bytes(flash)
