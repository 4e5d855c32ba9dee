"""Machines under CP/M: models are files on their disk, and a person has started ULM.COM."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from host_sdk.boards import Cpm
from host_sdk.conformance import Usage
from host_sdk.errors import PortError
from host_sdk.flash.cpm_files import disk_name
from host_sdk.flash.cpm_upload import HOW_TO_START, send_model
from host_sdk.flash.fit import cpm_room, fitted_cpm
from host_sdk.flash.result import FlashResult
from host_sdk.kinds.kind import How, Kind, Progress
from host_sdk.link.connection import Connection
from host_sdk.link.messages import End
from host_sdk.model.model import Model
from host_sdk.pack.cpm import CpmImage

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.cpm_board import CpmBoard


class CpmKind(Kind):
    """The model goes through the protocol to the disk, and is loaded from there."""

    new_speaks: ClassVar[bool] = True
    board: Cpm

    @property
    def memories(self) -> tuple[str, ...]:
        """Many models find room there."""
        return ("disk",)

    @property
    def room(self) -> int:
        """Bytes of the TPA behind the runtime."""
        return cpm_room(self.board)

    def fitted(self, model: Model) -> CpmImage:
        """The model packed for the TPA."""
        return fitted_cpm(model, self.board)

    def flash(self, connection: Connection, model: Model, how: How, progress: Progress | None) -> FlashResult:
        """To the running ULM.COM; a virtual machine starts with this model from now on."""
        result = send_model(connection.session, self.hello(connection), self.board, model, progress)
        if machine := _machine(connection):
            machine.run_at_start(disk_name(model.name))
        connection.greet()
        return result

    def furnish(self, connection: Connection, model: Model) -> None:
        """Like a machine sold with the demo on its disk."""
        machine, name = _machine(connection), disk_name(model.name)
        assert machine
        machine.store(name, self.fitted(model).data)
        connection.greet()
        connection.session.load(name)
        connection.greet()

    def silent(self, address: str, reason: PortError) -> PortError:
        """Nobody but its user can start the runtime."""
        return PortError(f"ULM.COM does not run on {address}. {HOW_TO_START}")

    def metered(self, connection: Connection, end: End) -> End:
        """With the T-states that a virtual machine measured, if it knows the program."""
        machine = _machine(connection)
        laps = machine.laps() if machine else []
        if not laps or len(laps[-1].passes) != end.passes:
            return end
        query, passes = laps[-1].query, laps[-1].passes
        return replace(end, query_cycles=query, first_cycles=passes[0], cycles=sum(passes), max_cycles=max(passes))

    def usage(self, connection: Connection) -> Usage:
        """A Z80 never sleeps."""
        counters = cast("CpmBoard", connection.virtual).counters()
        return Usage(counters.received + counters.transmitted, None)


def _machine(connection: Connection) -> CpmBoard | None:
    return cast("CpmBoard | None", connection.virtual)
