"""Which board is on a port."""

from __future__ import annotations

from typing import Protocol

from host_sdk.boards import (
    AVR_BOARDS,
    BOARDS,
    ESP_BOARDS,
    OFFLOAD_BOARDS,
    PYTHON_BOARDS,
    Avr,
    Board,
    Offload,
    Python,
    avr_named,
    board_named,
)
from host_sdk.errors import PortError, UsageError
from host_sdk.flash import repl, stk500
from host_sdk.flash.identify import Resident, identify
from host_sdk.flash.repl import shows_prompt
from host_sdk.link.messages import Hello


class Port(stk500.Port, repl.Port, Protocol):
    """A line that may lead to a bootloader or to a REPL."""


def choose_board(port: Port, hello: Hello | None, named: str | None, yes: bool) -> Board:
    """The board on the port, from its HELLO, its REPL or its bootloader.

    UsageError when it is blank and could be several, or when it runs a foreign program and `yes` is not given.
    """
    if hello:
        if hello.board not in BOARDS:
            raise UsageError(f"The board says it is a {hello.board!r}, which this host_sdk does not know; update it.")
        if named and named != hello.board and not _is_called(board_named(hello.board), named):
            raise UsageError(f"The board on this port is a {hello.board}, not a {named}; leave out --board.")
        return board_named(named or hello.board)
    if named and not isinstance(board_named(named), Avr):
        return board_named(named)
    python = PYTHON_BOARDS["micropython"]
    if not named:
        port.baudrate = python.baud
        if shows_prompt(port, interrupt=yes):
            return python
    wanted = [avr_named(named)] if named else [*AVR_BOARDS.values(), *OFFLOAD_BOARDS.values()]
    try:
        found = identify(port, wanted)
    except PortError as error:
        if named or yes:
            raise
        raise PortError(
            f"{error} A MicroPython board that is busy with a program is interrupted by --yes; an Espressif chip gets "
            "MicroPython with --firmware FILE.bin."
        ) from None
    if found.identity.resident is Resident.FOREIGN and not yes:
        raise UsageError("The board holds another program, which flashing would erase; say --yes to replace it.")
    boards = found.boards
    if len(boards) > 1:  # a card or a chip on its pins is nothing that a bootloader knows
        boards = tuple(board for board in boards if not isinstance(board, Offload))
    if len(boards) > 1:
        names = ", ".join(board.name for board in boards)
        raise UsageError(f"The bootloader could be that of several boards; say which with --board: {names}.")
    return boards[0]


def _is_called(board: Board, named: str) -> bool:
    """Whether this board can be the one named: a card or a chip put on its pins or taken off, MicroPython on a chip."""
    if named in ESP_BOARDS:
        return isinstance(board, Python)
    other = BOARDS.get(named)
    return (
        isinstance(board, Avr)
        and isinstance(other, Avr)
        and type(board) is not type(other)
        and (board.bootloader, board.clock_hz) == (other.bootloader, other.clock_hz)
    )
