"""The registers that esptool reads and writes: efuses as presets, and the controller of the SPI flash, which works."""

from __future__ import annotations

from dataclasses import dataclass, field

from host_sdk.sim.w25q import W25q

_START = 1 << 18  # SPI_CMD_REG: run the user-defined command
_ADDRESS, _DUMMY, _MISO, _MOSI = 1 << 30, 1 << 29, 1 << 28, 1 << 27  # SPI_USER_REG: phases it has


@dataclass(frozen=True, slots=True)
class Map:
    """Where a chip has its SPI controller, and what its other registers hold (efuses: MAC, revision)."""

    spi: int  # base address; the rest are offsets
    user: int
    user1: int
    user2: int
    mosi_bits: int
    miso_bits: int
    data: int
    address_at_top: bool  # the address's first bit is bit 31
    presets: dict[int, int] = field(default_factory=dict)


# The base MAC address is that of no real chip: its second bit says so.
MAPS = {
    "esp32": Map(
        0x3FF42000,
        0x1C,
        0x20,
        0x24,
        0x28,
        0x2C,
        0x80,
        True,
        {
            0x40001000: 0x00F01D83,  # by which esptool knows the chip
            0x3FF5A004: 0x1D005E01,
            0x3FF5A008: 0x00000200,
            0x3FF5A00C: 1 << 15,  # revision 3
            0x3FF5A014: 1 << 20,
            0x3FF6607C: 1 << 31,
        },
    ),
    "esp32s3": Map(
        0x60002000,
        0x18,
        0x1C,
        0x20,
        0x24,
        0x28,
        0x58,
        False,
        {0x60007044: 0x1D005E01, 0x60007048: 0x00000200, 0x60007050: 2 << 18},
    ),
}


class Registers:
    """All of the chip's registers; `flash` is what the SPI controller is attached to, None for nothing."""

    def __init__(self, layout: Map) -> None:
        self.flash: W25q | None = None
        self._map = layout
        self._values = dict(layout.presets)

    def read(self, address: int) -> int:
        """A word; 0 where nothing was written."""
        return self._values.get(address, 0)

    def write(self, address: int, value: int, mask: int) -> None:
        """A word, or the bits of it that the mask has."""
        self._values[address] = self.read(address) & ~mask | value & mask
        if address == self._map.spi and value & _START:
            self._run()
            self._values[address] &= ~_START

    def _run(self) -> None:
        """One command on the SPI bus: opcode, address, dummy bits, data out, data in."""
        flags, lengths = self._spi(self._map.user), self._spi(self._map.user1)
        out = bytes([self._spi(self._map.user2) & 0xFF])
        if flags & _ADDRESS:
            bits = (lengths >> 26) + 1
            address = self._spi(4) >> (32 - bits) if self._map.address_at_top else self._spi(4)
            out += (address & ((1 << bits) - 1)).to_bytes(bits // 8, "big")
        if flags & _DUMMY:
            out += bytes(((lengths & 0xFF) + 1) // 8)
        if flags & _MOSI:
            count = (self._spi(self._map.mosi_bits) + 8) // 8
            words = [self._spi(self._map.data + at) for at in range(0, count, 4)]
            out += b"".join(word.to_bytes(4, "little") for word in words)[:count]
        count = (self._spi(self._map.miso_bits) + 8) // 8 if flags & _MISO else 0
        got = b"\xff" * count
        if self.flash:
            self.flash.select()
            got = self.flash.exchange(out + b"\xff" * count)[len(out) :]
            self.flash.deselect()
        for at in range(0, count, 4):
            word = got[at : at + 4].ljust(4, b"\0")
            self._values[self._map.spi + self._map.data + at] = int.from_bytes(word, "little")

    def _spi(self, offset: int) -> int:
        return self.read(self._map.spi + offset)
