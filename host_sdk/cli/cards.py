"""Files for boards with a card or a flash chip: what `ulm pack` writes for them, and what `ulm info` shows of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from host_sdk.boards import BOARDS, Medium, Offload
from host_sdk.cli.show import print_json, table
from host_sdk.errors import FileError, FitError, UsageError
from host_sdk.model.model import Model

MEDIA = tuple(medium.value for medium in Medium)
_IMAGE, _CARD, _CHIP = ".ulb", ".img", ".bin"
_MIB = 1 << 20
_CHIP_MIB = 4
"""A W25Q32, which modules carry most."""


def medium_named(target: str) -> Medium | None:
    """The medium of this name, or that of the board of this name; None where it has none."""
    if target in MEDIA:
        return Medium(target)
    board = BOARDS.get(target)
    return board.medium if isinstance(board, Offload) else None


def pack_streamed(
    model: Model, medium: Medium, form: str | None, capacity: int | None, output: Path
) -> dict[str, object]:
    """Write an image, or a whole card, chip or folder with it; the packer's report. `capacity` in MiB."""
    from host_sdk.pack.stream import pack_stream
    from host_sdk.spec.stream import Form

    image = pack_stream(model, Form[form.upper()] if form else None)
    ending = output.suffix.lower()
    if medium is Medium.SD and output.is_dir():
        written = _fill_folder(output, image.data, capacity)
    elif ending == _IMAGE:
        if capacity:
            raise UsageError("--capacity is for whole cards and chips; leave it out, or name another file.")
        written = _write(output, image.data)
    elif medium is Medium.SD and ending == _CARD:
        from host_sdk.pack.card import card_image

        written = _write(output, card_image(image.data, capacity and capacity * _MIB))
    elif medium is Medium.FLASH and ending == _CHIP:
        written = _write(output, _chip(image.data, capacity or _CHIP_MIB))
    else:
        whole = f"{_CARD}, or a folder that is there" if medium is Medium.SD else _CHIP
        raise UsageError(f"{output} could be anything; name a file that ends in {_IMAGE} or {whole}.")
    return {**image.report(), "file_bytes": written}


def show_medium(path: Path, as_json: bool) -> None:
    """Print what a board would find there."""
    from host_sdk.pack.contents import contents

    found = contents(path)
    if as_json:
        print_json(found.report())
        return
    rows: list[tuple[object, ...]] = []
    for place in found.places:
        model = place.model
        what = "{name} {shape}, {kind}, {form}, {bytes} bytes, number {sequence}".format(**model) if model else "free"
        pieces = "" if place.pieces is None else "one piece" if place.pieces == 1 else f"{place.pieces} pieces"
        rows.append((place.name, place.room, pieces, place.fault or what, "answers" if place.answers else ""))
    click.echo(found.medium)
    table(rows)
    if not any(place.answers for place in found.places):
        click.echo("A board finds no model here.")
    if found.medium == "folder" and rows:
        click.echo("Whether a file lies in one piece shows only from its device, such as `ulm info /dev/sdX1`.")


def _chip(data: bytes, mib: int) -> bytes:
    from host_sdk.pack.card import MARKS_BYTES

    size = mib * _MIB
    if (least := len(data) + MARKS_BYTES) > size // 2:
        raise FitError(
            f"The model takes {least} bytes of half a chip; a chip of {mib} MiB has {size // 2}, {least - size // 2} "
            f"too few. Say --capacity {-(-2 * least // _MIB)} or more for a larger chip."
        )
    return data.ljust(size, b"\xff")


def _fill_folder(folder: Path, data: bytes, capacity: int | None) -> int:
    """Write the files of a card. Those that are there keep their place and size, if no other size is asked for."""
    from host_sdk.pack.card import SLOT_NAMES, card_files, default_capacity

    there = [(folder / name).stat().st_size for name in SLOT_NAMES if (folder / name).is_file()]
    wanted = capacity * _MIB if capacity else default_capacity(data)
    if not capacity and len(there) == len(SLOT_NAMES) and there[0] == there[1] >= wanted:
        wanted = there[0]
    files = card_files(data, wanted)
    free = shutil.disk_usage(folder).free + sum(there)
    if (needed := sum(map(len, files.values()))) > free:
        raise FileError(f"{folder} has {free} bytes free; both files take {needed}. Make room, or lower --capacity.")
    for name, contents in files.items():
        path = folder / name
        try:
            keeps = path.is_file() and path.stat().st_size == len(contents)
            with path.open("r+b" if keeps else "wb") as file:
                file.write(contents)
        except OSError as error:
            raise FileError(f"Cannot write {path}: {error.strerror}; unlock the card, or take another.") from None
    return needed


def _write(path: Path, data: bytes) -> int:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}. Choose another place.") from None
    return len(data)
