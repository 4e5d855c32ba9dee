"""A fake board behind the Port protocol: ATmega328P flash and a bootloader, with faults on request.

Both bootloaders are modelled in what matters to a client: how they parse, and that after a byte lost or
damaged only a reset helps. Erasing and writing a page are separate steps, so a cut can fall between them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

from host_sdk.boards import AVR_BOARDS, Avr

PAGE = 128
Fault = Callable[[int, int], int | None]
"""(index of the byte on the line, its value) -> the value that arrives, None when it is lost."""


def lookalikes(board: Avr) -> tuple[Avr, ...]:
    """The boards whose bootloader answers like this one's."""
    return tuple(
        other
        for other in AVR_BOARDS.values()
        if (other.bootloader.baud, other.signature) == (board.bootloader.baud, board.signature)
    )


class PowerCutError(Exception):
    """Ends the bootloader's coroutine at a flash step."""


class FakeBoard:
    """Serves one Port. Silent until reset through DTR, and again after it gave up."""

    def __init__(self, board: Avr, program: bytes = b"") -> None:
        self.board = board
        self.flash = bytearray(b"\xff") * board.flash_bytes
        self.flash[: len(program)] = program
        self.timeout: float | None = None
        self.write_timeout: float | None = None
        self.baudrate = board.baud
        self.control_lines = True
        self.to_board: Fault = lambda _, value: value
        self.to_host: Fault = lambda _, value: value
        self.stuck: dict[int, int] = {}  # flash byte -> the value it always has
        self.steps_left: int | None = None  # flash steps until the power fails
        self.unplug_on_cut = False
        self.resets = 0
        self.writes: list[int] = []  # page addresses, in order
        self.reads = 0
        self.steps = 0
        self.left = False
        self._out = bytearray()
        self._counts = [0, 0]
        self._powered = True
        self._rts = False
        self._dtr = True
        self._program: Iterator[None] | None = None
        self._inbox: list[int] = []

    # Port

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, level: bool) -> None:
        if not self.control_lines:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        if level and not self._dtr:
            self.reset()
        self._dtr = level

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, level: bool) -> None:
        self._rts = level

    def reset_input_buffer(self) -> None:
        self._check_cable()
        self._out.clear()

    def read(self, size: int, /) -> bytes:
        self._check_cable()
        data = bytes(self._out[:size])
        del self._out[:size]
        return data

    def write(self, data: bytes, /) -> int:
        self._check_cable()
        for value in data:
            arrived = self.to_board(self._counts[0], value)
            self._counts[0] += 1
            if arrived is not None and self._program and self._powered:
                if self.baudrate != self.board.bootloader.baud:
                    arrived ^= 0x5A
                self._inbox.append(arrived)
                try:
                    next(self._program)
                except StopIteration:
                    self._program = None
                except PowerCutError:
                    self._powered = False
        return len(data)

    # Board

    def reset(self) -> None:
        if self._powered:
            self.resets += 1
            self._inbox.clear()
            self._program = self._bootloader()
            next(self._program)

    def power_up(self) -> None:
        self._powered = True
        self.steps_left = None
        self._program = None
        self._out.clear()

    def _check_cable(self) -> None:
        if not self._powered and self.unplug_on_cut:
            raise OSError(errno.EIO, "Input/output error")

    def _step(self) -> None:
        self.steps += 1
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise PowerCutError
            self.steps_left -= 1

    def _answer(self, data: bytes) -> None:
        for value in data:
            arrived = self.to_host(self._counts[1], value)
            self._counts[1] += 1
            if arrived is not None:
                self._out.append(arrived)

    def _get(self) -> Iterator[None]:
        while not self._inbox:
            yield

    def _bootloader(self) -> Iterator[None]:
        """One optiboot life: returns where optiboot resets into the program."""
        address = 0
        while True:
            yield from self._get()
            command = self._inbox.pop(0)
            arguments = []
            for _ in range({0x55: 2, 0x64: 3, 0x74: 3, 0x41: 1, 0x56: 4}.get(command, 0)):
                yield from self._get()
                arguments.append(self._inbox.pop(0))
            page = []
            if command == 0x64:
                for _ in range(arguments[1] or 256):
                    yield from self._get()
                    page.append(self._inbox.pop(0))
            yield from self._get()
            if self._inbox.pop(0) != 0x20:
                return
            if command == 0x55:
                address = (arguments[0] | arguments[1] << 8) * 2 % 0x10000
            if command == 0x64:
                self._burn(address, bytes(page[:PAGE]))
            self._answer(b"\x14")
            if command == 0x74:
                self.reads += 1
                count = arguments[1] or 256
                self._answer(bytes(self._cell(address + i) for i in range(count)))
                address += count
            if command == 0x75:
                self._answer(self.board.signature)
            if command in (0x41, 0x56):
                self._answer(b"\x03")
            self._answer(b"\x10")
            if command == 0x51:
                self.left = True
                return

    def _cell(self, address: int) -> int:
        address %= len(self.flash)
        return self.stuck.get(address, self.flash[address])

    def _burn(self, address: int, page: bytes) -> None:
        start = address % len(self.flash) // PAGE * PAGE
        if start >= self.board.bootloader.address:
            return  # the lock bits of a board from the shop
        self.writes.append(start)
        self._step()
        self.flash[start : start + PAGE] = b"\xff" * PAGE
        self._step()
        self.flash[start : start + PAGE] = page.ljust(PAGE, b"\xff")
        self._step()
