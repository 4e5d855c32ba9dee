"""What μLM knows about each board: one frozen record, no code. A new board is a new record here.

Sources: ATmega328P datasheet (Microchip DS40002061B), the boards' schematics, and boards.txt of
Arduino's AVR core 1.8, which names fuses and bootloaders.
"""

from __future__ import annotations

from dataclasses import dataclass

from host_sdk.errors import UsageError


@dataclass(frozen=True, slots=True)
class Bootloader:
    """A serial bootloader that speaks STK500v1."""

    name: str
    address: int  # first byte of the boot section, where the chip starts (fuses BOOTSZ)
    baud: int
    source: str  # in the Arduino core's folder `bootloaders`: a .hex as it is sold, a .c to be built for the board


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

    @property
    def code_bytes(self) -> int:
        """Flash that a program and its model may use: everything below the boot section."""
        return self.bootloader.address


_ATMEGA328P = bytes((0x1E, 0x95, 0x0F))
_ATMEGABOOT = "atmega/ATmegaBOOT_168_atmega328.hex"
_ATMEGABOOT_8MHZ = "atmega/ATmegaBOOT_168_atmega328_pro_8MHz.hex"
_OPTIBOOT = "optiboot/optiboot.c"

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
            bootloader=Bootloader("optiboot", 0x7E00, 115_200, _OPTIBOOT),
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
            bootloader=Bootloader("ATmegaBOOT", 0x7800, 57_600, _ATMEGABOOT_8MHZ),
        ),
        Board(
            name="nano",
            title="Arduino Nano",
            mcu="atmega328p",
            signature=_ATMEGA328P,
            clock_hz=16_000_000,
            flash_bytes=32_768,
            flash_page=128,
            sram_bytes=2_048,
            eeprom_bytes=1_024,
            supply_mv=5_000,
            baud=115_200,
            # Sold with the fuses of its old bootloader: the chip starts at 0x7800 and slides through erased flash.
            bootloader=Bootloader("optiboot", 0x7800, 115_200, _OPTIBOOT),
        ),
        Board(
            name="nano-old",
            title="Arduino Nano (old bootloader)",
            mcu="atmega328p",
            signature=_ATMEGA328P,
            clock_hz=16_000_000,
            flash_bytes=32_768,
            flash_page=128,
            sram_bytes=2_048,
            eeprom_bytes=1_024,
            supply_mv=5_000,
            baud=57_600,
            bootloader=Bootloader("ATmegaBOOT", 0x7800, 57_600, _ATMEGABOOT),
        ),
        Board(
            name="promini16",
            title="Arduino Pro Mini (5 V, 16 MHz)",
            mcu="atmega328p",
            signature=_ATMEGA328P,
            clock_hz=16_000_000,
            flash_bytes=32_768,
            flash_page=128,
            sram_bytes=2_048,
            eeprom_bytes=1_024,
            supply_mv=5_000,
            baud=57_600,
            bootloader=Bootloader("ATmegaBOOT", 0x7800, 57_600, _ATMEGABOOT),
        ),
        Board(
            name="promini8",
            title="Arduino Pro Mini (3.3 V, 8 MHz)",
            mcu="atmega328p",
            signature=_ATMEGA328P,
            clock_hz=8_000_000,
            flash_bytes=32_768,
            flash_page=128,
            sram_bytes=2_048,
            eeprom_bytes=1_024,
            supply_mv=3_300,
            baud=57_600,
            bootloader=Bootloader("ATmegaBOOT", 0x7800, 57_600, _ATMEGABOOT_8MHZ),
        ),
    )
}


def virtual_boards() -> str:
    """The addresses of all virtual boards, for a sentence."""
    return ", ".join(f"sim://{name}" for name in BOARDS)


def board_named(name: str) -> Board:
    """The record of a board; UsageError naming the known ones when there is none."""
    try:
        return BOARDS[name]
    except KeyError:
        raise UsageError(f"There is no board {name!r}; known boards: {', '.join(BOARDS)}.") from None
