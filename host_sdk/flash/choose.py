"""Which board is on a port."""

from __future__ import annotations

from host_sdk.boards import AVR_BOARDS, BOARDS, PYTHON_BOARDS, Avr, Board, avr_named, board_named
from host_sdk.errors import PortError, UsageError
from host_sdk.flash.identify import Resident, identify
from host_sdk.flash.repl import shows_prompt
from host_sdk.flash.stk500 import Port
from host_sdk.link.messages import Hello


def choose_board(port: Port, hello: Hello | None, named: str | None, yes: bool) -> Board:
    """The board on the port, from its HELLO, its REPL or its bootloader.

    UsageError when it is blank and could be several, or when it runs a foreign program and `yes` is not given.
    """
    if hello:
        if hello.board not in BOARDS:
            raise UsageError(f"The board says it is a {hello.board!r}, which this host_sdk does not know; update it.")
        if named and named != hello.board:
            raise UsageError(f"The board on this port is a {hello.board}, not a {named}; leave out --board.")
        return board_named(hello.board)
    if named and not isinstance(board_named(named), Avr):
        return board_named(named)
    python = PYTHON_BOARDS["micropython"]
    if not named:
        port.baudrate = python.baud
        if shows_prompt(port, interrupt=yes):
            return python
    wanted = [avr_named(named)] if named else list(AVR_BOARDS.values())
    try:
        found = identify(port, wanted)
    except PortError as error:
        if named or yes:
            raise
        raise PortError(f"{error} A MicroPython board that is busy with a program is interrupted by --yes.") from None
    if found.identity.resident is Resident.FOREIGN and not yes:
        raise UsageError("The board holds another program, which flashing would erase; say --yes to replace it.")
    if len(found.boards) > 1:
        names = ", ".join(board.name for board in found.boards)
        raise UsageError(f"The bootloader could be that of several boards; say which with --board: {names}.")
    return found.boards[0]
