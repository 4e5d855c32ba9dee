"""A board behind a plain port, in every state in which a person leaves it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from host_sdk.boards import PYTHON_BOARDS
from host_sdk.device import Device
from host_sdk.errors import BoardError, LinkError, PortError
from host_sdk.flash.repl import Repl
from host_sdk.kinds.only import only_board
from host_sdk.link import ports
from host_sdk.link.ports import open_port
from host_sdk.model.model import Model
from host_sdk.sim.python_board import PythonBoard
from tests.synthetic import character_model

SOON_S = 5.0
"""On a loaded computer; it takes one. Asking at all rates takes 7.5."""


@pytest.fixture(scope="module")
def model() -> Model:
    return character_model(5, (24, 16), name="small")


@pytest.fixture(scope="module")
def state(micropython: None, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("states") / "board"
    with Device(f"sim://micropython?state={state}", model=model):
        return state


@pytest.fixture
def tty(state: Path, tmp_path: Path) -> Iterator[str]:
    """The port of a board with the runtime, idle at its prompt."""
    shutil.copy(state / "flash.bin", tmp_path)
    with PythonBoard(PYTHON_BOARDS["micropython"], tmp_path) as virtual:
        yield virtual.tty


def leave(tty: str, typed: bytes) -> None:
    """What a person typed before they closed the terminal."""
    line = os.open(tty, os.O_RDWR | os.O_NOCTTY)
    os.write(line, typed)
    time.sleep(0.2)
    os.close(line)


@pytest.mark.parametrize(
    "typed",
    [
        b"",
        b"\x01",
        b"x = 5 +",
        b"print(5)" + b"\x1b[D" * 2,
        b"print(123456)" + b"\x1b[D" * 7,
        b"print(5, ",
        b"for n in range(3):\r",
        b"\x05x = 5\n",
    ],
    ids=["idle", "raw REPL", "in a line", "near its end", "in its middle", "in brackets", "in a block", "in a paste"],
)
def test_a_board_at_its_repl_answers_soon(typed: bytes, tty: str) -> None:
    leave(tty, typed)
    started = time.monotonic()
    with Device(tty) as device:
        assert time.monotonic() - started < SOON_S
        assert device.chat("hello").digest_checked


@pytest.mark.parametrize(("says", "word"), [("temp 21.5", "another program says 'temp 21.5' there; end it"), ("", "")])
def test_a_program_of_its_user_is_left_alone(says: str, word: str, tty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "HELLO_TIMEOUT_S", 1.2)
    program = f"import time\nwhile True:\n print({says!r}) if {says!r} else 0\n time.sleep(0.02)\n"
    leave(tty, b"\x05" + program.encode() + b"\x04")
    with pytest.raises(PortError, match=f"No μLM board answered .*{word}"), Device(tty, baud=115200):
        pass
    with Device(tty, baud=115200, bare=True) as device:
        device.flash("commands", yes=True)
        assert device.chat("light on").digest_checked


def test_the_only_board_may_sit_at_its_prompt(tty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "list_serial", lambda: [ports.Port(tty, "")])
    assert only_board() == tty
    with Device() as device:
        assert device.chat("hello").digest_checked


def test_a_prompt_without_a_runtime_is_said_at_once(micropython: None, tmp_path: Path, model: Model) -> None:
    with PythonBoard(PYTHON_BOARDS["micropython"], tmp_path) as virtual:
        started = time.monotonic()
        with pytest.raises(PortError, match=rf"has no μLM runtime; put it there with `ulm flash {virtual.tty}"):
            Device(virtual.tty)
        assert time.monotonic() - started < SOON_S
        with Device(virtual.tty, bare=True) as device:
            assert device.flash(model).board == "micropython"
        with Device(virtual.tty) as device:
            assert device.chat("hello").digest_checked


@pytest.mark.parametrize("running", [True, False], ids=["runtime", "REPL"])
def test_noise_leaves_a_board_that_answers(running: bool, tty: str) -> None:
    """Control characters in it end the runtime, begin pastes and run programs; none of that lasts."""
    if running:
        with Device(tty):
            pass
    line = os.open(tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    noise = random.Random(3).randbytes(10_000)
    until = time.monotonic() + 20
    while noise and time.monotonic() < until:
        with suppress(BlockingIOError):
            noise = noise[os.write(line, noise[:256]) :]
        with suppress(BlockingIOError):
            os.read(line, 4096)
        time.sleep(0.002)
    time.sleep(0.3)
    os.close(line)
    assert not noise
    with Device(tty) as device:
        assert device.chat("hello").digest_checked


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("data = data[:-100]", "is damaged; flash it again"),
        ("data[900] ^= 4", "is damaged; flash it again"),
        ("data = b''", "has no model"),
    ],
    ids=["cut off", "a bit", "empty"],
)
def test_a_damaged_model_is_named(change: str, said: str, tty: str, model: Model) -> None:
    program = (
        "data = bytearray(open('/lib/ulm_model.ulb', 'rb').read())\n"
        f"{change}\nwith open('/lib/ulm_model.ulb', 'wb') as f:\n f.write(data)"
    )
    with open_port(tty, 115200) as line, Repl(line) as repl:
        repl.run(program)
    with Device(tty) as device:
        for ask in (lambda: device.chat("hello"), device.verify, device.bench):
            with pytest.raises(BoardError, match=said):
                ask()
        assert device.flash(model).files_written == 1
        assert device.verify().mismatches == []


@pytest.mark.parametrize("flashing", [False, True], ids=["chatting", "flashing"])
def test_a_cable_that_is_pulled_out(flashing: bool, state: Path, tmp_path: Path) -> None:
    shutil.copy(state / "flash.bin", tmp_path)
    virtual = PythonBoard(PYTHON_BOARDS["micropython"], tmp_path)

    def pull(*_: object) -> None:
        os.kill(virtual._process.pid, signal.SIGKILL)

    def talk(device: Device) -> None:
        for _ in range(9):  # a short reply may be here as a whole before the cable is out
            for _ in device.stream("hello"):
                pull()

    with virtual, Device(virtual.tty) as device:
        started = time.monotonic()
        with pytest.raises(LinkError, match=r"The port went away .*Plug the board in again\."):
            device.flash("tinychat", progress=pull) if flashing else talk(device)
        assert time.monotonic() - started < SOON_S
    with Device(f"sim://micropython?state={tmp_path}") as device:
        assert device.chat("hello").digest_checked
