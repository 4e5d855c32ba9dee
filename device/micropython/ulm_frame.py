"""Frames in and out of a serial line (docs/protocol.md). Not what they mean: that is ulm_service.py."""

from ulm_crc import crc16

try:
    from micropython import const
except ImportError:

    def const(number):
        return number


_FRAME_FLAG = const(0x7E)
_FRAME_ESCAPE = const(0x7D)
_FRAME_HIGH = const(0x7C)
_FRAME_XOR = const(0x20)
_GOOD = const(0xF0B8)  # CRC over a body and its own CRC


def encode(kind, seq, payload, seven_bit=False):
    """The bytes of a frame on the line."""
    body = bytes((kind, seq)) + payload
    crc = crc16(body) ^ 0xFFFF
    line = bytearray(b"~")
    for byte in body + bytes((crc & 255, crc >> 8)):
        if seven_bit and byte & 128:
            line.append(_FRAME_HIGH)
            byte &= 127
        if byte < 32 or (byte >= _FRAME_HIGH and byte < 128):
            line.append(_FRAME_ESCAPE)
            byte ^= _FRAME_XOR
        line.append(byte)
    line.append(_FRAME_FLAG)
    return line


def decode(raw):
    """What stands between two flags: type, seq and payload as one, or None when it is no sound frame."""
    body = bytearray()
    high = escaped = 0
    for byte in raw:
        if byte == _FRAME_ESCAPE:
            escaped = _FRAME_XOR
        elif byte == _FRAME_HIGH:
            high = 128
        else:
            body.append(byte ^ escaped | high)
            high = escaped = 0
    if len(body) < 4 or crc16(body) != _GOOD:
        return None
    return bytes(body)[:-2]
