"""Commands that need no board (but for `ulm info ADDRESS`): info, models, import, pack, boards, ports."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import click

from host_sdk.boards import AVR_BOARDS, BOARDS, Cpm, board_named, virtual_boards
from host_sdk.cli.cards import MEDIA, medium_named, pack_streamed, show_medium
from host_sdk.cli.show import print_json, table
from host_sdk.errors import FileError, UsageError
from host_sdk.model.library import SHIPPED, find_model, shipped_model
from host_sdk.model.model import Model

_ARDUINO, _CPM, _EEPROM = "arduino", "cpm", "eeprom"
_PROGRAMS = (".com", ".hex")
_out = click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write.")
_json = click.option("--json", "as_json", is_flag=True, help="One line of JSON on stdout.")


@click.command()
@click.argument("subject", metavar="MODEL|ADDRESS")
@_json
def info(subject: str, as_json: bool) -> None:
    """Show what MODEL (a .ulm file or a shipped model) holds, and what it takes on each board.

    Of a card, its image or folder, or a stream image: what a board finds there. Of a board at ADDRESS: its model and
    sizes.
    """
    from host_sdk.errors import FitError
    from host_sdk.kinds import fitted, model_room
    from host_sdk.model.engine import safe_query_length
    from host_sdk.pack.contents import is_medium

    if _is_address(subject):
        from host_sdk.cli.talk import show_board

        show_board(subject, as_json)
        return
    if is_medium(Path(subject)):
        show_medium(Path(subject), as_json)
        return
    loaded = find_model(subject)
    rooms: dict[str, dict[str, object]] = {}
    for board in BOARDS.values():
        try:
            rooms[board.name] = {"fits": True, "bytes": len(fitted(loaded, board).data), "room": model_room(board)}
        except FitError as error:
            rooms[board.name] = {"fits": False, "why": str(error), "room": model_room(board)}
    nonzero = sum(int((layer.weights != 0).sum()) for layer in loaded.layers)
    facts = {
        "name": loaded.name,
        "kind": loaded.kind.name.lower(),
        "crc": f"{loaded.crc:08x}",
        "shape": loaded.shape,
        "codes": [layer.code.name.lower() for layer in loaded.layers],
        "weights": loaded.weight_count,
        "nonzero": nonzero,
        "query_buckets": loaded.query_buckets,
        "context_buckets": loaded.context_buckets,
        "context_length": loaded.context_length,
        "charset": loaded.charset,
        "replies": len(loaded.replies),
        "safe_query_length": safe_query_length(loaded),
        "golden_queries": len(loaded.golden),
        "boards": rooms,
        "metadata": dict(loaded.metadata),
    }
    if as_json:
        print_json(facts)
        return
    metadata = {k: v for k, v in loaded.metadata.items() if isinstance(v, str | int | float)}
    table([(k, v) for k, v in {**metadata, **facts}.items() if k not in ("boards", "metadata")])
    for name, room in rooms.items():
        of = f" of {room['room']}" if room["room"] else ""
        click.echo(f"on {name}: " + (f"{room['bytes']}{of} bytes" if room["fits"] else str(room["why"])))


def _is_address(subject: str) -> bool:
    """A card's device is a block device, a serial port a character device."""
    return "://" in subject or re.fullmatch(r"COM\d+", subject) is not None or Path(subject).is_char_device()


@click.command()
@_json
def models(as_json: bool) -> None:
    """List the models that come with μLM; their names stand for model files everywhere."""
    rows = [
        {
            "name": name,
            "kind": model.kind.name.lower(),
            "shape": model.shape,
            "crc": f"{model.crc:08x}",
            "licence": str(model.metadata.get("licence", "")),
        }
        for name, model in ((name, shipped_model(name)) for name in SHIPPED)
    ]
    if as_json:
        print_json(rows)
    else:
        table([list(rows[0]), *(list(row.values()) for row in rows)])


@click.group(name="import")
def import_() -> None:
    """Import a model that others published."""


@import_.command(name="z80ai")
@click.argument("source", type=click.Path(path_type=Path))
@_out
def import_z80ai(source: Path, output: Path) -> None:
    """Import SOURCE, a .npz of HarryR/z80ai."""
    from host_sdk.model.z80ai import import_z80ai as read
    from host_sdk.pack.order import annotate

    model = annotate(read(source))
    _save(model, output)
    click.echo(f"{output}: {model.name}, {model.shape}, {model.weight_count} weights")


@click.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option(
    "--for",
    "target",
    required=True,
    metavar="KIND",
    help=f"{_ARDUINO}, {_EEPROM}, {', '.join(MEDIA)}, or a board of `ulm boards`.",
)
@click.option("--tpa", type=click.IntRange(0x3000, 0xFF00), help="cpm: bytes from 0100h to BDOS.")
@click.option("--compact", is_flag=True, help="cpm and AVR boards: less memory, slower.")
@click.option("--form", type=click.Choice(["lists", "rows"]), help="sd, flash: how weights are written.")
@click.option("--capacity", type=click.IntRange(1, 512), metavar="MIB", help="sd: of each file; flash: of the chip.")
@_out
@_json
def pack(
    model: Path | None,
    target: str,
    tpa: int | None,
    compact: bool,
    form: str | None,
    capacity: int | None,
    output: Path,
    as_json: bool,
) -> None:
    """Make the packed image (.ulb) of MODEL for one kind of memory.

    For `cpm` the ending of the output decides: .ulb for ULM.COM, .com a program of its own, .hex the same for LOAD.
    Without MODEL the program is ULM.COM.
    For `arduino`: a folder, the library that makes MODEL answer in your own sketch.
    For `sd`: X.ULB is the model alone; X.img a whole card; a folder, such as that of a card, gets the files of a card.
    For `flash`: X.ulb is the model alone; X.bin a whole chip.
    """
    from host_sdk.flash.fit import fitted_avr
    from host_sdk.kinds import Packed, fitted
    from host_sdk.pack.arduino import library
    from host_sdk.pack.bits import pack_bits

    if tpa and target != _CPM:
        raise UsageError(f"--tpa is for `--for {_CPM}` only.")
    if compact and target not in (_CPM, *AVR_BOARDS):
        raise UsageError(f"--compact is for `--for {_CPM}` and for {', '.join(AVR_BOARDS)} only.")
    medium = medium_named(target)
    if (form or capacity) and not medium:
        raise UsageError(f"--form and --capacity are for `--for {'` and `--for '.join(MEDIA)}` only.")
    if model is None and (target != _CPM or output.suffix.lower() not in _PROGRAMS):
        raise UsageError("Name the model to pack; only `--for cpm -o ULM.COM` or `-o ULM.HEX` makes the runtime alone.")
    loaded = find_model(model) if model else None
    report: dict[str, object]
    if target == _CPM:
        report = _pack_cpm(loaded, tpa, compact, output)
    elif loaded and medium:
        report = pack_streamed(loaded, medium, form, capacity, output)
    elif loaded and target == _ARDUINO:
        made = library(loaded)
        _write_folder(output, made.files)
        report = made.report()
    else:
        assert loaded
        if compact:
            image: Packed = fitted_avr(loaded, AVR_BOARDS[target], compact)
        else:
            image = pack_bits(loaded) if target == _EEPROM else fitted(loaded, board_named(target))
        _write(output, image.data)
        report = image.report()
    if as_json:
        print_json(report)
    else:
        table(list(report.items()))


@click.command()
@_json
def boards(as_json: bool) -> None:
    """List the boards that μLM knows."""
    from host_sdk.kinds import kind_of

    rows: list[dict[str, object]] = [
        {
            "name": board.name,
            "title": board.title,
            "mcu": board.mcu,
            "clock_hz": board.clock_hz,
            "baud": board.baud,
            "model_bytes": kind_of(board).room,
            "memories": kind_of(board).memories,
            "virtual": f"sim://{board.name}",
        }
        for board in BOARDS.values()
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["memories"] = ", ".join(cast("Sequence[str]", row["memories"]))
        row["model_bytes"] = row["model_bytes"] or "as its size"
    table([list(rows[0]), *(list(row.values()) for row in rows)])


@click.command()
@_json
def ports(as_json: bool) -> None:
    """List the serial ports of this computer."""
    from host_sdk.link.ports import list_serial

    found = list_serial()
    if as_json:
        print_json([{"address": port.address, "description": port.description} for port in found])
    elif found:
        table([(port.address, port.description) for port in found])
    else:
        click.echo(f"No serial port; virtual boards are always there: {virtual_boards()}.")


def _pack_cpm(model: Model | None, tpa: int | None, compact: bool, output: Path) -> dict[str, object]:
    """Write an image or a program for CP/M, without a model the runtime; its report."""
    from host_sdk.flash.cpm_files import hex_file, shipped_com
    from host_sdk.flash.fit import fitted_com, fitted_cpm

    board = board_named(_CPM)
    assert isinstance(board, Cpm)
    if tpa:
        board = replace(board, tpa_bytes=tpa)
    ending = output.suffix.lower()
    if model is None:
        data, report = shipped_com().code, {}
    elif ending in _PROGRAMS:
        image, data = fitted_com(model, board, compact)
        report = image.report()
    else:
        image = fitted_cpm(model, board, compact)
        data, report = image.data, image.report()
    _write(output, hex_file(data).encode("ascii") if ending == ".hex" else data)
    return {**report, "file_bytes": len(data)}


def _save(model: Model, path: Path) -> None:
    from host_sdk.model.container import write

    _write(path, write(model))


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write an Arduino library; UsageError where that would mix with something else."""
    sources, mark = folder / "src", folder / "library.properties"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; an Arduino library is a folder: name a new one.")
    if folder.exists() and not mark.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds other files; name a new folder, or an older library to replace.")
    if sources.exists():
        shutil.rmtree(sources)  # the IDE would build what an older library left there
    for path, data in files.items():
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"Cannot write {folder}: {error.strerror}. Choose another place.") from None
        _write(folder / path, data)


def read_packed(path: Path) -> tuple[str, bytes] | None:
    """Name and bytes of a packed image (.ulb); None when the path is that of a model."""
    if path.suffix.lower() != ".ulb":
        return None
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}. Name a model or a packed image.") from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}. Choose another place.") from None
