"""SLIP, in which Espressif's loaders frame their packets: C0 at both ends, DB escapes."""

from __future__ import annotations

END, ESCAPE = 0xC0, 0xDB
_ESCAPED = {0xDC: END, 0xDD: ESCAPE}
LONGEST = 0x10000
"""A longer packet is noise."""


def wrapped(packet: bytes) -> bytes:
    """The packet as it crosses the line."""
    return b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


class Unwrap:
    """Finds the packets in a stream of bytes; bytes between packets are noise."""

    def __init__(self) -> None:
        self._packet: bytearray | None = None
        self._escaped = False

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that these bytes complete."""
        packets = []
        for byte in data:
            if byte == END:
                if self._packet:
                    packets.append(bytes(self._packet))
                    self._packet = None
                else:
                    self._packet = bytearray()
                self._escaped = False
            elif self._packet is None:
                continue
            elif self._escaped:
                self._packet.append(_ESCAPED.get(byte, byte))
                self._escaped = False
            elif byte == ESCAPE:
                self._escaped = True
            elif len(self._packet) < LONGEST:
                self._packet.append(byte)
        return packets
