"""A SPI bus of this computer, or of an adapter on its USB, through Adafruit's Blinka: the only module that knows it.

Blinka finds out once, when it is imported, on which hardware it runs; so a program has one bus.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from host_sdk.errors import LinkError, MissingError, PortError, UsageError
from host_sdk.flash.w25q import W25qChip
from host_sdk.sim.w25q import W25q

CLOCK_HZ = 8_000_000
"""Short wires on a breadboard can do it, and every chip."""


@dataclass(frozen=True, slots=True)
class BlinkaBus:
    """One way to a SPI bus. `variable` makes Blinka choose it, `select` is the usual pin for the chip select."""

    title: str
    variable: str | None
    select: str
    hint: str


BUSES = {
    "pins": BlinkaBus(
        "the SPI pins of this computer",
        None,
        "D5",
        "this must be a board that Blinka knows, such as a Raspberry Pi with SPI enabled (raspi-config)",
    ),
    "ft232h": BlinkaBus("the FT232H", "BLINKA_FT232H", "D4", "plug it in, and on Linux allow it (docs/blinka.md)"),
    "u2if": BlinkaBus("the Pico with u2if", "BLINKA_U2IF", "GP17", "plug it in, and on Linux allow it"),
}
_VIRTUAL = BlinkaBus("Blinka's board without hardware", "BLINKA_OS_AGNOSTIC", "Dx_OUTPUT", "")
_PACKAGES = (
    "adafruit_blinka",
    "adafruit_bus_device",
    "adafruit_platformdetect",
    "board",
    "busio",
    "digitalio",
    "pyftdi",
    "usb",
)
VIRTUAL = "sim://w25q"
_opened: str | None = None


@contextmanager
def blinka_chip(bus: str, select: str | None = None, clock_hz: int = CLOCK_HZ) -> Iterator[W25qChip]:
    """The flash chip on a bus: one of BUSES, or "sim://w25q?flash=FILE&chip=w25q32" for a virtual chip.

    `select` is the name of the chip select's pin as in Blinka's module `board`. UsageError for another bus or pin,
    MissingError without the packages, PortError when there is no such bus, BoardError when no chip answers that boards
    can read, LinkError when the bus is gone in the middle.
    """
    name, _, options = bus.partition("?")
    kind = _VIRTUAL if name == VIRTUAL else _known(name)
    _load(kind, name)
    with _wired(options) if name == VIRTUAL else nullcontext():
        device, closers = _open(kind, select or kind.select, clock_hz)
        try:
            chip = W25qChip(_Device(device), kind.title)
            yield chip
            chip.sleep()
        except (OSError, RuntimeError) as error:
            raise LinkError(
                f"{_capital(kind.title)} failed in the middle ({_text(error)}); plug it in and do the same again, "
                "which repairs it."
            ) from None
        finally:
            for close in closers:
                with suppress(OSError, RuntimeError):
                    close()


class _Device:
    """The chip as a Bus. `device` is a SPIDevice."""

    def __init__(self, device: Any) -> None:
        self._device = device

    def transfer(self, out: bytes, count: int = 0) -> bytes:
        got = bytearray(count)
        with self._device as spi:
            spi.write(out)
            if count:
                spi.readinto(got, write_value=0xFF)
        return bytes(got)


def _known(name: str) -> BlinkaBus:
    if name == "mcp2221":
        raise UsageError("The MCP2221 has no SPI; use an FT232H (--bus ft232h) or a Pico with u2if (--bus u2if).")
    if name not in BUSES:
        raise UsageError(
            f"There is no bus {name!r}; known: {', '.join(BUSES)}, esp:PORT, {VIRTUAL}?flash=FILE (docs/blinka.md)."
        )
    return BUSES[name]


def _load(kind: BlinkaBus, name: str) -> None:
    """Import Blinka for this hardware."""
    global _opened
    if _opened not in (None, name):
        raise UsageError(
            f"This program speaks to {_opened} already, and Blinka knows one bus at a time; start another."
        )
    os.environ["BLINKA_SKIP_DEPENDENCY_CHECK"] = "1"  # it would ask to install packages
    if kind.variable:
        os.environ[kind.variable] = "1"
    try:
        import board
        import busio  # noqa: F401

        _check_pins(board)
        import adafruit_bus_device.spi_device  # noqa: F401
    except Exception as error:  # whatever its drivers for fifty adapters raise
        os.environ.pop(kind.variable or "", None)
        missing = (getattr(error, "name", None) or "").partition(".")[0] if isinstance(error, ImportError) else ""
        if missing in _PACKAGES:
            raise MissingError("SPI buses need the packages of Blinka: pip install 'micro-lm[blinka]'") from None
        if missing == "hid":
            raise MissingError(f"{_capital(kind.title)} needs the package hidapi: pip install hidapi") from None
        raise PortError(f"Blinka cannot use {kind.title} ({_text(error)}): {kind.hint}.") from None
    _opened = name


def _check_pins(board: Any) -> None:
    if not all(hasattr(board, name) for name in ("SCK", "MOSI", "MISO")):
        raise NotImplementedError("it has no SPI pins")


def _open(kind: BlinkaBus, select: str, clock_hz: int) -> tuple[Any, list[Any]]:
    """The SPIDevice, and what closes it."""
    import board
    import busio
    import digitalio
    from adafruit_bus_device.spi_device import SPIDevice

    pin = getattr(board, select, None)
    if pin is None or not hasattr(pin, "id"):
        pins = [name for name in dir(board) if getattr(getattr(board, name), "id", None) is not None]
        raise UsageError(f"{_capital(kind.title)} has no pin {select!r} for the chip select; pins: {', '.join(pins)}.")
    try:
        bus = busio.SPI(board.SCK, board.MOSI, board.MISO)
        output = digitalio.DigitalInOut(pin)
        device = SPIDevice(bus, output, baudrate=clock_hz)
    except Exception as error:
        raise PortError(f"Blinka cannot open {kind.title} ({_text(error)}): {kind.hint}.") from None
    return device, [output.deinit, bus.deinit]


@contextmanager
def _wired(options: str) -> Iterator[None]:
    """A virtual chip behind Blinka's board without hardware: on its SPI, selected by the pin Dx_OUTPUT."""
    import digitalio
    from adafruit_blinka.microcontroller.generic_agnostic_board import pin, spi

    given = dict(parse_qsl(options, keep_blank_values=True))
    unknown = set(given) - {"flash", "chip"}
    if unknown or not given.get("flash"):
        raise UsageError(f"A virtual chip is named {VIRTUAL}?flash=FILE&chip=w25q32.")
    chip = W25q(Path(given["flash"]), given.get("chip", "w25q32"))
    selected_by, plain_spi, plain_pin = pin.D4.id, spi.SPI, digitalio.Pin

    class WiredSpi(plain_spi):  # type: ignore[misc,valid-type]
        def write(self, buf: Any, start: int = 0, end: int | None = None) -> None:
            chip.exchange(bytes(buf[start:end]))

        def readinto(self, buf: Any, start: int = 0, end: int | None = None, write_value: int = 0) -> None:
            stop = len(buf) if end is None else end
            buf[start:stop] = chip.exchange(bytes([write_value]) * (stop - start))

    class WiredPin(plain_pin):  # type: ignore[misc,valid-type]
        def write(self, new_value: int) -> None:
            super().write(new_value)
            if self.id == selected_by:
                chip.deselect() if new_value else chip.select()

    spi.SPI, digitalio.Pin = WiredSpi, WiredPin
    try:
        yield
    finally:
        spi.SPI, digitalio.Pin = plain_spi, plain_pin
        chip.close()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")[:200]
