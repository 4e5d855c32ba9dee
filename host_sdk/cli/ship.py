"""Stamps a built runtime and puts it where the package ships it: `python -m host_sdk.cli.ship SOURCE TARGET`.

A .hex is one for AVR boards. A .com is that for CP/M; its listing of symbols lies beside it, and the labels that the
virtual machine watches are written beside the target.
"""

from __future__ import annotations

from pathlib import Path

import click

from host_sdk.flash.cpm_files import PUBLIC, read_symbols, stamp_com
from host_sdk.flash.memory import Memory
from host_sdk.flash.runtime import stamp


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def ship(source: Path, target: Path) -> None:
    """Stamp SOURCE and write it to TARGET."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".hex":
        target.write_text(stamp(Memory.from_hex_file(source)).to_hex(), "ascii", newline="\n")
        return
    labels = read_symbols(source.with_suffix(".sym").read_text("ascii"))
    target.write_bytes(stamp_com(source.read_bytes(), labels))
    lines = [f"{labels[name]:04X} {name}\n" for name in PUBLIC]
    target.with_suffix(".sym").write_text("".join(lines), "ascii", newline="\n")


if __name__ == "__main__":
    ship()
