"""The serial loader in the chip's ROM, and the stub that esptool puts into its RAM, as the host sees them.

The stub that esptool sends is not run: from its start on the same loader answers as the stub does (shorter status,
binary MD5, erasing while it writes, fast reads). Packets and numbers: Espressif's "Serial Protocol" page.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from host_sdk.boards import Esp
from host_sdk.sim.esp.registers import MAPS, Registers
from host_sdk.sim.esp.slip import wrapped
from host_sdk.sim.w25q import SECTOR, W25q

SYNC_ANSWERS = 8
_CHECKSUM = 0xEF
_OK, _BAD_MESSAGE, _FAILED, _BAD_DATA = 0, 5, 6, 7  # why a command failed
_SYNC_VALUE = 0x20120707  # not 0, which is the stub's
_SLOW_BYTES = 64


@dataclass(slots=True)
class Counters:
    """What happened since the chip was switched on."""

    resets: int = 0
    received: int = 0  # bytes on the line
    transmitted: int = 0
    commands: int = 0
    refused: int = 0
    sectors_erased: int = 0
    bytes_written: int = 0
    bytes_read: int = 0


@dataclass(slots=True)
class _Write:
    """A write that has begun."""

    at: int  # the next byte's address
    left: int  # bytes
    erased_to: int
    inflate: zlib._Decompress | None


class Loader:
    """Answers packets. `send` puts bytes on the line, `acknowledged` waits for the host's count while it reads.

    `chips` has the flash chips by the pins that SPI_ATTACH names, 0 for the one of the board.
    """

    def __init__(
        self,
        board: Esp,
        chips: dict[int, W25q],
        send: Callable[[bytes], None],
        acknowledged: Callable[[], int],
    ) -> None:
        self.counters = Counters()
        self._board, self._chips, self._send, self._acknowledged = board, chips, send, acknowledged
        self.restart()

    def restart(self) -> None:
        """Into the ROM, with nothing attached."""
        self._is_stub = False
        self._registers = Registers(MAPS[self._board.name])
        self._registers.flash = self._chips[0] if self._board.name == "esp32" else None  # attached by its boot
        self._write: _Write | None = None

    def take(self, packet: bytes) -> None:
        """A packet from the host."""
        if len(packet) < 8 or packet[0] != 0:
            return
        _, op, length, checksum = struct.unpack_from("<BBHI", packet)
        data = packet[8:]
        self.counters.commands += 1
        work = _COMMANDS.get(op)
        stub_only = op in (0xD0, 0xD1, 0xD2)
        known = work and not (stub_only and not self._is_stub) and (op != 0x14 or self._board.name != "esp32")
        if len(data) != length or not known:
            self._answer(op, failure=_BAD_MESSAGE)
            return
        if op in (0x03, 0x07, 0x11):
            sum_ = _CHECKSUM
            for byte in data[16:]:
                sum_ ^= byte
            if sum_ != checksum & 0xFF:
                self._answer(op, failure=_BAD_DATA)
                return
        assert work
        try:
            work(self, op, data)
        except (struct.error, zlib.error, ValueError):
            self._answer(op, failure=_FAILED)

    def _answer(self, op: int, value: int = 0, data: bytes = b"", failure: int = _OK) -> None:
        self.counters.refused += bool(failure)
        status = bytes((bool(failure), failure)) + (b"" if self._is_stub else b"\0\0")
        body = b"" if failure else data
        self._send(wrapped(struct.pack("<BBHI", 1, op, len(body + status), value) + body + status))

    @property
    def _flash(self) -> W25q:
        if self._registers.flash is None:
            raise ValueError("no flash attached")
        return self._registers.flash

    # Commands

    def _sync(self, op: int, data: bytes) -> None:
        for _ in range(SYNC_ANSWERS):
            self._answer(op, value=0 if self._is_stub else _SYNC_VALUE)

    def _security_info(self, op: int, data: bytes) -> None:
        self._answer(op, data=struct.pack("<I8BII", 0, *bytes(8), self._board.chip_id, 0))

    def _read_register(self, op: int, data: bytes) -> None:
        self._answer(op, value=self._registers.read(*struct.unpack("<I", data)))

    def _write_register(self, op: int, data: bytes) -> None:
        for address, value, mask, _ in struct.iter_unpack("<IIII", data):
            self._registers.write(address, value, mask)
        self._answer(op)

    def _memory(self, op: int, data: bytes) -> None:
        self._answer(op)

    def _memory_end(self, op: int, data: bytes) -> None:
        stays, entry = struct.unpack("<II", data)
        self._answer(op)
        if entry and not stays:
            self._is_stub = True
            self._registers.flash = self._registers.flash or self._chips[0]
            self._send(wrapped(b"OHAI"))

    def _attach(self, op: int, data: bytes) -> None:
        (pins,) = struct.unpack_from("<I", data)
        self._registers.flash = self._chips.get(pins)
        self._answer(op)

    def _begin(self, op: int, data: bytes) -> None:
        size, _, _, at = struct.unpack_from("<IIII", data)
        if at + size > self._flash.size:
            raise ValueError("beyond the flash")
        inflate = zlib.decompressobj() if op == 0x10 else None
        self._write = _Write(at, size, at // SECTOR * SECTOR, inflate)
        if not self._is_stub:
            self._erase_to(at + size)  # the stub erases while it writes
        self._answer(op)

    def _data(self, op: int, data: bytes) -> None:
        if not self._write or (op == 0x11) != bool(self._write.inflate):
            raise ValueError("no write has begun")
        block = data[16:]
        block = (self._write.inflate.decompress(block) if self._write.inflate else block)[: self._write.left]
        self._erase_to(self._write.at + len(block))
        self._flash.program(self._write.at, block)
        self._write.at += len(block)
        self._write.left -= len(block)
        self.counters.bytes_written += len(block)
        self._answer(op)

    def _end(self, op: int, data: bytes) -> None:
        self._write = None
        self._answer(op)

    def _md5(self, op: int, data: bytes) -> None:
        at, count = struct.unpack_from("<II", data)
        digest = hashlib.md5(self._flash.read(at, count))
        self._answer(op, data=digest.digest() if self._is_stub else digest.hexdigest().encode("ascii"))

    def _read_slowly(self, op: int, data: bytes) -> None:
        at, count = struct.unpack("<II", data)
        self.counters.bytes_read += count
        self._answer(op, data=self._flash.read(at, min(count, _SLOW_BYTES)).ljust(_SLOW_BYTES, b"\0"))

    def _read(self, op: int, data: bytes) -> None:
        """Blocks one behind the other, at most `window` of them not yet acknowledged, then their MD5."""
        at, count, block, window = struct.unpack("<IIII", data)
        content = self._flash.read(at, count)
        self._answer(op)
        sent = had = 0
        while had < count:
            while sent < count and sent - had < window * block:
                self._send(wrapped(content[sent : sent + block]))
                sent = min(sent + block, count)
            had = self._acknowledged()
        self.counters.bytes_read += count
        self._send(wrapped(hashlib.md5(content).digest()))

    def _erase_all(self, op: int, data: bytes) -> None:
        self._flash.erase(0, self._flash.size)
        self.counters.sectors_erased += self._flash.size // SECTOR
        self._answer(op)

    def _erase_region(self, op: int, data: bytes) -> None:
        at, count = struct.unpack("<II", data)
        if at % SECTOR or count % SECTOR:
            raise ValueError("not whole sectors")
        self._flash.erase(at, count)
        self.counters.sectors_erased += count // SECTOR
        self._answer(op)

    def _erase_to(self, end: int) -> None:
        assert self._write
        while self._write.erased_to < end:
            self._flash.erase(self._write.erased_to, SECTOR)
            self._write.erased_to += SECTOR
            self.counters.sectors_erased += 1


_COMMANDS: dict[int, Callable[[Loader, int, bytes], None]] = {
    0x02: Loader._begin,
    0x03: Loader._data,
    0x04: Loader._end,
    0x05: Loader._memory,
    0x06: Loader._memory_end,
    0x07: Loader._memory,
    0x08: Loader._sync,
    0x09: Loader._write_register,
    0x0A: Loader._read_register,
    0x0B: Loader._memory,  # parameters of the flash chip, which knows its own
    0x0D: Loader._attach,
    0x0E: Loader._read_slowly,
    0x0F: Loader._memory,  # the baud rate, which this line does not have
    0x10: Loader._begin,
    0x11: Loader._data,
    0x12: Loader._end,
    0x13: Loader._md5,
    0x14: Loader._security_info,
    0xD0: Loader._erase_all,
    0xD1: Loader._erase_region,
    0xD2: Loader._read,
}
