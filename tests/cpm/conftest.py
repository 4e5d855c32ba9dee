"""CP/M in memory: small programs assembled here, on the machine that `sim://cpm` is, without its process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("z80", reason="the package z80 is not installed: pip install 'micro-lm[sim]'")

from host_sdk.boards import BOARDS, Cpm
from host_sdk.device import Device
from host_sdk.flash.cpm_files import disk_name, read_symbols, shipped_com
from host_sdk.flash.fit import fitted_cpm
from host_sdk.model.library import remember
from host_sdk.model.model import Model
from host_sdk.sim.cpm.machine import Machine, Settings
from host_sdk.sim.cpm_board import AUTORUN, PROGRAM, CpmBoard
from tests.synthetic import character_model

CPM = BOARDS["cpm"]
assert isinstance(CPM, Cpm)
SOURCES = Path(__file__).parents[2] / "device" / "z80_cpm"
SLICE_TICKS = 4000
PRELUDE = """
bdos    equ     5
        org     0100h
"""


class Bench:
    """A machine, and a person at its terminal. Simulated time only."""

    def __init__(self, folder: Path, run: str = "TEST", **settings: object) -> None:
        values: dict[str, object] = {"clock_hz": 4_000_000, "baud": 9600, "tpa": CPM.tpa_bytes, "run": run}
        self.machine = Machine(Settings(**{**values, **settings}), folder)  # type: ignore[arg-type]
        self.folder = folder
        self._fd = os.open(self.machine.line.tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.screen = b""

    def close(self) -> None:
        os.close(self._fd)

    def type(self, keys: bytes, apart: int = 40_000) -> None:
        """Type keys, so many T-states from one to the next."""
        for key in keys:
            os.write(self._fd, bytes((key,)))
            self.work(apart)

    def send(self, data: bytes) -> None:
        """Send bytes as fast as the line takes them."""
        os.write(self._fd, data)

    def work(self, ticks: int) -> None:
        """Let the machine work for so long."""
        end = self.machine.now() + ticks
        while self.machine.now() < end:
            self.machine.line.exchange(self.machine.now())
            self.machine.run_slice(SLICE_TICKS)
            self.machine.line.exchange(self.machine.now())
            with contextlib.suppress(BlockingIOError):
                self.screen += os.read(self._fd, 65536)

    def until(self, text: bytes, seconds: float = 20) -> bytes:
        """What the screen shows up to a text; the rest stays for the next call."""
        end = self.machine.now() + seconds * self.machine.settings.clock_hz
        while text not in self.screen:
            assert self.machine.now() < end, f"{text!r} did not come; the screen shows {self.screen[:200]!r}"
            self.work(SLICE_TICKS)
        at = self.screen.index(text) + len(text)
        shown, self.screen = self.screen[:at], self.screen[at:]
        return shown


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Bench]:
    """`bench(source, **settings)`: a machine that runs a program, given in assembly, as TEST.COM."""
    needs_pasmo()

    def make(source: str = "", **settings: object) -> Bench:
        disk = tmp_path / "disk"
        disk.mkdir(exist_ok=True)
        if source:
            (disk / "TEST.COM").write_bytes(assemble(tmp_path, source))
        made = Bench(disk, **settings)  # type: ignore[arg-type]
        request.addfinalizer(made.close)
        return made

    return make


def needs_pasmo() -> None:
    if shutil.which("pasmo") is None:
        pytest.skip("pasmo is not installed (apt install pasmo)")


def assemble(folder: Path, source: str) -> bytes:
    """A program from its text; `bdos` is 5."""
    (folder / "test.asm").write_text(PRELUDE + source)
    done = subprocess.run(
        ["pasmo", "--alocal", "test.asm", "test.com"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return (folder / "test.com").read_bytes()


Prepare = Callable[..., Path]


def packed(model: Model, board: Cpm = CPM) -> bytes:
    """A model as it lies on the disk."""
    return fitted_cpm(model, board).data


@pytest.fixture(scope="session")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """`prepare(model, …)`: a new state folder whose disk has the runtime and these models; the first is started."""

    def make(*models: Model) -> Path:
        state = tmp_path_factory.mktemp("cpm")
        (state / "disk").mkdir()
        (state / "disk" / PROGRAM).write_bytes(shipped_com().code)
        for model in models:
            (state / "disk" / f"{disk_name(model.name)}.ULB").write_bytes(packed(model))
            remember(model)
        if models:
            (state / AUTORUN).write_text(f"ULM {disk_name(models[0].name)}")
        return state

    return make


@pytest.fixture(scope="session")
def small() -> Model:
    return character_model(1, name="small")


@pytest.fixture(scope="session")
def other() -> Model:
    """A little one: it goes over the line quickly."""
    return character_model(21, (16, 12), query_buckets=64, context_buckets=64, context_length=3, name="other")


@pytest.fixture(scope="module")
def device(prepare: Prepare, small: Model) -> Iterator[Device]:
    """A machine with the small model. Tests that change its disk prepare one of their own."""
    with Device(f"sim://cpm?state={prepare(small)}") as opened:
        yield opened


def machine_of(device: Device) -> CpmBoard:
    """The machine behind a Device."""
    machine = device._connection.virtual
    assert machine is not None
    return machine


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, int]]:
    """The runtime as it is assembled, with all its labels."""
    needs_pasmo()
    folder = tmp_path_factory.mktemp("runtime")
    command = ["pasmo", "--alocal", "main.asm", str(folder / "ulm.com"), str(folder / "ulm.sym")]
    subprocess.run(command, cwd=SOURCES, check=True)
    return (folder / "ulm.com").read_bytes(), read_symbols((folder / "ulm.sym").read_text())
