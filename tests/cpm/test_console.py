"""A person at the terminal of a CP/M machine: keys go in, the screen is read; simulated time only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.flash.cpm_files import com_file, shipped_com
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.sim.cpm_board import PROGRAM
from host_sdk.spec.cpm import ABI, HEADER
from tests.cpm.conftest import Bench, packed
from tests.device.test_actions import PAIRS
from tests.synthetic import endless, reply_model

PROMPT = b"\r\n> "
REFUSED = b"\r\nline refused"
LINE_BYTES = 80
OFFSET = {name: offset for name, offset, _ in HEADER}

Sit = Callable[..., Bench]


@pytest.fixture
def sit(tmp_path: Path, request: pytest.FixtureRequest) -> Sit:
    """`sit(run, files, **settings)`: a person in front of a machine with the runtime and these files on its disk."""

    def make(run: str, files: dict[str, bytes], **settings: object) -> Bench:
        disk = tmp_path / "disk"
        disk.mkdir()
        (disk / PROGRAM).write_bytes(shipped_com().code)
        for name, data in files.items():
            (disk / name).write_bytes(data)
        made = Bench(disk, run, **settings)
        request.addfinalizer(made.close)
        return made

    return make


@pytest.fixture
def terminal(sit: Sit, small: Model) -> Bench:
    """In front of a machine that has greeted."""
    made = sit("ULM SMALL", {"SMALL.ULB": packed(small)})
    assert made.until(PROMPT) == b"\r\nA>ULM SMALL\r\n\r\nmicroLM on cpm: small" + PROMPT
    return made


def typed(terminal: Bench, keys: bytes, until: bytes = PROMPT) -> bytes:
    """What the screen shows for some typing."""
    terminal.type(keys)
    return terminal.until(until)


def reply(model: Model, query: bytes) -> bytes:
    return b"\r\n" + run(model, [query])[0].text.encode()


# Lines


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n"], ids=["cr", "lf", "crlf"])
def test_a_line_is_echoed_and_answered(terminal: Bench, small: Model, ending: bytes) -> None:
    assert typed(terminal, b"hello" + ending) == b"hello" + reply(small, b"hello") + PROMPT
    terminal.work(400_000)
    assert terminal.screen == b""


def test_blanks_around_a_line_do_not_count(terminal: Bench, small: Model) -> None:
    assert typed(terminal, b"   who are you  \r") == b"   who are you  " + reply(small, b"who are you") + PROMPT
    assert typed(terminal, b"   \r") == b"   " + PROMPT
    assert typed(terminal, b"\r") == PROMPT


@pytest.mark.parametrize("key", [b"\x08", b"\x7f"], ids=["backspace", "delete"])
def test_backspace(terminal: Bench, small: Model, key: bytes) -> None:
    erased = b"\b \b"
    assert typed(terminal, b"helloxy" + key * 2 + b"\r") == b"helloxy" + erased * 2 + reply(small, b"hello") + PROMPT
    assert typed(terminal, b"ab" + key * 5 + b"hi\r") == b"ab" + erased * 2 + b"hi" + reply(small, b"hi") + PROMPT


@pytest.mark.parametrize("byte", [0x01, 0x09, 0x13, 0x1B])
def test_a_line_with_control_characters_is_refused(terminal: Bench, small: Model, byte: int) -> None:
    assert typed(terminal, b"hel" + bytes([byte]) + b"lo\r") == b"hel" + REFUSED + PROMPT
    assert typed(terminal, b"hello\r") == b"hello" + reply(small, b"hello") + PROMPT


def test_the_longest_line_and_one_more(terminal: Bench, small: Model) -> None:
    longest = (b"0123456789" * 8)[:LINE_BYTES]
    assert typed(terminal, longest + b"\r") == longest + reply(small, longest) + PROMPT
    assert typed(terminal, longest + b"8more\r") == longest + REFUSED + PROMPT
    assert typed(terminal, b"hi\r") == b"hi" + reply(small, b"hi") + PROMPT


def test_bit_7_does_not_count(terminal: Bench, small: Model) -> None:
    """A terminal that sends a parity bit types the same letters."""
    assert typed(terminal, b"\xe8i\r") == b"hi" + reply(small, b"hi") + PROMPT


def test_a_tilde_becomes_text_after_a_pause(terminal: Bench, small: Model) -> None:
    terminal.type(b"hi ~")
    terminal.work(4_000_000)
    assert typed(terminal, b"you\r") == b"hi ~you" + reply(small, b"hi ~you") + PROMPT
    terminal.type(b"~ok")
    terminal.work(4_000_000)
    assert typed(terminal, b"\r") == b"~ok" + reply(small, b"~ok") + PROMPT


# Leaving


def test_an_exclamation_mark_alone_leaves(terminal: Bench, small: Model) -> None:
    assert typed(terminal, b"!!\r") == b"!!" + reply(small, b"!!") + PROMPT
    assert typed(terminal, b" ! \r", b"A>") == b" ! \r\n\r\nA>"


def test_control_c_drops_a_line_and_leaves_from_an_empty_one(terminal: Bench, small: Model) -> None:
    assert typed(terminal, b"hel\x03") == b"hel" + PROMPT
    assert typed(terminal, b"hello\r") == b"hello" + reply(small, b"hello") + PROMPT
    assert typed(terminal, b"a\x1b\x03") == b"a" + REFUSED + PROMPT
    assert typed(terminal, b"\x03", b"A>") == b"\r\n\r\nA>"


def test_control_c_stops_a_reply(sit: Sit, small: Model) -> None:
    model = endless(small)
    terminal = sit("ULM SMALL", {"SMALL.ULB": packed(model)})
    terminal.until(PROMPT)
    terminal.type(b"hello\r", 12_000)
    terminal.until(b"\r\n")
    while len(terminal.screen) < 4:
        terminal.work(4000)
    terminal.send(b"\x03")
    shown = terminal.until(PROMPT).removesuffix(PROMPT)
    assert 4 <= len(shown) < 50
    assert model.reply("hello").encode().startswith(shown)
    assert typed(terminal, b"\x03", b"A>")


# Command lines


def test_without_a_name_the_models_are_listed(sit: Sit, small: Model) -> None:
    terminal = sit("ULM", {"SMALL.ULB": packed(small), "X.ULB": b"junk", "README.TXT": b""})
    shown = terminal.until(PROMPT)
    assert shown.endswith(b"microLM on cpm: no model, type the name of one\r\nSMALL\r\nX" + PROMPT)
    assert typed(terminal, b"\r") == PROMPT
    assert typed(terminal, b"nope\r") == b"nope\r\nno model, type the name of one" + PROMPT
    assert typed(terminal, b"x\r") == b"x\r\nmodel file is damaged" + PROMPT
    assert typed(terminal, b" small \r") == b" small \r\nsmall" + PROMPT
    assert typed(terminal, b"hi\r") == b"hi" + reply(small, b"hi") + PROMPT


def test_a_disk_without_models(sit: Sit) -> None:
    shown = sit("ULM", {}).until(PROMPT)
    assert shown.endswith(b"type the name of one\r\nno .ULB file on this disk" + PROMPT)


def test_one_question_on_the_command_line(sit: Sit, small: Model) -> None:
    terminal = sit("ULM SMALL who  are you", {"SMALL.ULB": packed(small)})
    # CP/M makes capitals of a command line; blanks inside it stay.
    answer = run(small, [b"WHO  ARE YOU"])[0].text.encode()
    assert terminal.until(b"\r\nA>") == b"\r\nA>"
    assert terminal.until(b"\r\nA>") == b"ULM SMALL who  are you\r\n" + answer + b"\r\n\r\nA>"


def test_the_model_of_a_previous_program_is_not_found(sit: Sit, small: Model) -> None:
    terminal = sit("ULM SMALL hi", {"SMALL.ULB": packed(small)})
    terminal.until(b"hi\r\n")
    terminal.until(b"\r\nA>")
    assert b"no model" in typed(terminal, b"ulm\r")


def test_a_program_with_its_model_inside(sit: Sit, small: Model) -> None:
    chat = com_file(packed(small))
    terminal = sit("CHAT", {"CHAT.COM": chat})
    assert terminal.until(PROMPT) == b"\r\nA>CHAT\r\n\r\nmicroLM on cpm: small" + PROMPT
    assert typed(terminal, b"hello\r") == b"hello" + reply(small, b"hello") + PROMPT
    assert typed(terminal, b"!\r", b"A>")
    answer = run(small, [b"GOOD MORNING"])[0].text.encode()
    assert typed(terminal, b"chat good morning\r", b"\r\nA>") == b"chat good morning\r\n" + answer + b"\r\n\r\nA>"


# Files that are not right


def changed(data: bytes, field: str, value: bytes) -> bytes:
    at = OFFSET[field]
    return data[:at] + value + data[at + len(value) :]


def test_files_that_cannot_run_here(sit: Sit, small: Model) -> None:
    good = packed(small)
    files = {
        "ABI.ULB": changed(good, "abi", bytes((ABI + 1,))),
        "AVR.ULB": changed(good, "abi", b"\x02"),
        "LARGE.ULB": changed(good, "end", (0xE401).to_bytes(2, "little")),
        "FLIPPED.ULB": good[:700] + bytes((good[700] ^ 1,)) + good[701:],
        "CUT.ULB": good[: len(good) // 2],
        "EMPTY.ULB": b"",
        "TEXT.ULB": b"hello " * 100,
    }
    terminal = sit("ULM", files)
    terminal.until(PROMPT)
    for name, sentence in (
        (b"abi", b"model is for another CPU or runtime"),
        (b"avr", b"model is for another CPU or runtime"),
        (b"large", b"model needs a TPA of 58113 bytes, here are 58112"),
        (b"flipped", b"model file is damaged"),
        (b"cut", b"model file is damaged"),
        (b"empty", b"model file is damaged"),
        (b"text", b"model file is damaged"),
    ):
        assert typed(terminal, name + b"\r") == name + b"\r\n" + sentence + PROMPT


def test_a_commit_that_was_cut_between_deleting_and_renaming(sit: Sit, small: Model) -> None:
    """The new file has its old name, and the old one is gone: then the new one is the model."""
    terminal = sit("ULM SMALL", {"SMALL.$$$": packed(small)})
    assert terminal.until(PROMPT).endswith(b"microLM on cpm: small" + PROMPT)


def test_a_cut_upload_beside_the_model_is_not_looked_at(sit: Sit, small: Model) -> None:
    terminal = sit("ULM SMALL", {"SMALL.$$$": packed(small)[:500], "SMALL.ULB": packed(small)})
    assert terminal.until(PROMPT).endswith(b"microLM on cpm: small" + PROMPT)


def test_a_tpa_that_is_too_small(sit: Sit, small: Model) -> None:
    data = packed(small)
    end = int.from_bytes(data[OFFSET["end"] : OFFSET["end"] + 2], "little")
    room = (end - 0x100 - 1) & 0xFF00  # BDOS lies on a page
    needs = f"model needs a TPA of {end - 0x100} bytes, here are {room}".encode()
    terminal = sit("ULM SMALL", {"SMALL.ULB": data, "CHAT.COM": com_file(data)}, tpa=room)
    assert terminal.until(PROMPT).endswith(b"microLM on cpm: " + needs + b"\r\nSMALL" + PROMPT)
    assert typed(terminal, b"small\r") == b"small\r\n" + needs + PROMPT


def test_a_reply_model_fills_in_values(sit: Sit) -> None:
    terminal = sit("ULM KEYWORDS", {"KEYWORDS.ULB": packed(reply_model(PAIRS))})
    terminal.until(PROMPT)
    for query, text in ((b"salute", b"hello, human"), (b"light on", b"on"), (b"volts", b"supply 0 V")):
        assert typed(terminal, query + b"\r") == query + b"\r\n" + text + PROMPT
    seen = {typed(terminal, b"roll dice" + b" " * n + b"\r").removesuffix(PROMPT)[-2:] for n in range(12)}
    assert seen <= {b"%d!" % n for n in range(1, 7)}
    assert len(seen) > 1
