"""A session with a board in memory, in a time of its own."""

from __future__ import annotations

from host_sdk.link import session as session_module
from host_sdk.link import wire as wire_module
from host_sdk.link.session import Session, Text
from tests.link.fake import Board, Clock, Line


class Rig:
    """A session, its line, its board and its time."""

    def __init__(self, board: Board | None = None) -> None:
        self.clock = Clock()
        vars(session_module)["time"] = vars(wire_module)["time"] = self.clock
        self.board = board or Board()
        self.line = Line(self.board, self.clock)
        self.session = Session(self.line)

    def text(self, query: bytes = b"hi", verify: bool = False) -> str:
        return "".join(event.text for event in self.session.chat(query, verify) if isinstance(event, Text))
