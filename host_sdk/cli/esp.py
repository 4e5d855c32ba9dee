"""`ulm flash` for Espressif chips: firmware, a model in a partition of its own, and MicroPython made to talk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from host_sdk.boards import PYTHON_BOARDS
from host_sdk.cli.files import read_packed
from host_sdk.cli.show import print_json, progress_bar
from host_sdk.errors import FileError, MissingError, PortError, UsageError
from host_sdk.flash.esp_chip import EspChip, connected
from host_sdk.flash.esp_firmware import read_firmware, write_firmware
from host_sdk.flash.esp_partition import write_partition
from host_sdk.flash.esp_start import started_python
from host_sdk.flash.partitions import check_label
from host_sdk.flash.python_deploy import deploy_partition, deploy_python
from host_sdk.flash.result import FlashResult, check_result
from host_sdk.kinds import fitted
from host_sdk.link.connection import Connection
from host_sdk.model.library import find_model, remember
from host_sdk.model.model import Model
from host_sdk.pack.micropython import header

_PYTHON = PYTHON_BOARDS["micropython"]


def flash_esp(
    address: str,
    model: Path | None,
    firmware: Path | None,
    partition: str | None,
    yes: bool,
    erase: bool,
    at_start: bool,
    as_json: bool,
) -> None:
    """Firmware first, if there is any, then the model into its partition, then through the REPL what is missing."""
    if model is None and (partition or at_start):
        raise UsageError("Name the model, too: `ulm flash PORT M.ulm --partition model`.")
    if erase and not firmware:
        raise UsageError("--erase clears what --firmware then writes; name the firmware, too.")
    work = _Work(address, yes, at_start, as_json)
    # A model that is wrong is refused before the firmware goes.
    packed = _packed(model) if model and partition else None
    loaded = _remembered(model) if model and not partition else None
    if partition:
        check_label(partition)
    image = read_firmware(firmware) if firmware else b""
    # In one go: MicroPython, once started, would fill its files, of which the partition may take a part.
    with connected(address) as chip:
        if firmware:
            work.firmware(chip, image, firmware, erase)
        if packed and partition:
            work.partition(chip, *packed, partition)
    if packed and partition:
        work.serve(*packed, partition)
    elif loaded:
        work.files(loaded)
    if as_json:
        print_json(work.report)


class _Work:
    """The steps, each of which says what it did."""

    def __init__(self, address: str, yes: bool, at_start: bool, as_json: bool) -> None:
        self._address, self._yes, self._at_start, self._as_json = address, yes, at_start, as_json
        self.report: dict[str, object] = {}

    def firmware(self, chip: EspChip, image: bytes, file: Path, erase: bool) -> None:
        """Through the chip's loader."""
        with progress_bar(f"Writing {file.name}", self._as_json) as progress:
            done = write_firmware(chip, image, file, yes=self._yes, erase=erase, progress=progress)
        self.report["firmware"] = asdict(done)
        kept = "; its partitions stay" if done.table_kept else ""
        verb = "now has" if done.written else "had already"
        self._say(f"The {done.chip} {verb} {file.name}: {done.firmware_bytes} bytes, compared{kept}.")

    def partition(self, chip: EspChip, name: str, image: bytes, label: str) -> None:
        """Through the chip's loader."""
        with progress_bar(f"Writing {name}", self._as_json) as progress:
            done = write_partition(chip, image, label, yes=self._yes, progress=progress)
        self.report["partition"] = asdict(done)
        verb = "now has" if done.written else "had already"
        self._say(
            f"The {done.chip} {verb} {name} in the partition {label!r}: {done.model_bytes} of "
            f"{done.partition_bytes} bytes at {done.address:#x}, compared."
        )

    def serve(self, name: str, image: bytes, label: str) -> None:
        """The runtime for a model in a partition, through the REPL, if one waits for input."""
        try:
            with started_python(self._address, self._yes) as board:
                self._talks(board, deploy_partition(board.line, _PYTHON, name, image, label, self._at_start))
        except (PortError, MissingError) as error:  # the model is where it was asked for
            self.report["runtime"] = None
            self._say(f"It was not made to talk: {error}")

    def files(self, model: Model) -> None:
        """Through the REPL of the MicroPython that has just been flashed."""
        with started_python(self._address, self._yes) as board:
            with progress_bar(f"Flashing {model.name}", self._as_json) as progress:
                result = deploy_python(board.line, _PYTHON, model, self._at_start, progress)
            self._talks(board, result)

    def _talks(self, board: Connection, result: FlashResult) -> None:
        check_result(result, board.greet())
        self.report["runtime"] = {**asdict(result), "model_crc": f"{result.model_crc:08x}"}
        self._say(
            f"{result.board} now runs {result.model} from {result.memory}: {result.runtime_bytes} bytes of runtime; "
            f"{result.files_written} files written, {result.files_kept} kept."
        )

    def _say(self, text: str) -> None:
        if not self._as_json:
            click.echo(text)


def _packed(model: Path) -> tuple[str, bytes]:
    if packed := read_packed(model):
        try:
            header(packed[1])
        except FileError as error:
            raise FileError(f"{model}: {error}") from None
        return packed
    loaded = _remembered(model)
    return loaded.name, fitted(loaded, _PYTHON).data


def _remembered(path: Path) -> Model:
    """A model that Python boards have room for; digests of what is flashed can be recomputed later."""
    model = find_model(path)
    fitted(model, _PYTHON)
    remember(model)
    return model
