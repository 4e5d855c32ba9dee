"""An open line with a board, real or virtual, at its far end: what of it is known, and its session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from host_sdk.boards import BOARDS, Board
from host_sdk.errors import FileError, PortError, UsageError
from host_sdk.link.messages import Hello
from host_sdk.link.ports import greet, likely_bauds, open_port
from host_sdk.link.session import Session

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.board import VirtualBoard


class Connection:
    """One board at one address. `heard` is what it said when it was last greeted; None until it answers."""

    def __init__(self, address: str, baud: int | None = None, trace: str | Path | None = None) -> None:
        """Opens the port, and the file `trace` for every byte that crosses it. PortError, FileError."""
        self.address = address
        self.heard: Hello | None = None
        self.bauds = [baud] if baud else likely_bauds(address)
        self._close = ExitStack()
        try:
            self.line = self._close.enter_context(open_port(address, self.bauds[0]))
            self.session = Session(self.line, self._open_trace(trace))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the port; a virtual board is switched off."""
        self._close.close()

    @property
    def virtual(self) -> VirtualBoard | None:
        """The virtual board, if this is one."""
        board: VirtualBoard | None = getattr(self.line, "board", None)
        return board

    @property
    def board(self) -> Board | None:
        """The record of the board, as far as it has named itself or is virtual."""
        if self.heard:
            return BOARDS.get(self.heard.board)
        return self.virtual.board if self.virtual else None

    @property
    def hello(self) -> Hello:
        """What the board said; PortError when it has not answered."""
        if self.heard is None:
            raise PortError(
                f"The board on {self.address} has no μLM runtime; put one on it with `ulm flash {self.address}`."
            )
        return self.heard

    def greet(self, wake: Callable[[], bool] | None = None) -> Hello:
        """Ask who is there; PortError when nobody answers, BoardError for another protocol revision.

        `wake` is called where a REPL is found, and says whether it started a runtime there.
        """
        self.heard = None
        hello = greet(self.line, self.session, self.bauds, wake)
        if self.virtual:
            hello = replace(hello, clock_hz=self.virtual.clock_hz)  # which not every runtime can know
        self.heard = hello
        return hello

    @contextmanager
    def lent_port(self) -> Iterator[str]:
        """The path of the port, free for another program, with an AVR board in its bootloader."""
        if self.virtual:
            self.virtual.reset()
            yield self.virtual.tty
        elif "://" in self.address:
            raise UsageError(f"Another program cannot open {self.address}; leave out --programmer.")
        else:
            self.line.close()
            try:
                yield self.address
            finally:
                self.line.open()

    def _open_trace(self, path: str | Path | None) -> Callable[[str, bytes], None] | None:
        if path is None:
            return None
        try:
            file: IO[str] = Path(path).open("w", encoding="ascii")  # noqa: SIM115  (closed by close())
        except OSError as error:
            raise FileError(f"Cannot write the trace {path}: {error.strerror}. Choose another file.") from None
        self._close.enter_context(file)
        started = time.monotonic()

        def write(who: str, data: bytes) -> None:
            file.write(f"{time.monotonic() - started:10.4f} {who:5} {data.hex(' ')}\n")

        return write
