"""One frame on the serial line: 7E type seq payload crc_lo crc_hi 7E (docs/protocol.md; RFC 1662 style)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from host_sdk.model.crc import crc16
from host_sdk.spec.protocol import FRAME_ESCAPE, FRAME_FLAG, FRAME_HIGH, FRAME_XOR

_LONGEST = 2048
"""More raw bytes than any frame has: what is longer is noise."""
_OWN = frozenset({FRAME_FLAG, FRAME_ESCAPE, FRAME_HIGH})
_RESERVED = frozenset({*range(0x20), *_OWN, 0x7F})


@dataclass(frozen=True, slots=True)
class Frame:
    """A sound frame: type (an opcode), sequence number, payload."""

    type: int
    seq: int
    payload: bytes = b""


def encode(frame: Frame, seven_bit: bool = False, clean: bool = False) -> bytes:
    """The bytes on the line. On a 7-bit line a prefix stands before every byte with bit 7 set.

    On a clean line nobody takes a control character for a command: only the frame's own bytes are escaped.
    """
    reserved = _OWN if clean else _RESERVED
    body = bytes((frame.type, frame.seq)) + frame.payload
    body += crc16(body).to_bytes(2, "little")
    line = bytearray((FRAME_FLAG,))
    for byte in body:
        if seven_bit and byte & 0x80:
            line.append(FRAME_HIGH)
            byte &= 0x7F
        if byte in reserved:
            line += bytes((FRAME_ESCAPE, byte ^ FRAME_XOR))
        else:
            line.append(byte)
    line.append(FRAME_FLAG)
    return bytes(line)


class Decoder:
    """Finds sound frames in a stream of bytes; whatever else is there is skipped."""

    def __init__(self) -> None:
        self._raw: bytearray | None = None
        self.damaged = 0
        """Frames dropped for their CRC, since the start."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that end in `data`."""
        for byte in data:
            if byte == FRAME_FLAG:
                frame = self._close()
                # A flag that ends no sound frame begins one.
                self._raw = None if frame else bytearray()
                if frame:
                    yield frame
            elif self._raw is not None:
                self._raw.append(byte)
                if len(self._raw) > _LONGEST:
                    self._raw = None

    def _close(self) -> Frame | None:
        if not self._raw:
            return None
        body = _unescape(self._raw)
        if len(body) < 4 or crc16(body[:-2]) != int.from_bytes(body[-2:], "little"):
            self.damaged += 1
            return None
        return Frame(body[0], body[1], bytes(body[2:-2]))


def _unescape(raw: bytes | bytearray) -> bytes:
    body = bytearray()
    high = escaped = 0
    for byte in raw:
        if byte == FRAME_ESCAPE:
            escaped = FRAME_XOR
        elif byte == FRAME_HIGH:
            high = 0x80
        else:
            body.append(byte ^ escaped | high)
            high = escaped = 0
    return bytes(body)
