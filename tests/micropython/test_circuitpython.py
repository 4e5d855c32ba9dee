"""What can be seen without a CircuitPython: names as its own stubs give them, its Python stack, its line, its drive.

No CircuitPython that runs on a computer can be installed (docs/decisions/0039-circuitpython.md).
"""

from __future__ import annotations

import errno
import inspect
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from host_sdk.errors import FitError, PortError
from host_sdk.flash import python_deploy, repl
from host_sdk.flash.drive import copy_to_drive, mounted_drive
from host_sdk.link.frame import Decoder, Frame, encode
from host_sdk.link.messages import parse_end
from host_sdk.model.engine import run
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Model
from host_sdk.pack.micropython import pack_python
from host_sdk.spec.protocol import Op
from tests.micropython.conftest import Runtime
from tests.synthetic import character_model

STUBS = Path(sys.prefix) / "circuitpython"
"""Where scripts/setup.sh puts the package circuitpython-stubs: apart, for Blinka has modules of the same names."""
PYSTACK_BYTES = 1536
"""For the frames of all functions that run. CIRCUITPY_PYSTACK_SIZE is 2,048, but boards may set less."""
PYSTACK_RESERVE = 300
"""What the interpreter itself takes of it: the program that the REPL got, arguments of calls."""
WORD_BYTES, STATE_BYTES, HANDLER_BYTES, ALIGNMENT = 4, 20, 12, 8
"""On boards of 32 bits: mp_code_state_t in front of a frame's words, mp_exc_stack_t for each `try` inside another."""
TICKS = 1 << 29


class Interface:
    """The other end of `usb_cdc.console`: sends requests, each when the last was answered; then Ctrl-C."""

    def __init__(self, requests: list[bytes]) -> None:
        self.requests = requests
        self.sent = b""
        self.timeout: float | None = None
        self.write_timeout: float | None = None
        self.looks = 0

    @property
    def in_waiting(self) -> int:
        self.looks += 1
        if self.looks % 3:  # it takes a while
            return 0
        if not self.requests:
            raise KeyboardInterrupt
        return len(self.requests[0])

    def read(self, count: int) -> bytes:
        data, self.requests[0] = self.requests[0][:count], self.requests[0][count:]
        if not self.requests[0]:
            self.requests.pop(0)
        return data

    def write(self, data: bytes) -> int:
        assert self.write_timeout is not None
        self.sent += data
        return len(data)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A module `supervisor` whose clock is about to begin anew; no pins, which Blinka would look for here."""
    clock = iter(range(TICKS - 20, 1 << 40))
    supervisor = SimpleNamespace(
        runtime=SimpleNamespace(autoreload=True),
        status_bar=SimpleNamespace(console=True),
        ticks_ms=lambda: next(clock) % TICKS,
    )
    monkeypatch.setitem(sys.modules, "supervisor", supervisor)  # type: ignore[arg-type]
    for name in ("machine", "board"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(**{**vars(sys.implementation), "name": "circuitpython"}))
    return supervisor


REQUESTS = [
    encode(Frame(Op.HELLO, 1)),
    encode(Frame(Op.INFO, 2)),
    encode(Frame(Op.CHAT, 3, b"\0\0turn the led on")),
    encode(Frame(Op.CHAT, 4, b"\1\0turn the led on")),
    b"turn the led on\r",
]


def serve(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, model: Model) -> Interface:
    """A conversation through the console of `usb_cdc`."""
    console = Interface(list(REQUESTS))
    monkeypatch.setitem(sys.modules, "usb_cdc", SimpleNamespace(console=console))  # type: ignore[arg-type]
    reader = runtime.read.MemoryReader(pack_python(model).data)
    __import__("ulm").serve(reader)
    return console


def test_its_line(runtime: Runtime, board: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    model = shipped_model("commands")
    console = serve(runtime, monkeypatch, model)
    (due,) = run(model, ["turn the led on"])
    ends = [parse_end(frame.payload) for frame in Decoder().feed(console.sent) if frame.type == Op.END]
    assert [end.digest for end in ends] == [due.digest] * 2
    assert b"turn the led on\r\n" + due.text.encode() + b"\r\n> " in console.sent
    assert (board.runtime.autoreload, board.status_bar.console, console.write_timeout) == (True, True, None)


def test_a_pin_has_one_owner(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: list[Any] = []

    class Pin:
        value = False

        def __init__(self, pin: object) -> None:
            if owners:
                raise ValueError("LED in use")
            owners.append(self)

        def switch_to_output(self) -> None:
            pass

    monkeypatch.setitem(sys.modules, "machine", None)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "board", SimpleNamespace(LED=25))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "digitalio", SimpleNamespace(DigitalInOut=Pin))  # type: ignore[arg-type]
    monkeypatch.setattr(runtime.action, "SWITCH", [])
    runtime.action.perform(1)
    assert owners[0].value
    runtime.action.perform(2)
    assert not owners[0].value


@pytest.mark.skipif(not STUBS.is_dir(), reason="circuitpython-stubs is not installed: scripts/setup.sh does it")
def test_its_modules_have_these_names(runtime_sources: Path, tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for folder in STUBS.glob("*-stubs"):
        name = folder.name.removesuffix("-stubs")
        (stubs / name).symlink_to(STUBS / "board_definitions" / "raspberry_pi_pico" if name == "board" else folder)
    options = ["--check-untyped-defs", "--disable-error-code=var-annotated", "--follow-imports=silent"]
    options += ["--ignore-missing-imports", "--python-version=3.12", f"--cache-dir={tmp_path}"]
    check = [sys.executable, "-m", "mypy", f"--config-file={os.devnull}", *options]
    environment = {**os.environ, "MYPYPATH": str(stubs)}

    def errors(*sources: Path) -> str:
        return subprocess.run([*check, *map(str, sources)], env=environment, capture_output=True, text=True).stdout

    line, action = (runtime_sources / name for name in ("ulm_line.py", "ulm_action.py"))
    assert "Success" in errors(line, action)
    wrong = tmp_path / "ulm_line.py"
    wrong.write_text(line.read_text("utf-8").replace("supervisor.ticks_ms", "supervisor.tick_ms"), "utf-8")
    assert 'has no attribute "tick_ms"' in errors(wrong)


@pytest.mark.skipif(find_spec("micropython_unix") is None, reason="pip install 'micro-lm[sim]'")
def test_its_python_stack_is_deep_enough(
    runtime: Runtime, board: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, runtime_sources: Path
) -> None:
    sizes = frame_bytes(runtime_sources)
    deepest: list[str] = []
    most = 0

    def look(frame: FrameType | None, event: str, _: object) -> None:
        nonlocal most, deepest
        if event != "call" or not frame or Path(frame.f_code.co_filename).parent != runtime_sources:
            return
        depth, names = 0, []
        while frame:
            path = Path(frame.f_code.co_filename)
            # A generator's frame lies in the heap.
            if path.parent == runtime_sources and not frame.f_code.co_flags & inspect.CO_GENERATOR:
                depth += sizes[path.name, frame.f_code.co_name]
                names.append(f"{path.name}:{frame.f_code.co_name}")
            frame = frame.f_back
        if depth > most:
            most, deepest = depth, names

    def serve_both() -> None:
        for model in (shipped_model("commands"), character_model(3)):
            serve(runtime, monkeypatch, model)

    for name in [name for name in sys.modules if name.startswith("ulm")]:  # imported anew, as on a board
        monkeypatch.delitem(sys.modules, name)
    sys.setprofile(look)
    try:
        serve_both()
        # The deepest that a pass goes: a frame of PROGRESS before every column that comes from a file.
        monkeypatch.setattr(runtime.service, "_PROGRESS_US", 0)
        packed = runtime.packed.Columns
        monkeypatch.setattr(runtime.engine.Engine, "forms", lambda engine, _: [("streamed", packed, engine.pieces)])
        serve_both()
    finally:
        sys.setprofile(None)
    assert "ulm_service.py:pulse" in deepest
    assert 0 < most <= PYSTACK_BYTES - PYSTACK_RESERVE, (most, deepest)


def frame_bytes(folder: Path) -> dict[tuple[str, str], int]:
    """File and function to the bytes of its frame, by what MicroPython's own compiler says of each."""
    modules = [path.stem for path in folder.glob("ulm*.py") if not path.stem.startswith("ulm_tiny")]
    program = f"import sys\nsys.path.insert(0, {str(folder)!r})\n" + "".join(f"import {name}\n" for name in modules)
    command = [sys.executable, "-m", "micropython_unix", "-v", "-v", "-v", "-c", program]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[tuple[str, str], int] = {}
    pattern = r"^File (\S+), code block '(\S+)'.*?^\(N_STATE (\d+)\)\n\(N_EXC_STACK (\d+)\)"
    for path, name, words, handlers in re.findall(pattern, listing, re.MULTILINE | re.DOTALL):
        size = STATE_BYTES + int(words) * WORD_BYTES + int(handlers) * HANDLER_BYTES
        key = Path(path).name, name
        found[key] = max(found.get(key, 0), -(-size // ALIGNMENT) * ALIGNMENT)
    return found


def test_its_errors_have_texts() -> None:
    def refusal(line: str) -> Exception:
        return repl._refusal(f'Traceback\n  File "<stdin>", line 1\n{line}', "/lib/ulm.py")

    for line in ("OSError: [Errno 30] Read-only filesystem", "OSError: [Errno 30] EROFS", "OSError: 30"):
        assert isinstance(refusal(line), PortError)
        assert "CIRCUITPY" in str(refusal(line))
    assert isinstance(refusal("OSError: [Errno 28] No space left on device"), FitError)


def test_hashes_where_hashlib_has_only_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As CircuitPython's: no hashlib.sha256, no hexdigest."""
    import hashlib

    path = tmp_path / "a"
    path.write_bytes(b"content" * 100)
    only_new = SimpleNamespace(new=hashlib.new)
    program = repl._HASHES % ([str(path)],)
    program = program.replace("import hashlib,binascii", "import binascii")
    exec(program, {"hashlib": only_new})
    assert capsys.readouterr().out.strip() == repr([hashlib.sha256(path.read_bytes()).hexdigest()])


class Answers:
    """A REPL that says what a file holds."""

    def __init__(self, program: bytes) -> None:
        self.program = program

    def value(self, _: str) -> bytes:
        return self.program


def test_the_factory_program_is_nobody_s() -> None:
    facts = python_deploy.Facts("circuitpython", "RP2040", 6, 100_000, True, 1 << 20)
    for mine in (b"", b'print("Hello World!")\r\n', python_deploy.AUTOSTART):
        python_deploy._check_main(Answers(mine), facts)  # type: ignore[arg-type]
    with pytest.raises(python_deploy.UsageError, match=r"code\.py of its own"):
        python_deploy._check_main(Answers(b"import board\n"), facts)  # type: ignore[arg-type]


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    drive = tmp_path / "media" / "CIRCUITPY"
    (drive / "lib").mkdir(parents=True)
    (drive / "boot_out.txt").write_bytes(boot_out(1) + b"\r\nboot.py output:\r\n")
    return drive


def boot_out(number: int) -> bytes:
    """What a board writes there first."""
    lines = ("Adafruit CircuitPython 9.2.1 on 2024-11-20; Raspberry Pi Pico with rp2040", f"UID:{number:016X}")
    return "\r\n".join(lines).encode()


SEAL = "/lib/ulm_build.py"
FILES = {"/lib/ulm.py": b"a", SEAL: b"1", "/lib/ulm_model.ulb": bytes(100)}


def test_its_drive_is_found(drive: Path) -> None:
    places = [drive]
    assert mounted_drive(boot_out(1), [drive.parent / "none"]) is None
    assert mounted_drive(boot_out(1), places) == drive
    assert mounted_drive(boot_out(2), places) is None  # another board's
    assert mounted_drive(b"", places) is None
    other = drive.parent / "OTHER"
    other.mkdir()
    places.append(other)
    (other / "boot_out.txt").write_bytes(boot_out(2))
    assert mounted_drive(boot_out(1), places) == drive
    (other / "boot_out.txt").write_bytes(boot_out(1))
    with pytest.raises(PortError, match="Several CircuitPython drives"):
        mounted_drive(boot_out(1), places)


def test_only_what_differs_is_copied(drive: Path) -> None:
    assert copy_to_drive(drive, FILES, SEAL) == 3
    assert copy_to_drive(drive, FILES, SEAL) == 0
    assert copy_to_drive(drive, {**FILES, "/lib/ulm_model.ulb": b"b"}, SEAL) == 1
    assert copy_to_drive(drive, {**FILES, "/lib/ulm.py": b"b"}, SEAL) == 3
    assert (drive / "lib" / "ulm.py").read_bytes() == b"b"
    assert sorted(path.name for path in (drive / "lib").iterdir()) == ["ulm.py", "ulm_build.py", "ulm_model.ulb"]


def test_a_cut_leaves_no_seal(drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_to_drive(drive, FILES, SEAL)
    newer = {**FILES, "/lib/ulm.py": b"b", SEAL: b"2"}

    def cut(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", cut)
        with pytest.raises(PortError, match="cannot be written"):
            copy_to_drive(drive, newer, SEAL)
    assert not (drive / SEAL.strip("/")).exists()
    assert (drive / "lib" / "ulm.py").read_bytes() == b"a"
    assert (drive / "lib" / "ulm_model.ulb").read_bytes() == bytes(100)
    copy_to_drive(drive, newer, SEAL)
    assert (drive / SEAL.strip("/")).read_bytes() == b"2"


def test_a_full_drive(drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FitError, match="is full"):
        copy_to_drive(drive, FILES, SEAL)
    assert list((drive / "lib").iterdir()) == []


def test_a_drive_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "lib").write_text("a file where the folder belongs")
    with pytest.raises(PortError, match="cannot be written"):
        copy_to_drive(tmp_path, FILES, SEAL)
