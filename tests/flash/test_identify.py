from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from host_sdk.boards import AVR_BOARDS, BOARDS, Avr
from host_sdk.errors import LinkError, PortError
from host_sdk.flash import Identity, Resident, identify
from host_sdk.flash.identify import parse_identity
from host_sdk.spec.image import FACTS, IDENT, IDENT_ADDRESS
from tests.flash.fake import FakeBoard, lookalikes

UNO = BOARDS["uno"]
pytestmark = pytest.mark.usefixtures("instant")


def runtime(board: bytes = b"uno") -> bytes:
    return bytes(IDENT_ADDRESS) + IDENT + struct.pack(FACTS + "B", 1, 0, 64, 0x1234, 0, 16_000_000, board, 3)


@pytest.mark.parametrize("board", AVR_BOARDS.values(), ids=AVR_BOARDS)
def test_each_board_is_found_at_its_baud(board: Avr) -> None:
    fake = FakeBoard(board)
    fake.timeout, fake.baudrate = 4.0, 300
    found = identify(fake)
    assert found.boards == lookalikes(board)
    assert found.identity == Identity(Resident.BLANK)
    assert (fake.timeout, fake.baudrate) == (4.0, 300)


def test_runtime_names_its_board() -> None:
    twin = replace(UNO, name="twin")
    fake = FakeBoard(UNO, runtime(b"twin"))
    found = identify(fake, (UNO, twin))
    assert found.boards == (twin,)
    assert found.identity == Identity(Resident.RUNTIME, abi=3, build=0x1234, board="twin")
    fake = FakeBoard(UNO, b"\x0c\x94" * 64)
    assert identify(fake, (UNO, twin)).boards == (UNO, twin)


def test_first_page_tells_who_wrote_it() -> None:
    assert parse_identity(b"\xff" * 128).resident is Resident.BLANK
    assert parse_identity(bytes(128)).resident is Resident.FOREIGN
    full = parse_identity((runtime(b"longname") + b"tail").ljust(128, b"\0"))
    assert full == Identity(Resident.RUNTIME, 3, 0x1234, "longname")


def test_silence_and_strange_chips_are_port_errors() -> None:
    fake = FakeBoard(UNO)
    fake.to_host = lambda index, value: None
    with pytest.raises(PortError, match="at 115200 or 57600 baud"):
        identify(fake)
    strange = replace(UNO, signature=b"\x1e\x94\x06")
    with pytest.raises(PortError, match="1e 94 06"):
        identify(FakeBoard(strange))


def test_a_lost_byte_is_asked_again_and_silence_is_not_hidden() -> None:
    fake = FakeBoard(UNO, runtime())
    fake.to_host = lambda index, value: None if index == 20 else value
    assert identify(fake).identity.board == "uno"
    fake = FakeBoard(UNO, runtime())
    fake.to_host = lambda index, value: None if value == IDENT[0] else value
    with pytest.raises(LinkError, match="flash 0x0000 was read"):
        identify(fake)
