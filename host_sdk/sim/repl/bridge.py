"""Bytes between the host's pseudo-terminal and a machine, in both directions, none waiting for the other."""

from __future__ import annotations

import os
from collections.abc import Collection

from host_sdk.sim.repl.machine import Machine

_RAW_PASTE, _NO_RAW_PASTE = b"\x05A\x01", b"R\x00"
"""Asked for, and declined: a program that came so cannot be interrupted in the Unix port of MicroPython."""
_KEPT_BYTES = 4096
"""What waits for a reader, or for a machine that is busy."""


class Bridge:
    """Between `line`, the file of the host's pseudo-terminal, which does not block, and a machine."""

    def __init__(self, machine: Machine, line: int) -> None:
        self._machine, self._line = machine, line
        self._to_board = self._to_host = b""
        self.received = self.transmitted = 0

    @property
    def reads(self) -> list[int]:
        """Files to be waited for until they can be read."""
        return [self._machine.fd] + ([self._line] if len(self._to_board) < _KEPT_BYTES else [])

    @property
    def writes(self) -> list[int]:
        """Files to be waited for until they can be written."""
        return [self._line] if self._to_host else []

    @property
    def longest_wait_s(self) -> float:
        """Until carry() is due in any case: what the machine does not take at once it is offered again."""
        return 0.001 if self._to_board else 0.1

    def carry(self, ready: Collection[int]) -> None:
        """Take what there is on the files that are ready, and give what is taken. EOFError: the machine has ended."""
        if self._line in ready:
            self._to_board += self._take()
            if _RAW_PASTE in self._to_board:
                self._to_board = self._to_board.replace(_RAW_PASTE, b"")
                self._to_host += _NO_RAW_PASTE
        if self._to_board:
            self._to_board = self._to_board[self._machine.write(self._to_board) :]
        if self._machine.fd in ready:
            data = self._machine.read()
            self.transmitted += len(data)
            self._to_host += data
        self._give()

    def forget(self) -> None:
        """What is under way is lost, as in a reset."""
        self._to_board = self._to_host = b""

    def _take(self) -> bytes:
        try:
            data = os.read(self._line, 4096)
        except OSError:
            return b""
        self.received += len(data)
        return data

    def _give(self) -> None:
        if self._to_host:
            try:
                self._to_host = self._to_host[os.write(self._line, self._to_host) :]
            except OSError:  # nobody reads
                self._to_host = self._to_host[-_KEPT_BYTES:]
