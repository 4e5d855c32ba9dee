"""AVR boards with the model in their own flash or EEPROM."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from host_sdk.boards import Avr
from host_sdk.conformance import PartUsage, Usage
from host_sdk.flash import eeprom
from host_sdk.flash.deploy import deploy, deploy_with_avrdude
from host_sdk.flash.fit import avr_room, fitted_avr
from host_sdk.flash.result import FlashResult
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.kinds.kind import How, Kind, Progress
from host_sdk.link.connection import Connection
from host_sdk.link.messages import Hello
from host_sdk.model.model import Model
from host_sdk.pack.header import Image
from host_sdk.spec.protocol import Slot

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.avr_board import AvrBoard, Counters


class AvrKind(Kind):
    """Flashed through their bootloader, or while they run into their EEPROM."""

    board: Avr

    packs_compact: ClassVar[bool] = True

    has_bootloader: ClassVar[bool] = True

    @property
    def memories(self) -> tuple[str, ...]:
        """The EEPROM takes small reply models."""
        return "flash", "eeprom"

    @property
    def room(self) -> int:
        """Bytes of flash between runtime and bootloader."""
        return avr_room(self.board)

    def fitted(self, model: Model) -> Image:
        """The model packed for the flash."""
        return fitted_avr(model, self.board)

    def flash(self, connection: Connection, model: Model, how: How, progress: Progress | None) -> FlashResult:
        """Only pages that differ are written; whatever model was flashed last answers."""
        if how.memory == "eeprom":
            result = eeprom.store(connection.session, self.hello(connection), self.board, model, progress)
            connection.greet()
            return result
        if how.programmer == "avrdude":
            with connection.lent_port() as tty:
                result = deploy_with_avrdude(tty, self.board, model, how.compact)
        else:
            result = deploy(connection.line, self.board, model, progress, how.compact)
        connection.bauds = [self.board.baud]
        connection.greet()
        if connection.session.info().slot == Slot.EEPROM:
            eeprom.clear(connection.session)
            connection.greet()
        return result

    def is_outdated(self, hello: Hello) -> bool:
        """Whether the board runs another build than the one that is shipped."""
        return hello.build != shipped_runtime(self.board).build

    def usage(self, connection: Connection) -> Usage:
        """Cycles that the chip was awake."""
        return chip_usage(cast("AvrBoard", connection.virtual).counters())


def chip_usage(counters: Counters, part: bool = False) -> Usage:
    """What the chip has counted, and what of the part on its SPI pins."""
    return Usage(
        line_bytes=counters.received + counters.transmitted,
        active_cycles=counters.cycles - counters.idle - counters.power_down,
        part=PartUsage(
            reading=counters.part_active,
            writing=counters.part_writing,
            standby=counters.part_powered - counters.part_active - counters.part_writing - counters.part_asleep,
        )
        if part
        else None,
    )
