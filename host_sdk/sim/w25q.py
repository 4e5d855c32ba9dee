"""A serial NOR flash chip of Winbond's W25Q family, byte by byte as the wires see it; its content is a file.

The same file serves the chip of virtual AVR boards, whose model is host_sdk/sim/avr/w25q.c. Commands and times:
datasheets W25Q80DV to W25Q128JV. Not modelled: dual and quad transfers, protection, suspend, 4-byte addresses.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from pathlib import Path

from host_sdk.sim.part import CHIPS, FlashChip

PAGE, SECTOR, BLOCK = 256, 4096, 65536
ERASED = 0xFF
_BUSY, _ENABLED = 1, 2  # bits of status register 1
_IDS = {"at45db321": b"\x1f\x27\x01"}
_SFDP = b"SFDP"
_ERASES = {0x20: SECTOR, 0x52: 32768, 0xD8: BLOCK, 0xC7: 0, 0x60: 0}  # opcode: bytes, 0 for all
_BUSY_S = {PAGE: 0.0004, SECTOR: 0.045, 32768: 0.12, BLOCK: 0.15}
_CHIP_S_PER_MB = 2.5


class W25q:
    """A chip on a bus: select(), exchange() any bytes, deselect(). FileError when the file cannot be its content.

    `clock` tells the time in seconds while something is erased or programmed.
    """

    def __init__(self, file: Path, chip: str = "w25q32", clock: Callable[[], float] = time.monotonic) -> None:
        FlashChip(file, chip).words()  # creates the file, or refuses it
        self.size = CHIPS[chip]
        self.programmed = self.erased = self.ignored = 0
        """Pages, erase commands, and commands that it did not obey."""
        self._id = _IDS.get(chip) or bytes((0xEF, 0x40, self.size.bit_length() - 1)) if self.size else b"\xff\xff\xff"
        self._clock = clock
        self._busy_until = 0.0
        self._enabled = self._asleep = self._selected = False
        self._sent = bytearray()
        if self.size:
            with file.open("r+b") as opened:
                self._memory = mmap.mmap(opened.fileno(), 0)

    def close(self) -> None:
        """Let the file go."""
        if self.size:
            self._memory.close()

    # The wires

    def select(self) -> None:
        """Chip select goes low: a command begins."""
        self._selected = True
        self._sent.clear()

    def deselect(self) -> None:
        """Chip select goes high: what was sent takes effect."""
        if self._selected and self._sent and self.size:
            self._act(bytes(self._sent))
        self._selected = False

    def exchange(self, out: bytes) -> bytes:
        """As many bytes in as out; FF where the chip lets the wire float."""
        if not self._selected or not self.size:
            return b"\xff" * len(out)
        start = len(self._sent)
        self._sent += out
        return self._answer(start, len(out))

    # The memory, for whoever has it on other wires

    def read(self, address: int, count: int) -> bytes:
        """The content, from any address on."""
        return self._memory[address : address + count]

    def program(self, address: int, data: bytes) -> None:
        """Clear bits, as programming does."""
        held = self._memory[address : address + len(data)]
        self._memory[address : address + len(data)] = bytes(a & b for a, b in zip(held, data, strict=True))

    def erase(self, address: int, count: int) -> None:
        """All bits of these bytes are 1."""
        self._memory[address : address + count] = b"\xff" * count

    # Commands

    def _answer(self, start: int, count: int) -> bytes:
        command = self._sent[0]
        if self._deaf(command):
            return b"\xff" * count
        if command == 0x05:
            return bytes([self._status()]) * count
        if command in (0x03, 0x0B):
            return self._stream(4 if command == 0x03 else 5, start, count)
        if command == 0x9F:
            answers = b"\xff" + self._id
        elif command == 0xAB:
            answers = b"\xff" * 4 + bytes([self._id[2] - 1])
        elif command == 0x5A:
            answers = b"\xff" * 5 + (_SFDP if self._address() == 0 else b"")
        elif command in (0x35, 0x15):
            answers = b"\xff\0"
        else:
            answers = b""
        return answers[start : start + count].ljust(count, b"\xff")

    def _stream(self, header: int, start: int, count: int) -> bytes:
        """A read command's bytes `start` … of the exchange; the memory follows its header, over and over."""
        silent = min(count, max(0, header - start))
        at = self._address() + max(0, start - header)
        data = bytearray()
        while len(data) < count - silent:
            begin = (at + len(data)) % self.size
            data += self._memory[begin : begin + count - silent - len(data)]
        return b"\xff" * silent + bytes(data)

    def _act(self, sent: bytes) -> None:
        command = sent[0]
        if self._deaf(command) or (command in (0x02, *_ERASES) and not self._enabled):
            self.ignored += 1
        elif command in (0x06, 0x04) and len(sent) == 1:
            self._enabled = command == 0x06
        elif command in (0xB9, 0xAB):
            self._asleep = command == 0xB9
        elif command == 0x02 and len(sent) > 4:
            self._program_page(sent[4:])
        elif command in _ERASES and len(sent) == (4 if _ERASES[command] else 1):
            count = _ERASES[command]
            self.erase(self._address() // count * count if count else 0, count or self.size)
            self.erased += 1
            self._work(_BUSY_S[count] if count else _CHIP_S_PER_MB * self.size / 1e6)

    def _program_page(self, data: bytes) -> None:
        """Bytes behind the page's end go to its start, and only the last 256 count."""
        address = self._address()
        start = address // PAGE * PAGE
        page = bytearray(b"\xff" * PAGE)
        for offset in range(max(0, len(data) - PAGE), len(data)):
            page[(address + offset) % PAGE] = data[offset]
        self.program(start, bytes(page))
        self.programmed += 1
        self._work(_BUSY_S[PAGE])

    def _work(self, seconds: float) -> None:
        self._enabled = False
        self._busy_until = self._clock() + seconds

    def _deaf(self, command: int) -> bool:
        return (self._busy() and command != 0x05) or (self._asleep and command != 0xAB)

    def _busy(self) -> bool:
        return self._clock() < self._busy_until

    def _status(self) -> int:
        return _BUSY | _ENABLED if self._busy() else _ENABLED if self._enabled else 0

    def _address(self) -> int:
        return int.from_bytes(self._sent[1:4], "big") % self.size
