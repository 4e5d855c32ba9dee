"""`ulm flash` for Espressif chips: firmware, and a model in a partition of its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from host_sdk.boards import board_named
from host_sdk.cli.files import read_packed
from host_sdk.cli.show import print_json, progress_bar
from host_sdk.errors import UsageError
from host_sdk.flash.esp_firmware import MICROPYTHON, flash_firmware
from host_sdk.flash.esp_partition import flash_partition
from host_sdk.kinds import fitted
from host_sdk.model.library import find_model


def flash_esp(
    address: str,
    model: Path | None,
    firmware: Path | None,
    partition: str | None,
    yes: bool,
    erase: bool,
    as_json: bool,
) -> None:
    """Firmware first, if there is any, then the model."""
    if (model is None) != (partition is None):
        raise UsageError("MODEL and --partition go together: `ulm flash PORT M.ulm --partition model`.")
    if erase and not firmware:
        raise UsageError("--erase clears what --firmware then writes; name the firmware, too.")
    packed = _packed(model) if model else None  # a model that is wrong is refused before the firmware goes
    report: dict[str, object] = {}
    if firmware:
        with progress_bar(f"Writing {firmware.name}", as_json) as progress:
            done = flash_firmware(address, firmware, yes=yes, erase=erase, progress=progress)
        report["firmware"] = asdict(done)
        if not as_json:
            kept = "; its partitions stay" if done.table_kept else ""
            verb = "now has" if done.written else "had already"
            click.echo(f"The {done.chip} {verb} {firmware.name}: {done.firmware_bytes} bytes, compared{kept}.")
    if packed and partition:
        name, image = packed
        with progress_bar(f"Writing {name}", as_json) as progress:
            result = flash_partition(address, image, partition, yes=yes, progress=progress)
        report["partition"] = asdict(result)
        if not as_json:
            verb = "now has" if result.written else "had already"
            click.echo(
                f"The {result.chip} {verb} {name} in the partition {partition!r}: {result.model_bytes} of "
                f"{result.partition_bytes} bytes at {result.address:#x}, compared."
            )
    if as_json:
        print_json(report)


def _packed(model: Path) -> tuple[str, bytes]:
    if packed := read_packed(model):
        return packed
    loaded = find_model(model)
    return loaded.name, fitted(loaded, board_named(MICROPYTHON)).data
