"""Virtual chips of Espressif: Python boards as soon as a MicroPython is in their flash."""

from __future__ import annotations

from host_sdk.boards import PYTHON_BOARDS, Esp
from host_sdk.errors import UsageError
from host_sdk.flash.result import FlashResult
from host_sdk.kinds.kind import How, Progress
from host_sdk.kinds.python import PythonKind
from host_sdk.link.connection import Connection
from host_sdk.model.model import Model


class EspKind(PythonKind):
    """A real one is a Python board like others: what is on its port is its MicroPython."""

    def __init__(self, board: Esp) -> None:
        super().__init__(PYTHON_BOARDS["micropython"])
        self._chip = board

    def flash(self, connection: Connection, model: Model, how: How, progress: Progress | None) -> FlashResult:
        """As on every Python board. UsageError when no MicroPython runs."""
        self._check(connection)
        return super().flash(connection, model, how, progress)

    def furnish(self, connection: Connection, model: Model) -> None:
        """UsageError: a new chip is empty."""
        self._check(connection)

    def wake(self, connection: Connection) -> bool:
        """As on every Python board. UsageError when no MicroPython runs."""
        self._check(connection)
        return super().wake(connection)

    def _check(self, connection: Connection) -> None:
        if connection.virtual and not connection.virtual.runs_program:
            place = connection.address.partition("?")[0]
            raise UsageError(
                f"The virtual {self._chip.title} runs no MicroPython: there is none in its flash, or it is in its "
                f"loader. Put one there with `ulm flash {place} --firmware FILE.bin`."
            )
