"""The board as a program: `python -m host_sdk.sim.repl unix COMMAND...`, `… wasm COMMAND...` or
`… microbit QEMU FIRMWARE STATE`.

Stands between the host's pseudo-terminal and that of the REPL's process. The first line that it prints is the
path of the host's; afterwards each line on its standard input is answered by one, "ok ..." or "error ...". It ends with
its standard input.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import tty as tty_module
from collections.abc import Sequence

from host_sdk.sim.repl.bridge import Bridge
from host_sdk.sim.repl.machine import Machine, Microbit, Wasm

_STDIN, _STDOUT = 0, 1


class Board:
    """Carries bytes between the host's line and the machine, and answers the parent."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._master, self._slave = pty.openpty()
        tty_module.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.tty = os.ttyname(self._slave)
        self._bridge = Bridge(machine, self._master)
        self._commands = b""
        self.off = False

    def switch_off(self) -> None:
        """End at the next look at the lines."""
        self.off = True

    def work(self) -> None:
        """Until the board is switched off."""
        while not self.off:
            bridge = self._bridge
            ready, _, _ = select.select([_STDIN, *bridge.reads], bridge.writes, [], bridge.longest_wait_s)
            if _STDIN in ready:
                self._serve()
            bridge.carry(ready)

    def _serve(self) -> None:
        data = os.read(_STDIN, 4096)
        if not data:
            self.off = True
        self._commands += data
        while b"\n" in self._commands:
            line, _, self._commands = self._commands.partition(b"\n")
            tell(self._answer(line.decode()))

    def _answer(self, command: str) -> str:
        if command == "off":
            self.off = True
            return "ok"
        if command == "reset":
            termios.tcflush(self._master, termios.TCIOFLUSH)
            self._bridge.forget()
            self._machine.reset()
            return "ok"
        if command == "counters":
            return f"ok received={self._bridge.received} transmitted={self._bridge.transmitted}"
        return f"error There is no command {command}."


def tell(line: str) -> None:
    """One line to the parent."""
    os.write(_STDOUT, line.encode() + b"\n")


def machine_of(kind: str, words: Sequence[str]) -> Machine:
    """The machine that the command line asks for, running."""
    if kind == "microbit":
        return Microbit(*words)
    return Wasm(words) if kind == "wasm" else Machine(words)


def main(words: Sequence[str]) -> None:
    """Run a board until its parent ends it."""
    machine = machine_of(words[0], words[1:])
    board = Board(machine)
    signal.signal(signal.SIGTERM, lambda *_: board.switch_off())
    machine.await_output()
    tell(board.tty)
    try:
        board.work()
    except EOFError:
        return  # it ended by itself
    machine.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
