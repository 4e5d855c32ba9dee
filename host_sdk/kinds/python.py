"""Boards with MicroPython or CircuitPython: runtime and model are files, brought there through the REPL."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from host_sdk.boards import MICROBIT, Python
from host_sdk.conformance import Usage
from host_sdk.errors import PortError, UsageError
from host_sdk.flash.fit import fitted_python, python_room
from host_sdk.flash.python_deploy import deploy_python, start_python
from host_sdk.flash.python_files import build_number
from host_sdk.flash.repl import shows_prompt
from host_sdk.flash.result import FlashResult
from host_sdk.kinds.kind import How, Kind, Progress
from host_sdk.link.connection import Connection
from host_sdk.link.messages import Hello
from host_sdk.model.model import Model
from host_sdk.pack.micropython import PythonImage

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.python_board import PythonBoard


class PythonKind(Kind):
    """A REPL becomes a board that talks, and is left that way."""

    memories: ClassVar[tuple[str, ...]] = ("files",)

    starts_on_request: ClassVar[bool] = True

    counts_cycles: ClassVar[bool] = False

    board: Python

    @property
    def demo(self) -> str:
        """A micro:bit has no room for tinychat."""
        return "commands" if self.board.name == MICROBIT else super().demo

    @property
    def room(self) -> int:
        """Bytes of the file system."""
        return python_room(self.board)

    def fitted(self, model: Model) -> PythonImage:
        """The model packed for its Python."""
        return fitted_python(model, self.board)

    def flash(self, connection: Connection, model: Model, how: How, progress: Progress | None) -> FlashResult:
        """Files that differ are written, and the runtime is started."""
        if not connection.heard and not shows_prompt(connection.line) and not how.yes:
            raise UsageError(
                f"The REPL on {connection.address} is busy with a program of its user; end that, or say --yes to "
                "interrupt it (its files stay)."
            )
        result = deploy_python(connection.line, self.board, model, how.at_start, progress)
        connection.greet()
        return result

    def is_outdated(self, hello: Hello) -> bool:
        """Whether the board runs another build than the one that is shipped."""
        return hello.build != build_number(self.board.name == MICROBIT)

    def usage(self, connection: Connection) -> Usage:
        """A REPL never sleeps."""
        counters = cast("PythonBoard", connection.virtual).counters()
        return Usage(counters.received + counters.transmitted, None)

    def wake(self, connection: Connection) -> bool:
        """Start the runtime, if the REPL waits for input."""
        return start_python(connection.line)

    def silent(self, address: str, reason: PortError) -> PortError:
        """Its REPL is there, but no runtime of ours behind it."""
        return PortError(
            f"The MicroPython on {address} has no μLM runtime, or is busy with a program of its user; put the runtime "
            f"there with `ulm flash {address} MODEL.ulm`."
        )
