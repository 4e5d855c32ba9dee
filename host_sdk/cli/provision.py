"""`ulm provision`: memories that are filled outside of the board they go to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from host_sdk.cli.files import read_packed
from host_sdk.cli.show import print_json, progress_bar
from host_sdk.errors import UsageError
from host_sdk.flash.blinka import BUSES, CLOCK_HZ, VIRTUAL
from host_sdk.flash.esp_chip import Pins
from host_sdk.flash.provision import ESP, provision_spi_flash
from host_sdk.model.library import find_model, remember
from host_sdk.model.model import Model
from host_sdk.pack.micropython import PythonImage, pack_python
from host_sdk.pack.stream import StreamImage, pack_stream

_PACKERS: dict[str, Callable[[Model], StreamImage | PythonImage]] = {
    "uno-flash": pack_stream,
    "micropython": pack_python,
}
_PIN_NAMES = ("CLK", "MISO", "MOSI", "HD", "CS")


@click.group()
def provision() -> None:
    """Fill memories outside of the board they go to."""


@provision.command(name="spi-flash")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--bus",
    required=True,
    metavar="BUS",
    help=f"{', '.join(BUSES)} (through Blinka), {ESP}PORT (an Espressif board), or {VIRTUAL}?flash=FILE.",
)
@click.option("--cs", "select", metavar="PIN", help="The pin of the chip select, as Blinka calls it.")
@click.option("--clock", type=click.IntRange(10_000, 60_000_000), default=CLOCK_HZ, show_default=True, help="In Hz.")
@click.option("--pins", metavar=",".join(_PIN_NAMES), help=f"{ESP}PORT: GPIO numbers, where they are not the usual.")
@click.option(
    "--for", "board", type=click.Choice(tuple(_PACKERS)), default="uno-flash", show_default=True, help="Who reads it."
)
@click.option(
    "--yes", is_flag=True, help="Let a model for a Python board replace one for a streaming board, or the other way."
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON on stdout.")
def spi_flash(
    model: Path, bus: str, select: str | None, clock: int, pins: str | None, board: str, yes: bool, as_json: bool
) -> None:
    """Put MODEL on the SPI flash chip wired to BUS, and compare.

    MODEL is a file, a shipped model's name, or an image (.ulb) made by `ulm pack`. For a streaming board it goes into
    the half of the chip whose model is older, for Python boards to its start.
    """
    if pins and not bus.startswith(ESP):
        raise UsageError(f"--pins is for `--bus {ESP}PORT`; say --cs for the chip select of other buses.")
    packed = read_packed(model)
    if packed is None:
        loaded = find_model(model)
        remember(loaded)  # so that replies of the board it goes to can be checked
        packed = loaded.name, _PACKERS[board](loaded).data
    name, image = packed
    numbers = _pins(pins) if pins else None
    with progress_bar(f"Writing {name}", as_json) as progress:
        result = provision_spi_flash(
            image, bus, select=select, clock_hz=clock, pins=numbers, yes=yes, progress=progress
        )
    if as_json:
        print_json(asdict(result))
        return
    done = "now has" if result.written else "had already"
    half = ("first", "second")[result.slot]
    place = f"in its {half} half, as number {result.sequence}" if result.sequence else "at its start"
    click.echo(f"The chip of {result.chip_bytes >> 10} KB {done} {name} {place}: {result.model_bytes} bytes, compared.")


def _pins(text: str) -> Pins:
    try:
        clock, q, d, hd, cs = (int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"--pins {text!r} is no list of five GPIO numbers: {','.join(_PIN_NAMES)}.") from None
    return clock, q, d, hd, cs
