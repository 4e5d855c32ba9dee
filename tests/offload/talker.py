"""Frames to and from the firmware of a board with a card or a chip, without the patience of host_sdk's session."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import serial

from host_sdk.boards import board_named
from host_sdk.link.frame import Decoder, Frame, encode
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.sim.part import Part
from host_sdk.spec.protocol import SEQ_FIRST, SEQ_LAST, Op, Status

STATUS_AT = 24  # in IS_HELLO
DATA_BYTES = 60
TIMEOUT_S = 20.0  # of the test, for an answer that comes at once in simulated time


class Ack(NamedTuple):
    """How a request ended."""

    status: int
    value: int


@dataclass(frozen=True)
class Hello:
    """What IS_HELLO says of the model."""

    status: Status
    fault: int  # with status MEDIUM
    model_crc: int  # with status OK
    name: str


class Talker:
    """A running board, greeted frame by frame."""

    def __init__(self, name: str, state: Path, runtime: bytes, part: Part, pace: str = "fast") -> None:
        state.mkdir(exist_ok=True)
        record = board_named(name)
        (state / "flash.bin").write_bytes(runtime.ljust(record.flash_bytes, b"\xff"))
        self.board = AvrBoard(record, state, part=part, pace=pace)
        self.hz = record.clock_hz
        self._port = serial.Serial(self.board.tty, record.baud, timeout=0.005)
        self._seq = SEQ_FIRST
        self._forget()

    def __enter__(self) -> Talker:
        self.hello()
        return self

    def __exit__(self, *_: object) -> None:
        self._port.close()
        self.board.close()

    def send(self, op: Op, payload: bytes = b"") -> int:
        """Sends a request; its seq."""
        self._seq = SEQ_FIRST if self._seq == SEQ_LAST else self._seq + 1
        self._port.write(encode(Frame(op, self._seq, payload), clean=True))
        return self._seq

    def receive(self, seq: int, timeout: float = TIMEOUT_S) -> Frame:
        """The next answer to a request."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            while self._frames:
                frame = self._frames.pop(0)
                if frame.seq == seq:
                    return frame
            self._frames += self._decoder.feed(self._port.read(max(1, self._port.in_waiting)))
        raise TimeoutError(f"no answer to request {seq:02X}h")

    def ask(self, op: Op, payload: bytes = b"") -> Frame:
        """The answer to a request, behind its PROGRESS."""
        return self.answer(self.send(op, payload))

    def answer(self, seq: int, timeout: float = TIMEOUT_S) -> Frame:
        """The answer to a request that was sent, behind its PROGRESS, which is kept."""
        while (frame := self.receive(seq, timeout)).type == Op.PROGRESS:
            self.progress.append(struct.unpack("<BII", frame.payload))
        return frame

    def command(self, op: Op, payload: bytes = b"") -> Ack:
        return _ack(self.ask(op, payload))

    def hello(self) -> Hello:
        """Greets until the board, which may have been reset, answers."""
        for _ in range(20):
            try:
                payload = self.answer(self.send(Op.HELLO), 0.5).payload
            except TimeoutError:
                continue
            status = Status(payload[STATUS_AT])
            rest = payload[STATUS_AT + 1 :]
            if status is Status.OK:
                return Hello(status, 0, int.from_bytes(rest[1:5], "little"), rest[5:].decode(errors="replace"))
            assert len(rest) == (status is Status.MEDIUM)
            return Hello(status, rest[0] if rest else 0, 0, "")
        raise TimeoutError("no answer to HELLO")

    def chat(self, query: bytes = b"hi", each: Callable[[Frame], None] = lambda _: None) -> Frame:
        """END, or the ACK that refuses; `each` gets the frames before it."""
        seq = self.send(Op.CHAT, b"\0\0" + query)
        while (frame := self.receive(seq)).type not in (Op.END, Op.ACK):
            each(frame)
        return frame

    def fault_of_chat(self) -> Ack:
        """How a reply is refused."""
        return _ack(self.chat())

    def begin(self, image: bytes) -> Ack:
        head = struct.pack("<BII", 0, len(image), zlib.crc32(image))
        return self.command(Op.BEGIN, head + b"name")

    def data(self, image: bytes, position: int) -> Ack:
        return self.answer_ack(self.send_data(image, position))

    def send_data(self, image: bytes, position: int) -> int:
        return self.send(Op.DATA, struct.pack("<I", position) + image[position : position + DATA_BYTES])

    def answer_ack(self, seq: int) -> Ack:
        return _ack(self.answer(seq))

    def commit(self, image: bytes) -> Ack:
        return self.command(Op.COMMIT, struct.pack("<I", zlib.crc32(image)))

    def send_image(self, image: bytes, start: int, end: int | None = None, window: int = 2) -> None:
        """DATA from `start` on, so many frames on the way."""
        position, end = start, len(image) if end is None else end
        flying: list[int] = []
        while position < end or flying:
            while len(flying) < window and position < end:
                flying.append(self.send_data(image, position))
                position += DATA_BYTES
            seq = flying.pop(0)
            assert self.answer_ack(seq).status == Status.OK

    def upload(self, image: bytes) -> int:
        """A whole upload; from which byte on it was sent."""
        status, blocks = self.begin(image)
        assert status == Status.OK
        self.send_image(image, blocks * 512)
        assert self.commit(image) == (Status.OK, 0)
        return blocks * 512

    def reset(self) -> None:
        """As when the supply of everything goes for a moment."""
        self.board.reset()
        self._port.reset_input_buffer()
        self._forget()

    def seconds(self) -> float:
        """Of the board, since it was switched on."""
        return self.board.counters().cycles / self.hz

    def _forget(self) -> None:
        self._decoder = Decoder()
        self._frames: list[Frame] = []
        self.progress: list[tuple[int, int, int]] = []


def _ack(frame: Frame) -> Ack:
    assert frame.type == Op.ACK, frame
    status, value = struct.unpack("<BH", frame.payload)
    return Ack(status, value)
