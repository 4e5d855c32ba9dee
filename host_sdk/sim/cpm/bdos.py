"""CP/M 2.2 as programs see it: the BDOS functions and the BIOS's console, with their traps.

Each function is a generator. It yields while it waits, for so many T-states of the machine's clock, and returns what
BDOS returns in HL: A = L and B = H, and DE is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NoReturn

from host_sdk.sim.cpm.core import Core
from host_sdk.sim.cpm.disk import EXTENT_RECORDS, RECORD_BYTES, Disk, Extent
from host_sdk.sim.cpm.line import Line

Call = Generator[int, None, int]

CALL_TICKS = 400
"""BDOS's own work in a call, roughly; it is never counted as the program's."""
POLL_TICKS = 1000
"""Between two looks for a character while BDOS waits for one."""
VERSION = 0x0022
DEFAULT_DMA = 0x0080

CTRL_C, CTRL_E, CTRL_H, TAB, LF, CR, CTRL_R, CTRL_S, CTRL_U, CTRL_X, DELETE = (
    0x03, 0x05, 0x08, 0x09, 0x0A, 0x0D, 0x12, 0x13, 0x15, 0x18, 0x7F,
)  # fmt: skip
_NOT_FOUND = 0xFF
_END_OF_DATA = 1
_NO_SPACE = 2
_OUT_OF_RANGE = 6


class WarmBootError(Exception):
    """The program ended: CP/M starts again."""


class Bdos:
    """The functions by number, on one core, line and disk. `now` is the machine's clock."""

    def __init__(self, core: Core, line: Line, disk: Disk, now: Callable[[], int], disk_ticks: int) -> None:
        self._core = core
        self._memory = core.memory
        self._line = line
        self._disk = disk
        self._now = now
        self._disk_ticks = disk_ticks
        self.idle = False
        """Set when a program asked for a character in vain."""
        self.reset()
        self._functions: dict[int, Callable[[int], Call]] = {
            1: self._console_input, 2: self._console_output, 3: self._reader, 4: self._nothing, 5: self._nothing,
            6: self._direct, 7: self._get_iobyte, 8: self._set_iobyte, 9: self._print, 10: self._read_line,
            11: self._console_status, 12: self._version, 13: self._reset_disks, 14: self._select, 15: self._open,
            16: self._close, 17: self._search_first, 18: self._search_next, 19: self._delete,
            20: self._read_next, 21: self._write_next, 22: self._make, 23: self._rename, 24: self._login,
            25: self._current, 26: self._set_dma, 29: self._nothing, 32: self._user, 33: self._read_at,
            34: self._write_at, 35: self._size, 36: self._set_random, 40: self._write_at,
        }  # fmt: skip

    def reset(self) -> None:
        """What a warm boot does."""
        self.dma = DEFAULT_DMA
        self._ahead = 0
        self._column = 0
        self._user_number = 0
        self._matches: list[Extent] = []

    def call(self) -> Generator[int, None, None]:
        """Perform the function in C with DE; returns to the program."""
        cpu = self._core.cpu
        number, argument = cpu.c, cpu.de
        if number == 0:
            raise WarmBootError
        yield CALL_TICKS
        function = self._functions.get(number)
        result = (yield from function(argument)) if function else 0
        cpu.hl = result & 0xFFFF
        cpu.a, cpu.b = cpu.l, cpu.h
        cpu.de = 0xDEDE  # nobody may rely on it
        cpu.f = 0xFF
        self._core.ret()

    # BIOS console

    def bios_status(self) -> bool:
        """CONST."""
        return self._line.ready(self._now())

    def bios_input(self) -> Call:
        """CONIN: waits."""
        while not self.bios_status():
            self.idle = True
            yield POLL_TICKS
        return self._line.take()

    def bios_output(self, character: int) -> Call:
        """CONOUT: waits for the transmitter."""
        yield self._line.send_ticks(self._now())
        self._line.send(character, self._now())
        return 0

    # Console functions

    def _direct(self, argument: int) -> Call:
        """6: neither knows nor fills the look-ahead character."""
        character = argument & 0xFF
        if character == 0xFF:
            if not self.bios_status():
                self.idle = True
                return 0
            return (yield from self.bios_input())
        if character == 0xFE:
            return 0xFF if self.bios_status() else 0
        return (yield from self.bios_output(character))

    def _console_input(self, _: int) -> Call:
        character = yield from self._input()
        if character >= 0x20 or character in (CR, LF, TAB, CTRL_H):
            yield from self._tab_out(character)
        return character

    def _console_output(self, argument: int) -> Call:
        yield from self._tab_out(argument & 0xFF)
        return 0

    def _print(self, address: int) -> Call:
        while (character := int(self._memory[address])) != ord("$"):
            yield from self._tab_out(character)
            address = (address + 1) & 0xFFFF
        return 0

    def _console_status(self, _: int) -> Call:
        found = yield from self._look_ahead()
        self.idle = self.idle or not found
        return 1 if found else 0

    def _read_line(self, address: int) -> Call:
        limit = int(self._memory[address])
        line = yield from self.edit(limit)
        self._memory[address + 1] = len(line)
        self._memory[address + 2 : address + 2 + len(line)] = line
        return 0

    def edit(self, limit: int) -> Generator[int, None, bytes]:
        """A line typed with CP/M's editing keys, at most `limit` characters."""
        line = bytearray()
        start = self._column
        while len(line) < limit:
            character = (yield from self._input()) & 0x7F
            if character in (CR, LF):
                break
            if character == CTRL_C and not line:
                yield from self._out(ord("^"))
                yield from self._out(ord("C"))
                raise WarmBootError
            if character == CTRL_H:
                if line:
                    line.pop()
                    for erase in (8, 0x20, 8):
                        yield from self._out(erase)
            elif character == DELETE:
                if line:
                    yield from self._tab_out(line.pop())
            elif character in (CTRL_U, CTRL_X):
                for shown in (ord("#"), CR, LF, *[0x20] * start):
                    yield from self._out(shown)
                line.clear()
            elif character == CTRL_R:
                for shown in (ord("#"), CR, LF, *[0x20] * start, *line):
                    yield from self._out(shown)
            elif character == CTRL_E:
                for shown in (CR, LF):
                    yield from self._out(shown)
            else:
                line.append(character)
                if character < 0x20 and character != TAB:
                    yield from self._out(ord("^"))
                    yield from self._out(character + 0x40)
                else:
                    yield from self._tab_out(character)
        yield from self._out(CR)
        return bytes(line)

    def say(self, text: bytes) -> Generator[int, None, None]:
        """Show a text."""
        for character in text:
            yield from self._tab_out(character)

    def _input(self) -> Call:
        if self._ahead:
            character, self._ahead = self._ahead, 0
            return character
        return (yield from self.bios_input())

    def _look_ahead(self) -> Generator[int, None, bool]:
        """Whether a character waits; it is taken from the line and kept. ^S waits for the next one, ^C then boots."""
        if self._ahead:
            return True
        if not self.bios_status():
            return False
        character = yield from self.bios_input()
        if character == CTRL_S:
            if (yield from self.bios_input()) == CTRL_C:
                raise WarmBootError
            return False
        self._ahead = character
        return True

    def _out(self, character: int) -> Generator[int, None, None]:
        yield from self._look_ahead()
        yield from self.bios_output(character)
        if character == CR:
            self._column = 0
        elif character == CTRL_H:
            self._column = max(0, self._column - 1)
        elif 0x20 <= character < DELETE:
            self._column += 1

    def _tab_out(self, character: int) -> Generator[int, None, None]:
        if character != TAB:
            yield from self._out(character)
            return
        yield from self._out(0x20)
        while self._column % 8:
            yield from self._out(0x20)

    def _reader(self, _: int) -> Call:
        yield POLL_TICKS
        return 0x1A  # no reader is connected: end of file

    def _nothing(self, _: int) -> Call:
        yield POLL_TICKS
        return 0

    # System functions

    def _get_iobyte(self, _: int) -> Call:
        yield 0
        return int(self._memory[3])

    def _set_iobyte(self, argument: int) -> Call:
        yield 0
        self._memory[3] = argument & 0xFF
        return 0

    def _version(self, _: int) -> Call:
        yield 0
        return VERSION

    def _reset_disks(self, _: int) -> Call:
        yield self._disk_ticks
        self.dma = DEFAULT_DMA
        return 0

    def _select(self, argument: int) -> Call:
        if argument & 0xFF:
            yield from self._no_drive(argument & 0xFF)
        yield 0
        return 0

    def _login(self, _: int) -> Call:
        yield 0
        return 1

    def _current(self, _: int) -> Call:
        yield 0
        return 0

    def _set_dma(self, argument: int) -> Call:
        yield 0
        self.dma = argument
        return 0

    def _user(self, argument: int) -> Call:
        yield 0
        if argument & 0xFF == 0xFF:
            return self._user_number
        self._user_number = argument & 0x1F
        return 0

    # Files. A file control block: drive 0, name 1, extent 12, module 14, records 15, record 32, random record 33.

    def _name(self, fcb: int) -> Generator[int, None, bytes]:
        drive = int(self._memory[fcb])
        if drive > 1:
            yield from self._no_drive(drive - 1)
        return bytes(byte & 0x7F for byte in self._memory[fcb + 1 : fcb + 12])

    def _no_drive(self, drive: int) -> Generator[int, None, NoReturn]:
        yield from self.say(b"\r\nBdos Err On %c: Select" % (0x41 + (drive & 15)))
        yield from self._input()
        raise WarmBootError

    def _open(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        found = self._disk.find(name)
        if not found:
            return _NOT_FOUND
        self._memory[fcb + 1 : fcb + 12] = found[0]
        self._memory[fcb + 14] = 0x80  # module 0, unchanged so far
        self._count_records(fcb, found[0])
        return 0

    def _close(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        return 0 if self._disk.exists(name) else _NOT_FOUND

    def _make(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        if not self._disk.make(name):
            return _NOT_FOUND
        self._memory[fcb + 12 : fcb + 32] = bytes(20)
        return 0

    def _delete(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        return 0 if self._disk.delete(name) else _NOT_FOUND

    def _rename(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        new = bytes(byte & 0x7F for byte in self._memory[fcb + 17 : fcb + 28])
        return 0 if self._disk.rename(name, new) else _NOT_FOUND

    def _search_first(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        self._matches = list(self._disk.extents(name, int(self._memory[fcb + 12])))
        return (yield from self._search_next(fcb))

    def _search_next(self, _: int) -> Call:
        """Four directory entries lie in a record; the answer says which of them is meant."""
        yield self._disk_ticks
        if not self._matches:
            return _NOT_FOUND
        extent = self._matches.pop(0)
        place = len(self._matches) % 4
        entry = bytes((0, *extent.name, extent.number, 0, 0, extent.records)).ljust(32, b"\0")
        self._memory[self.dma : self.dma + RECORD_BYTES] = b"\xe5" * RECORD_BYTES
        self._memory[self.dma + 32 * place : self.dma + 32 * place + 32] = entry
        return place

    def _read_next(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        data = self._disk.read(name, self._position(fcb))
        if data is None:
            return _END_OF_DATA
        self._memory[self.dma : self.dma + RECORD_BYTES] = data
        self._advance(fcb, name)
        return 0

    def _write_next(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        if not self._store(name, self._position(fcb)):
            return _NO_SPACE
        self._advance(fcb, name)
        return 0

    def _read_at(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        if self._memory[fcb + 35]:
            return _OUT_OF_RANGE
        record = self._core.word(fcb + 33)
        self._set_position(fcb, record)
        data = self._disk.read(name, record)
        if data is None:
            return _END_OF_DATA
        self._memory[self.dma : self.dma + RECORD_BYTES] = data
        return 0

    def _write_at(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        if self._memory[fcb + 35]:
            return _OUT_OF_RANGE
        record = self._core.word(fcb + 33)
        self._set_position(fcb, record)
        return 0 if self._store(name, record) else _NO_SPACE

    def _size(self, fcb: int) -> Call:
        name = yield from self._name(fcb)
        yield self._disk_ticks
        records = self._disk.records(name) if self._disk.exists(name) else 0
        self._memory[fcb + 33 : fcb + 36] = records.to_bytes(3, "little")
        return 0 if self._disk.exists(name) else _NOT_FOUND

    def _set_random(self, fcb: int) -> Call:
        yield 0
        self._memory[fcb + 33 : fcb + 36] = self._position(fcb).to_bytes(3, "little")
        return 0

    def _store(self, name: bytes, record: int) -> bool:
        return self._disk.write(name, record, bytes(self._memory[self.dma : self.dma + RECORD_BYTES]))

    def _position(self, fcb: int) -> int:
        module = int(self._memory[fcb + 14]) & 0x0F
        extent = module * 32 + (int(self._memory[fcb + 12]) & 0x1F)
        return extent * EXTENT_RECORDS + int(self._memory[fcb + 32])

    def _set_position(self, fcb: int, record: int) -> None:
        extent, self._memory[fcb + 32] = divmod(record, EXTENT_RECORDS)
        self._memory[fcb + 14], self._memory[fcb + 12] = divmod(extent, 32)

    def _advance(self, fcb: int, name: bytes) -> None:
        self._set_position(fcb, self._position(fcb) + 1)
        self._count_records(fcb, name)

    def _count_records(self, fcb: int, name: bytes) -> None:
        first = self._position(fcb) // EXTENT_RECORDS * EXTENT_RECORDS
        self._memory[fcb + 15] = max(0, min(EXTENT_RECORDS, self._disk.records(name) - first))
