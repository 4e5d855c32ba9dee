"""Cards as a person makes them: mkfs.fat and mcopy, with and without a partition table."""

from __future__ import annotations

import subprocess
from pathlib import Path

BLOCK = 512
MB = 1 << 20
CLUSTERS = {16: 8_000, 32: 70_000}
"""By FAT16 and FAT32: so many that the volume is what it should be."""
_TYPES = {16: 0x06, 32: 0x0C}
_FIRST = 2048  # block where a partition begins


class Card:
    """A card's image that grows file by file. `bits` 16 or 32; clusters of `cluster` blocks."""

    def __init__(self, path: Path, bits: int = 16, *, partition: bool = False, cluster: int = 1) -> None:
        self.path = path
        start = _FIRST if partition else 0
        size = CLUSTERS[bits] * cluster * BLOCK
        with path.open("wb") as file:
            file.truncate(start * BLOCK + size)
        if partition:
            add_partition(path, _TYPES[bits], start, size // BLOCK)
        _run("mkfs.fat", "-F", str(bits), "-s", str(cluster), "--offset", str(start), str(path), str(size // 1024))
        self._drive = f"{path}@@{start * BLOCK}"

    def add(self, name: str, data: bytes) -> Card:
        """Copies a file on it; CalledProcessError when it is full."""
        source = self.path.with_suffix(".file")
        source.write_bytes(data)
        _run("mcopy", "-o", "-i", self._drive, str(source), f"::{name}")
        return self

    def remove(self, name: str) -> Card:
        _run("mdel", "-i", self._drive, f"::{name}")
        return self

    def make_folder(self, name: str) -> Card:
        _run("mmd", "-i", self._drive, f"::{name}")
        return self

    def fill(self, piece: int, prefix: str = "F") -> list[str]:
        """Adds files of `piece` bytes until the card is full; their names."""
        names: list[str] = []
        try:
            while True:
                self.add(f"{prefix}{len(names)}.BIN", bytes(piece))
                names.append(f"{prefix}{len(names)}.BIN")
        except subprocess.CalledProcessError:
            return names


def fragmented(path: Path, name: str, data: bytes, bits: int = 16) -> Path:
    """A full card in which only every second place for a small file was free."""
    card = Card(path, bits)
    for size, prefix in ((MB, "A"), (32 * BLOCK, "B"), (BLOCK, "C")):
        names = card.fill(size, prefix)
        if size < MB:
            for each in names[::2]:
                card.remove(each)
    return card.add(name, data).path


def add_partition(path: Path, kind: int, start: int, blocks: int, index: int = 0) -> None:
    """Writes an entry of the partition table."""
    entry = bytes((0, 0, 0, 0, kind, 0, 0, 0)) + start.to_bytes(4, "little") + blocks.to_bytes(4, "little")
    with path.open("r+b") as file:
        file.seek(446 + 16 * index)
        file.write(entry)
        file.seek(510)
        file.write(b"\x55\xaa")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
