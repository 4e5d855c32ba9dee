"""A flash chip out of its board: the ways to it that `ulm provision` has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from host_sdk.flash.blinka import CLOCK_HZ, blinka_chip
from host_sdk.flash.esp_chip import Pins, connected
from host_sdk.flash.slots import Chip, Progress, SlotResult, place, provision
from host_sdk.spec.micropython import MAGIC as PYTHON_MAGIC

ESP = "esp:"


def provision_spi_flash(
    image: bytes,
    bus: str,
    *,
    select: str | None = None,
    clock_hz: int = CLOCK_HZ,
    pins: Pins | None = None,
    yes: bool = False,
    progress: Progress | None = None,
) -> SlotResult:
    """Put an image on the flash chip that is wired to a bus, so that it answers on the board that the chip goes to.

    A stream image goes into the half of the chip that does not answer; one for Python boards to the chip's start. `yes`
    allows either to replace the other.

    `bus` is one of BUSES or "sim://w25q?flash=FILE" with `select` and `clock_hz`, or "esp:PORT" for a chip on the
    pins CLK, MISO, MOSI, HD, CS of an Espressif board.
    """
    with _chip(bus, select, clock_hz, pins) as chip:
        if image[:4] == PYTHON_MAGIC:
            return place(chip, image, yes, progress)
        return provision(chip, image, yes, progress)


@contextmanager
def _chip(bus: str, select: str | None, clock_hz: int, pins: Pins | None) -> Iterator[Chip]:
    if bus.startswith(ESP):
        with connected(bus.removeprefix(ESP), spi=pins or "usual") as chip:
            yield chip
    else:
        with blinka_chip(bus, select, clock_hz) as on_bus:
            yield on_bus
