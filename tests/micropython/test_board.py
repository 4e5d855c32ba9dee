"""A real MicroPython as a board: deployed over its REPL, asked over frames, equal to every other board."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from host_sdk.boards import PYTHON_BOARDS
from host_sdk.device import Device
from host_sdk.errors import FitError, LinkError, PortError, UlmError, UsageError
from host_sdk.flash import repl as repl_module
from host_sdk.flash.python_files import build_number, runtime_folder
from host_sdk.flash.repl import Repl, shows_prompt
from host_sdk.link.ports import open_port
from host_sdk.model.engine import run
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Model
from host_sdk.pack.micropython import pack_python
from host_sdk.sim.python_board import PythonBoard
from host_sdk.spec.container import WeightCode
from host_sdk.spec.protocol import Op
from tests.blinka import replies_on_blinka
from tests.micropython.test_engine import random_model
from tests.synthetic import character_model

FITS_A_MICROBIT = "commands"
THREE = ("tinychat", "commands", "guess")


def flash_file(address: str) -> Path:
    return Path(address.partition("state=")[2].partition("&")[0]) / "flash.bin"


@pytest.fixture(scope="module")
def model() -> Model:
    return character_model(5, (24, 16), name="small")


@pytest.fixture(scope="module")
def board(micropython: None, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    with Device(f"sim://micropython?state={tmp_path_factory.mktemp('board') / 'b'}", model=model) as device:
        yield device


@pytest.fixture
def prepared(board: Device, tmp_path: Path) -> str:
    """A board of one's own that has the model."""
    state = tmp_path / "prepared"
    state.mkdir()
    shutil.copy(flash_file(board.address), state / "flash.bin")
    return f"sim://micropython?state={state}"


def test_says_who_it_is(board: Device, model: Model) -> None:
    assert (board.board, board.hello.model, board.hello.model_crc) == ("micropython", "small", model.crc)
    assert board.hello.build == build_number()
    info = board.info()
    assert info.model_bytes == len(pack_python(model).data)
    assert board.verify().exact == len(model.golden) or not model.golden


def test_its_figures_are_this_computer_s(board: Device) -> None:
    reply = board.chat("hello")
    assert reply.cycles_per_char is None
    assert reply.ms_per_char is not None
    result = board.bench(["hello", "who are you"])
    assert (result.timing, result.flash_bytes) == ("this computer", None)
    assert 0 < (result.sram_bytes or 0) < 1 << 16  # its heap
    assert result.cycles_per_char == result.query_cycles == {"mean": None, "max": None}
    assert result.ms_per_char["mean"]


def test_speaks_as_any_other_board(board: Device, model: Model) -> None:
    for query in ("", "hello", "Who ARE you? " * 12):
        due = run(model, [query])[0]
        reply = board.chat(query)
        assert (reply.text, reply.digest, reply.passes) == (due.text, due.digest, due.passes)
        assert reply.digest_checked
        assert reply.ms_per_char is not None
    with pytest.raises(UsageError, match="161 characters"):
        board.chat("x" * 161)


def test_a_repeated_question_is_answered_from_memory(board: Device, model: Model) -> None:
    session = board._connection.session
    seen = [list(session.chat(b"hello")), []]
    payload = b"\0\0hello"
    session._send(Op.CHAT, payload, session._chat_seq)
    frames = [session._receive(1.0), session._receive(1.0)]
    assert [frame.type for frame in frames if frame] == [Op.TEXT, Op.END]
    text = frames[0]
    assert text
    assert text.payload[1:].decode() == run(model, ["hello"])[0].text
    assert seen


def test_text_mode(board: Device, model: Model) -> None:
    line = board._connection.line
    line.timeout = 0.5
    line.read(1000)
    line.write(b"helli\x08o\r\n")
    shown = line.read(300)
    assert run(model, ["hello"])[0].text.encode() in shown
    assert shown.endswith(b"\r\n> ")
    line.write(b"a~b\r")  # a person's "~" is no frame
    assert run(model, ["a~b"])[0].text.encode() in line.read(300)
    line.write(b"x\x07y\r")
    assert b"line refused" in line.read(300)


def test_requests_that_it_does_not_know(board: Device) -> None:
    with pytest.raises(UlmError, match="changed with"):
        board.load("other")
    with pytest.raises(UlmError, match="cannot do that"):
        board.sleep()


def test_three_models_have_one_digest_everywhere(
    qemu: None, simavr: None, tmp_path: Path, runtime_sources: Path, request: pytest.FixtureRequest
) -> None:
    """All golden replies: numpy, UNO, CP/M, MicroPython with and without machine code and in WebAssembly, micro:bit,
    CPython, Blinka.
    """
    pytest.importorskip("z80")
    pytest.importorskip("adafruit_platformdetect")
    addresses = [f"sim://{name}?state={tmp_path / name}" for name in ("uno", "cpm", "micropython")]
    for name in THREE:
        model = shipped_model(name)
        due = golden_digests(model)
        microbit = [f"sim://microbit?state={tmp_path / 'microbit'}"] * (name == FITS_A_MICROBIT)
        for address in addresses + microbit:
            with Device(address, model=model) as device:
                assert {query: device.chat(query).digest for query in model.golden} == due, (name, address)
        assert dict(zip(model.golden, digests_in_plain_python(addresses[-1], model), strict=True)) == due, name
        with linux_board(model, tmp_path) as url, Device(url) as device:
            assert {query: device.chat(query).digest for query in model.golden} == due, name
        assert {query: digest for query, (digest, _) in replies_on_blinka(model, tmp_path).items()} == due, name
    request.getfixturevalue("webassembly")  # last: where it is missing, the others have been compared
    for model in map(shipped_model, THREE):
        with Device(f"sim://micropython?port=wasm&state={tmp_path / 'wasm'}", model=model) as device:
            assert {query: device.chat(query).digest for query in model.golden} == golden_digests(model), model.name


def golden_digests(model: Model) -> dict[str, int]:
    """As the reference engine computes them."""
    return {query: done.digest for query, done in zip(model.golden, run(model, model.golden), strict=True)}


def digests_in_plain_python(address: str, model: Model) -> list[int]:
    """Computed on the board by the kernel without machine code."""
    with open_port(address, 115200) as line, Repl(line) as repl:
        repl.run("import ulm\nfrom ulm_reply import Reply\nengine, status = ulm.open_engine(None, False)\n")
        assert repl.value("print((engine.kernel,))") in (("views",), ("packed",))
        digests = []
        for query in model.golden:
            program = (
                f"r = Reply(engine)\nr.run({query.encode()!r}, False, lambda reply, before: True)\nprint(r.digest)"
            )
            digests.append(repl.value(program))
        return digests


class linux_board:  # noqa: N801  (used as a function)
    """The runtime under CPython, as on a Raspberry Pi, behind a TCP port."""

    def __init__(self, model: Model, folder: Path) -> None:
        image = folder / "model.ulb"
        image.write_bytes(pack_python(model).data)
        self.command = [sys.executable, str(runtime_folder() / "ulm.py"), str(image)]

    def __enter__(self) -> str:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return f"socket://127.0.0.1:{self.server.getsockname()[1]}"

    def serve(self) -> None:
        connection, _ = self.server.accept()
        with connection:
            subprocess.run(self.command, stdin=connection, stdout=connection, timeout=60, check=False)

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self.thread.join(10)


def test_an_unchanged_model_takes_no_writes(address: str, model: Model) -> None:
    with Device(address, bare=True) as device:
        first = device.flash(model)
    before = flash_file(address).read_bytes()
    with Device(address) as device:
        again = device.flash(model)
    assert (first.files_kept, again.files_written, again.files_kept) == (0, 0, first.files_written)
    assert flash_file(address).read_bytes() == before


def test_another_model_is_one_file(prepared: str) -> None:
    address = prepared
    other = replace(character_model(9, (20, 16)), metadata={"name": "other"})
    with Device(address) as device:
        result = device.flash(other)
        assert (result.files_written, device.hello.model) == (1, "other")
    with Device(address) as device:  # started from an idle prompt
        assert device.hello.model == "other"


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_leaves_the_old_model_or_a_state_that_is_repaired(prepared: str, seed: int) -> None:
    address = prepared
    new = character_model(6, (40, 30), name="new")
    after = random.Random(seed).uniform(0.15, 1.2)
    with Device(address, bare=True) as device:
        virtual = device._connection.virtual
        assert virtual
        if seed % 2:  # the runtime is replaced, too
            forget_runtime(device)
        cut = threading.Timer(after, virtual.reset)
        cut.start()
        with suppress(UlmError):
            device.flash(new)
        cut.join()
    broken = nullcontext() if seed % 2 == 0 else suppress(PortError)  # "has no μLM runtime"
    with broken, Device(address) as device:
        assert device.hello.model in ("small", "new")
        assert device.chat("hello").digest_checked
    with Device(address, bare=True) as device:
        device.flash(new)
        assert device.hello.model == "new"
        assert device.chat("hello").digest_checked


def forget_runtime(device: Device) -> None:
    with Repl(device._connection.line) as repl:
        repl.run("import os\nfor n in os.listdir('/lib'):\n if n.endswith('py'):\n  os.remove('/lib/' + n)")


def test_a_busy_repl(prepared: str, model: Model) -> None:
    address = prepared
    program = "import time\nprint('busy')\nwhile True:\n time.sleep(0.01)\n"
    with open_port(address, 115200) as line, Repl(line) as repl:
        repl.run(f"with open('/main.py', 'w') as f:\n f.write({program!r})")
    with pytest.raises(PortError, match="busy with a program of its user"), Device(address):
        pass
    with Device(address, bare=True) as device:
        with pytest.raises(UsageError, match=r"busy with a program of its user.*--yes"):
            device.flash(model)
        device.flash(model, yes=True)
        assert device.chat("hello").digest_checked
        with pytest.raises(UsageError, match=r"main\.py of its own, which stays"):
            device.flash(model, at_start=True)
    with open_port(address, 115200) as line:
        assert not shows_prompt(line)
        assert shows_prompt(line, interrupt=True)
        with Repl(line, fresh=False) as repl:
            assert repl.value("print(repr(open('/main.py').read()))") == program


def test_start_with_the_board(prepared: str, model: Model) -> None:
    address = prepared
    with Device(address, bare=True) as device:
        device.flash(model, at_start=True)
        assert device.flash(model, at_start=True).files_written == 0
    with open_port(address, 115200) as line:
        line.timeout = 1
        line.write(b"hello\r")
        assert run(model, ["hello"])[0].text.encode() in line.read(300)
    with Device(address) as device:
        assert device.chat("hello").digest_checked


def test_too_little_heap(address: str, micropython: None) -> None:
    wide = random_model(1, [3000, 9], WeightCode.TERNARY)
    with Device(f"{address}&heap=40", bare=True) as device, pytest.raises(FitError, match=r"bytes of heap .* too few"):
        device.flash(wide)


def test_a_small_heap_streams(prepared: str) -> None:
    tinychat = shipped_model("tinychat")
    with Device(f"{prepared}&heap=48", model=tinychat) as device:
        assert device.chat("hello").digest_checked


def test_a_heap_that_only_the_engine_finds_too_small(prepared: str) -> None:
    with Device(f"{prepared}&heap=32", bare=True) as device, pytest.raises(FitError, match="too little memory to run"):
        device.flash(shipped_model("tinychat"))


def test_a_full_file_system(address: str, model: Model) -> None:
    with open_port(address, 115200) as line, Repl(line) as repl:
        repl.run(
            "try:\n for n in range(100):\n  with open('/big%d' % n, 'wb') as f:\n   f.write(bytes(16384))\n"
            "except OSError:\n pass"
        )
    with Device(address, bare=True) as device, pytest.raises(FitError, match="file system"):
        device.flash(model)


def test_what_a_cut_has_left_makes_room(prepared: str) -> None:
    """The new model fits beside the old one, but not beside half of itself, too."""
    tinychat = shipped_model("tinychat")
    with open_port(prepared, 115200) as line, Repl(line) as repl:
        repl.run("with open('/lib/ulm_model.ulb.new', 'wb') as f:\n for n in range(9):\n  f.write(bytes(4096))")
        free = repl.value("import os\ns = os.statvfs('/')\nprint(s[1] * s[3])")
        repl.run(
            f"with open('/big', 'wb') as f:\n for n in range({(free - (24 << 10)) // 4096}):\n  f.write(bytes(4096))"
        )
    with Device(prepared, bare=True) as device:
        assert device.flash(tinychat).files_written == 1
        assert device.chat("hello").digest_checked


def test_weights_in_a_romfs_are_not_copied(prepared: str, model: Model, tmp_path: Path) -> None:
    from mpremote.romfs import make_romfs

    (tmp_path / "rom").mkdir()
    (tmp_path / "rom" / "ulm_model.ulb").write_bytes(pack_python(model).data)
    image = make_romfs(f"{tmp_path / 'rom'}/", mpy_cross=False)
    with open_port(prepared, 115200) as line, Repl(line) as repl:
        repl.write("/image.rom", bytes(image), 1024, lambda done: None)
        repl.run("import vfs\nrom = open('/image.rom', 'rb').read()\nvfs.mount(vfs.VfsRom(memoryview(rom)), '/rom')")
        repl.run("import ulm, ulm_read\nfrom ulm_reply import Reply\nr = ulm_read.FileReader('/rom/ulm_model.ulb')")
        assert repl.value("print((r.view is not None,))") == (True,)
        repl.run("engine, status = ulm.open_engine(r)")
        program = "q = Reply(engine)\nq.run(b'hello', False, lambda reply, before: True)\nprint(q.digest)"
        assert repl.value(program) == run(model, ["hello"])[0].digest


def test_mpremote_works_with_it(prepared: str) -> None:
    state = Path(prepared.partition("state=")[2])
    board = PYTHON_BOARDS["micropython"]
    with PythonBoard(board, state) as virtual:
        command = [sys.executable, "-m", "mpremote", "connect", virtual.tty, "fs", "ls", ":/lib"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ulm_model.ulb" in done.stdout


def test_a_runtime_that_cannot_start_says_why(prepared: str, model: Model) -> None:
    with open_port(prepared, 115200) as line, Repl(line) as repl:
        repl.write("/lib/ulm_line.py", b"raise MemoryError", 256, lambda done: None)
    with pytest.raises(FitError, match="heap is too small"), Device(prepared):
        pass


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (b"raise MemoryError", FitError, "heap is too small"),
        (b"while True: pass", LinkError, "does not start"),
        (b"def usual_line():\n while True: pass", LinkError, "does not start"),
    ],
)
def test_a_runtime_that_does_not_start_is_repaired(
    code: bytes, error: type[UlmError], said: str, prepared: str, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repl_module, "START_S", 1.0)
    monkeypatch.setattr(repl_module, "SILENCE_S", 1.0)
    with open_port(prepared, 115200) as line, Repl(line) as repl:
        repl.run("import os\nos.remove('/lib/ulm_line.mpy')")
        repl.write("/lib/ulm_line.py", code, 256, lambda done: None)
    with pytest.raises(error, match=said), Device(prepared):
        pass
    with Device(prepared, bare=True) as device:
        assert device.flash(model).files_written == 1
        assert device.chat("hello").digest_checked


def test_a_stopped_reply(board: Device) -> None:
    stream = board.stream("hello")
    stream.close()
    assert board.chat("hello").digest_checked


def test_a_board_that_goes_away(prepared: str) -> None:
    device = Device(prepared)
    virtual = device._connection.virtual
    assert virtual
    virtual.close()
    started = time.monotonic()
    with pytest.raises((LinkError, PortError)):
        device.chat("hello")
    assert time.monotonic() - started < 10
    device.close()
