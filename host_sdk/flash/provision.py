"""A flash chip out of its board: the ways to it that `ulm provision` has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from host_sdk.flash.blinka import CLOCK_HZ, blinka_chip
from host_sdk.flash.esp_chip import Pins, connected
from host_sdk.flash.slots import Chip, Progress, SlotResult, provision

ESP = "esp:"


def provision_spi_flash(
    image: bytes,
    bus: str,
    *,
    select: str | None = None,
    clock_hz: int = CLOCK_HZ,
    pins: Pins | None = None,
    progress: Progress | None = None,
) -> SlotResult:
    """Put a stream image on the flash chip that is wired to a bus, so that it answers on the board it goes to next.

    `bus` is one of BUSES or "sim://w25q?flash=FILE" with `select` and `clock_hz`, or "esp:PORT" for a chip on the
    pins CLK, MISO, MOSI, HD, CS of an Espressif board.
    """
    with _chip(bus, select, clock_hz, pins) as chip:
        return provision(chip, image, progress)


@contextmanager
def _chip(bus: str, select: str | None, clock_hz: int, pins: Pins | None) -> Iterator[Chip]:
    if bus.startswith(ESP):
        with connected(bus.removeprefix(ESP), spi=pins or "usual") as chip:
            yield chip
    else:
        with blinka_chip(bus, select, clock_hz) as on_bus:
            yield on_bus
