"""An Espressif chip through esptool: the only module that knows it.

esptool is under the GPL, version 2 or later. It is an extra that the user installs, is imported only when an Espressif
chip is spoken to, and is used through its public API (esptool.cmds) and a few methods of the loader object that this
gives; nothing of it is part of μLM.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Literal

from host_sdk.boards import ESP_BOARDS
from host_sdk.errors import BoardError, LinkError, MissingError, PortError, UlmError, UsageError
from host_sdk.flash.w25q import check_id
from host_sdk.link.ports import open_port

Progress = Callable[[int, int], None]
Pins = tuple[int, int, int, int, int]
"""CLK, Q (MISO), D (MOSI), HD, CS as GPIO numbers."""

BAUD = 460_800
"""After the stub runs: four times as fast as the ROM's loader begins."""
SECTOR = 0x1000
_ROM_BAUD = 115_200
_NO_CHIP = (b"\0\0\0", b"\xff\xff\xff")


class EspChip:
    """A chip whose loader answers. Made by connected()."""

    def __init__(self, esp: Any, size: str | None, listener: _Listener) -> None:
        self._esp, self._listener = esp, listener
        self.name: str = esp.CHIP_NAME
        """As Espressif writes it."""
        self.chip_id: int = esp.IMAGE_CHIP_ID
        """As in the header of images for it."""
        self.firmware_address: int = esp.BOOTLOADER_FLASH_OFFSET
        self.mac = "".join(f"{byte:02x}" for byte in esp.read_mac())
        self.flash_bytes = int(size[:-2]) << (20 if size.endswith("MB") else 10) if size else 0
        """Of the flash chip it is attached to; 0 when that is unknown."""
        self.jedec_id = int(esp.flash_id()).to_bytes(4, "little")[:3]
        """Of the flash chip: maker, type, size."""

    def read(self, address: int, count: int, progress: Progress | None = None) -> bytes:
        """Bytes of the flash."""
        from esptool.cmds import read_flash

        self._listener.progress = progress
        data = read_flash(self._esp, address, count)
        assert isinstance(data, bytes)
        return data

    def holds(self, address: int, data: bytes) -> bool:
        """Whether the flash has these bytes there; the chip computes their MD5, so it is quick."""
        return not data or bool(self._esp.flash_md5sum(address, len(data)) == hashlib.md5(data).hexdigest())

    def is_erased(self, address: int, count: int) -> bool:
        """Whether all bits of a region are 1."""
        return self.holds(address, b"\xff" * count)

    def write(self, address: int, data: bytes, progress: Progress | None = None) -> None:
        """Erase the sectors that these bytes touch, write them, and compare; `address` begins a sector."""
        from esptool.cmds import write_flash

        if not data:
            return
        self._listener.progress = progress
        write_flash(self._esp, [(address, data)])
        # If the board was unplugged and plugged in again meanwhile, esptool went on with a loader of its own and left
        # this one marked as the ROM's.
        if self._esp.__dict__.pop("IS_STUB", None) is not None:
            self._esp.flush_input()

    def erase(self, address: int, count: int) -> None:
        """Set all bits of these sectors, where they are not."""
        if self.is_erased(address, count):
            return
        if count == self.flash_bytes and self._esp.IS_STUB:
            from esptool.cmds import erase_flash

            erase_flash(self._esp)
        else:
            self.write(address, b"\xff" * count)

    def restart(self) -> None:
        """Start what is in the flash."""
        from esptool.cmds import reset_chip

        # A pseudo-terminal, and some adapters, kept DTR as it was: then RTS alone would not reset.
        with suppress(OSError):
            self._esp._port.dtr = False
        reset_chip(self._esp)


@contextmanager
def connected(address: str, spi: Pins | Literal["usual"] | None = None, stub: bool = True) -> Iterator[EspChip]:
    """The chip on a port, in its loader; afterwards it starts what is in its flash.

    With `spi` it is attached to a second flash chip on these pins, or on the usual ones of its board. `stub=False`
    uses only what is in the chip's ROM, which is slower. MissingError without esptool, PortError when no loader
    answers, BoardError when the flash chip does not answer or the chip refuses, LinkError when the line fails in the
    middle.
    """
    esptool, listener = _load()
    from esptool import cmds

    line = open_port(address, _ROM_BAUD)
    try:
        with _sentences(address):
            esp = _detect(cmds, line, address, esptool)
            if esp.IMAGE_CHIP_ID is None:
                raise UsageError(f"The chip on {address} is an {esp.CHIP_NAME}, which has no partitions; use an ESP32.")
            if esp.secure_download_mode:
                raise BoardError(
                    f"The {esp.CHIP_NAME} on {address} is locked: its loader is in secure download mode, which cannot "
                    "be undone. Use another board."
                )
            pins = _usual_pins(esp) if spi == "usual" else spi
            if stub:
                esp = cmds.run_stub(esp)
                if not address.startswith("sim://"):
                    esp.change_baud(BAUD)
            cmds.attach_flash(esp, spi_connection=pins)
            chip = EspChip(esp, cmds.detect_flash_size(esp), listener)
            try:
                _check_flash(chip, pins)
                yield chip
            except LinkError:
                raise
            except UlmError:
                with suppress(esptool.FatalError, OSError):
                    chip.restart()
                raise
            chip.restart()
    finally:
        line.close()


def _usual_pins(esp: Any) -> Pins:
    for board in ESP_BOARDS.values():
        if board.chip_id == esp.IMAGE_CHIP_ID:
            return board.spi_pins
    raise UsageError(f"Say with --pins CLK,MISO,MOSI,HD,CS where the flash chip is wired to the {esp.CHIP_NAME}.")


def _check_flash(chip: EspChip, spi: Pins | None) -> None:
    pins = f" on GPIO {', '.join(map(str, spi))} (CLK, MISO, MOSI, HD, CS)" if spi else ""
    if spi or chip.jedec_id in _NO_CHIP:
        check_id(chip.jedec_id, f"the {chip.name}{pins}")
    if not chip.flash_bytes:
        raise BoardError(
            f"The {chip.name} has a flash chip of unknown size{pins} (JEDEC id {chip.jedec_id.hex(' ')}); use another."
        )


def _detect(cmds: Any, line: Any, address: str, esptool: Any) -> Any:
    try:
        return cmds.detect_chip(line)
    except esptool.FatalError as error:
        if "unsupported" in str(error):
            raise
        raise PortError(
            f"No Espressif chip answers in its loader on {address}. Hold BOOT, press RESET, let BOOT go, and try "
            "again; check the cable and that no other program has the port."
        ) from None


@contextmanager
def _sentences(address: str) -> Iterator[None]:
    """Turns what esptool raises into sentences of ours."""
    try:
        yield
    except UlmError:
        raise
    except RuntimeError as error:  # FatalError and its relatives
        cause = str(error).strip().splitlines()[0].rstrip(".")
        if "SPI" in cause and "in number" in cause:
            raise UsageError(f"{cause}. Name other pins with --pins.") from None
        if re.search("secur|encrypt", cause, re.IGNORECASE):
            raise BoardError(f"The chip on {address} is locked: {cause}. Use a board without these features.") from None
        raise LinkError(
            f"The chip on {address} stopped in the middle: {cause}. Flash again, which repairs it."
        ) from None
    except OSError as error:
        raise LinkError(
            f"The port {address} is gone ({str(error).rstrip('.')}). Plug the board in and flash again, "
            "which repairs it."
        ) from None


class _Listener:
    """Takes what esptool would print; only its progress reaches a person."""

    progress: Progress | None = None


@cache
def _load() -> tuple[Any, _Listener]:
    try:
        import esptool
        from esptool.logger import TemplateLogger, log
    except ImportError:
        raise MissingError("Espressif chips need the package esptool: pip install 'micro-lm[esp]'") from None
    listener = _Listener()

    class Quiet(TemplateLogger):  # type: ignore[misc]
        def print(self, *args: object, **kwargs: object) -> None:
            """Nothing."""

        def note(self, message: str) -> None:
            """Nothing."""

        def warning(self, message: str) -> None:
            """Nothing: what matters comes as an error, too."""

        def error(self, message: str) -> None:
            """Nothing: it is raised, too."""

        def stage(self, finish: bool = False) -> None:
            """Nothing."""

        def progress_bar(
            self, cur_iter: int, total_iters: int, prefix: str = "", suffix: str = "", bar_length: int = 30
        ) -> None:
            if listener.progress and total_iters:
                listener.progress(cur_iter, total_iters)

        def set_verbosity(self, verbosity: str) -> None:
            """Always quiet."""

    log.set_verbosity("silent")  # warnings of which esptool holds the old logger
    log.set_logger(Quiet())  # for as long as this program runs: it can be done once
    return esptool, listener


def image_names(chip_ids: Sequence[int]) -> str:
    """The names of chips by the numbers in their images, for a sentence."""
    from esptool.targets import CHIP_DEFS

    names = {cls.IMAGE_CHIP_ID: cls.CHIP_NAME for cls in CHIP_DEFS.values()}
    return ", ".join(names.get(one, f"chip number {one}") for one in chip_ids)
