"""The loop of a BBC micro:bit: what came is a frame or a typed line."""

import gc

import ulm_tiny_answer as answer
import ulm_tiny_engine as engine
from microbit import uart
from ulm_frame import decode
from ulm_tiny_line import typed


def take(frame):
    """Answer a request other than CHAT."""
    kind, seq = frame[0], frame[1]
    if kind == 72:
        answer.hello(seq)
    elif kind == 73:
        answer.info(seq)
    else:
        acknowledge(seq, 0 if kind == 83 else 11)


def acknowledge(seq, code):
    """Answer with a status alone."""
    answer.send(97, seq, bytes((code, 62, 0)))


def serve():
    """Until Ctrl-C. The stack of the machine is short: what is deep starts here."""
    engine.columns = [0] * 93  # of the longest query; later the heap has such a piece no more
    answer.start()
    line = b""
    raw = None
    uart.write(b"\r\nmicroLM on microbit" + (b": no sound model, flash one\r\n> " if answer.status else b"\r\n> "))
    while True:
        data = uart.read(64) if uart.any() else b""
        while data:
            at = data.find(b"~")
            part = data if at < 0 else data[:at]
            if raw is None:
                line = typed(line, part)
            else:
                raw = raw + part if len(raw) < 250 else None
                if raw and b"\r" in raw:  # no frame has one: a person typed "~"
                    line = typed(line, b"~" + raw)
                    raw = None
            if at < 0:
                break
            data = data[at + 1 :]
            frame = decode(raw) if raw else None
            raw = None if frame else b""
            if frame and frame[0] == 67:
                code = answer.refusal(frame[1], frame[2:])
                if code == 0:
                    found = engine.outputs(answer.model[0], answer.model[2], frame[4:])
                    answer.remember(frame[1], found, frame[2] & 1)
                    answer.finish(frame[1])
                elif code > 0:
                    acknowledge(frame[1], code)
            elif frame:
                take(frame)
            gc.collect()
