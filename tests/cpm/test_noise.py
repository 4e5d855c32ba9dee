"""A bad line to a CP/M machine: bytes are lost, flipped and doubled, and every answer is right all the same."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import serial

from host_sdk.device import Device
from host_sdk.link.frame import Frame
from host_sdk.link.ports import open_port
from host_sdk.link.session import Line, Session, Text
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.spec.protocol import Op
from tests.cpm.conftest import Prepare, machine_of, packed

QUERIES = ("hello", "who are you", "x" * 100, "", "good night")


class BadLine:
    """A line on which about one byte in `every` suffers, both ways, always the same for one seed."""

    def __init__(self, line: serial.Serial, seed: int, every: int) -> None:
        self._line, self._random, self._every = line, random.Random(seed), every
        self.harmed = 0

    @property
    def timeout(self) -> float | None:
        return self._line.timeout

    @timeout.setter
    def timeout(self, value: float | None) -> None:
        self._line.timeout = value

    @property
    def in_waiting(self) -> int:
        return self._line.in_waiting

    def read(self, size: int = 1, /) -> bytes:
        return self._harm(self._line.read(size))

    def write(self, data: bytes, /) -> int | None:
        self._line.write(self._harm(data))
        return len(data)

    def _harm(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self._random.randrange(self._every):
                out.append(byte)
                continue
            self.harmed += 1
            out += self._random.choice((b"", bytes((byte ^ 1 << self._random.randrange(7),)), bytes((byte, byte))))
        return bytes(out)


@contextmanager
def bad(prepare: Prepare, small: Model, seed: int, every: int) -> Iterator[tuple[Session, BadLine]]:
    with open_port(f"sim://cpm?state={prepare(small)}", 9600) as line:
        worse = BadLine(line, seed, every)
        checked: Line = worse
        session = Session(checked)
        assert session.hello(10)
        yield session, worse


@pytest.mark.parametrize("seed", [1, 2])
def test_replies_on_a_bad_line(prepare: Prepare, small: Model, seed: int) -> None:
    with bad(prepare, small, seed, 400) as (session, line):
        for query in QUERIES:
            said = "".join(event.text for event in session.chat(query.encode()) if isinstance(event, Text))
            assert said == run(small, [query])[0].text
        assert line.harmed > 0


def test_an_upload_on_a_bad_line(prepare: Prepare, small: Model, other: Model) -> None:
    data = packed(other)
    with bad(prepare, small, 4, 900) as (session, line):
        session.upload(0, data, zlib.crc32(data), "OTHER", lambda done, total: None)
        hello = session.hello()
        assert hello is not None
        assert hello.model_crc == other.crc
        assert line.harmed > 5


def heard_until_silence(session: Session, seq: int) -> Iterator[Frame]:
    while frame := session._receive(0.5):
        if frame.seq == seq:
            yield frame


def test_a_repeated_request_is_done_once(device: Device, small: Model) -> None:
    """The same CHAT again is answered from memory: the engine does not run."""
    session, machine = device._connection.session, machine_of(device)
    session.hello()
    seq = session._send(Op.CHAT, b"\0\0hello")
    frames = list(heard_until_silence(session, seq))
    assert len(machine.laps()) == 1
    session._send(Op.CHAT, b"\0\0hello", seq)
    again = list(heard_until_silence(session, seq))
    assert machine.laps() == []
    text = b"".join(frame.payload[1:] for frame in frames if frame.type == Op.TEXT)
    assert [frame.type for frame in again] == [Op.TEXT, Op.END]
    assert again[0].payload[1:] == text == small.reply("hello").encode()
    assert again[1].payload == frames[-1].payload


def test_a_repeated_command_is_acknowledged_and_not_done_again(prepare: Prepare, small: Model, other: Model) -> None:
    with Device(f"sim://cpm?state={prepare(small, other)}") as device:
        session = device._connection.session
        seq = session._send(Op.LOAD, b"OTHER")
        while (frame := session._receive(2)) and frame.type != Op.ACK:
            pass
        (machine_of(device).disk / "OTHER.ULB").unlink()
        session._send(Op.LOAD, b"OTHER", seq)
        again = session._receive(2)
        assert frame is not None
        assert again is not None
        assert (again.type, again.payload) == (Op.ACK, bytes(3)) == (frame.type, frame.payload)


@pytest.mark.parametrize("between", [62, 63, 64, 65])
def test_sequence_numbers_come_round(device: Device, small: Model, between: int) -> None:
    """A query in two parts, then other requests until the numbers are the same again, then another such query."""
    long, longer = "a" * 100, "b" * 101
    assert device.chat(long).text == small.reply(long)
    for _ in range(between):
        device.info()
    assert device.chat(longer).text == small.reply(longer)


def test_16_kb_of_noise_then_a_conversation(prepare: Prepare, small: Model) -> None:
    with open_port(f"sim://cpm?state={prepare(small)}", 9600) as line:
        session = Session(line)
        assert session.hello()
        noise = random.Random(9).randbytes(16384).replace(b"\x03", b"").replace(b"\x83", b"")  # which leaves
        for at in range(0, len(noise), 512):
            line.write(noise[at : at + 512])
        hello = session.hello(20)
        assert hello is not None
        assert hello.model == "small"
        said = "".join(event.text for event in session.chat(b"hello") if isinstance(event, Text))
        assert said == small.reply("hello")
        assert vars(line)["board"].counters().wild == 0


def test_a_slow_machine(prepare: Prepare, small: Model) -> None:
    """One that loses characters less than 5 ms apart: the host notices, and types slowly."""
    with Device(f"sim://cpm?state={prepare(small)}&slow=5") as device:
        assert device._connection.session._gap_s > 0
        assert device.chat("hello").text == small.reply("hello")
        assert device.info().model_bytes == len(packed(small))


def test_a_quick_machine_is_not_spoken_to_slowly(device: Device) -> None:
    assert device._connection.session._gap_s == 0
