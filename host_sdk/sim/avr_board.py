"""One virtual AVR board: starts its runner, controls it, reads its counters, and switches it off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from host_sdk.boards import Avr, Offload
from host_sdk.errors import FileError, UsageError
from host_sdk.sim.board import VirtualBoard, check_pace
from host_sdk.sim.bootloader import bootloader_image
from host_sdk.sim.part import ALARMS, FAULTS, Part, check_card, usual_part
from host_sdk.sim.process import Lock, Process
from host_sdk.sim.runner import runner_path

_ERASED = b"\xff"
_STATES = ("low", "high", "input")
_ANALOG = tuple(f"A{number}" for number in range(6))
_PINS = (*(f"D{number}" for number in range(14)), *_ANALOG)
_SENSORS = (*_ANALOG, "temp")
_HIGHEST_MV = 6000  # the chip's absolute maximum


@dataclass(frozen=True, slots=True)
class Counters:
    """What a board has counted since it was switched on; times in clock cycles."""

    cycles: int
    idle: int  # cycles asleep in idle mode
    power_down: int  # cycles asleep in power-down mode
    other_sleep: int  # cycles asleep in any other mode
    received: int  # bytes that reached the chip's receive buffer
    transmitted: int  # bytes that left its transmitter
    dropped: int  # bytes lost to overruns
    lowest_stack: int  # lowest stack pointer, an address, since the last forget_stack()
    resets: int  # of any cause, power-on included
    illegal_wakes: int  # wakes from power-down that silicon would have slept through
    wild: int  # accesses outside memory
    spi_bytes: int  # transfers
    spi_early: int  # reads of SPDR during a transfer
    spi_collisions: int  # writes of SPDR that were lost, or went out as 0
    part_powered: int  # cycles in which the part on the SPI bus had its supply; of those:
    part_active: int  # selected and not writing
    part_writing: int  # programming, erasing, writing
    part_asleep: int  # in power-down
    part_backfed: int  # cycles in which it had no supply, but current through its chip select, driven high
    part_reads: int  # read commands of a flash chip, blocks of a card
    part_writes: int  # pages, blocks
    part_erases: int
    part_ignored: int  # commands that it did not obey


class Pin(NamedTuple):
    """A pin: what the firmware makes of it ("low", "high", "input"), and the level that it has."""

    state: str
    high: bool


class PinChange(NamedTuple):
    """The firmware gave a pin a new state ("low", "high", "input") at a clock cycle."""

    cycle: int
    pin: str
    state: str


class Marker(NamedTuple):
    """The firmware wrote a byte to GPIOR0 at a clock cycle."""

    cycle: int
    value: int


class AvrBoard(VirtualBoard):
    """A powered virtual board, with its serial port at `tty`.

    Its memories live in the folder `state` and outlast it. `blank` erases the flash below the boot section;
    the EEPROM stays. `pace` says how simulated time keeps to the wall clock: "real"; "warp", which computes
    at full speed and waits for the host in real time; or "fast", which does not wait at first. `hold` keeps
    the chip in reset until the first reset(). `reset_on_open` resets it when a program opens `tty`, as a
    real board does, for programs that cannot reach reset() (Linux only). `part` is on the SPI bus; a board
    made for one has its usual part if none is given.

    PortError when another program has the board, MissingError when it cannot be built, FileError when its
    stored memories are damaged.
    """

    board: Avr
    part: Part | None  # on its SPI bus

    def __init__(
        self,
        board: Avr,
        state: Path,
        *,
        blank: bool = False,
        pace: str = "warp",
        hold: bool = False,
        reset_on_open: bool = False,
        part: Part | None = None,
    ) -> None:
        check_pace(pace)
        self.board, self.clock_hz, self.state = board, board.clock_hz, state
        runner, bootloader = runner_path(), bootloader_image(board)
        with Lock(state, board.title) as lock:
            self.fresh = _prepare_memories(board, state, bootloader, blank)
            numbers = (board.clock_hz, board.bootloader.address, board.supply_mv, board.baud)
            words = [word for word, wanted in (("hold", hold), ("reset-on-open", reset_on_open)) if wanted]
            if part is None and isinstance(board, Offload):
                part = usual_part(board, state)
            self.part = part
            on_bus = part.words() if part else []
            command = [str(runner), str(state), *map(str, numbers), pace, *words, *on_bus]
            self._process = Process(command, board.title, lock)
        self.tty = self._process.tty

    def save(self) -> None:
        """Writes the memories to the state folder now. They are also saved after each burst of changes."""
        self._process.ask("save")

    def counters(self) -> Counters:
        """What the board has counted so far."""
        return self._ask_counters(Counters)

    def forget_stack(self) -> None:
        """Starts the search for the lowest stack pointer anew, from where the stack is now."""
        self._process.ask("stack")

    def markers(self) -> list[Marker]:
        """The writes to GPIOR0 since the last call, oldest first; at most the newest 4096."""
        return [Marker(cycle, what) for cycle, what in self._events("markers")]

    def pin_changes(self) -> list[PinChange]:
        """The pins that firmware changed since the last call, oldest first; at most the newest 4096."""
        return [PinChange(cycle, _PINS[what >> 2], _STATES[what & 3]) for cycle, what in self._events("changes")]

    def pin(self, name: str) -> Pin:
        """The pin "D0" to "D13" or "A0" to "A5"; UsageError when there is none of that name."""
        state, level = self._process.ask(f"pin {_known(name, _PINS)}").split()
        return Pin(_STATES[int(state)], level == "1")

    def set_pin(self, name: str, high: bool | None) -> None:
        """Drives a pin from outside, high or low, or lets it go with None."""
        self._process.ask(f"pin {_known(name, _PINS)} {'z' if high is None else int(high)}")

    def set_analog(self, name: str, millivolts: int) -> None:
        """Puts a voltage on "A0" to "A5", or on the chip's temperature sensor, "temp" (314 mV at 25 °C)."""
        self._set_millivolts(_known(name, _SENSORS), millivolts)

    def set_supply(self, millivolts: int) -> None:
        """The supply, which is also the ADC's AVCC and AREF. It does not change the clock."""
        self._set_millivolts("vcc", millivolts)

    def sram(self, address: int, length: int) -> bytes:
        """Bytes of the data space (registers, I/O, SRAM) as they are now."""
        return bytes.fromhex(self._process.ask(f"sram {address} {length}"))

    def flash(self, address: int, length: int) -> bytes:
        """Bytes of the flash as they are now."""
        return bytes.fromhex(self._process.ask(f"flash {address} {length}"))

    def eeprom(self, address: int, length: int) -> bytes:
        """Bytes of the EEPROM as they are now."""
        return bytes.fromhex(self._process.ask(f"eeprom {address} {length}"))

    def insert_card(self, file: Path) -> None:
        """Puts a card into the socket while the board runs. FileError when the image cannot be a card."""
        self._ask_part(f"insert {check_card(file)}")

    def remove_card(self) -> None:
        """Pulls the card out, whatever it is doing; a block that it was writing is left half written."""
        self._ask_part("remove")

    def fault(self, name: str | None, block: int = 0) -> None:
        """Makes the part fail from now on; None heals it.

        "silent": it answers nothing. "busy": it is never ready again. "read", "write": this block of 512 bytes
        cannot be read (cards only) or written. "flip": reading this block gives one wrong bit.
        """
        if name is not None and name not in FAULTS:
            raise UsageError(f"There is no fault {name!r}; known: {', '.join(FAULTS)}.")
        self._ask_part(f"fault {name or 'none'} {block}")

    def after_bytes(self, count: int, action: str) -> None:
        """What happens as soon as `count` more bytes went over SPI; 0 calls it off. Only one can be waiting.

        "remove": the card is pulled out. "reset": the supply goes and comes back, of chip and part.
        """
        if action not in ALARMS:
            raise UsageError(f"There is no action {action!r}; known: {', '.join(ALARMS)}.")
        self._ask_part(f"alarm {action} {count}")

    def wear(self) -> dict[int, int]:
        """How often each unit was erased (sectors of 4096 bytes) or written (blocks of a card), since switching on."""
        pairs = (word.split(":") for word in self._process.ask("wear").split())
        return {int(unit): int(count) for unit, count in pairs}

    def _ask_part(self, command: str) -> None:
        if self.part is None:
            raise UsageError(f"This {self.board.title} has nothing on its SPI bus; start it with part=SdCard(...).")
        self._process.ask(command)

    def _set_millivolts(self, name: str, millivolts: int) -> None:
        if not 0 <= millivolts <= _HIGHEST_MV:
            raise UsageError(f"{millivolts} mV is outside 0 to {_HIGHEST_MV} mV.")
        self._process.ask(f"analog {name} {millivolts}")

    def _events(self, command: str) -> list[tuple[int, int]]:
        _lost, *events = self._process.ask(command).split()
        return [(int(cycle), int(what)) for cycle, what in (event.split(":") for event in events)]


def _prepare_memories(board: Avr, state: Path, bootloader: bytes, blank: bool) -> bool:
    """Leaves a whole flash with the factory's bootloader in `state`; true when there was no flash before.

    The bootloader is put back every time: a real one is protected by lock bits, a simulated one is not.
    """
    flash, eeprom = state / "flash.bin", state / "eeprom.bin"
    fresh = not flash.exists()
    code = _ERASED * board.code_bytes
    if not fresh and not blank:
        code = _stored(flash, board.flash_bytes)[: board.code_bytes]
    if eeprom.exists():
        _stored(eeprom, board.eeprom_bytes)
    part = flash.with_suffix(".new")
    part.write_bytes((code + bootloader).ljust(board.flash_bytes, _ERASED))
    part.replace(flash)
    return fresh


def _stored(path: Path, size: int) -> bytes:
    content = path.read_bytes()
    if len(content) != size:
        raise FileError(f"{path} is damaged: it has {len(content)} bytes, not {size}; delete it to start anew.")
    return content


def _known(name: str, names: tuple[str, ...]) -> str:
    if name not in names:
        raise UsageError(f"There is no pin {name!r}; known: {', '.join(names)}.")
    return name
