"""The frame code of the CP/M runtime, called label by label on the Z80: the same codec as in Python and C."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_sdk.link.frame import Decoder, Frame, encode
from host_sdk.model.crc import crc16
from host_sdk.sim.cpm.core import Core
from host_sdk.spec.cpm import ORIGIN
from host_sdk.spec.protocol import MAX_PAYLOAD, SEQ_FIRST, SEQ_LAST
from tests.link.test_frame import frames, noise, of_kind, parsed
from tests.link.vectors import Line

COMPLETE, BDOS, BACK, LIMIT = 2, 5, 0xFFF0, 10_000_000


class Codec:
    """frame.asm alone: what it sends is collected, and frames that it finds are read from its memory."""

    def __init__(self, program: bytes, labels: dict[str, int]) -> None:
        self._core, self._labels = Core(), labels
        self._core.memory[ORIGIN : ORIGIN + len(program)] = program
        self._core.trap([BDOS, BACK])
        self._sent = bytearray()
        self.call("crc_init")
        self.encode_ticks = self.receive_ticks = 0

    def call(self, label: str, **registers: int) -> int:
        """Call a routine; A afterwards."""
        cpu = self._core.cpu
        cpu.sp = 0xFF00
        for name, value in registers.items():
            setattr(cpu, name, value)
        self._core.push(BACK)
        cpu.pc = self._labels[label]
        while True:
            assert self._core.run(LIMIT), f"{label} does not return"
            if cpu.pc == BACK:
                return int(cpu.a)
            assert cpu.c == 6, "only function 6"
            self._sent.append(cpu.e)
            cpu.bc, cpu.de, cpu.hl, cpu.af = 0xBCBC, 0xDEDE, 0xABAB, 0xFAFF
            self._core.ret()

    def encode(self, frame: Frame) -> bytes:
        self._sent.clear()
        memory, before = self._core.memory, self._core.ticks
        memory[self._labels["service_seq"]] = frame.seq
        self.call("frame_begin", a=frame.type)
        memory[0xE000 : 0xE000 + len(frame.payload)] = frame.payload
        if frame.payload:
            self.call("frame_bytes", hl=0xE000, b=len(frame.payload))
        self.call("frame_end")
        self.encode_ticks = self._core.ticks - before
        return bytes(self._sent)

    def decode(self, data: bytes) -> list[Frame]:
        memory, at = self._core.memory, self._labels
        memory[at["frame_open"]] = 0
        found = []
        for byte in data:
            before = self._core.ticks
            event = self.call("frame_receive", a=byte)
            self.receive_ticks = max(self.receive_ticks, self._core.ticks - before)
            if event == COMPLETE:
                payload = memory[at["frame_payload"] : at["frame_payload"] + memory[at["frame_length"]]]
                found.append(Frame(memory[at["frame_type"]], memory[at["frame_seq"]], bytes(payload)))
        return found


@pytest.fixture(scope="module")
def codec(labels: tuple[bytes, dict[str, int]]) -> Codec:
    return Codec(*labels)


@pytest.mark.parametrize("line", of_kind("encode7"), ids=lambda line: line.name)
def test_vectors_encoded(codec: Codec, line: Line) -> None:
    body = bytes.fromhex(line.input)
    assert codec.encode(Frame(body[0], body[1], body[2:])).hex(" ") == line.output


@pytest.mark.parametrize("line", of_kind("decode"), ids=lambda line: line.name)
def test_vectors_decoded(codec: Codec, line: Line) -> None:
    assert codec.decode(bytes.fromhex(line.input)) == parsed(line.output)


@given(frame=frames, seven_bit=st.booleans())
@settings(max_examples=60)
def test_any_frame_goes_both_ways(codec: Codec, frame: Frame, seven_bit: bool) -> None:
    line = encode(frame, seven_bit)
    assert codec.decode(line) == [frame]
    assert codec.encode(frame) == encode(frame, seven_bit=True)
    assert all(0x20 <= byte < 0x7F for byte in codec.encode(frame))


@given(before=st.one_of(noise, st.binary(max_size=120)), first=frames, second=frames)
@settings(max_examples=60)
def test_noise_is_taken_as_the_host_takes_it(codec: Codec, before: bytes, first: Frame, second: Frame) -> None:
    data = before + encode(first) + encode(second)
    due = [frame for frame in Decoder().feed(data) if len(frame.payload) <= MAX_PAYLOAD]
    assert codec.decode(data)[-1:] == due[-1:] == [second]


def test_a_payload_that_is_too_long_is_dropped(codec: Codec) -> None:
    good = Frame(0x43, SEQ_FIRST, b"ok")
    assert codec.decode(encode(Frame(0x43, SEQ_LAST, bytes(MAX_PAYLOAD + 1))) + encode(good)) == [good]


def test_the_crc_is_x25(codec: Codec) -> None:
    codec.encode(Frame(0x31, 0x32, b"3456789"))
    assert codec.encode(Frame(0x31, 0x32, b"3456789")) == encode(Frame(0x31, 0x32, b"3456789"), True)
    assert crc16(b"123456789") == 0x906E


def test_a_byte_is_taken_within_a_quarter_of_its_time_at_9600_baud(codec: Codec) -> None:
    codec.receive_ticks = 0
    codec.decode(encode(Frame(0x44, 0x30, bytes(range(64)))))
    assert codec.receive_ticks <= 4_000_000 * 10 // 9600 // 4
