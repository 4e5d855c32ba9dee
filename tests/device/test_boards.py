"""Every board of the table: a virtual one talks, proves itself, and agrees with its record."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_sdk.boards import AVR_BOARDS, BOARDS, Avr
from host_sdk.device import Device
from host_sdk.errors import UsageError
from host_sdk.flash.choose import choose_board
from host_sdk.flash.identify import Resident, parse_identity
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.kinds import model_room
from host_sdk.link.ports import open_port
from host_sdk.spec.image import FACTS, IDENT, IDENT_ADDRESS, MODEL_ADDRESS
from tests.conftest import OpenBoard, Prepare
from tests.synthetic import character_model

each_board = pytest.mark.parametrize("board", AVR_BOARDS.values(), ids=AVR_BOARDS)


@each_board
def test_conformance(board: Avr, open_board: OpenBoard) -> None:
    device = open_board(board.name, character_model(4))
    assert device.board == board.name
    assert device.hello.clock_hz == board.clock_hz
    assert device.info().model_capacity == model_room(board)
    result = device.verify()
    assert result.exact == result.queries > 0


@each_board
def test_a_person_is_greeted_by_the_board_s_name(board: Avr, prepare: Prepare) -> None:
    state = prepare(board.name, character_model(4))
    with open_port(f"sim://{board.name}?state={state}&pace=fast", board.baud) as line:
        assert line.read_until(b"> ").endswith(f"microLM on {board.name}\r\n> ".encode())


@each_board
def test_flashing_a_blank_board_through_its_bootloader(board: Avr, tmp_path: Path) -> None:
    model = character_model(4)
    with Device(f"sim://{board.name}?state={tmp_path}&blank", bare=True) as device:
        result = device.flash(model)
        assert result.board == device.board == board.name
        assert device.chat("hello").digest_checked


@pytest.mark.parametrize(
    ("name", "candidates"),
    [("nano", "uno, nano"), ("nano-old", "lilypad, nano-old, promini16, promini8")],
)
def test_a_blank_board_that_could_be_several_names_them(name: str, candidates: str, tmp_path: Path) -> None:
    board = BOARDS[name]
    with open_port(f"sim://{name}?state={tmp_path}&blank", board.baud) as line:
        with pytest.raises(UsageError, match=f"--board: {candidates}\\."):
            choose_board(line, None, None, yes=False)
        assert choose_board(line, None, name, yes=False) is board


@each_board
def test_the_shipped_runtime_carries_the_record(board: Avr) -> None:
    cells = shipped_runtime(board).memory.cells
    identity = parse_identity(bytes(cells.get(at, 0xFF) for at in range(134)))
    assert identity.resident is Resident.RUNTIME
    assert identity.board == board.name
    assert len(board.name) <= int(FACTS.rstrip("s").rpartition("I")[2])
    clock = IDENT_ADDRESS + len(IDENT) + 7
    assert bytes(cells[clock + i] for i in range(4)) == board.clock_hz.to_bytes(4, "little")
    assert MODEL_ADDRESS < board.code_bytes <= board.flash_bytes
