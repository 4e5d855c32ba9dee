"""A W25Q-class SPI flash chip on any bus: identify it, read it, write it and compare.

Which chips are taken, and how they are spoken to, is as in device/offload_sd/w25q.c: any maker, 64 KB to 16 MB, single
SPI. Times and commands: datasheets W25Q80DV to W25Q128JV.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from host_sdk.errors import BoardError

Progress = Callable[[int, int], None]

PAGE, SECTOR, BLOCK = 256, 4096, 65536
CAPACITIES = range(0x10, 0x19)
"""The id's third byte n says 2^n bytes; more than 16 MB need addresses of four bytes."""
LATCH_TIMEOUT_S = 0.05
"""After power-up a chip refuses writes for 10 ms."""
PROGRAM_TIMEOUT_S, ERASE_TIMEOUT_S = 0.1, 6.0
"""A page takes 3 ms, 64 KB 2 s at the most."""
READ_BYTES = 4096
_WAKE_S = 0.00005
_PROGRAM, _READ, _STATUS, _ENABLE, _ERASE_4K, _ERASE_64K, _ID, _WAKE, _SLEEP = (
    0x02,
    0x03,
    0x05,
    0x06,
    0x20,
    0xD8,
    0x9F,
    0xAB,
    0xB9,
)
_BUSY, _LATCH = 1, 2


class Bus(Protocol):
    """A bus with the chip on it."""

    def transfer(self, out: bytes, count: int = 0) -> bytes:
        """Select the chip, send `out`, receive `count` bytes, deselect it. OSError when the bus is gone."""


class W25qChip:
    """An awake chip. BoardError when none answers, or one that the boards could not read."""

    def __init__(self, bus: Bus, where: str) -> None:
        """`where` names the place for sentences, such as "the SPI bus of this computer"."""
        self._bus, self._where = bus, where
        bus.transfer(bytes([_WAKE]))
        time.sleep(_WAKE_S)
        self.jedec_id = bus.transfer(bytes([_ID]), 3)
        """Maker, type, capacity."""
        check_id(self.jedec_id, where)
        self.flash_bytes = 1 << self.jedec_id[2]

    def sleep(self) -> None:
        """Power the chip down to a microampere, as it sleeps between replies on a board."""
        self._bus.transfer(bytes([_SLEEP]))

    def read(self, address: int, count: int, progress: Progress | None = None) -> bytes:
        """Bytes from any address on."""
        data = b""
        while len(data) < count:
            data += self._bus.transfer(_command(_READ, address + len(data)), min(READ_BYTES, count - len(data)))
            if progress:
                progress(len(data), count)
        return data

    def write(self, address: int, data: bytes, progress: Progress | None = None) -> None:
        """Erase the sectors that these bytes touch, program them, and compare; `address` begins a sector.

        BoardError when they read back differently: the chip is worn or protected.
        """
        if address % SECTOR:
            raise ValueError(f"0x{address:X} does not begin a sector")
        end = address + -(-len(data) // SECTOR) * SECTOR
        at = address
        while at < end:
            step = BLOCK if at % BLOCK == 0 and at + BLOCK <= end else SECTOR
            part = data[at - address : at - address + step]
            self._erase(at, step)
            for offset in range(0, len(part), PAGE):
                self._program(at + offset, part[offset : offset + PAGE])
            if self.read(at, len(part)) != part:
                raise BoardError(
                    f"The flash chip on {self._where} reads back differently at 0x{at:06X} than it was written; check "
                    "its wires and its supply, and that its pin WP is high; if it stays so, the chip is worn out."
                )
            at += step
            if progress:
                progress(min(at - address, len(data)), len(data))

    def _erase(self, address: int, count: int) -> None:
        if all(self.read(at, READ_BYTES) == b"\xff" * READ_BYTES for at in range(address, address + count, READ_BYTES)):
            return
        self._enable()
        self._bus.transfer(_command(_ERASE_64K if count == BLOCK else _ERASE_4K, address))
        self._wait(ERASE_TIMEOUT_S)

    def _program(self, address: int, page: bytes) -> None:
        if page.strip(b"\xff"):
            self._enable()
            self._bus.transfer(_command(_PROGRAM, address) + page)
            self._wait(PROGRAM_TIMEOUT_S)

    def _enable(self) -> None:
        deadline = time.monotonic() + LATCH_TIMEOUT_S
        while True:
            self._bus.transfer(bytes([_ENABLE]))
            if self._status() & (_LATCH | _BUSY) == _LATCH:
                return
            if time.monotonic() > deadline:
                raise BoardError(
                    f"The flash chip on {self._where} refuses to be written; check its supply and that its pins WP and "
                    "HOLD are high."
                )

    def _wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._status() & _BUSY:
            if time.monotonic() > deadline:
                raise BoardError(f"The flash chip on {self._where} is never ready again; check its wires, try again.")

    def _status(self) -> int:
        return self._bus.transfer(bytes([_STATUS]), 1)[0]


def check_id(jedec_id: bytes, where: str) -> None:
    """BoardError unless it is that of a chip which the boards can read."""
    if jedec_id in (b"\0\0\0", b"\xff\xff\xff"):
        raise BoardError(f"No flash chip answers on {where}; check its wires, its supply, and the chip select.")
    if jedec_id[2] not in CAPACITIES:
        raise BoardError(
            f"The chip on {where} has the JEDEC id {jedec_id.hex(' ').upper()}, which is no serial flash of 64 KB to "
            "16 MB that μLM's boards can read; take a W25Q16 to W25Q128, or one that is compatible."
        )


def _command(opcode: int, address: int) -> bytes:
    return bytes([opcode]) + address.to_bytes(3, "big")
