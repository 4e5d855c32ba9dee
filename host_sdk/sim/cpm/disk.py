"""Drive A: of the virtual machine: a folder of the host, seen as CP/M files of 128-byte records."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RECORD_BYTES = 128
EXTENT_RECORDS = 128
BLOCK_BYTES = 2048
MAX_FILES = 64
"""Entries of the directory."""
END_OF_FILE = 0x1A
_WILD = ord("?")
_FORBIDDEN = set("<>.,;:=?*[]")


@dataclass(frozen=True, slots=True)
class Extent:
    """One directory entry: up to 128 records of a file."""

    name: bytes  # 11 characters
    number: int
    records: int


class Disk:
    """Files by their 11-character names. `capacity` is in bytes.

    Names of the host's files may be in either case; files that CP/M could not name are not seen.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        self.folder = folder
        self.capacity = capacity

    def find(self, pattern: bytes) -> list[bytes]:
        """The names that a pattern with question marks matches, in order."""
        wanted = pattern.decode("latin-1").translate({ord("["): "?"})
        return sorted(name for name in self._files() if fnmatch.fnmatchcase(name.decode("latin-1"), wanted))

    def extents(self, pattern: bytes, number: int) -> Iterator[Extent]:
        """Directory entries of matching files: that extent, or with a question mark (3Fh) all of them."""
        for name in self.find(pattern):
            records = self.records(name)
            for at in range(max(1, -(-records // EXTENT_RECORDS))):
                if number in (at, _WILD):
                    yield Extent(name, at, min(EXTENT_RECORDS, records - at * EXTENT_RECORDS))

    def records(self, name: bytes) -> int:
        """The size of a file in records."""
        return -(-self._files()[name].stat().st_size // RECORD_BYTES)

    def exists(self, name: bytes) -> bool:
        """Whether there is a file of exactly this name."""
        return name in self._files()

    def read(self, name: bytes, record: int) -> bytes | None:
        """One record; None behind the end of the file."""
        path = self._files().get(name)
        if path is None:
            return None
        with path.open("rb") as file:
            file.seek(record * RECORD_BYTES)
            data = file.read(RECORD_BYTES)
        return data.ljust(RECORD_BYTES, bytes((END_OF_FILE,))) if data else None

    def write(self, name: bytes, record: int, data: bytes) -> bool:
        """Write one record; false when the disk is full or there is no such file."""
        path = self._files().get(name)
        if path is None:
            return False
        size = path.stat().st_size
        end = (record + 1) * RECORD_BYTES
        if end > size and self._used() - _blocks(size) + _blocks(end) > self.capacity // BLOCK_BYTES:
            return False
        with path.open("r+b") as file:
            file.seek(record * RECORD_BYTES)
            file.write(data)
        return True

    def make(self, name: bytes) -> bool:
        """Make an empty file; false when the directory is full or the name is taken."""
        files = self._files()
        if name in files or len(files) >= MAX_FILES:
            return False
        (self.folder / _host_name(name)).write_bytes(b"")
        return True

    def delete(self, pattern: bytes) -> bool:
        """Delete all matching files; false when there is none."""
        files = self._files()
        found = self.find(pattern)
        for name in found:
            files[name].unlink()
        return bool(found)

    def rename(self, name: bytes, new: bytes) -> bool:
        """Rename a file. Like CP/M it does not look whether the new name is taken; then there are two of that name,
        of which this one is found."""
        files = self._files()
        if name not in files:
            return False
        files[name].replace(self.folder / _host_name(new))
        return True

    def _files(self) -> dict[bytes, Path]:
        found = {}
        for path in self.folder.iterdir():
            name = cpm_name(path.name)
            if name and path.is_file():
                found[name] = path
        return found

    def _used(self) -> int:
        return sum(_blocks(path.stat().st_size) for path in self._files().values())


def cpm_name(name: str) -> bytes | None:
    """The 11 characters of a name like "ulm.com"; None when CP/M cannot have it."""
    stem, _, ending = name.upper().partition(".")
    fits = 1 <= len(stem) <= 8 and len(ending) <= 3
    if not fits or not (stem + ending).isascii() or not (stem + ending).isprintable():
        return None
    if _FORBIDDEN & set(stem + ending) or " " in stem + ending:
        return None
    return f"{stem:8}{ending:3}".encode("ascii")


def _host_name(name: bytes) -> str:
    text = name.decode("ascii", "replace").replace("/", "_")
    return f"{text[:8].rstrip()}.{text[8:].rstrip()}".rstrip(".")


def _blocks(size: int) -> int:
    return -(-size // BLOCK_BYTES)
