"""One virtual board with an Espressif chip: prepares its flash, starts its process, pulls its lines."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from host_sdk.boards import PYTHON_BOARDS, Esp
from host_sdk.errors import FileError, UsageError
from host_sdk.sim.board import VirtualBoard
from host_sdk.sim.part import CHIPS
from host_sdk.sim.process import Lock, Process
from host_sdk.sim.unix_port import check_unix_port, has_unix_port, unix_port

BOOTS = ("app", "rom")
_HEAP_KB = PYTHON_BOARDS["micropython"].heap_bytes >> 10
_KINDS = {CHIPS[name]: name for name in CHIPS if name.startswith("w25q")}


@dataclass(frozen=True, slots=True)
class EspCounters:
    """What the chip has counted since it was switched on."""

    resets: int
    received: int  # bytes on the line
    transmitted: int
    commands: int  # packets for its loader
    refused: int
    sectors_erased: int
    bytes_written: int
    bytes_read: int


@dataclass(frozen=True, slots=True)
class EspOptions:
    """How this board differs from its record."""

    boot: str = "app"
    """At power-on: "app", or "rom" as with the button BOOT held, for the loader."""
    manual: bool = False
    """DTR and RTS are not connected: only its buttons reset it."""
    flash_bytes: int | None = None
    spi: Path | None = None
    """The file of a second flash chip, at the board's usual pins."""
    chip: str = "w25q32"
    """Its kind."""


class EspBoard(VirtualBoard):
    """A powered virtual board. Its flash is `flash.bin` in the folder `state`; `blank` erases it.

    It has the serial loader of its ROM. Started from flash it prints what its ROM prints; if there is a MicroPython in
    the flash, and the package for it on this computer, MicroPython's Unix port starts instead of it, with the chip's
    flash as its flash. Any other program is silent. PortError when another program has the board, FileError when its
    memory is damaged.
    """

    board: Esp

    def __init__(self, board: Esp, state: Path, *, blank: bool = False, options: EspOptions | None = None) -> None:
        options = options or EspOptions()
        if options.boot not in BOOTS:
            raise UsageError(f"There is no boot {options.boot!r}; known: {', '.join(BOOTS)}.")
        size = options.flash_bytes or board.flash_bytes
        if size not in _KINDS:
            known = ", ".join(str(one >> 20) for one in sorted(_KINDS))
            raise UsageError(f"There is no flash of {size / (1 << 20):g} MB; known sizes: {known}.")
        if options.chip not in CHIPS:
            raise UsageError(f"There is no flash chip {options.chip!r}; known: {', '.join(CHIPS)}.")
        self.board, self._manual = board, options.manual
        self.clock_hz = PYTHON_BOARDS["micropython"].clock_hz  # of its counters: microseconds of this computer
        self.flash = state / "flash.bin"
        with Lock(state, board.title) as lock:
            self.fresh = not self.flash.exists()
            self._prepare(size, blank)
            words = [board.name, str(self.flash), _KINDS[size], options.boot]
            if options.spi:
                words += ["--spi", str(options.spi), options.chip, str(attach_value(board.spi_pins))]
            if has_unix_port():
                words += [
                    "--run",
                    *unix_port(_HEAP_KB, Path(__file__).parent / "esp" / "boot.py", self.flash.resolve()),
                ]
            self._process = Process([sys.executable, "-m", "host_sdk.sim.esp", *words], board.title, lock)
        self.tty = self._process.tty

    def lines(self, dtr: bool, rts: bool) -> None:
        """What the serial adapter does with DTR and RTS, by which a program resets the chip."""
        if not self._manual:
            self._process.ask(f"lines {dtr:d} {rts:d}")

    @property
    def runs_program(self) -> bool:
        """Whether MicroPython runs there now. MissingError when this computer has none that could."""
        check_unix_port()
        return self._process.ask("program") == "1"

    def counters(self) -> EspCounters:
        """What the chip has counted so far."""
        return self._ask_counters(EspCounters)

    def _prepare(self, size: int, blank: bool) -> None:
        if self.fresh or blank:
            self.flash.write_bytes(b"\xff" * size)
        elif self.flash.stat().st_size != size:
            raise FileError(f"{self.flash} has {self.flash.stat().st_size} bytes; this board's flash has {size}.")


def attach_value(pins: tuple[int, int, int, int, int]) -> int:
    """The pins CLK, Q, D, HD, CS as the loader's SPI_ATTACH packs them."""
    clock, q, d, hd, cs = pins
    return hd << 24 | cs << 18 | d << 12 | q << 6 | clock
