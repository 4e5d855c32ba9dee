"""The line below a session: sends frames, finds frames in what comes, wakes a sleeping board."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from host_sdk.errors import LinkError
from host_sdk.link.frame import Decoder, Frame, encode
from host_sdk.spec.protocol import SEQ_FIRST, SEQ_LAST, Op

WAKE_S = 0.02
"""From the wake byte to the first frame: a crystal needs 16K clocks after power-down, 2 ms at 8 MHz."""
_WAKE = b"\xff"
"""Almost only idle level, so that a chip whose clock starts in the middle of it receives nothing."""
_OVERHEARD_BYTES = 512


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


class Wire:
    """Frames over one open line."""

    def __init__(self, line: Line, trace: Callable[[str, bytes], None] | None = None) -> None:
        self._line = line
        self.trace = trace
        self._decoder = Decoder()
        self._seq = SEQ_FIRST
        self._chat_seq: int | None = None  # of the last CHAT
        self._seven_bit = False
        self._clean = False
        self._gap_s = 0.0
        self._frames: list[Frame] = []
        self._asleep = False
        self.overheard = b""
        """The last bytes that came, frames or not."""

    def _send(self, op: Op, payload: bytes = b"", seq: int | None = None) -> int:
        if seq is None:
            # Not that of the last CHAT, which the board would take for the same question.
            seq = self._seq if self._seq != self._chat_seq else _after(self._seq)
            self._seq = _after(seq)
        data = encode(Frame(op, seq, payload), self._seven_bit, self._clean)
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
            self.overheard = (self.overheard + data)[-_OVERHEARD_BYTES:]
            self._frames.extend(self._decoder.feed(data))
        return self._frames.pop(0)


def _after(seq: int) -> int:
    return SEQ_FIRST if seq == SEQ_LAST else seq + 1
