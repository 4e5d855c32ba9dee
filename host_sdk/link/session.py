"""A conversation with one board: requests, answers, retries. A repeated request never runs twice on the board."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import LinkError
from host_sdk.link import messages
from host_sdk.link.frame import Decoder, Frame, encode
from host_sdk.spec.protocol import SEQ_FIRST, SEQ_LAST, ChatFlag, HelloFlag, Op, Status

HELLO_TIMEOUT_S = 2.5
"""A board that was reset by opening its port is silent for up to 1.4 s in its bootloader."""
HELLO_INTERVAL_S = 0.25
ANSWER_TIMEOUT_S = 1.0
"""Longest silence inside a conversation: every longer work on a board sends progress frames."""
TRIES = 4
SLOW_GAP_S = 0.008
"""Between the bytes for a machine that loses them otherwise: some need 5 ms."""
SLOW_EVERY = 3
"""Of so many HELLOs one is sent with gaps."""
SLOW_PROOFS = 2
"""So many of them must be answered, and none without gaps, before the gaps stay."""
MAX_NAME = 15
"""Characters of a model's name in BEGIN."""
BEGIN_UNIT = 512
"""Bytes that one unit of BEGIN's answer stands for."""
WAKE_S = 0.02
"""From the wake byte to the first frame: a crystal needs 16K clocks after power-down, 2 ms at 8 MHz."""
_WAKE = b"\xff"
"""Almost only idle level, so that a chip whose clock starts in the middle of it receives nothing."""


class Line(Protocol):
    """The part of pyserial's Serial that a session needs. `read` returns after its time-out, b"" when silent."""

    timeout: float | None

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes."""

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""


@dataclass(frozen=True, slots=True)
class Text:
    """Characters of a reply as they arrive; index of the first of them."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Outputs:
    """In verify mode: outputs of the last layer from `first` on, of one pass."""

    number: int  # of the pass, from 0
    first: int
    values: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Progress:
    """Work that goes on: layer, bytes streamed, of total."""

    layer: int
    done: int
    total: int


Event = Text | Outputs | Progress | messages.End


class Session:
    """Speaks frames over one open line."""

    def __init__(self, line: Line, trace: Callable[[str, bytes], None] | None = None) -> None:
        self._line = line
        self.trace = trace
        self._decoder = Decoder()
        self._seq = SEQ_FIRST
        self._chat_seq: int | None = None  # of the last CHAT
        self._seven_bit = False
        self._half_duplex = False
        self._stopping = False
        self._gap_s = 0.0
        self._max_payload = 64
        self._frames: list[Frame] = []
        self._asleep = False

    def hello(self, timeout_s: float = HELLO_TIMEOUT_S) -> messages.Hello | None:
        """Ask until somebody answers; None when nobody does."""
        deadline = time.monotonic() + timeout_s
        self._frames.clear()
        self._seven_bit = True  # until the board says otherwise; every board understands it
        asked: dict[int, float] = {}  # a slow line may answer the last but one
        slow = 0
        for number in count(1):
            if time.monotonic() >= deadline:
                break
            self._gap_s = SLOW_GAP_S if number % SLOW_EVERY == 0 else 0.0
            asked[self._send(Op.HELLO)] = self._gap_s
            pause = time.monotonic() + HELLO_INTERVAL_S
            while (left := min(pause, deadline) - time.monotonic()) > 0:
                frame = self._receive(left)
                if not frame or frame.type != Op.IS_HELLO or frame.seq not in asked:
                    continue
                hello = messages.parse_hello(frame.payload)
                self._gap_s = asked[frame.seq]
                slow += self._gap_s > 0
                if self._gap_s and slow < SLOW_PROOFS:
                    break  # it may only just have become ready: ask again
                self._seven_bit = HelloFlag.SEVEN_BIT in hello.flags
                self._half_duplex = HelloFlag.HALF_DUPLEX in hello.flags
                self._max_payload = hello.max_payload
                return hello
        self._gap_s = 0.0
        return None

    def info(self) -> messages.Info:
        """Sizes and state of the board."""
        return messages.parse_info(self._request(Op.INFO, b"", Op.IS_INFO))

    def load(self, name: str) -> None:
        """Choose among the models that the board has stored."""
        self._command(Op.LOAD, name.encode("ascii", "replace"))

    def sleep(self) -> None:
        """Let the board power down; the next request wakes it."""
        self._command(Op.SLEEP, b"")
        self._asleep = True

    def stop(self) -> None:
        """Ask a running reply to end; its End event says so.

        A half-duplex board is deaf while it computes: it gets STOP again as the answer to each of its frames.
        """
        self._stopping = True
        self._send(Op.STOP)

    def chat(self, query: bytes, verify: bool = False) -> Iterator[Event]:
        """Send a query and yield what comes back, an End last.

        A lost frame shows as a gap; the same request is then repeated and the board answers from memory.
        """
        room = self._max_payload - 2
        offset = 0
        while len(query) - offset > room:
            part = query[offset : offset + room]
            self._command(Op.QUERY, bytes((offset,)) + part)
            offset += len(part)
        payload = bytes((ChatFlag.VERIFY if verify else 0, offset)) + query[offset:]
        seq = self._chat_seq = self._send(Op.CHAT, payload)
        shown = tries = 0
        self._stopping = False
        while True:
            frame = self._receive(ANSWER_TIMEOUT_S)
            if frame and self._stopping and self._half_duplex and frame.type in (Op.TEXT, Op.PROGRESS):
                self._send(Op.STOP)
            if frame is None:
                tries += 1
                if tries == TRIES:
                    raise LinkError("The board fell silent in the middle of a reply. Check the cable and ask again.")
                self._send(Op.CHAT, payload, seq)
            elif frame.seq != seq:
                continue
            elif frame.type == Op.ACK:
                raise messages.refusal(*messages.parse_ack(frame.payload))
            elif frame.type == Op.TEXT and frame.payload and frame.payload[0] <= shown:
                index = frame.payload[0]
                fresh = frame.payload[1 + shown - index :]
                if fresh:
                    yield Text(shown, fresh.decode("ascii", "replace"))
                    shown += len(fresh)
            elif frame.type == Op.LOGITS and len(frame.payload) > 2:
                values = np.frombuffer(frame.payload[2 : len(frame.payload) & ~1], "<i2").astype(np.int16)
                yield Outputs(frame.payload[0], frame.payload[1], values)
            elif frame.type == Op.PROGRESS and len(frame.payload) >= 9:
                yield Progress(
                    frame.payload[0],
                    int.from_bytes(frame.payload[1:5], "little"),
                    int.from_bytes(frame.payload[5:9], "little"),
                )
            elif frame.type == Op.END:
                end = messages.parse_end(frame.payload)
                if end.status not in (Status.OK, Status.STOPPED):
                    raise messages.refusal(end.status)
                if end.chars == shown:
                    yield end
                    return
                tries += 1
                if tries == TRIES:
                    raise LinkError("The line loses characters of the reply again and again. Check the cable.")
                self._send(Op.CHAT, payload, seq)

    def begin(self, slot: int, length: int, crc32: int = 0, name: str = "") -> int:
        """Begin an upload, or with the length 0 clear the slot; the bytes that the board has of this upload already."""
        sizes = length.to_bytes(4, "little") + crc32.to_bytes(4, "little")
        return self._command(Op.BEGIN, bytes((slot,)) + sizes + name.encode("ascii", "replace")[:MAX_NAME]) * BEGIN_UNIT

    def upload(self, slot: int, data: bytes, crc32: int, name: str, progress: Callable[[int, int], None]) -> None:
        """Store a packed model on the running board under a name; until the commit its old model stays.

        BEGIN answers with the bytes (in units of 512) it already has of the same upload, so that a cut one resumes.
        """
        position = min(self.begin(slot, len(data), crc32, name), len(data))
        room = (self._max_payload - 4) & ~3
        while position < len(data):
            part = data[position : position + room]
            self._command(Op.DATA, position.to_bytes(4, "little") + part)
            position += len(part)
            progress(position, len(data))
        self._command(Op.COMMIT, crc32.to_bytes(4, "little"))

    def _command(self, op: Op, payload: bytes) -> int:
        """A request that is only acknowledged; the value that the board returned with it."""
        status, value = messages.parse_ack(self._request(op, payload, Op.ACK))
        if status != Status.OK:
            raise messages.refusal(status, value)
        return value

    def _request(self, op: Op, payload: bytes, answer: Op) -> bytes:
        seq: int | None = None
        for _ in range(TRIES):
            seq = self._send(op, payload, seq)
            deadline = time.monotonic() + ANSWER_TIMEOUT_S
            while (left := deadline - time.monotonic()) > 0:
                frame = self._receive(left)
                if frame is None:
                    break
                if frame.seq != seq:
                    continue
                if frame.type == answer:
                    return frame.payload
                if frame.type == Op.PROGRESS:
                    deadline = time.monotonic() + ANSWER_TIMEOUT_S
                if frame.type == Op.ACK:
                    raise messages.refusal(*messages.parse_ack(frame.payload))
        raise LinkError(
            f"The board stopped answering ({op.name}, {TRIES} tries). Check the cable and open the port again."
        )

    def _send(self, op: Op, payload: bytes = b"", seq: int | None = None) -> int:
        if seq is None:
            # Not that of the last CHAT, which the board would take for the same question.
            seq = self._seq if self._seq != self._chat_seq else _after(self._seq)
            self._seq = _after(seq)
        data = encode(Frame(op, seq, payload), self._seven_bit)
        if self._asleep:
            self._write(_WAKE)
            time.sleep(WAKE_S)
            self._asleep = False
        self._write(data)
        return seq

    def _write(self, data: bytes) -> None:
        if self.trace:
            self.trace("host", data)
        try:
            if self._gap_s:
                for byte in data:
                    self._line.write(bytes((byte,)))
                    time.sleep(self._gap_s)
            else:
                self._line.write(data)
        except OSError as error:
            raise LinkError(f"The port went away while sending ({error}). Plug the board in again.") from None

    def _receive(self, timeout_s: float) -> Frame | None:
        deadline = time.monotonic() + timeout_s
        while not self._frames:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            try:
                self._line.timeout = left
                data = self._line.read(max(1, self._line.in_waiting))
            except OSError as error:
                raise LinkError(f"The port went away while reading ({error}). Plug the board in again.") from None
            if data and self.trace:
                self.trace("board", data)
            self._frames.extend(self._decoder.feed(data))
        return self._frames.pop(0)


def _after(seq: int) -> int:
    return SEQ_FIRST if seq == SEQ_LAST else seq + 1
