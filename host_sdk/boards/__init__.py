"""What μLM knows about each board: one frozen record, no code. A new board is a new record here.

Sources: ATmega328P datasheet (Microchip DS40002061B) and the boards' schematics.
"""

from __future__ import annotations

from dataclasses import dataclass

from host_sdk.errors import UsageError


@dataclass(frozen=True, slots=True)
class Bootloader:
    """A serial bootloader that speaks STK500v1."""

    name: str
    address: int  # first byte of the boot section
    baud: int


@dataclass(frozen=True, slots=True)
class Currents:
    """Typical supply currents of the bare chip in mA at the board's clock and supply (datasheet, chapter 32)."""

    active: float
    idle: float
    power_down: float


@dataclass(frozen=True, slots=True)
class Board:
    """One board. Sizes in bytes, addresses in bytes, clock in Hz, baud in bits per second."""

    name: str
    title: str
    mcu: str  # avr-gcc's name
    signature: bytes  # as the bootloader reports it
    clock_hz: int
    flash_bytes: int
    flash_page: int
    sram_bytes: int
    eeprom_bytes: int
    supply_mv: int
    baud: int  # of the runtime's serial line
    bootloader: Bootloader
    currents: Currents | None = None  # of boards that run on batteries

    @property
    def code_bytes(self) -> int:
        """Flash that a program and its model may use: everything below the boot section."""
        return self.bootloader.address


_ATMEGA328P = bytes((0x1E, 0x95, 0x0F))

BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        Board(
            name="uno",
            title="Arduino UNO",
            mcu="atmega328p",
            signature=_ATMEGA328P,
            clock_hz=16_000_000,
            flash_bytes=32_768,
            flash_page=128,
            sram_bytes=2_048,
            eeprom_bytes=1_024,
            supply_mv=5_000,
            baud=115_200,
            bootloader=Bootloader("optiboot", 0x7E00, 115_200),
        ),
        Board(
            name="lilypad",
            title="Arduino LilyPad",
            mcu="atmega328p",
            signature=_ATMEGA328P,
            clock_hz=8_000_000,
            flash_bytes=32_768,
            flash_page=128,
            sram_bytes=2_048,
            eeprom_bytes=1_024,
            supply_mv=3_300,
            baud=57_600,
            bootloader=Bootloader("ATmegaBOOT", 0x7800, 57_600),
            # Interpolated between the datasheet's curves for 3 V and 5 V.
            currents=Currents(active=3.7, idle=0.69, power_down=0.0001),
        ),
    )
}


def board_named(name: str) -> Board:
    """The record of a board; UsageError naming the known ones when there is none."""
    try:
        return BOARDS[name]
    except KeyError:
        raise UsageError(f"There is no board {name!r}; known boards: {', '.join(BOARDS)}.") from None
