"""What a request means and how it is answered (docs/protocol.md). Text mode is in ulm_console.py."""

import gc
import struct

from ulm_console import Console
from ulm_frame import encode
from ulm_receive import Receiver
from ulm_reply import Reply, StoppedError
from ulm_ticks import ticks_diff, ticks_us, uptime

try:
    from micropython import const
except ImportError:

    def const(number):
        return number


_PROTOCOL_REVISION = const(1)
_MAX_PAYLOAD = const(64)
_HELLO_SEVEN_BIT = const(1)
_HELLO_CYCLES = const(4)
_OP_HELLO = const(0x48)
_OP_INFO = const(0x49)
_OP_QUERY = const(0x51)
_OP_CHAT = const(0x43)
_OP_STOP = const(0x53)
_OP_LOAD = const(0x4C)
_OP_BEGIN = const(0x42)
_OP_DATA = const(0x44)
_OP_COMMIT = const(0x4B)
_OP_SLEEP = const(0x5A)
_OP_ACK = const(0x61)
_OP_IS_HELLO = const(0x68)
_OP_IS_INFO = const(0x69)
_OP_TEXT = const(0x74)
_OP_LOGITS = const(0x6C)
_OP_PROGRESS = const(0x70)
_OP_END = const(0x65)
_STATUS_OK = const(0)
_STATUS_STOPPED = const(1)
_STATUS_TOO_LARGE = const(5)
_STATUS_TOO_LONG = const(6)
_STATUS_BAD_LENGTH = const(7)
_STATUS_BAD_ORDER = const(8)
_STATUS_UNKNOWN = const(10)
_STATUS_UNSUPPORTED = const(11)
_STATUS_MEDIUM = const(13)
_CHAT_VERIFY = const(1)
_LOGITS = const(31)  # outputs in one frame
_CLOCK_HZ = const(1000000)  # the counters in END are microseconds
_PROGRESS_US = const(250000)
_PAUSE_MS = const(200)  # inside a frame: longer, and a person typed "~"
_CTRL_C = b"\x03"


class Service:
    """Answers on a line with an engine, or with the status that says why there is none."""

    def __init__(self, line, engine, status, facts):
        self.line, self.engine, self.status = line, engine, status
        self.board, self.build, self.spec_sum = facts
        self.receiver = Receiver()
        self.seq = 0
        self.sent = 0  # when the last frame was
        self.answered = None  # seq, text and END of the last CHAT: repeated, it is answered from memory
        self.query = b""

    def run(self):
        """Serve until Ctrl-C or the end of the line."""
        ready = self.status == _STATUS_OK
        console = Console(self.line.write, self.board, ready, self.show)
        while True:
            data = self.line.read(_PAUSE_MS)
            if not data:
                if self.receiver.raw is not None:
                    console.feed(self.receiver.abandon())
                continue
            frames, typed = self.receiver.feed(data)
            for frame in frames:
                self.seq = frame[1]
                self.take(frame[0], frame[2:])
            if _CTRL_C in typed:
                return
            console.feed(typed)

    def show(self, query, write):
        """Answer a person."""

        def each(reply, before):
            write(reply.text[before:])
            return True

        try:
            Reply(self.engine).run(query, True, each)
        except MemoryError:
            write(b"too little heap")
        except OSError:
            write(b"the model cannot be read")

    def send(self, kind, payload):
        """One frame, an answer to the request at hand."""
        self.sent = ticks_us()
        self.line.write(encode(kind, self.seq, payload, self.line.seven_bit))

    def acknowledge(self, status, value=0):
        """Answer with a status alone."""
        self.send(_OP_ACK, struct.pack("<BH", status, value))

    def take(self, kind, payload):
        """Do what a request asks for, and answer it."""
        if kind == _OP_HELLO:
            self.answered = None
            self.hello()
        elif kind == _OP_INFO:
            self.info()
        elif kind == _OP_CHAT:
            self.chat(payload)
        elif kind == _OP_QUERY:
            if payload:
                limit = self.engine.image.max_query if self.engine else 0
                self.acknowledge(self.take_query(payload[0], payload[1:]), limit)
            else:
                self.acknowledge(_STATUS_BAD_LENGTH)
        elif kind == _OP_STOP:
            self.acknowledge(_STATUS_OK)  # nothing runs
        elif kind in (_OP_LOAD, _OP_BEGIN, _OP_DATA, _OP_COMMIT, _OP_SLEEP):
            self.acknowledge(_STATUS_UNSUPPORTED)
        else:
            self.acknowledge(_STATUS_UNKNOWN, kind)

    def hello(self):
        """Who answers, and what it can take."""
        flags = _HELLO_CYCLES | (_HELLO_SEVEN_BIT if self.line.seven_bit else 0)
        facts = (_PROTOCOL_REVISION, flags, _MAX_PAYLOAD, self.build, self.spec_sum, _CLOCK_HZ, self.board)
        payload = struct.pack("<BBBHHI13sB", *facts, self.status)
        if self.engine:
            image = self.engine.image
            payload += bytes((image.max_query,)) + image.crc + image.name
        self.send(_OP_IS_HELLO, payload)

    def info(self):
        """Sizes and state. The memory is the heap."""
        gc.collect()
        free = gc.mem_free() if hasattr(gc, "mem_free") else 0
        used = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
        length = self.engine.image.length if self.engine else 0
        abi = 0x61
        numbers = (abi, 0, free + length, 0, min(used, 0xFFFF), self.status, length, 0, uptime(), 0)
        self.send(_OP_IS_INFO, struct.pack("<BIIHHBIHIB", *numbers))

    def take_query(self, offset, part):
        """A part of a query; one that was taken before is not taken twice."""
        if self.status != _STATUS_OK:
            return self.status
        if offset + len(part) > self.engine.image.max_query:
            return _STATUS_TOO_LONG
        if offset == 0:
            self.query = b""
        elif offset != len(self.query):
            return _STATUS_OK if offset + len(part) == len(self.query) else _STATUS_BAD_ORDER
        self.query += part
        return _STATUS_OK

    def chat(self, payload):
        """Reply to a query."""
        if self.answered and self.answered[0] == self.seq:
            self.send(_OP_TEXT, b"\0" + self.answered[1])
            self.send(_OP_END, self.answered[2])
            return
        if len(payload) < 2:
            self.acknowledge(_STATUS_BAD_LENGTH, len(payload))
            return
        status = self.take_query(payload[1], payload[2:])
        if status != _STATUS_OK:
            self.acknowledge(status, self.engine.image.max_query if self.engine else 0)
            return
        verify = payload[0] & _CHAT_VERIFY

        def each(reply, before):
            if verify:
                self.send_outputs(reply)
            if len(reply.text) > before:
                self.send(_OP_TEXT, bytes((before,)) + reply.text[before:])
            return not self.stop_requested()

        reply = Reply(self.engine)
        self.sent = ticks_us()
        self.engine.pulse = self.pulse
        try:
            reply.run(self.query, not verify, each)
        except StoppedError:
            reply.stopped = True
        except MemoryError:
            self.acknowledge(_STATUS_TOO_LARGE)
            return
        except OSError:
            self.acknowledge(_STATUS_MEDIUM)
            return
        finally:
            self.engine.pulse = None
        end = struct.pack(
            "<BBBHIIII",
            _STATUS_STOPPED if reply.stopped else _STATUS_OK,
            len(reply.text),
            reply.passes,
            reply.digest,
            reply.query_us,
            reply.first_us,
            reply.all_us,
            reply.longest_us,
        )
        self.answered = (self.seq, reply.text, end)
        self.query = b""
        self.send(_OP_END, end)

    def pulse(self):
        """In a long pass: say that it goes on, and look for STOP."""
        if ticks_diff(ticks_us(), self.sent) < _PROGRESS_US:
            return
        layer = self.engine.layer
        self.send(_OP_PROGRESS, struct.pack("<BII", layer + 1, layer, len(self.engine.columns)))
        if self.stop_requested():
            raise StoppedError

    def send_outputs(self, reply):
        """Those of the last layer in this pass."""
        outputs = self.engine.outputs
        for first in range(0, len(outputs), _LOGITS):
            part = outputs[first : first + _LOGITS]
            head = bytes((reply.passes - 1 & 255, first & 255))
            self.send(_OP_LOGITS, head + struct.pack("<%dh" % len(part), *part))

    def stop_requested(self):
        """While a reply is made, the only request is STOP; all else was or will be sent again."""
        data = self.line.read(0)
        if not data:
            return False
        frames, typed = self.receiver.feed(data)
        if _CTRL_C in typed:
            raise KeyboardInterrupt
        return any(frame[0] == _OP_STOP for frame in frames)
