"""One virtual CP/M machine: prepares its disk, starts its process, and reads its counters."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from host_sdk.boards import Cpm
from host_sdk.errors import MissingError, PortError, UsageError
from host_sdk.sim.board import VirtualBoard, check_pace
from host_sdk.sim.process import Lock, Process
from host_sdk.spec.cpm import IDENT_ADDRESS, ORIGIN
from host_sdk.spec.image import IDENT

PROGRAM = "ULM.COM"
AUTORUN = "autorun"
"""In the state folder: the command line at power-on."""
_LEAST_TPA, _MOST_TPA = 0x1000, 0xF000 - ORIGIN


@dataclass(frozen=True, slots=True)
class Options:
    """How this machine differs from the record of its board; None as there."""

    clock_hz: int | None = None
    tpa_bytes: int | None = None
    run: str | None = None
    """The command line at power-on; "" for none. None: what was last remembered, at first `ULM`."""
    seven_bit: bool = False
    slow_ms: float = 0.0
    disk_kb: int = 8192


@dataclass(frozen=True, slots=True)
class CpmCounters:
    """What a machine has counted since it was switched on; times in T-states."""

    cycles: int  # of programs
    system: int  # in BDOS and BIOS, waiting included
    received: int  # bytes that a program or BDOS took from the console
    transmitted: int
    dropped: int  # bytes lost: nobody looked for them in time
    wild: int  # writes of programs into BDOS or behind it, or where guard() says


@dataclass(frozen=True, slots=True)
class Lap:
    """T-states of one reply: its query, and each pass."""

    query: int
    passes: tuple[int, ...]


class CpmBoard(VirtualBoard):
    """A powered virtual machine, with its console's serial port at `tty`.

    Its disk is the folder `disk` in the folder `state` and outlasts it; ULM.COM is put there, or brought up to date.
    `blank` gives an empty disk. `pace` is as that of AVR boards.

    PortError when another program has the machine, MissingError without the package z80.
    """

    board: Cpm

    def __init__(
        self, board: Cpm, state: Path, *, blank: bool = False, pace: str = "warp", options: Options | None = None
    ) -> None:
        options = options or Options()
        check_pace(pace)
        if find_spec("z80") is None:
            raise MissingError("A virtual CP/M machine needs the package z80: pip install 'micro-lm[sim]'")
        self.board = board
        self.clock_hz = options.clock_hz or board.clock_hz
        tpa = options.tpa_bytes or board.tpa_bytes
        if not _LEAST_TPA <= tpa <= _MOST_TPA:
            raise UsageError(f"A TPA of {tpa} bytes is outside {_LEAST_TPA} to {_MOST_TPA}.")
        self.state, self.disk = state, state / "disk"
        shipped = Path(str(files("host_sdk") / "flash" / "cpm"))
        with Lock(state, board.title) as lock:
            self.fresh = not self.disk.exists()
            self._prepare(shipped / "ulm.com", blank)
            settings = {
                "clock_hz": self.clock_hz,
                "baud": board.baud,
                "tpa": tpa,
                "run": self._command_line() if options.run is None else options.run,
                "seven_bit": options.seven_bit,
                "slow_ms": options.slow_ms,
                "disk_bytes": options.disk_kb << 10,
            }
            words = (str(self.disk), pace, json.dumps(settings), str(shipped))
            self._process = Process([sys.executable, "-m", "host_sdk.sim.cpm", *words], board.title, lock)
        self.tty = self._process.tty

    def run_at_start(self, name: str) -> None:
        """Let power-on start the runtime with this model, as an owner would patch it into CP/M."""
        (self.state / AUTORUN).write_text(f"{PROGRAM.partition('.')[0]} {name}", "ascii")

    def store(self, name: str, image: bytes) -> None:
        """Put a packed model on the disk, and let power-on start with it."""
        (self.disk / f"{name}.ULB").write_bytes(image)
        self.run_at_start(name)

    def counters(self) -> CpmCounters:
        """What the machine has counted so far."""
        return self._ask_counters(CpmCounters)

    def laps(self) -> list[Lap]:
        """The replies since the last call; empty when a program runs that is not the shipped runtime."""
        laps = (word.split(":") for word in self._process.ask("laps").split())
        return [Lap(int(query), tuple(int(ticks) for ticks in passes.split(",") if ticks)) for query, passes in laps]

    def guard(self, first: int) -> None:
        """Count in `wild` the program's writes from this address on; starts at 0."""
        self._process.ask(f"guard {first}")

    def memory(self, address: int, length: int) -> bytes:
        """Bytes of memory as they are now."""
        return bytes.fromhex(self._process.ask(f"memory {address} {length}"))

    def _prepare(self, runtime: Path, blank: bool) -> None:
        try:
            self.disk.mkdir(parents=True, exist_ok=True)
            if blank:
                for path in self.disk.iterdir():
                    path.unlink()
                (self.state / AUTORUN).unlink(missing_ok=True)
                return
            program = self.disk / PROGRAM
            present = program.read_bytes() if program.exists() else b""
            shipped = runtime.read_bytes()
            ours = present.startswith(IDENT, IDENT_ADDRESS - ORIGIN)
            if present != shipped and (ours or not present):
                program.write_bytes(shipped)
        except OSError as error:
            raise PortError(f"The folder {self.state} cannot hold a virtual machine: {error.strerror}.") from None

    def _command_line(self) -> str:
        path = self.state / AUTORUN
        return path.read_text("ascii") if path.exists() else PROGRAM.partition(".")[0]
