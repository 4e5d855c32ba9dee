"""What a board would find on a card, its image or folder, a chip's image, or in one stream image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO

from host_sdk.errors import FileError
from host_sdk.pack.card import SLOT_NAMES
from host_sdk.pack.stream import describe
from host_sdk.pack.volume import Volume
from host_sdk.spec import container
from host_sdk.spec.stream import HEADER_BYTES, MAGIC

_ENDING = ".ULB"
_MARK = MAGIC.to_bytes(4, "little")
_LENGTH_OFFSET = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model can be."""

    name: str  # of the file; "start" or "second half" where there are none
    room: int  # bytes
    pieces: int | None  # of the file; None where they cannot be seen
    model: dict[str, object] | None = None
    fault: str = ""  # why a board cannot use what is there
    answers: bool = False  # the board takes this one


@dataclass(frozen=True, slots=True)
class Contents:
    """All places of one medium."""

    medium: str  # "FAT16, partition 1" …
    places: tuple[Place, ...]

    def report(self) -> dict[str, object]:
        """For `--json`."""
        names = ("name", "room", "pieces", "model", "fault", "answers")
        return {"medium": self.medium, "places": [{name: getattr(one, name) for name in names} for one in self.places]}


def is_medium(path: Path) -> bool:
    """Whether `contents` is the way to look at it: a folder, a card or its image, a stream image; not a model file."""
    if path.is_dir() or path.is_block_device():
        return True
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return False
    return not start.startswith(container.MAGIC) and (start.startswith(_MARK) or start[510:] == b"\x55\xaa")


def contents(path: Path) -> Contents:
    """What is there; FileError when it cannot be read or has neither models nor a FAT file system."""
    try:
        if path.is_dir():
            return _folder(path)
        with path.open("rb") as file:
            if file.read(len(_MARK)) == _MARK:
                return _raw(file)
            return _card(file)
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}. Check the path, and whether you may read it.") from None


def _card(file: BinaryIO) -> Contents:
    volume = Volume(file)
    places = []
    for found in volume.files():
        if found.name.endswith(_ENDING):
            place = _place(file, found.name, found.offset, found.size, found.pieces)
            if found.pieces != 1:
                place = replace(
                    place, model=None, fault=f"lies in {found.pieces} pieces; copy it again to an empty card"
                )
            places.append(place)
    where = f", partition {volume.partition}" if volume.partition else ""
    return Contents(volume.kind + where, _chosen(places))


def _folder(folder: Path) -> Contents:
    places = []
    for path in sorted(folder.iterdir()):
        if path.suffix.upper() == _ENDING and path.is_file():
            with path.open("rb") as file:
                places.append(_place(file, path.name.upper(), 0, path.stat().st_size, None))
    if not places:
        raise FileError(f"{folder} is a folder without model images ({_ENDING}); name a file, or the folder of a card.")
    return Contents("folder", _chosen(places))


def _raw(file: BinaryIO) -> Contents:
    """A stream image; or a chip, which has two halves; or a card without a file system."""
    size = file.seek(0, SEEK_END)
    first = _place(file, "start", 0, size, 1)
    if not first.model or first.model["bytes"] == size:
        return Contents("stream image", _chosen([first]))
    second = _place(file, "second half", size // 2, size // 2, 1)
    return Contents("chip or card without files", _chosen([replace(first, room=size // 2), second]))


def _place(file: BinaryIO, name: str, offset: int, room: int, pieces: int | None) -> Place:
    """What a file, or a part of a medium, holds."""
    file.seek(offset)
    head = file.read(HEADER_BYTES)
    place = Place(name, room, pieces)
    if not head.startswith(_MARK):
        return place
    length = int.from_bytes(head[_LENGTH_OFFSET : _LENGTH_OFFSET + 4], "little")
    file.seek(offset)
    try:
        return replace(place, model=describe(file.read(min(length, room))))
    except FileError as error:
        return replace(place, fault=str(error))


def _chosen(places: Sequence[Place]) -> tuple[Place, ...]:
    """The places, with the one marked that a board takes: the newest, of the two slots where both are there."""
    slots = [one for one in places if one.name in SLOT_NAMES]
    sound = [one for one in (slots if len(slots) == len(SLOT_NAMES) else places) if one.model]
    newest = max(sound, key=_sequence, default=None)
    return tuple(replace(one, answers=one is newest) for one in places)


def _sequence(place: Place) -> int:
    sequence = (place.model or {}).get("sequence", 0)
    assert isinstance(sequence, int)
    return sequence
