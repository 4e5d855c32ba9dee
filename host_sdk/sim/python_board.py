"""A virtual Python board: a real MicroPython whose files outlast it, behind the serial port of its REPL."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from host_sdk.boards import MICROBIT, Python
from host_sdk.errors import MissingError, UsageError
from host_sdk.sim.board import VirtualBoard, check_pace
from host_sdk.sim.process import Lock, Process
from host_sdk.sim.unix_port import check_unix_port, unix_port
from host_sdk.sim.wasm import wasm_command

FIRMWARE = Path("/usr/share/firmware-microbit-micropython/firmware.hex")
UNIX, WASM = PORTS = ("unix", "wasm")
_LEAST_HEAP_KB, _MOST_HEAP_KB = 32, 1 << 20


@dataclass(frozen=True, slots=True)
class PythonCounters:
    """Bytes on the line since the board was switched on."""

    received: int
    transmitted: int


class PythonBoard(VirtualBoard):
    """A powered virtual board. `micropython` is MicroPython's Unix port with a heap and a file system as on a small
    board; `microbit` is the firmware of a BBC micro:bit in QEMU. Their flash is the file flash.bin of the state folder.
    The `port` "wasm" of `micropython` is MicroPython in WebAssembly, from a folder `package` if one is given; its files
    are those of the folder `files`.

    A heap of `heap_kb` counts words of 4 bytes, as on the boards. `blank` begins without files. MissingError without
    the packages, PortError when another program has the board.
    """

    board: Python

    def __init__(
        self,
        board: Python,
        state: Path,
        *,
        blank: bool = False,
        pace: str = "warp",
        heap_kb: int | None = None,
        port: str = UNIX,
        package: Path | None = None,
    ) -> None:
        check_pace(pace)
        if port not in PORTS:
            raise UsageError(f"There is no port {port!r} of MicroPython here; known ports: {', '.join(PORTS)}.")
        if package and port != WASM:
            raise UsageError("The option package is for port=wasm alone; add that, or leave package out.")
        self.board, self.state = board, state
        self.clock_hz = board.clock_hz
        heap_kb = heap_kb or board.heap_bytes >> 10
        if board.name != MICROBIT and not _LEAST_HEAP_KB <= heap_kb <= _MOST_HEAP_KB:
            raise UsageError(f"A heap of {heap_kb} KB is outside {_LEAST_HEAP_KB} to {_MOST_HEAP_KB}.")
        with Lock(state, board.title) as lock:
            if board.name == MICROBIT:
                words = self._microbit(blank)
            else:
                words = self._unix(blank, heap_kb) if port == UNIX else self._wasm(blank, heap_kb, package)
            self._process = Process([sys.executable, "-m", "host_sdk.sim.repl", *words], board.title, lock)
        self.tty = self._process.tty

    def counters(self) -> PythonCounters:
        """What has crossed the line so far."""
        return self._ask_counters(PythonCounters)

    def _unix(self, blank: bool, heap_kb: int) -> tuple[str, ...]:
        check_unix_port()
        flash = self._flash(blank)
        boot = Path(__file__).parent / "repl" / "boot.py"
        return ("unix", *unix_port(heap_kb, boot, flash))

    def _wasm(self, blank: bool, heap_kb: int, package: Path | None) -> tuple[str, ...]:
        command = wasm_command(package)
        files = self.state.resolve() / "files"
        self.fresh = not files.exists()
        if blank:
            shutil.rmtree(files, ignore_errors=True)
        return ("wasm", *command, str(files), str(heap_kb << 10))

    def _microbit(self, blank: bool) -> tuple[str, ...]:
        qemu = shutil.which("qemu-system-arm")
        if qemu is None or not FIRMWARE.exists():
            raise MissingError(
                "A virtual micro:bit needs: sudo apt install qemu-system-arm firmware-microbit-micropython"
            )
        self._flash(blank)
        return ("microbit", qemu, str(FIRMWARE), str(self.state.resolve()))

    def _flash(self, blank: bool) -> Path:
        flash = self.state.resolve() / "flash.bin"
        self.fresh = not flash.exists()
        if blank:
            flash.unlink(missing_ok=True)
        return flash
