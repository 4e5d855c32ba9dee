"""What a micro:bit answers to requests. Reply models of up to 255 rows; no actions; queries in one frame."""

import struct

import ulm_tiny_engine as engine
from microbit import uart
from ulm_build import BOARD, BUILD, SPEC_SUM
from ulm_crc import crc16
from ulm_frame import encode

model = None
status = 2
_LONGEST = 62  # bytes of a query
last = (0, b"", b"")  # seq, text and END of the last CHAT


def start():
    """Open the model."""
    global model, status
    try:
        model = engine.open_head()
        status = 0
    except (ValueError, IndexError):
        status = 3
    except OSError:
        pass


def send(kind, seq, payload):
    """One frame."""
    uart.write(encode(kind, seq, payload))


def hello(seq):
    """Who answers."""
    global last
    last = (0, b"", b"")
    data = struct.pack("<BBBHHI13sB", 1, 0, 64, BUILD, SPEC_SUM, 0, BOARD, status)
    if not status:
        data += bytes((_LONGEST,)) + model[0][20:24] + model[1]
    send(104, seq, data)


def info(seq):
    """Sizes."""
    size = 0 if status else engine.number(model[0], 8, 4)
    send(105, seq, struct.pack("<BIIHHBIHIB", 98, 0, 0, 0, 0, status, size, 0, 0, 0))


def refusal(seq, payload):
    """The status of a CHAT that cannot be answered anew, -1 when it was answered from memory, 0 when it is new."""
    if seq == last[0]:
        finish(seq)
        return -1
    return status or (0 if len(payload) > 1 and not payload[1] else 6)


def remember(seq, found, verify):
    """Make the reply of the outputs and keep it."""
    global last
    data = struct.pack("<%dh" % len(found), *found)
    text = engine.reply(model[0], found.index(max(found)))
    if verify:
        for at in range(0, len(data), 62):
            send(108, seq, bytes((0, at // 2)) + data[at : at + 62])
    else:
        text = text.replace(b"{}", b"0")
    last = (seq, text, struct.pack("<BBBHIIII", 0, len(text), 1, crc16(data) ^ 0xFFFF, 0, 0, 0, 0))


def finish(seq):
    """The reply from memory."""
    send(116, seq, b"\0" + last[1])
    send(101, seq, last[2])
