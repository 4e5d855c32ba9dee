"""The frame codec: any payload survives, nothing raises, and the firmware's codec is the same one."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from host_sdk.link.frame import Decoder, Frame, encode
from host_sdk.model.crc import crc16
from host_sdk.spec.protocol import FRAME_FLAG, MAX_PAYLOAD, SEQ_FIRST, SEQ_LAST
from tests.link.conftest import Firmware
from tests.link.vectors import Line, read

VECTORS = list(read("frame.txt"))
FLAG = bytes([FRAME_FLAG])

frames = st.builds(Frame, st.integers(0, 255), st.integers(SEQ_FIRST, SEQ_LAST), st.binary(max_size=MAX_PAYLOAD))
# Mostly the bytes that mean something, or hypothesis would seldom hit them.
noise = st.lists(st.sampled_from([0x7C, 0x7D, 0x7E, 0x7F, 0x00, 0x0D, 0x20, 0x41, 0x80, 0xFF]), max_size=60).map(bytes)


def decoded(data: bytes) -> list[Frame]:
    return list(Decoder().feed(data))


def parsed(text: str) -> list[Frame]:
    bodies = [bytes.fromhex(one) for one in text.split(",") if one.strip() != "-"]
    return [Frame(body[0], body[1], body[2:]) for body in bodies]


def of_kind(kind: str) -> list[Line]:
    return [line for line in VECTORS if line.name.split(" ")[0] == kind]


def test_the_crc_is_x25() -> None:
    assert crc16(b"123456789") == 0x906E


@given(frames, st.booleans())
def test_any_payload_survives(frame: Frame, seven_bit: bool) -> None:
    assert decoded(encode(frame, seven_bit)) == [frame]


@given(frames)
def test_a_clean_line_escapes_only_what_frames_are_made_of(frame: Frame) -> None:
    line = encode(frame, clean=True)
    assert decoded(line) == [frame]
    body = bytes((frame.type, frame.seq)) + frame.payload
    body += crc16(body).to_bytes(2, "little")
    assert len(line) == 2 + len(body) + sum(byte in b"\x7c\x7d\x7e" for byte in body)


@given(frames, st.booleans())
def test_nothing_that_terminals_eat(frame: Frame, seven_bit: bool) -> None:
    line = encode(frame, seven_bit)
    assert line[:1] == line[-1:] == FLAG
    assert min(line) >= 0x20
    assert 0x7F not in line
    assert FRAME_FLAG not in line[1:-1]
    if seven_bit:
        assert max(line) < 0x80


@given(st.lists(frames, max_size=6), st.booleans())
def test_frames_in_a_row(many: list[Frame], seven_bit: bool) -> None:
    line = b"".join(encode(frame, seven_bit) for frame in many)
    decoder = Decoder()
    assert [frame for byte in line for frame in decoder.feed(bytes([byte]))] == many
    assert decoder.damaged == 0


@given(st.one_of(noise, st.binary(max_size=200)), frames, frames)
def test_noise_hides_one_frame_at_most(before: bytes, first: Frame, second: Frame) -> None:
    assert decoded(before + encode(first) + encode(second))[-1] == second


@given(st.integers(0, 2048 * 3), frames)
def test_a_stream_without_flags_is_forgotten(length: int, frame: Frame) -> None:
    decoder = Decoder()
    assert list(decoder.feed(FLAG + b"x" * length)) == []
    assert list(decoder.feed(encode(frame) * 2))[-1] == frame


@given(frames, st.data(), frames)
def test_a_cut_frame_costs_only_itself(frame: Frame, data: st.DataObject, after: Frame) -> None:
    line = encode(frame)
    cut = data.draw(st.integers(0, len(line) - 2))
    assert decoded(line[:cut] + encode(after)) == [after]


@given(frames, st.data(), frames)
def test_a_flipped_bit_is_noticed(frame: Frame, data: st.DataObject, after: Frame) -> None:
    line = bytearray(encode(frame))
    at, bit = data.draw(st.integers(1, len(line) - 2)), data.draw(st.integers(0, 7))
    line[at] ^= 1 << bit
    found = decoded(bytes(line) + encode(after))
    # Behind 7D or 7C a flip can spell the same byte in another way; it never spells another frame.
    assert found[-1] == after
    assert found[:-1] in ([], [frame])


@given(frames, frames, frames)
def test_a_lost_flag_costs_one_frame(first: Frame, second: Frame, third: Frame) -> None:
    shared = encode(first) + encode(second)[1:] + encode(third)
    assert decoded(shared) == [first, third]


@given(st.one_of(noise, st.binary(max_size=300)))
def test_the_decoder_takes_anything(data: bytes) -> None:
    whole, bytewise = Decoder(), Decoder()
    found = list(whole.feed(data))
    assert found == [frame for byte in data for frame in bytewise.feed(bytes([byte]))]
    assert all(isinstance(frame, Frame) for frame in found)


@given(frames)
def test_what_is_too_short_for_a_frame_is_none(frame: Frame) -> None:
    for body in (b"", b"H", crc16(b"").to_bytes(2, "little"), b"H" + crc16(b"H").to_bytes(2, "little")):
        assume(FRAME_FLAG not in body)
        assert decoded(FLAG + body + FLAG + encode(frame)) == [frame]


# Shared vectors


@pytest.mark.parametrize("line", of_kind("encode"), ids=lambda line: line.name)
def test_encode_vectors(line: Line, firmware: Firmware) -> None:
    (frame,) = parsed(line.input)
    assert encode(frame).hex(" ") == line.output
    assert firmware.encode(frame).hex(" ") == line.output


@pytest.mark.parametrize("line", of_kind("encode7"), ids=lambda line: line.name)
def test_encode_vectors_for_seven_bits(line: Line) -> None:
    assert encode(parsed(line.input)[0], seven_bit=True).hex(" ") == line.output


@pytest.mark.parametrize("line", of_kind("decode"), ids=lambda line: line.name)
def test_decode_vectors(line: Line, firmware: Firmware) -> None:
    assert decoded(bytes.fromhex(line.input)) == parsed(line.output)
    assert firmware.decode(bytes.fromhex(line.input)) == parsed(line.output)


def test_every_vector_is_of_a_known_kind() -> None:
    assert {line.name.split(" ")[0] for line in VECTORS} == {"encode", "encode7", "decode"}


# The firmware's codec


@given(frame=frames)
def test_the_firmware_sends_the_same(firmware: Firmware, frame: Frame) -> None:
    assert firmware.encode(frame) == encode(frame)


@given(parts=st.lists(st.one_of(noise, frames.map(encode), frames.map(lambda f: encode(f, True))), max_size=5))
def test_the_firmware_finds_the_same(firmware: Firmware, parts: list[bytes]) -> None:
    assert firmware.decode(b"".join(parts)) == decoded(b"".join(parts))


@given(payload=st.binary(min_size=MAX_PAYLOAD + 1, max_size=255), after=frames)
def test_the_firmware_drops_what_is_too_long(firmware: Firmware, payload: bytes, after: Frame) -> None:
    assert firmware.decode(encode(Frame(0x43, SEQ_FIRST, payload)) + encode(after)) == [after]
