"""Kinds of boards: how each is flashed, what a model may take there, how it is metered. One file for each kind."""

from __future__ import annotations

from host_sdk.boards import BOARDS, PYTHON_BOARDS, Avr, Board, Cpm, Esp, Offload, Python
from host_sdk.kinds.avr import AvrKind
from host_sdk.kinds.cpm import CpmKind
from host_sdk.kinds.esp import EspKind
from host_sdk.kinds.kind import How, Kind, Packed
from host_sdk.kinds.offload import OffloadKind
from host_sdk.kinds.python import PythonKind
from host_sdk.link.connection import Connection
from host_sdk.model.model import Model

__all__ = ["KINDS", "MEMORIES", "How", "Kind", "Packed", "fitted", "kind_of", "model_room", "wake"]

KINDS: dict[type[Board], type[Kind]] = {
    Avr: AvrKind,
    Offload: OffloadKind,
    Cpm: CpmKind,
    Python: PythonKind,
    Esp: EspKind,
}
"""The kind of each class of records."""


def kind_of(board: Board) -> Kind:
    """The board as one of its kind."""
    return KINDS[type(board)](board)


MEMORIES = tuple(dict.fromkeys(memory for board in BOARDS.values() for memory in kind_of(board).memories))
"""All places where models can be put."""


def wake(connection: Connection) -> bool:
    """Start a runtime on a board that does not answer, if it only waits to be told so."""
    board = connection.board or PYTHON_BOARDS["micropython"]
    return kind_of(board).wake(connection)


def model_room(board: Board) -> int | None:
    """Bytes that a packed model may take on a board; None where that is a matter of its card or chip."""
    return kind_of(board).room


def fitted(model: Model, board: Board) -> Packed:
    """The packed model; FitError with the numbers when the board has no room for it."""
    return kind_of(board).fitted(model)
