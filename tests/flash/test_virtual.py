"""Against the bootloaders that the boards are sold with, on simulated chips."""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from host_sdk.boards import AVR_BOARDS, Avr
from host_sdk.errors import FitError, LinkError, MissingError
from host_sdk.flash import Identity, Memory, Resident, identify, upload, upload_with_avrdude
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.spec.image import FACTS, IDENT, IDENT_ADDRESS, MODEL_ADDRESS
from tests.conftest import FULL_BOARDS
from tests.flash.fake import PAGE, lookalikes

FLASH_STEP_S = 0.0045
"""One erase or one write of a page on silicon (datasheet table 27-18); the simulated ones take no time."""
STAY_HERE = b"\xff\xcf"  # rjmp to itself


def program(board: Avr, seed: int) -> bytes:
    head = (
        STAY_HERE.ljust(IDENT_ADDRESS, b"\0")
        + IDENT
        + struct.pack(FACTS + "B", 1, 0, 64, 7, 0, board.clock_hz, board.name.encode(), 1)
    ).ljust(2 * PAGE, b"\0")
    return head + random.Random(seed).randbytes(board.code_bytes - 2 * PAGE)


@pytest.fixture(params=FULL_BOARDS.values(), ids=FULL_BOARDS)
def board(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def port(board: Avr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(serial, "protocol_handler_packages", ["host_sdk.link"])
    try:
        opened = serial.serial_for_url(f"sim://{board.name}?state={tmp_path}&blank", baudrate=board.baud)
    except MissingError as error:
        pytest.skip(str(error))
    with opened:
        yield opened


class Lossy:
    """A port that loses or damages the n-th byte sent to the board."""

    def __init__(self, port: Any, hit: int, lost: bool) -> None:
        self.__dict__.update(_port=port, _hit=hit, _lost=lost, _sent=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._port, name, value)

    def write(self, data: bytes) -> int:
        at = self._hit - self._sent
        self.__dict__["_sent"] += len(data)
        if 0 <= at < len(data):
            data = data[:at] + (b"" if self._lost else bytes([data[at] ^ 4])) + data[at + 1 :]
        return self._port.write(data)


def test_full_upload_in_board_time(board: Avr, port: Any) -> None:
    wanted = program(board, 1)
    cycles = [port.board.counters().cycles]

    def watch(done: int, total: int) -> None:
        if done == total:  # not later: then the program runs, as fast as this machine can
            cycles.append(port.board.counters().cycles)

    result = upload(port, board, Memory.from_bytes(0, wanted), order_last=(MODEL_ADDRESS,), progress=watch)
    line_s = (cycles[1] - cycles[0]) / board.clock_hz
    silicon_s = line_s + 2 * FLASH_STEP_S * result.pages_written
    assert port.board.flash(0, board.code_bytes) == wanted
    assert result.bytes == board.code_bytes
    assert silicon_s < (10 if board.name == "uno" else 16.5)


def test_only_changed_pages_and_erased_tail(board: Avr, port: Any) -> None:
    old = program(board, 1)
    upload(port, board, Memory.from_bytes(0, old))
    new = bytearray(old)
    new[MODEL_ADDRESS + 9 * PAGE + 3] ^= 1
    new[-PAGE:] = b"\xff" * PAGE
    result = upload(port, board, Memory.from_bytes(0, bytes(new)), order_last=(MODEL_ADDRESS,))
    assert result.pages_written == 3  # these two and the mark
    assert port.board.flash(0, board.code_bytes) == new


def test_boot_section_is_refused(board: Avr, port: Any) -> None:
    before = port.board.flash(0, board.flash_bytes)
    with pytest.raises(FitError):
        upload(port, board, Memory.from_bytes(0, bytes(board.code_bytes + 1)))
    assert port.board.flash(0, board.flash_bytes) == before


def test_stopped_by_its_user_and_repaired(board: Avr, port: Any) -> None:
    upload(port, board, Memory.from_bytes(0, program(board, 1)))
    wanted = Memory.from_bytes(MODEL_ADDRESS, program(board, 2)[MODEL_ADDRESS:])

    def stop(done: int, total: int) -> None:
        if done == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(port, board, wanted, order_last=(MODEL_ADDRESS,), progress=stop)
    assert port.board.flash(MODEL_ADDRESS, PAGE) == b"\xff" * PAGE
    assert port.board.flash(0, MODEL_ADDRESS) == program(board, 1)[:MODEL_ADDRESS]
    result = upload(port, board, wanted, order_last=(MODEL_ADDRESS,))
    assert result.pages_kept == 70
    assert port.board.flash(MODEL_ADDRESS, board.code_bytes - MODEL_ADDRESS) == wanted.pages[MODEL_ADDRESS] + b"".join(
        list(wanted.pages.values())[1:]
    )


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "damaged"])
def test_damaged_bytes_are_survived(board: Avr, port: Any, lost: bool) -> None:
    """In the first sync, and in the first page's address, data, end and read back."""
    wanted = program(board, 3)[: 6 * PAGE]
    for hit in (0, 16, 100, 151, 157):
        port.close()
        port.open()
        upload(Lossy(port, hit, lost), board, Memory.from_bytes(0, wanted))
        assert port.board.flash(0, len(wanted)) == wanted, hit


@pytest.mark.parametrize("board", AVR_BOARDS.values(), ids=AVR_BOARDS)
def test_identify(board: Avr, port: Any) -> None:
    found = identify(port)
    assert found.boards == lookalikes(board)
    assert found.identity == Identity(Resident.BLANK)
    upload(port, board, Memory.from_bytes(0, program(board, 1)[: 2 * PAGE]))
    found = identify(port)
    assert found.boards == (board,)
    assert found.identity == Identity(Resident.RUNTIME, abi=1, build=7, board=board.name)
    upload(port, board, Memory.from_bytes(0, STAY_HERE))
    assert identify(port).identity.resident is Resident.FOREIGN


@pytest.mark.skipif(not shutil.which("avrdude"), reason="avrdude is not installed")
def test_avrdude_writes_the_same(board: Avr, tmp_path: Path) -> None:
    old = program(board, 1)[: MODEL_ADDRESS + 8 * PAGE]
    new = Memory.from_bytes(MODEL_ADDRESS, program(board, 2)[MODEL_ADDRESS : MODEL_ADDRESS + 3 * PAGE])
    new = new.merged(Memory.from_bytes(MODEL_ADDRESS + 3 * PAGE, b"\xff" * 2 * PAGE))
    try:
        virtual = AvrBoard(board, tmp_path, blank=True, reset_on_open=True)
    except MissingError as error:
        pytest.skip(str(error))
    with virtual:
        upload_with_avrdude(virtual.tty, board, Memory.from_bytes(0, old))
        upload_with_avrdude(virtual.tty, board, new, order_last=(MODEL_ADDRESS,))
        expected = bytearray(old)
        for address, page in new.pages.items():
            expected[address : address + PAGE] = page
        assert virtual.flash(0, len(old)) == expected


@pytest.mark.skipif(not shutil.which("avrdude"), reason="avrdude is not installed")
def test_avrdude_failure_is_one_sentence(board: Avr, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"avrdude failed on .*cannot open port .*none.*; check the port"):
        upload_with_avrdude(str(tmp_path / "none"), board, Memory.from_bytes(0, b"\0"))
