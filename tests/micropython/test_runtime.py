"""Parts of the runtime under CPython, with stand-ins for what boards have: pins, clocks, buses, UARTs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from host_sdk.flash.python_files import runtime_folder
from host_sdk.link.frame import Frame, encode
from host_sdk.model.library import shipped_model
from host_sdk.pack.micropython import pack_python, pack_tiny
from host_sdk.spec.protocol import Op, Status
from tests.micropython.conftest import Runtime


def load(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, name: str, **modules: Any) -> ModuleType:
    """A module of the runtime, loaded anew beside stand-ins for a board's modules; None hides one."""
    for module, found in modules.items():
        monkeypatch.setitem(sys.modules, module, found)
    monkeypatch.delitem(sys.modules, f"ulm_{name}", raising=False)
    loaded: ModuleType = getattr(runtime, name)
    monkeypatch.delitem(sys.modules, f"ulm_{name}", raising=False)
    return loaded


def test_an_action_that_fails_leaves_the_runtime_alive(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    action = load(runtime, monkeypatch, "action")

    def broken() -> int:
        raise ValueError("the sensor is gone")

    action.ACTIONS[4] = broken
    assert action.perform(4) == b"?"
    assert action.perform(5) == b"0"


def test_the_uptime_counts_from_the_start_of_the_runtime(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from the first action, with which the module of the actions is loaded."""
    now = SimpleNamespace(monotonic=lambda: 100.0, monotonic_ns=lambda: 0, time=no_clock)
    ticks = load(runtime, monkeypatch, "ticks", time=now)
    now.monotonic = lambda: 163.0
    monkeypatch.setitem(sys.modules, "ulm_ticks", ticks)
    monkeypatch.setitem(sys.modules, "time", time)
    action = load(runtime, monkeypatch, "action")
    service = load(runtime, monkeypatch, "service")
    monkeypatch.setattr(ticks, "seconds", lambda: 163.0)
    assert action.perform(8) == b"63"
    sent: list[bytes] = []
    line = SimpleNamespace(write=lambda data: sent.append(bytes(data)), seven_bit=False)
    service.Service(line, None, 2, (b"any", 0, 0)).info()
    assert int.from_bytes(runtime.frame.decode(sent[0][1:-1])[22:26], "little") == 63


def no_clock() -> float:
    raise NotImplementedError("RTC is not supported on this board")


@pytest.mark.parametrize(
    ("error", "said"), [(OSError(5), b"the model cannot be read"), (MemoryError(), b"too little heap")]
)
def test_a_person_is_told_why_there_is_no_reply(error: Exception, said: bytes, runtime: Runtime) -> None:
    """As the framed protocol says it with a status; the runtime goes on."""
    shown: list[bytes] = []
    came = iter([b"hello\r", b"\x03"])

    def ask(query: bytes) -> None:
        raise error

    line = SimpleNamespace(read=lambda wait: next(came), write=shown.append, seven_bit=False)
    image = SimpleNamespace(kind=0, max_reply=9, max_query=80)
    runtime.service.Service(line, SimpleNamespace(image=image, ask=ask), 0, (b"any", 0, 0)).run()
    assert b"".join(shown).endswith(b"hello\r\n" + said + b"\r\n> ")


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_long_pass_says_that_it_goes_on_and_can_be_stopped(
    stops: bool, streamed: bool, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look at the clock finds 0.3 seconds gone."""
    model = shipped_model("tinychat")
    (tmp_path / "model.ulb").write_bytes(pack_python(model).data)
    engine = runtime.engine.Engine(runtime.image.Image(runtime.read.FileReader(str(tmp_path / "model.ulb"))), False)
    if streamed:
        engine.columns = [
            runtime.packed.Columns(layer, engine.pieces(layer), layer.offsets(engine.image.reader))
            for layer in engine.image.layers()
        ]
    clock = count(0, 300_000)
    monkeypatch.setattr(runtime.service, "ticks_us", lambda: next(clock))
    sent: list[bytes] = []
    chat, stop = (encode(Frame(op, 7, payload)) for op, payload in ((Op.CHAT, b"\0\0hello"), (Op.STOP, b"")))
    came = iter([chat, *[stop if stops else b""] * 400, b"\x03"])
    line = SimpleNamespace(read=lambda wait: next(came), write=lambda data: sent.append(bytes(data)), seven_bit=False)
    with suppress(KeyboardInterrupt):
        runtime.service.Service(line, engine, 0, (b"any", 0, 0)).run()
    frames = [runtime.frame.decode(data.strip(b"~")) for data in sent if data[:1] == b"~"]
    kinds = [frame[0] for frame in frames]
    assert Op.PROGRESS in kinds
    text = b"".join(frame[3:] for frame in frames if frame[0] == Op.TEXT).decode()
    end = next(frame for frame in frames if frame[0] == Op.END)
    if stops:
        assert (kinds[:2], end[2], text) == ([Op.PROGRESS, Op.END], Status.STOPPED, "")
    else:
        assert (end[2], text) == (Status.OK, model.reply("hello"))
        assert kinds.count(Op.PROGRESS) >= (2 if streamed else 1) * len(text)


def test_a_uart_that_takes_some_bytes_at_once_gets_all(runtime: Runtime) -> None:
    taken: list[bytes] = []

    def write(data: memoryview) -> int | None:
        if len(taken) % 3 == 2:
            taken.append(b"")
            return None
        taken.append(bytes(data[:16]))
        return min(len(data), 16)

    data = bytes(range(100))
    runtime.line.UartLine(SimpleNamespace(write=write)).write(data)
    assert b"".join(taken) == data


def test_a_bus_that_another_program_holds_is_given_up(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.spiflash, "_LOCK_S", 0.05)
    spi = SimpleNamespace(try_lock=lambda: False)
    select = SimpleNamespace(switch_to_output=lambda value: None)
    with pytest.raises(OSError, match="in use"):
        runtime.spiflash.SpiFlash(spi, select)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.ulb"], "No such file or directory: 'none.ulb'"),
        (["."], "Is a directory: '.'"),
        (["model.ulb", "/dev/none"], "No such file or directory: '/dev/none'"),
        (["model.ulb", "/dev/null"], "/dev/null is no serial line"),
    ],
)
def test_wrong_words_for_a_linux_board(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "model.ulb").write_bytes(b"")
    command = [sys.executable, str(runtime_folder() / "ulm.py"), *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=tmp_path, timeout=30)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("ulm.py: ")
    assert line.endswith(said)


def test_a_micro_bit_notices_a_file_that_is_cut_off_anywhere(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pack_tiny(shipped_model("commands")).data
    file = tmp_path / "model"
    monkeypatch.setattr(runtime.tiny_engine, "PATH", str(file))
    file.write_bytes(data)
    assert runtime.tiny_engine.open_head()[1] == b"commands"
    for length in (0, 3, 64, 65, 70, 100, 150, 1000, len(data) - 1):
        file.write_bytes(data[:length])
        with pytest.raises((ValueError, IndexError)), alarm(2):
            runtime.tiny_engine.open_head()


@contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """TimeoutError when it takes longer."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
