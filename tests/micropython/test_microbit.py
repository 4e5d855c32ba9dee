"""A BBC micro:bit in QEMU: MicroPython 1.9.2 with 9 KB of heap and 15 KB of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host_sdk.device import Device
from host_sdk.errors import FitError, UsageError
from host_sdk.flash.python_files import build_number
from host_sdk.model.engine import run
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Model


@pytest.fixture(scope="module")
def folder(qemu: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("microbit") / "board"


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[Device]:
    with Device(f"sim://microbit?state={folder}") as device:
        yield device


@pytest.fixture(scope="module")
def commands() -> Model:
    return shipped_model("commands")


def test_a_new_one_runs_commands(board: Device, commands: Model) -> None:
    assert (board.board, board.hello.model, board.hello.model_crc) == ("microbit", "commands", commands.crc)
    assert board.hello.build == build_number(tiny=True)
    assert board.info().model_bytes == 4432
    result = board.verify()
    assert (result.exact, result.queries) == (len(commands.golden), len(commands.golden))


def test_the_longest_query(board: Device, commands: Model) -> None:
    query = "turn on the light and " + "x" * 40
    assert len(query) == board.hello.max_query
    reply = board.chat(query)
    assert reply.text == run(commands, [query])[0].text
    assert reply.digest_checked
    with pytest.raises(UsageError, match="63 characters"):
        board.chat(query + "x")


def test_its_heap_lasts(board: Device) -> None:
    """In pieces, a heap of 2.5 KB had no place for a long query's buckets after some of them."""
    for number in range(12):
        assert board.chat("turn on the light and " + "x" * (40 - number % 3)).digest_checked


def test_a_person_gets_a_line(board: Device, commands: Model) -> None:
    line = board._connection.line
    line.timeout = 1
    line.write(b"light on\r")
    assert b"led on." in line.read(200)
    line.write(b"light~on\r")
    assert b"~on\r\n" + run(commands, ["light~on"])[0].text.encode() in line.read(200)
    line.write(b"light on\r")
    assert b"led on." in line.read(200)


def test_what_does_not_fit_is_refused(board: Device) -> None:
    with pytest.raises(FitError, match="spells its replies"):
        board.flash("tinychat")
    with pytest.raises(FitError, match=r"has 7504 for it, 5732 too few"):
        board.flash("smalltalk")


def test_its_files_outlast_it_and_are_not_written_again(board: Device, folder: Path, commands: Model) -> None:
    board.close()
    before = (folder / "flash.bin").read_bytes()
    with Device(f"sim://microbit?state={folder}") as device:
        result = device.flash(commands)
        assert (result.files_written, result.files_kept) == (0, 10)
        assert device.chat("light on").digest_checked
    assert (folder / "flash.bin").read_bytes() == before
