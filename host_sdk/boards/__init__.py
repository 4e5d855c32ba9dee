"""What μLM knows about each board: one frozen record, no code. A new board is a new record here.

What all boards have is in Board; a kind of board adds its own facts: Avr, Offload, Cpm, Python, Esp.

Sources: ATmega328P datasheet (Microchip DS40002061B), the boards' schematics, and boards.txt of
Arduino's AVR core 1.8, which names fuses and bootloaders; for CP/M the CP/M 2.2 Alteration Guide; for Espressif's
chips their datasheets and esptool 5.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from host_sdk.errors import UsageError


@dataclass(frozen=True, slots=True)
class Bootloader:
    """A serial bootloader that speaks STK500v1."""

    name: str
    address: int  # first byte of the boot section, where the chip starts (fuses BOOTSZ)
    baud: int
    source: str  # in the Arduino core's folder `bootloaders`: a .hex as it is sold, a .c to be built for the board


@dataclass(frozen=True, slots=True)
class Currents:
    """Typical supply currents of the bare chip in mA at the board's clock and supply (datasheet, chapter 32)."""

    active: float
    idle: float
    power_down: float


@dataclass(frozen=True, slots=True)
class Board:
    """What every board has. Clock in Hz, baud in bits per second."""

    name: str
    title: str
    mcu: str  # the processor; for AVR avr-gcc's name
    clock_hz: int
    baud: int  # of the runtime's serial line


@dataclass(frozen=True, slots=True)
class Avr(Board):
    """A board with an AVR chip and a serial bootloader. Sizes and addresses in bytes."""

    signature: bytes  # as the bootloader reports it
    flash_bytes: int
    flash_page: int
    sram_bytes: int
    eeprom_bytes: int
    supply_mv: int
    bootloader: Bootloader
    currents: Currents | None = None  # of boards that run on batteries

    @property
    def code_bytes(self) -> int:
        """Flash that a program and its model may use: everything below the boot section."""
        return self.bootloader.address


class Medium(Enum):
    """Where a board streams its weights from."""

    SD = "sd"
    """An SD or SDHC card in SPI mode."""
    FLASH = "flash"
    """A W25Q-class SPI flash chip."""


@dataclass(frozen=True, slots=True)
class PartCurrents:
    """Typical supply currents of a card or a flash chip in mA."""

    reading: float  # selected
    writing: float  # programming, erasing
    standby: float  # with its supply, not selected


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload(Avr):
    """An AVR board with a card or a flash chip on its SPI pins, from which the model comes while it thinks."""

    medium: Medium
    part_currents: PartCurrents


@dataclass(frozen=True, slots=True)
class Cpm(Board):
    """A machine with a Z80 under CP/M 2.2. The clock is that of the virtual one; a real one does not tell."""

    tpa_bytes: int  # from 0100h to BDOS


@dataclass(frozen=True, slots=True)
class Python(Board):
    """A board with MicroPython or CircuitPython. Its clock is the one its times are counted with: microseconds."""

    heap_bytes: int  # of the virtual one, as on a small board
    disk_bytes: int  # of its file system, likewise
    runtime_bytes: int  # that the runtime takes of them, about


@dataclass(frozen=True, slots=True)
class Esp(Board):
    """An Espressif chip, for which μLM has no runtime of its own: MicroPython is flashed into it."""

    chip_id: int  # in the header of its images
    firmware_address: int  # of the second-stage bootloader, with which images of all flash begin
    spi_pins: tuple[int, int, int, int, int]  # usual ones of a second flash chip: CLK, Q (MISO), D (MOSI), HD, CS
    flash_bytes: int  # of the virtual one


_8MHZ_3V3 = Currents(active=3.7, idle=0.69, power_down=0.0001)  # between the curves for 3 V and 5 V
_16MHZ_5V = Currents(active=10.4, idle=2.4, power_down=0.0001)  # twice those of the table for 8 MHz and 5 V
_PARTS = {
    Medium.SD: PartCurrents(reading=25.0, writing=40.0, standby=12.0),  # cards differ: 12 to 40 mA once started
    Medium.FLASH: PartCurrents(reading=4.0, writing=20.0, standby=0.01),  # assumed for the family
}
_ATMEGABOOT = "atmega/ATmegaBOOT_168_atmega328.hex"
_ATMEGABOOT_8MHZ = "atmega/ATmegaBOOT_168_atmega328_pro_8MHz.hex"
_OPTIBOOT = "optiboot/optiboot.c"


def _atmega328p(
    name: str,
    title: str,
    clock_hz: int,
    supply_mv: int,
    bootloader: Bootloader,
    currents: Currents | None = None,
) -> Avr:
    """A board with this chip; its runtime speaks as fast as its bootloader."""
    return Avr(
        name=name,
        title=title,
        mcu="atmega328p",
        signature=bytes((0x1E, 0x95, 0x0F)),
        clock_hz=clock_hz,
        flash_bytes=32_768,
        flash_page=128,
        sram_bytes=2_048,
        eeprom_bytes=1_024,
        supply_mv=supply_mv,
        baud=bootloader.baud,
        bootloader=bootloader,
        currents=currents,
    )


AVR_BOARDS: dict[str, Avr] = {
    board.name: board
    for board in (
        _atmega328p("uno", "Arduino UNO", 16_000_000, 5_000, Bootloader("optiboot", 0x7E00, 115_200, _OPTIBOOT)),
        _atmega328p(
            "lilypad",
            "Arduino LilyPad",
            8_000_000,
            3_300,
            Bootloader("ATmegaBOOT", 0x7800, 57_600, _ATMEGABOOT_8MHZ),
            _8MHZ_3V3,
        ),
        # Sold with the fuses of its old bootloader: the chip starts at 0x7800 and slides through erased flash.
        _atmega328p("nano", "Arduino Nano", 16_000_000, 5_000, Bootloader("optiboot", 0x7800, 115_200, _OPTIBOOT)),
        _atmega328p(
            "nano-old",
            "Arduino Nano (old bootloader)",
            16_000_000,
            5_000,
            Bootloader("ATmegaBOOT", 0x7800, 57_600, _ATMEGABOOT),
        ),
        _atmega328p(
            "promini16",
            "Arduino Pro Mini (5 V, 16 MHz)",
            16_000_000,
            5_000,
            Bootloader("ATmegaBOOT", 0x7800, 57_600, _ATMEGABOOT),
        ),
        _atmega328p(
            "promini8",
            "Arduino Pro Mini (3.3 V, 8 MHz)",
            8_000_000,
            3_300,
            Bootloader("ATmegaBOOT", 0x7800, 57_600, _ATMEGABOOT_8MHZ),
            _8MHZ_3V3,
        ),
    )
}


def _offload(base: Avr, medium: Medium) -> Offload:
    """The same board with a part on its SPI pins."""
    facts = {one.name: getattr(base, one.name) for one in fields(base)}
    part = "SD card" if medium is Medium.SD else "SPI flash"
    facts |= {
        "name": f"{base.name}-{medium.value}",
        "title": f"{base.title} with {part}",
        "currents": base.currents or _16MHZ_5V,  # to be set beside those of the part
    }
    return Offload(**facts, medium=medium, part_currents=_PARTS[medium])


OFFLOAD_BOARDS: dict[str, Offload] = {
    board.name: board
    for board in (_offload(AVR_BOARDS[name], medium) for name in ("uno", "lilypad") for medium in Medium)
}

_CPM = Cpm("cpm", "CP/M machine", "z80", 4_000_000, 9_600, tpa_bytes=0xE400 - 0x0100)  # a system of 64K

ESP_BOARDS: dict[str, Esp] = {
    board.name: board
    for board in (
        Esp("esp32", "ESP32", "esp32", 240_000_000, 115_200, 0, 0x1000, (18, 19, 23, 22, 5), 4 << 20),
        Esp("esp32s3", "ESP32-S3", "esp32s3", 240_000_000, 115_200, 9, 0x0000, (12, 13, 11, 9, 10), 8 << 20),
    )
}
"""Chips that esptool flashes; not among BOARDS, because it is MicroPython that answers there."""

MICROBIT = "microbit"
PYTHON_BOARDS: dict[str, Python] = {
    board.name: board
    for board in (
        Python(
            "micropython", "MicroPython board", "any", 1_000_000, 115_200, 190 << 10, 1408 << 10, 32 << 10
        ),  # a Pico
        Python(MICROBIT, "BBC micro:bit", "nrf51822", 1_000_000, 115_200, 9_328, 15_104, 7_600),
    )
}

BOARDS: dict[str, Board] = {**AVR_BOARDS, **OFFLOAD_BOARDS, _CPM.name: _CPM, **PYTHON_BOARDS}


def virtual_boards() -> str:
    """The addresses of all virtual boards, for a sentence."""
    return ", ".join(f"sim://{name}" for name in BOARDS)


def board_named(name: str) -> Board:
    """The record of a board or an Espressif chip; UsageError naming the known ones when there is none."""
    try:
        return BOARDS.get(name) or ESP_BOARDS[name]
    except KeyError:
        raise UsageError(f"There is no board {name!r}; known boards: {', '.join(BOARDS)}.") from None


def avr_named(name: str) -> Avr:
    """The record of an AVR board; UsageError when there is none of that name."""
    board = board_named(name)
    if not isinstance(board, Avr):
        raise UsageError(f"{board.title} has no AVR chip; AVR boards: {', '.join([*AVR_BOARDS, *OFFLOAD_BOARDS])}.")
    return board
