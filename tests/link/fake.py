"""A board in memory behind a session's Line: answers frames as the firmware does, over a line with faults.

Time is simulated: a silent line costs no real time, and every time-out can be measured.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from host_sdk.link.frame import Decoder, Frame, encode
from host_sdk.link.session import BEGIN_UNIT
from host_sdk.spec.image import FACTS
from host_sdk.spec.protocol import REVISION, HelloFlag, Op, Status

BYTE_S = 10 / 115_200
LATE_S = 1.3
"""Longer than the host waits for an answer."""
FAULTS = ("lost", "flipped", "doubled", "late")
Passes = Sequence[Sequence[int]]


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Board:
    """Answers like device/common/service.c, and like a runtime that stores uploads."""

    def __init__(self, reply: str = "HELLO", passes: Passes = ((1, 2, 3),)) -> None:
        self.reply = reply
        self.passes = passes
        self.revision = REVISION
        self.flags = HelloFlag.CYCLES
        self.max_payload = 64
        self.max_query = 127
        self.status: int = Status.OK
        self.end_status: int = Status.OK
        self.deaf = False
        self.pieces = 1  # characters in one TEXT frame
        self.progress: list[tuple[int, int, int]] = []  # (layer, done, total) in front of a reply
        self.refusals: dict[int, tuple[int, int]] = {}  # request -> status and value
        self.extra: list[Frame] = []  # sent in front of every answer
        self.query = b""
        self.runs: list[bytes] = []  # queries that the engine answered
        self.heard: list[Frame] = []
        self.stored = bytearray()
        self.expected: tuple[int, int] | None = None  # length and CRC of the upload
        self.commits = 0
        self._answered = 0

    def handle(self, frame: Frame) -> list[Frame]:
        """The answer to one request."""
        self.heard.append(frame)
        if self.deaf:
            return []
        return self.extra + [Frame(kind, frame.seq, payload) for kind, payload in self._answer(frame)]

    def _answer(self, frame: Frame) -> list[tuple[int, bytes]]:
        if frame.type in self.refusals:
            return [_ack(*self.refusals[frame.type])]
        if frame.type == Op.HELLO:
            self._answered = 0
            return [(Op.IS_HELLO, self._hello())]
        if frame.type == Op.INFO:
            return [
                (Op.IS_INFO, struct.pack("<BIIHHBIHIB", 1, 0x1600, 26624, 5352, 1648, self.status, 24407, 84, 7, 0))
            ]
        if frame.type == Op.QUERY:
            return [_ack(self._take(frame.payload[0], frame.payload[1:]), self.max_query)]
        if frame.type == Op.CHAT:
            return self._chat(frame)
        if frame.type in (Op.STOP, Op.LOAD):
            return [_ack(Status.OK)]
        if frame.type in (Op.BEGIN, Op.DATA, Op.COMMIT):
            return [_ack(*self._store(frame))]
        return [_ack(Status.UNKNOWN, frame.type)]

    def _hello(self) -> bytes:
        facts = struct.pack(FACTS, self.revision, self.flags, self.max_payload, 7, 9, 16_000_000, b"fake")
        model = struct.pack("<BI", self.max_query, 0xC0FFEE) + b"parrot"
        return facts + bytes([self.status]) + (model if self.status == Status.OK else b"")

    def _take(self, offset: int, part: bytes) -> int:
        if offset + len(part) > self.max_query:
            return Status.TOO_LONG
        if offset and offset + len(part) == len(self.query):
            return Status.OK  # taken before
        if offset not in (0, len(self.query)):
            return Status.BAD_ORDER
        self.query = self.query[:offset] + part
        return Status.OK

    def _chat(self, frame: Frame) -> list[tuple[int, bytes]]:
        end = struct.pack("<BBBHIIII", self.end_status, len(self.reply), len(self.passes), 0xBEEF, 10, 20, 30, 40)
        if frame.seq == self._answered:  # asked again: from memory
            return [(Op.TEXT, b"\0" + self.reply.encode()), (Op.END, end)]
        code = self._take(frame.payload[1], frame.payload[2:])
        if code != Status.OK:
            return [_ack(code, self.max_query)]
        self.runs.append(self.query)
        self.query = b""
        self._answered = frame.seq
        answer: list[tuple[int, bytes]] = [(Op.PROGRESS, struct.pack("<BII", *one)) for one in self.progress]
        if frame.payload[0]:
            for number, outputs in enumerate(self.passes):
                for first in range(0, len(outputs), 31):
                    part = outputs[first : first + 31]
                    answer.append((Op.LOGITS, bytes([number, first]) + struct.pack(f"<{len(part)}h", *part)))
        for at in range(0, len(self.reply), self.pieces):
            answer.append((Op.TEXT, bytes([at]) + self.reply[at : at + self.pieces].encode()))
        return [*answer, (Op.END, end)]

    def _store(self, frame: Frame) -> tuple[int, int]:
        if frame.type == Op.BEGIN:
            wanted = struct.unpack_from("<xII", frame.payload)
            if wanted != self.expected:
                self.expected, self.stored = wanted, bytearray()
            return Status.OK, len(self.stored) // BEGIN_UNIT
        if frame.type == Op.DATA:
            at = int.from_bytes(frame.payload[:4], "little")
            if self.expected is None or at > len(self.stored):
                return Status.BAD_ORDER, 0
            self.stored[at : at + len(frame.payload) - 4] = frame.payload[4:]
            return Status.OK, 0
        self.commits += 1
        if self.expected is None or len(self.stored) != self.expected[0]:
            return Status.BAD_CRC, 0
        return Status.OK, 0


class Line:
    """What a session reads and writes. Faults are named by the number of the frame in their direction.

    Bytes never overtake each other: behind a late frame all others are late.
    """

    def __init__(self, board: Board, clock: Clock) -> None:
        self.board = board
        self.timeout: float | None = 1
        self.to_board: dict[int, str] = {}
        self.to_host: dict[int, str] = {}
        self.latency_s = 0.0  # from the board to the host
        self.gap_s = 0.0  # that the board needs between two writes; what comes sooner, or is longer, is cut
        self._written_s = 0.0
        self.cut = False
        self.writes = 0
        self.on_write: Callable[[bytes], None] = lambda _: None
        self._clock = clock
        self._decoder = Decoder()
        self._going = _Way()
        self._coming = _Way()
        self._here = bytearray()

    @property
    def in_waiting(self) -> int:
        self._settle()
        return len(self._here)

    def write(self, data: bytes, /) -> int:
        self._check_cable()
        self.on_write(data)
        self.writes += 1
        if self.gap_s:
            in_time, self._written_s = self._clock.now - self._written_s >= self.gap_s, self._clock.now
            data = data[:1] if in_time else b""
        self._going.send(data, self._clock.now, self.to_board)
        self._settle()
        return len(data)

    def read(self, size: int = 1, /) -> bytes:
        self._check_cable()
        deadline = self._clock.now + (self.timeout or 0)
        self._settle()
        while not self._here and self._clock.now < deadline:
            self._clock.now = min(deadline, self._going.next_s, self._coming.next_s)
            self._settle()
        data = bytes(self._here[:size])
        del self._here[:size]
        self._clock.now += len(data) * BYTE_S
        return data

    def inject(self, data: bytes) -> None:
        """Bytes that the host receives from nobody."""
        self._here += data

    def _settle(self) -> None:
        now = self._clock.now
        for data in self._going.arrived(now):
            for request in self._decoder.feed(data):
                for answer in self.board.handle(request):
                    line = encode(answer, HelloFlag.SEVEN_BIT in self.board.flags)
                    self._coming.send(line, now + self.latency_s, self.to_host)
        for data in self._coming.arrived(now):
            self._here += data

    def _check_cable(self) -> None:
        if self.cut:
            raise OSError(5, "Input/output error")


class _Way:
    """One direction of a line."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, bytes]] = []
        self._free_s = 0.0
        self._frames = 0

    @property
    def next_s(self) -> float:
        return self._queue[0][0] if self._queue else float("inf")

    def send(self, data: bytes, now_s: float, faults: dict[int, str]) -> None:
        fault = faults.get(self._frames)
        self._frames += 1
        if fault == "lost":
            return
        if fault == "flipped":
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        self._free_s = max(self._free_s, now_s + (LATE_S if fault == "late" else 0))
        self._queue += [(self._free_s, data)] * (2 if fault == "doubled" else 1)

    def arrived(self, now_s: float) -> list[bytes]:
        here = [data for due_s, data in self._queue if due_s <= now_s]
        del self._queue[: len(here)]
        return here


def _ack(status: int, value: int = 0) -> tuple[int, bytes]:
    return Op.ACK, struct.pack("<BH", status, value)
