"""MicroPython's WebAssembly port as a board: the oldest and the newest that npm has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from host_sdk.boards import PYTHON_BOARDS
from host_sdk.device import Device
from host_sdk.errors import MissingError, PortError, UlmError, UsageError
from host_sdk.flash.python_files import build_number
from host_sdk.flash.repl import Repl, shows_prompt
from host_sdk.link.ports import open_port
from host_sdk.model.engine import run
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Model
from host_sdk.sim import wasm
from host_sdk.sim.python_board import PythonBoard
from tests.micropython.conftest import OLDEST
from tests.synthetic import character_model

VERSIONS = {"oldest": (OLDEST, "1.20.", ".py"), "newest": (wasm.PACKAGE, "1.29.", ".mpy")}


@pytest.fixture(scope="session")
def model() -> Model:
    return character_model(5, (24, 16), name="small")


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest, webassembly: None) -> str:
    return str(request.param)


newest_alone = pytest.mark.parametrize("version", ["newest"], indirect=True)


@pytest.fixture(scope="session")
def flashed(version: str, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a board with the model."""
    state = tmp_path_factory.mktemp(version)
    with Device(address(version, state), bare=True) as device:
        device.flash(model)
    return state


@pytest.fixture
def prepared(version: str, flashed: Path, tmp_path: Path) -> str:
    """A board of one's own that has the model."""
    shutil.copytree(flashed, tmp_path / "prepared")
    return address(version, tmp_path / "prepared")


def address(version: str, state: Path) -> str:
    return f"sim://micropython?port=wasm&state={state}&package={folder(version)}"


def folder(version: str) -> Path:
    return Path(sys.prefix) / "node_modules" / VERSIONS[version][0]


def test_the_same_runtime_runs_on_it(version: str, prepared: str, model: Model) -> None:
    _, number, ending = VERSIONS[version]
    assert json.loads((folder(version) / "package.json").read_text())["version"].startswith(number)
    with Device(prepared) as device:
        assert (device.board, device.hello.model_crc, device.hello.build) == ("micropython", model.crc, build_number())
        assert device.info().uptime_s < 60
        for query in ("", "hello", "Who ARE you? " * 12):
            due, reply = run(model, [query])[0], device.chat(query)
            assert (reply.text, reply.digest, reply.passes) == (due.text, due.digest, due.passes)
        assert device.flash(model).files_written == 0
    names = [path.name for path in files_of(prepared).glob("lib/*")]
    assert f"ulm_engine{ending}" in names, "bytecode for whom it can be, sources for others"


def files_of(url: str) -> Path:
    return Path(url.partition("state=")[2].partition("&")[0]) / "files"


def test_reply_models(version: str, prepared: str) -> None:
    commands = shipped_model("commands")
    with Device(prepared, model=commands) as device:
        assert device.verify().exact == len(commands.golden)
        assert re.fullmatch(r"up \d+ s\.", device.chat("uptime").text)
        assert re.fullmatch(r"rolled [1-6]\.", device.chat("roll the dice").text)


def test_a_person_leaves_with_ctrl_c(prepared: str, model: Model) -> None:
    with Device(prepared, bare=True) as device:
        device.flash(model, at_start=True)
    with open_port(prepared, 115200) as line:
        line.timeout = 2
        line.read_until(b"\r\n> ")
        line.write(b"hello\r")
        assert run(model, ["hello"])[0].text.encode() in line.read_until(b"\r\n> ")
        line.write(b"\x03")
        assert b">>> " in line.read_until(b">>> ")


@newest_alone
def test_a_busy_repl(prepared: str, model: Model) -> None:
    (files_of(prepared) / "main.py").write_text("import time\nprint('busy')\nwhile True:\n time.sleep(0.01)\n")
    with Device(prepared, bare=True) as device:
        with pytest.raises(UsageError, match=r"busy with a program of its user.*--yes"):
            device.flash(model)
        device.flash(model, yes=True)
        assert device.chat("hello").digest_checked
    with open_port(prepared, 115200) as line:
        assert not shows_prompt(line)
        assert shows_prompt(line, interrupt=True)


def test_files_follow(prepared: str) -> None:
    with open_port(prepared, 115200) as line, Repl(line) as repl:
        repl.run(
            "import os\nos.mkdir('/a')\nos.chdir('/a')\n"
            "for n in 'xyz':\n with open(n, 'w') as f:\n  f.write(n * 5000)\n"
            "os.remove('x')\nos.rename('y', '/w')\nos.mkdir('gone')\nos.rmdir('gone')\n"
            "with open('z', 'a') as f:\n f.write('!')\nleft = open('/left', 'w')\nleft.write('open')\n"
        )
    files = files_of(prepared)
    assert sorted(path.name for path in files.iterdir()) == ["a", "lib", "w"]
    assert [path.name for path in (files / "a").iterdir()] == ["z"]
    assert (files / "a" / "z").read_text() == "z" * 5000 + "!"
    with open_port(prepared, 115200) as line, Repl(line) as repl:
        assert repl.value("print(repr(open('/w').read()))") == "y" * 5000


@newest_alone
def test_a_cut_leaves_the_old_model_or_the_new_one(prepared: str) -> None:
    new = character_model(6, (40, 30), name="new")
    with Device(prepared, bare=True) as device:
        virtual = device._connection.virtual
        assert virtual
        cut = threading.Timer(0.6, virtual.reset)
        cut.start()
        with suppress(UlmError):
            device.flash(new)
        cut.join()
    with Device(prepared) as device:
        assert device.hello.model in ("small", "new")
        device.flash(new)
        assert device.chat("hello").digest_checked


@newest_alone
def test_blank(prepared: str) -> None:
    with pytest.raises(PortError, match="has no μLM runtime"), Device(f"{prepared}&blank"):
        pass


@newest_alone
def test_mpremote_works_with_it(version: str, flashed: Path) -> None:
    board = PYTHON_BOARDS["micropython"]
    with PythonBoard(board, flashed, port="wasm", package=folder(version)) as virtual:
        command = [sys.executable, "-m", "mpremote", "connect", virtual.tty, "fs", "ls", ":/lib"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ulm_model.ulb" in done.stdout


def test_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wasm, "find_spec", lambda name: None)
    monkeypatch.setattr(wasm.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(wasm, "user_data_path", lambda name: tmp_path / name)
    monkeypatch.setattr(wasm.shutil, "which", lambda name: None)
    both = rf"needs: pip install 'micro-lm\[wasm\]' && npm install --prefix \"{tmp_path}/ulm\" @micropython/"
    with pytest.raises(MissingError, match=both):
        wasm.wasm_command(None)
    monkeypatch.setattr(wasm.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(MissingError, match=r"needs: npm install"):
        wasm.wasm_command(None)
    with pytest.raises(UsageError, match=r"holds no micropython\.mjs"):
        wasm.wasm_command(tmp_path)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sim://micropython?port=avr", "no port 'avr' of MicroPython here; known ports: unix, wasm"),
        ("sim://micropython?package=/tmp", "package is for port=wasm alone"),
        ("sim://micropython?port=wasm&package=/nowhere", "/nowhere holds no micropython.mjs"),
        ("sim://microbit?port=wasm", "BBC micro:bit has no option 'port'"),
    ],
)
def test_addresses_that_make_no_sense(url: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence), Device(url):
        pass
