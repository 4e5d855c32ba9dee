"""Written through Blinka, streamed by the simulated UNO: one file is both chips."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_sdk.device import Device
from host_sdk.flash.blinka import VIRTUAL
from host_sdk.flash.provision import provision_spi_flash
from host_sdk.model.engine import run
from host_sdk.model.library import remember, shipped_model
from host_sdk.pack.stream import pack_stream

pytest.importorskip("adafruit_platformdetect")

BOARD = "uno-flash"
QUERIES = ("hello", "what is your name?", "is it alive")


@pytest.fixture
def chip(simavr: None, tmp_path: Path) -> Path:
    """The file of a flash chip."""
    return tmp_path / "w25q.bin"


def provide(name: str, chip: Path) -> int:
    """The half that the model is in."""
    model = shipped_model(name)
    remember(model)
    return provision_spi_flash(pack_stream(model).data, f"{VIRTUAL}?flash={chip}").slot


def check(name: str, chip: Path, state: Path) -> None:
    """The board answers with this model, every number right, and has written nothing."""
    model = shipped_model(name)
    with Device(f"sim://{BOARD}?state={state}&flash={chip}") as board:
        assert (board.hello.model, board.hello.model_crc) == (model.name, model.crc)
        for query in QUERIES:
            reply, due = board.chat(query), run(model, [query.encode()])[0]
            assert (reply.text, reply.digest, reply.digest_checked) == (due.text, due.digest, True)
        counters = board._connection.virtual.counters()
    assert (counters.part_writes, counters.part_erases) == (0, 0)


def test_written_through_blinka_streamed_by_the_uno(chip: Path, tmp_path: Path) -> None:
    assert provide("guess", chip) == 0
    check("guess", chip, tmp_path / "board")
    assert provide("tinychat", chip) == 1  # the other half: the newest answers
    check("tinychat", chip, tmp_path / "board")


def test_what_the_board_stored_is_known(chip: Path, tmp_path: Path) -> None:
    """The firmware's own slots, and those written here, are the same ones."""
    model = shipped_model("guess")
    provide("tinychat", chip)
    with Device(f"sim://{BOARD}?state={tmp_path / 'board'}&flash={chip}") as board:
        board.flash(model)
    image = pack_stream(model).data
    again = provision_spi_flash(image, f"{VIRTUAL}?flash={chip}")
    assert (again.written, again.slot, again.sequence) == (False, 1, 2)
    assert provide("tinychat", chip) == 0
    check("tinychat", chip, tmp_path / "board")
