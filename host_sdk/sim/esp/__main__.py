"""The chip as a program: `python -m host_sdk.sim.esp BOARD FLASH CHIP BOOT [--spi FILE CHIP PINS] [--run COMMAND...]`.

FLASH is the file of the board's flash and CHIP its kind, BOOT `rom` or `app`; --spi is a second flash chip at PINS, as
SPI_ATTACH numbers them. COMMAND starts the MicroPython that stands for one in the flash. The first line that it prints
is the path of its serial port; afterwards each line on its standard input is answered by one, "ok ..." or "error ...".
It ends with its standard input.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import tty as tty_module
from argparse import REMAINDER, ArgumentParser
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from host_sdk.boards import ESP_BOARDS, Esp
from host_sdk.sim.esp.loader import Loader
from host_sdk.sim.esp.program import IMAGE, holds_micropython
from host_sdk.sim.esp.slip import Unwrap
from host_sdk.sim.repl.bridge import Bridge
from host_sdk.sim.repl.machine import Machine
from host_sdk.sim.w25q import W25q

_STDIN, _STDOUT = 0, 1
EN_RISES_S = 0.1
"""The capacitor at EN: if BOOT is pulled low meanwhile, the loader starts."""
ACKNOWLEDGED_TIMEOUT_S = 3.0


class Chip:
    """The chip on its serial line: its reset circuit, its boot messages, its loader, its program.

    `run` is the command of the MicroPython that starts where one is in the flash; none starts without it.
    """

    def __init__(self, board: Esp, chips: dict[int, W25q], boot: str, run: Sequence[str] = ()) -> None:
        self.off = False
        self._board, self._flash, self._run = board, chips[0], run
        self._master, self._slave = os.openpty()  # kept open, so that the line outlives its users
        tty_module.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.tty = os.ttyname(self._slave)
        self._loader = Loader(board, chips, self._send, self._acknowledged)
        self._unwrap = Unwrap()
        self._packets: list[bytes] = []
        self._loading = False
        self._machine: Machine | None = None
        self._bridge: Bridge | None = None
        self._held = False  # EN is low
        self._boots_at: float | None = None
        self._commands = b""
        self._boot(boot == "rom")
        if self._machine:
            self._machine.await_output()

    def work(self) -> None:
        """Until it is switched off."""
        while not self.off:
            bridge = self._bridge
            reads, writes = (bridge.reads, bridge.writes) if bridge else ([self._master], [])
            ready, _, _ = select.select([_STDIN, *reads], writes, [], self._longest_wait_s())
            if _STDIN in ready:
                self._serve()
            if self._boots_at is not None and time.monotonic() >= self._boots_at:
                self._boot(False)
            if bridge and bridge is self._bridge:
                self._carry(bridge, ready)
            elif self._master in ready and not self._bridge:
                self._receive()
            while self._packets:
                self._loader.take(self._packets.pop(0))
        self._stop()

    def _longest_wait_s(self) -> float | None:
        waits = [self._bridge.longest_wait_s] if self._bridge else []
        if self._boots_at is not None:
            waits.append(max(0.0, self._boots_at - time.monotonic()))
        return min(waits, default=None)

    # What it starts

    def _start(self) -> None:
        self._machine = Machine(self._run)
        self._bridge = Bridge(self._machine, self._master)

    def _carry(self, bridge: Bridge, ready: Collection[int]) -> None:
        try:
            bridge.carry(ready)
        except EOFError:
            self._stop()  # it ended as soon as it began, and would again

    def _stop(self) -> None:
        """As without supply: at once."""
        if self._machine:
            self._machine.stop()
        self._count()
        self._machine = self._bridge = None

    def _count(self) -> None:
        """The bytes of the program's line are the chip's."""
        if self._bridge:
            self._loader.counters.received += self._bridge.received
            self._loader.counters.transmitted += self._bridge.transmitted
            self._bridge.received = self._bridge.transmitted = 0

    def _boot(self, loading: bool) -> None:
        self._stop()
        self._boots_at = None
        self._loading = loading
        self._loader.counters.resets += 1
        self._loader.restart()
        self._packets.clear()
        name = "DOWNLOAD(USB/UART0)" if loading else "SPI_FAST_FLASH_BOOT"
        text = f"\r\nESP-ROM:{self._board.name}\r\nrst:0x1 (POWERON),boot:{'0x0' if loading else '0x8'} ({name})\r\n"
        if loading:
            text += "waiting for download\r\n"
        elif self._flash.read(self._board.firmware_address, 1)[0] != IMAGE:
            word = int.from_bytes(self._flash.read(self._board.firmware_address, 4), "little")
            text += f"invalid header: 0x{word:08x}\r\n"
        self._send(text.encode("ascii"))
        if not loading and self._run and holds_micropython(self._flash.read, self._board.firmware_address):
            self._start()

    # Its loader

    def _receive(self) -> None:
        data = os.read(self._master, 65536)
        self._loader.counters.received += len(data)
        if self._loading:
            self._packets += self._unwrap.feed(data)

    def _send(self, data: bytes) -> None:
        """Bytes for the host. What nobody reads is lost, as on a real line."""
        while data and select.select([], [self._master], [], ACKNOWLEDGED_TIMEOUT_S)[1]:
            with suppress(BlockingIOError):
                count = os.write(self._master, data[:4096])
                self._loader.counters.transmitted += count
                data = data[count:]

    def _acknowledged(self) -> int:
        """The host's count of bytes while it reads flash."""
        while not self._packets:
            if not select.select([self._master], [], [], ACKNOWLEDGED_TIMEOUT_S)[0]:
                raise ValueError("the host went away")
            self._receive()
        return int.from_bytes(self._packets.pop(0)[:4], "little")

    # Commands of the parent

    def _serve(self) -> None:
        data = os.read(_STDIN, 4096)
        if not data:
            self.off = True
        self._commands += data
        while b"\n" in self._commands:
            line, _, self._commands = self._commands.partition(b"\n")
            tell(self._obey(*line.decode().split()))

    def _obey(self, command: str, *words: str) -> str:
        if command == "off":
            self.off = True
            return "ok"
        if command == "reset":
            self._boot(False)
            return "ok"
        if command == "lines":
            self._lines(*(word == "1" for word in words))
            return "ok"
        if command == "program":
            return f"ok {self._machine is not None:d}"
        if command == "counters":
            self._count()
            return "ok " + " ".join(f"{name}={value}" for name, value in asdict(self._loader.counters).items())
        return f"error There is no command {command}."

    def _lines(self, dtr: bool, rts: bool) -> None:
        """The two transistors of a usual board: RTS alone pulls EN low, DTR alone BOOT."""
        held, boot = rts and not dtr, dtr and not rts
        if self._held and not held:
            self._boots_at = time.monotonic() + EN_RISES_S
        elif held:
            self._boots_at = None
            self._stop()
        self._held = held
        if boot and self._boots_at is not None:
            self._boot(True)


def tell(line: str) -> None:
    """One line to the parent."""
    os.write(_STDOUT, line.encode() + b"\n")


def main(arguments: list[str]) -> None:
    """Run a chip until its parent ends it."""
    signal.signal(signal.SIGTERM, lambda *_: os.close(_STDIN))
    parser = ArgumentParser()
    parser.add_argument("board", choices=ESP_BOARDS)
    parser.add_argument("flash", type=Path)
    parser.add_argument("chip")
    parser.add_argument("boot")
    parser.add_argument("--spi", nargs=3, default=())
    parser.add_argument("--run", nargs=REMAINDER, default=())
    given = parser.parse_args(arguments)
    chips = {0: W25q(given.flash, given.chip)}
    if given.spi:
        file, kind, pins = given.spi
        chips[int(pins)] = W25q(Path(file), kind)
    chip = Chip(ESP_BOARDS[given.board], chips, given.boot, given.run)
    tell(chip.tty)
    chip.work()


if __name__ == "__main__":
    main(sys.argv[1:])
