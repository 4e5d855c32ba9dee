"""Text mode: what a person sees who opens a terminal and types."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import serial

from host_sdk.boards import BOARDS
from host_sdk.link.frame import Decoder, Frame, encode
from host_sdk.link.messages import parse_end, parse_hello
from host_sdk.link.ports import open_port
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.spec.protocol import Op
from tests.conftest import FULL_BOARDS, Prepare, address_of

PROMPT = b"\r\n> "
REFUSED = b"\r\nline refused"
LINE_BYTES = 80


@pytest.fixture(scope="module", params=FULL_BOARDS)
def terminal(request: pytest.FixtureRequest, prepare: Prepare, small: Model) -> Iterator[serial.Serial]:
    """A raw line to a board that has greeted."""
    with open_port(address_of(request.param, prepare(request.param, small)), BOARDS[request.param].baud) as line:
        line.timeout = 5
        assert line.read_until(PROMPT).endswith(f"\r\nmicroLM on {request.param}".encode() + PROMPT)
        yield line


def typed(terminal: serial.Serial, text: bytes, until: bytes = PROMPT) -> bytes:
    """What the board sends back for some typing, the prompt included."""
    terminal.write(text)
    heard: bytes = terminal.read_until(until)
    return heard


def quiet(terminal: serial.Serial) -> bytes:
    """What comes without being asked for."""
    terminal.timeout = 0.3
    heard: bytes = terminal.read(100)
    terminal.timeout = 5
    return heard


def reply(model: Model, query: bytes) -> bytes:
    return b"\r\n" + run(model, [query])[0].text.encode()


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n"], ids=["cr", "lf", "crlf"])
def test_a_line_is_echoed_and_answered(terminal: serial.Serial, small: Model, ending: bytes) -> None:
    assert typed(terminal, b"hello" + ending) == b"hello" + reply(small, b"hello") + PROMPT
    assert quiet(terminal) == b""


def test_blanks_around_a_line_do_not_count(terminal: serial.Serial, small: Model) -> None:
    assert typed(terminal, b"   who are you  \r") == b"   who are you  " + reply(small, b"who are you") + PROMPT


def test_an_empty_line_gives_a_prompt(terminal: serial.Serial) -> None:
    assert typed(terminal, b"\r") == PROMPT
    assert typed(terminal, b"   \r") == b"   " + PROMPT
    assert quiet(terminal) == b""


@pytest.mark.parametrize("key", [b"\x08", b"\x7f"], ids=["backspace", "delete"])
def test_backspace(terminal: serial.Serial, small: Model, key: bytes) -> None:
    erased = b"\b \b"
    assert typed(terminal, b"helloxy" + key * 2 + b"\r") == (b"helloxy" + erased * 2 + reply(small, b"hello") + PROMPT)
    assert typed(terminal, b"ab" + key * 5 + b"hi\r") == b"ab" + erased * 2 + b"hi" + reply(small, b"hi") + PROMPT


@pytest.mark.parametrize("byte", [0x00, 0x03, 0x09, 0x1B, 0x80, 0xFF])
def test_a_line_with_control_characters_is_refused(terminal: serial.Serial, small: Model, byte: int) -> None:
    assert typed(terminal, b"hel" + bytes([byte]) + b"lo\r") == b"hel" + REFUSED + PROMPT
    assert typed(terminal, b"hello\r") == b"hello" + reply(small, b"hello") + PROMPT


def test_the_longest_line_and_one_more(terminal: serial.Serial, small: Model) -> None:
    longest = (b"0123456789" * 8)[:LINE_BYTES]
    assert typed(terminal, longest + b"\r") == longest + reply(small, longest) + PROMPT
    assert typed(terminal, longest + b"8more\r") == longest + REFUSED + PROMPT
    assert typed(terminal, b"hi\r") == b"hi" + reply(small, b"hi") + PROMPT


def test_a_tilde_becomes_text_after_a_pause(terminal: serial.Serial, small: Model) -> None:
    terminal.write(b"hi ~")
    time.sleep(0.5)
    assert typed(terminal, b"you\r") == b"hi ~you" + reply(small, b"hi ~you") + PROMPT
    terminal.write(b"~ok")
    time.sleep(0.5)
    assert typed(terminal, b"\r") == b"~ok" + reply(small, b"~ok") + PROMPT


def ask(terminal: serial.Serial, request: Frame) -> list[Frame]:
    """The frames that answer a request."""
    decoder, frames = Decoder(), list[Frame]()
    terminal.write(encode(request))
    terminal.timeout = 0.05
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not (frames and frames[-1].type in (Op.END, Op.IS_HELLO, Op.ACK)):
        frames += [frame for frame in decoder.feed(terminal.read(1000)) if frame.seq == request.seq]
    terminal.timeout = 5
    return frames


def test_a_frame_after_typed_garbage(terminal: serial.Serial, small: Model) -> None:
    terminal.write(b"half a line \x01\xff")
    terminal.read_until(REFUSED)
    *_, hello = ask(terminal, Frame(Op.HELLO, 0x31))
    assert parse_hello(hello.payload).model == "small"
    *text, end = ask(terminal, Frame(Op.CHAT, 0x32, b"\0\0hello"))
    due = run(small, [b"hello"])[0]
    assert b"".join(frame.payload[1:] for frame in text) == due.text.encode()
    assert parse_end(end.payload).digest == due.digest
    assert typed(terminal, b"\r") == PROMPT
    assert typed(terminal, b"hello\r") == b"hello" + reply(small, b"hello") + PROMPT


def test_a_frame_in_the_middle_of_a_typed_line(terminal: serial.Serial, small: Model) -> None:
    terminal.write(b"hel")
    assert terminal.read(3) == b"hel"
    assert ask(terminal, Frame(Op.STOP, 0x33))[-1].payload == bytes(3)
    assert typed(terminal, b"lo\r") == b"lo" + reply(small, b"hello") + PROMPT


def test_a_repeated_chat_is_answered_from_memory(terminal: serial.Serial) -> None:
    first = ask(terminal, Frame(Op.CHAT, 0x34, b"\0\0who are you"))
    again = ask(terminal, Frame(Op.CHAT, 0x34, b"\0\0who are you"))
    assert parse_end(again[-1].payload) == parse_end(first[-1].payload)  # its cycle counts included
    assert b"".join(f.payload[1:] for f in first[:-1]) == b"".join(f.payload[1:] for f in again[:-1])


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (Frame(Op.CHAT, 0x35), b"\x07\0\0"),
        (Frame(Op.CHAT, 0x36, b"\0"), b"\x07\x01\0"),
        (Frame(Op.QUERY, 0x37), b"\x07\0\0"),
        (Frame(Op.CHAT, 0x38, b"\0\x05rest"), b"\x08\xa0\0"),
        (Frame(Op.QUERY, 0x39, b"\x90" + b"x" * 30), b"\x06\xa0\0"),
        (Frame(Op.BEGIN, 0x3A, bytes(9)), b"\x0b\0\0"),
        (Frame(Op.LOAD, 0x3B, b"other"), b"\x0b\0\0"),
        (Frame(ord("X"), 0x3C, b"?"), b"\x0aX\0"),
    ],
    ids=["empty chat", "short chat", "empty query", "no beginning", "too long", "upload", "load", "unknown"],
)
def test_impossible_requests_are_refused(terminal: serial.Serial, request_: Frame, answer: bytes) -> None:
    (ack,) = ask(terminal, request_)
    assert (ack.type, ack.payload) == (Op.ACK, answer)


def test_a_board_without_a_model_says_so(prepare: Prepare) -> None:
    with open_port(address_of("uno", prepare("uno")), 115_200) as line:
        line.timeout = 5
        assert b"no sound model, flash one" + PROMPT in line.read_until(PROMPT)
        assert typed(line, b"hello\r") == b"hello" + PROMPT
