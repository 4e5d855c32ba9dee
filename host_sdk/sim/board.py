"""What every virtual board is: a process behind a serial port, with counters, that can be reset and switched off."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TypeVar

from host_sdk.boards import Board
from host_sdk.errors import UsageError
from host_sdk.sim.process import Process

PACES = ("real", "fast", "warp")
_Self = TypeVar("_Self", bound="VirtualBoard")
_Counters = TypeVar("_Counters")


class VirtualBoard:
    """A powered virtual board, with its serial port at `tty`. Its memories live in a state folder and outlast it."""

    board: Board
    clock_hz: int
    state: Path  # the folder of its memories
    tty: str  # path of the serial port
    fresh: bool  # the folder held no board before
    _process: Process

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def runs_program(self) -> bool:
        """Whether a program runs there that could answer."""
        return True

    def reset(self) -> None:
        """Pulls the reset line. LinkError when the process is gone."""
        self._process.ask("reset")

    def close(self) -> None:
        """Saves the memories and switches the board off. Closing twice does nothing."""
        self._process.close()

    def _ask_counters(self, form: type[_Counters]) -> _Counters:
        """All counters of the process, as a dataclass whose fields have their names."""
        pairs = (word.split("=") for word in self._process.ask("counters").split())
        return form(**{name: int(value) for name, value in pairs})


def check_pace(pace: str) -> None:
    """UsageError when there is no such pace."""
    if pace not in PACES:
        raise UsageError(f"There is no pace {pace!r}; known paces: {', '.join(PACES)}.")
