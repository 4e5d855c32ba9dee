"""A conversation with one board: requests, answers, retries. A repeated request never runs twice on the board."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import LinkError
from host_sdk.link import messages
from host_sdk.link.frame import Frame, encode
from host_sdk.link.wire import Line, Wire
from host_sdk.spec.protocol import ChatFlag, HelloFlag, Op, Status

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
PROMPT = b">>> "
"""Of a Python's REPL."""
_INSERTED = re.compile(rb"~[^\r\n]+(\x08|\x1b\[\d+D)H")
"""How a HELLO begins in the middle of a line that is edited: behind each character its rest, and the cursor back."""
FRIENDLY = b"\x02"
"""Brings a raw REPL, which is silent and echoes nothing, back to its prompt; nothing to bootloaders and terminals."""
_FRIENDLY_AT = 4
"""The HELLO in front of which it is sent: one second into the silence."""
_PROGRESS = struct.Struct("<BII")


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
Busy = Callable[[int, int], None]
"""Told of a board's own work: done, of total."""


class Session(Wire):
    """Requests and answers over one open line."""

    def __init__(self, line: Line, trace: Callable[[str, bytes], None] | None = None) -> None:
        super().__init__(line, trace)
        self._half_duplex = False
        self._window = 1
        self._stopping = False
        self._max_payload = 64

    def hello(
        self, timeout_s: float = HELLO_TIMEOUT_S, wake: Callable[[], bool] | None = None
    ) -> messages.Hello | None:
        """Ask until somebody answers; None when nobody does.

        As soon as what comes looks like the REPL of a Python, `wake` is called, once: it says whether it started a
        runtime there.
        """
        deadline = time.monotonic() + timeout_s
        self._frames.clear()
        self.overheard = b""
        self._seven_bit, self._clean = True, False  # until the board says otherwise; every board understands it
        asked: dict[int, float] = {}  # a slow line may answer the last but one
        slow = 0
        for number in count(1):
            if time.monotonic() >= deadline:
                break
            self._gap_s = SLOW_GAP_S if number % SLOW_EVERY == 0 else 0.0
            if wake and number == _FRIENDLY_AT and not self.overheard:
                self._write(FRIENDLY)
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
                self._clean = HelloFlag.CLEAN in hello.flags
                self._half_duplex = HelloFlag.HALF_DUPLEX in hello.flags
                self._window = 2 if HelloFlag.WINDOW in hello.flags else 1
                self._max_payload = hello.max_payload
                return hello
            if wake and self._hears_repl(asked):
                self._gap_s = 0.0
                if wake():
                    deadline = time.monotonic() + timeout_s
                wake = None
        self._gap_s = 0.0
        return None

    def _hears_repl(self, asked: Iterable[int]) -> bool:
        """Whether a REPL's prompt has come, or a HELLO as it was sent: a REPL shows what is typed."""
        echoes = (encode(Frame(Op.HELLO, seq), self._seven_bit) for seq in asked)
        heard = self.overheard
        return PROMPT in heard or bool(_INSERTED.search(heard)) or any(echo in heard for echo in echoes)

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
            elif frame.type == Op.PROGRESS and (work := _progress(frame)):
                yield work
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

    def begin(self, slot: int, length: int, crc32: int = 0, name: str = "", busy: Busy | None = None) -> int:
        """Begin an upload, or with the length 0 clear the slot; the bytes that the board has of this upload already."""
        sizes = length.to_bytes(4, "little") + crc32.to_bytes(4, "little")
        request = bytes((slot,)) + sizes + name.encode("ascii", "replace")[:MAX_NAME]
        return self._command(Op.BEGIN, request, busy) * BEGIN_UNIT

    def upload(
        self,
        slot: int,
        data: bytes,
        crc32: int,
        name: str,
        progress: Callable[[int, int], None],
        busy: Busy | None = None,
    ) -> None:
        """Store a packed model on the running board under a name; until the commit its old model stays.

        BEGIN answers with the bytes (in units of 512) it already has of the same upload, so that a cut one resumes.
        `progress` is told the bytes that are there, of all, `busy` of the board's own work before and after.
        """
        position = min(self.begin(slot, len(data), crc32, name, busy), len(data))
        progress(position, len(data))
        room = (self._max_payload - 4) & ~3
        if self._window > 1:
            self._send_window(data, position, room, progress)
            position = len(data)
        while position < len(data):
            part = data[position : position + room]
            self._command(Op.DATA, position.to_bytes(4, "little") + part)
            position += len(part)
            progress(position, len(data))
        self._command(Op.COMMIT, crc32.to_bytes(4, "little"), busy)

    def _send_window(self, data: bytes, stored: int, room: int, progress: Callable[[int, int], None]) -> None:
        """All DATA from `stored` on, several requests being on the way; behind a lost one all are sent again."""
        sent, tries = stored, 0
        waiting: dict[int, int] = {}  # sequence number -> end of its bytes
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while stored < len(data):
            while len(waiting) < self._window and sent < len(data):
                part = data[sent : sent + room]
                seq = self._send(Op.DATA, sent.to_bytes(4, "little") + part)
                sent += len(part)
                waiting[seq] = sent
            frame = self._receive(deadline - time.monotonic())
            if frame and frame.type == Op.PROGRESS:
                deadline = time.monotonic() + ANSWER_TIMEOUT_S
            if frame and (frame.type != Op.ACK or frame.seq not in waiting):
                continue
            deadline = time.monotonic() + ANSWER_TIMEOUT_S
            status, value = messages.parse_ack(frame.payload) if frame else (Status.BAD_ORDER, 0)
            if frame and status == Status.OK:
                stored, tries = waiting[frame.seq], 0
                waiting = {seq: end for seq, end in waiting.items() if end > stored}
                progress(stored, len(data))
            elif status == Status.BAD_ORDER:  # a request was lost
                tries += 1
                if tries == TRIES:
                    raise messages.refusal(status) if frame else self._mute(Op.DATA)
                sent = stored
                waiting.clear()
            else:
                raise messages.refusal(status, value)

    def _command(self, op: Op, payload: bytes, busy: Busy | None = None) -> int:
        """A request that is only acknowledged; the value that the board returned with it."""
        status, value = messages.parse_ack(self._request(op, payload, Op.ACK, busy))
        if status != Status.OK:
            raise messages.refusal(status, value)
        return value

    def _request(self, op: Op, payload: bytes, answer: Op, busy: Busy | None = None) -> bytes:
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
                    if busy and (work := _progress(frame)):
                        busy(work.done, work.total)
                if frame.type == Op.ACK:
                    raise messages.refusal(*messages.parse_ack(frame.payload))
        raise self._mute(op)

    def _mute(self, op: Op) -> LinkError:
        return LinkError(
            f"The board stopped answering ({op.name}, {TRIES} tries). Check the cable and open the port again."
        )


def _progress(frame: Frame) -> Progress | None:
    if len(frame.payload) < _PROGRESS.size:
        return None
    return Progress(*_PROGRESS.unpack_from(frame.payload))
