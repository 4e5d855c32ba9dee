"""Virtual chips of Espressif, which run no programs: what people are told who take one for a board that talks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from host_sdk.boards import Esp
from host_sdk.conformance import Usage
from host_sdk.errors import PortError, UsageError
from host_sdk.flash.result import FlashResult
from host_sdk.kinds.kind import How, Kind, Progress
from host_sdk.link.connection import Connection
from host_sdk.model.model import Model
from host_sdk.pack.micropython import PythonImage, pack_python

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.esp_board import EspBoard


class EspKind(Kind):
    """A real one with MicroPython is a Python board."""

    memories: ClassVar[tuple[str, ...]] = ("partition",)

    board: Esp

    @property
    def room(self) -> int:
        """Bytes of its flash, the firmware's included."""
        return self.board.flash_bytes

    def fitted(self, model: Model) -> PythonImage:
        """As MicroPython reads it."""
        return pack_python(model)

    def flash(self, connection: Connection, model: Model, how: How, progress: Progress | None) -> FlashResult:
        """UsageError: it has no runtime to talk with."""
        raise UsageError(self._sentence(connection.address))

    def silent(self, address: str, reason: PortError) -> PortError:
        """It cannot answer."""
        return PortError(self._sentence(address))

    def usage(self, connection: Connection) -> Usage:
        """It has no cycles."""
        counters = cast("EspBoard", connection.virtual).counters()
        return Usage(counters.bytes_written + counters.bytes_read, None)

    def _sentence(self, address: str) -> str:
        place = address.partition("?")[0]
        return (
            f"The virtual {self.board.title} has a loader and flash, but runs no programs: try `ulm flash {place}` "
            "with --firmware FILE.bin or --partition model; a MicroPython that talks is sim://micropython."
        )
