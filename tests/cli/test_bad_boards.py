"""Boards and lines in every wrong state: one sentence, the right exit code, and nothing hangs."""

from __future__ import annotations

import errno
import os
import pty
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from serial.tools import list_ports

from host_sdk import device as device_module
from host_sdk.boards import AVR_BOARDS
from host_sdk.device import Device
from host_sdk.errors import BoardError, FileError, LinkError, PortError, UlmError, UsageError
from host_sdk.kinds.only import only_board
from host_sdk.link import ports
from host_sdk.link.ports import greet, open_port
from host_sdk.link.session import Session, Text
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.pack.image import pack
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.spec.image import IDENT, IDENT_ADDRESS, MODEL_ADDRESS
from host_sdk.spec.protocol import REVISION
from tests.cli.conftest import TIMEOUT_S, ULM, sentence, ulm
from tests.conftest import Prepare, address_of, flash_contents
from tests.device.conftest import chip
from tests.synthetic import character_model, endless

REVISION_ADDRESS = IDENT_ADDRESS + len(IDENT)
STAY_HERE = b"\xff\xcf"  # rjmp to itself


@pytest.fixture
def foreign(prepare: Prepare) -> Path:
    """A state folder whose board runs a program that is not ours."""
    state = prepare("uno", None, runtime=False)
    program = STAY_HERE + random.Random(1).randbytes(998)
    flash = program + (state / "flash.bin").read_bytes()[len(program) :]
    (state / "flash.bin").write_bytes(flash)
    return state


@pytest.fixture
def nobody() -> Iterator[str]:
    """The path of a serial port on which nobody answers."""
    master, slave = pty.openpty()
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


# Addresses


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("sim://nosuch", "no board 'nosuch'; known boards: uno, lilypad"),
        ("sim://", "no board ''"),
        ("sim://uno?speed=9", "no option 'speed'; known options"),
        ("sim://uno?pace=slow", "no pace 'slow'; known paces"),
        ("foo://bar", "is no address of a port"),
    ],
)
def test_addresses_that_make_no_sense(address: str, word: str) -> None:
    assert word in sentence(ulm("chat", address, "--once", "hi"), UsageError)


@pytest.mark.parametrize("command", ["chat", "verify", "bench"])
def test_a_port_that_does_not_exist(command: str) -> None:
    once = ["--once", "hi"] if command == "chat" else []
    text = sentence(ulm(command, "/dev/ttyNONE7", *once), PortError)
    assert text == "There is no port /dev/ttyNONE7. `ulm ports` lists those there are."


def test_a_socket_that_nobody_serves() -> None:
    text = sentence(ulm("chat", "socket://127.0.0.1:9", "--once", "hi"), PortError)
    assert "socket://127.0.0.1:9" in text


def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    sentence(ulm("chat", tmp_path / "file", "--once", "hi"), PortError)


def test_unknown_commands_and_options() -> None:
    assert "No such command 'talk'" in sentence(ulm("talk"), UsageError)
    assert "No such option '--loud'" in sentence(ulm("chat", "--loud"), UsageError)
    assert "Missing argument 'ADDRESS'" in sentence(ulm("flash"), UsageError)
    assert "--baud" in sentence(ulm("chat", "sim://uno", "--baud", "fast"), UsageError)


def test_without_an_address_and_without_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", list)
    with pytest.raises(PortError, match=r"No μLM board is connected\. .* sim://uno"):
        Device()


def test_without_an_address_and_with_a_silent_port(monkeypatch: pytest.MonkeyPatch, nobody: str) -> None:
    monkeypatch.setattr(ports, "HELLO_TIMEOUT_S", 0.3)
    monkeypatch.setattr(ports, "list_serial", lambda: [ports.Port(nobody, "")])
    with pytest.raises(PortError, match=rf"No μLM board is connected \(tried {nobody}\)"):
        only_board()


def test_without_an_address_the_only_board_is_taken(
    monkeypatch: pytest.MonkeyPatch, prepare: Prepare, small: Model
) -> None:
    addresses = [address_of(name, prepare(name, small)) for name in AVR_BOARDS]
    monkeypatch.setattr(ports, "list_serial", lambda: [ports.Port(addresses[0], "")])
    with Device() as device:
        assert device.address == addresses[0]
        assert device.chat("hello").text == small.reply("hello")
    monkeypatch.setattr(ports, "list_serial", lambda: [ports.Port(address, "") for address in addresses])
    with pytest.raises(PortError, match=r"Several boards are connected: .*uno.*, .*lilypad.* Name one"):
        Device()


# Ports


def test_a_virtual_board_in_use(uno: str) -> None:
    with Device(uno) as device:
        text = sentence(ulm("chat", uno, "--once", "hi"), PortError)
        assert "busy: another program has this virtual board open" in text
        assert device.chat("hello").digest_checked


def test_a_port_in_use(nobody: str) -> None:
    with open_port(nobody, 9600):
        text = sentence(ulm("chat", nobody, "--once", "hi"), PortError)
    assert text == f"{nobody} is in use by another program; close it (a serial monitor, ModemManager) and try again."


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_port_that_is_forbidden(nobody: str) -> None:
    Path(nobody).chmod(0)
    assert "group dialout" in sentence(ulm("chat", nobody, "--once", "hi"), PortError)


def test_a_forbidden_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: serial.Serial) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port: [Errno 13] Permission denied")

    monkeypatch.setattr(serial.Serial, "open", refuse)
    with pytest.raises(PortError, match="You may not use /dev/ttyACM0; on Linux add yourself to the group dialout"):
        open_port("/dev/ttyACM0", 9600)


def test_a_port_on_which_nobody_answers(nobody: str) -> None:
    start = time.monotonic()
    text = sentence(ulm("chat", nobody, "--once", "hi"), PortError)
    assert f"No μLM board answered on {nobody} at 115200, 57600 or 9600 baud" in text
    assert time.monotonic() - start < 10


def test_the_wrong_baud(prepare: Prepare, small: Model) -> None:
    address = f"sim://uno?state={prepare('uno', small)}"
    text = sentence(ulm("chat", address, "--baud", "9600", "--once", "hi"), PortError)
    assert "at 9600 baud" in text
    assert ulm("chat", address, "--baud", "115200", "--once", "hi").code == 0


# What is on the board


@pytest.mark.parametrize(
    ("revision", "advice"), [(REVISION + 1, "update host_sdk"), (REVISION - 1, "update the board's runtime")]
)
def test_another_revision(revision: int, advice: str, prepare: Prepare, small: Model, small_file: Path) -> None:
    state = prepare("uno", small)
    flash = bytearray((state / "flash.bin").read_bytes())
    assert flash[REVISION_ADDRESS] == REVISION
    flash[REVISION_ADDRESS] = revision
    (state / "flash.bin").write_bytes(flash)
    text = sentence(ulm("chat", address_of("uno", state), "--once", "hi"), BoardError)
    assert f"The board speaks protocol revision {revision}, this program revision {REVISION}; {advice}" in text
    assert ulm("flash", address_of("uno", state), small_file).code == 0
    assert ulm("chat", address_of("uno", state), "--once", "hello").out == small.reply("hello") + "\n"


def test_a_blank_board(prepare: Prepare, small: Model) -> None:
    address = f"{address_of('uno', prepare('uno', small))}&blank"
    text = sentence(ulm("chat", address, "--once", "hi"), PortError)
    assert "No μLM board answered" in text
    assert "ulm flash" in text


def test_a_runtime_without_a_model(prepare: Prepare) -> None:
    address = address_of("uno", prepare("uno"))
    for command, *rest in (("chat", "--once", "hi"), ("chat", "--once", "x" * 150), ("bench",)):
        text = sentence(ulm(command, address, *rest), BoardError)
        assert text == "The board has no model; flash one with `ulm flash`."
    done = ulm("verify", address)
    assert done.code in (BoardError.exit_code, FileError.exit_code)
    assert "model" in done.err


def test_a_foreign_program_is_replaced_only_with_yes(foreign: Path, small: Model, small_file: Path) -> None:
    address, before = address_of("uno", foreign), (foreign / "flash.bin").read_bytes()
    text = sentence(ulm("flash", address, small_file), UsageError)
    assert text == "The board holds another program, which flashing would erase; say --yes to replace it."
    assert (foreign / "flash.bin").read_bytes()[:MODEL_ADDRESS] == before[:MODEL_ADDRESS]
    done = ulm("flash", address, small_file, "--yes")
    assert (done.code, done.err) == (0, "")
    assert ulm("chat", address, "--once", "hello").out == small.reply("hello") + "\n"


def test_the_wrong_kind_of_board(uno: str, small_file: Path) -> None:
    for name in ("lilypad", "mega"):
        text = sentence(ulm("flash", uno, small_file, "--board", name), UsageError)
        assert text == f"The board on this port is a uno, not a {name}; leave out --board."


def test_verify_of_a_model_that_nobody_knows(prepare: Prepare) -> None:
    state = prepare("uno")
    (state / "flash.bin").write_bytes(flash_contents("uno", character_model(98, name="stranger")))
    text = sentence(ulm("verify", address_of("uno", state)), FileError)
    assert "has not seen the model 'stranger'" in text
    assert "--model" in text


# Queries


def test_queries_at_and_above_the_limit(uno: str, small: Model) -> None:
    limit = pack(small).max_query
    longest = ("what is this " * 20)[:limit]
    done = ulm("chat", uno, "--once", longest)
    assert (done.code, done.out) == (0, small.reply(longest) + "\n")
    for length in (limit + 1, 161, 10_000):
        text = sentence(ulm("chat", uno, "--once", "x" * length), UsageError)
        assert text == f"The query has {length} characters; this model takes at most {limit}. Ask in fewer words."


def test_a_conversation_goes_on_after_a_query_too_long(uno: str, small: Model) -> None:
    done = ulm("chat", uno, typed="x" * 200 + "\nhello\n")
    assert done.code == 0
    assert "ulm: The query has 200 characters" in done.err
    assert done.out == small.reply("hello") + "\n"


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("", b""),
        (" ", b" "),
        ("Café", b"Cafe"),
        ("naïve façade", b"naive facade"),
        ("日本", b"??"),
        ("a\u0308b", b"ab"),
    ],
)
def test_queries_outside_ascii(query: str, sent: bytes, uno: str, small: Model) -> None:
    done = ulm("chat", uno, "--once", query)
    assert (done.code, done.out) == (0, run(small, [sent])[0].text + "\n")


# Accidents


def test_64_kb_of_noise_before_hello(uno: str, small: Model) -> None:
    with open_port(uno, 115_200) as line:
        board: AvrBoard = vars(line)["board"]
        session = Session(line)
        greet(line, session, [115_200])
        noise = random.Random(3).randbytes(65536)
        for at in range(0, len(noise), 1024):
            line.write(noise[at : at + 1024])
        deadline, heard = time.monotonic() + 30, -1
        while (now := board.counters().received) != heard and time.monotonic() < deadline:
            heard = now
            time.sleep(0.1)
        assert heard > 10_000
        hello = greet(line, session, [115_200])
        assert hello.model == "small"
        said = "".join(event.text for event in session.chat(b"hello") if isinstance(event, Text))
        assert said == small.reply("hello")
        assert board.counters().wild == 0


def slow_talker(prepare: Prepare) -> str:
    """A LilyPad in real time, with replies of fifty characters that take over a second."""
    model = endless(character_model(41, (256, 192, 64), 0.2, short_replies=False, name="slow"))
    return f"sim://lilypad?state={prepare('lilypad', model)}&pace=real"


def test_a_cable_cut_in_mid_reply(prepare: Prepare) -> None:
    with Device(slow_talker(prepare)) as device:
        stream = device.stream("hello")
        next(stream)
        os.kill(chip(device).pid, signal.SIGKILL)
        start = time.monotonic()
        with pytest.raises(LinkError) as caught:
            list(stream)
        assert time.monotonic() - start < 10
        assert str(caught.value).endswith(".")
        assert device.last is None
        with pytest.raises(UlmError):
            device.chat("hello")
    assert time.monotonic() - start < 20


def test_a_cable_cut_while_the_command_shows_a_reply(prepare: Prepare) -> None:
    command = [str(ULM), "chat", slow_talker(prepare), "--once", "hello"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert len(running.stdout.read(3)) == 3
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        _, err = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == LinkError.exit_code
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("ulm: ")


@pytest.mark.parametrize("share", [0.6, 0.8, 0.95])
def test_an_interrupted_upload_is_repaired(share: float, prepare: Prepare, small: Model) -> None:
    """Killed in the middle: the board has its old model, or says that it has none; flashing again repairs it."""
    state, other = prepare("uno", small), character_model(51, (60, 40), name="other")
    device = Device(f"sim://uno?state={state}")

    def cut(done: int, total: int) -> None:
        if done == int(total * share):
            time.sleep(0.7)  # what was written so far reaches the state folder
            os.kill(chip(device).pid, signal.SIGKILL)

    with device, pytest.raises((LinkError, PortError)):
        device.flash(other, progress=cut)
    with Device(address_of("uno", state)) as again:
        assert again.hello.model_crc in (None, small.crc)
        if again.hello.model_crc is None:
            with pytest.raises(BoardError, match="no model"):
                again.chat("hello")
        else:
            assert again.chat("hello").text == small.reply("hello")
        result = again.flash(other)
        assert result.pages_written > 0
        assert again.chat("hello").text == other.reply("hello")
        assert again.verify().mismatches == []


def test_a_killed_flash_command_is_repaired(prepare: Prepare, small: Model, tmp_path: Path) -> None:
    state, other = prepare("uno", small), character_model(52, (200, 100), short_replies=False, name="other")
    other.save(tmp_path / "other.ulm")
    command = [str(ULM), "flash", f"sim://uno?state={state}&pace=real", str(tmp_path / "other.ulm")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        time.sleep(3)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert running.poll() is None, "it was quicker than this test"
        os.kill(int(children[0]), signal.SIGKILL)
        _, err = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode in (LinkError.exit_code, PortError.exit_code)
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("ulm: ")
    assert ulm("flash", address_of("uno", state), tmp_path / "other.ulm").code == 0
    assert ulm("chat", address_of("uno", state), "--once", "hello").out == other.reply("hello") + "\n"


def test_a_folder_that_is_no_board(tmp_path: Path, small_file: Path) -> None:
    (tmp_path / "flash.bin").write_bytes(b"short")
    text = sentence(ulm("chat", f"sim://uno?state={tmp_path}", "--once", "hi"), FileError)
    assert "5 bytes, not 32768" in text
    file = tmp_path / "file"
    file.write_text("x")
    sentence(ulm("chat", f"sim://uno?state={file}/below", "--once", "hi"), PortError)


def test_a_device_that_is_closed_twice_and_used_afterwards(uno: str) -> None:
    device = Device(uno)
    device.close()
    device.close()
    with pytest.raises(UlmError):
        device.chat("hello")


def test_a_device_that_fails_to_open_lets_the_port_go(uno: str, tmp_path: Path) -> None:
    (tmp_path / "bad.ulm").write_bytes(b"no model")
    for _ in range(2):
        with pytest.raises(FileError):
            Device(uno, model=tmp_path / "bad.ulm")
    with Device(uno) as device:
        assert isinstance(device, device_module.Device)
