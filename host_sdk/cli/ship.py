"""Stamps a built runtime and puts it where the package ships it: `python -m host_sdk.cli.ship FROM.hex TO.hex`."""

from __future__ import annotations

from pathlib import Path

import click

from host_sdk.flash.memory import Memory
from host_sdk.flash.runtime import stamp


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def ship(source: Path, target: Path) -> None:
    """Stamp SOURCE and write it to TARGET."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(stamp(Memory.from_hex_file(source)).to_hex(), "ascii", newline="\n")


if __name__ == "__main__":
    ship()
