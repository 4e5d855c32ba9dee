"""Reads the root directory of a FAT16 or FAT32 card as a board does: which files there are, and in how many pieces."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from host_sdk.errors import FileError
from host_sdk.pack.fat import BLOCK, FEWEST_CLUSTERS, MOST_CLUSTERS

_PARAMETERS = struct.Struct("<11xHBHBHHxHHHII")
_FAT_BLOCKS_32 = struct.Struct("<36xI4xI")
_PARTITIONS, _PARTITION_BYTES = 446, 16
_FAT_TYPES = {0x04, 0x06, 0x0B, 0x0C, 0x0E}
_EXFAT_TYPE = 0x07
_ENTRY = struct.Struct("<8s3sB8xH4xHI")
_ENTRY_BYTES = 32
_DELETED, _NO_FILE = 0xE5, 0x18  # first byte of a name; attributes of labels, folders and parts of long names
_MOST_LINKS = 1 << 24


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in the root directory."""

    name: str  # 8.3, capital letters
    size: int  # bytes
    offset: int  # on the card, of its first byte
    pieces: int  # 1: its clusters follow each other


class Volume:
    """The first FAT16 or FAT32 file system of a card or its image, in a partition or without a partition table."""

    def __init__(self, card: BinaryIO) -> None:
        """FileError when there is none that a board reads."""
        self._card = card
        self._wide = False  # FAT32
        self._fat = self._data = self._cluster_bytes = 0  # offsets, and bytes of a cluster
        self.partition = 0  # its number, or 0 without a table
        fault = self._open(0)
        table = self._read(_PARTITIONS, 4 * _PARTITION_BYTES).ljust(4 * _PARTITION_BYTES, b"\0")
        for number in range(1, 5):
            if not fault:
                return
            kind, block = struct.unpack_from("<4xB3xI", table, (number - 1) * _PARTITION_BYTES)
            if kind in _FAT_TYPES or kind == _EXFAT_TYPE:
                self.partition = number
                fault = self._open(block)
        if fault:
            raise FileError(fault)

    @property
    def kind(self) -> str:
        """FAT16 or FAT32."""
        return "FAT32" if self._wide else "FAT16"

    def files(self) -> Iterator[FoundFile]:
        """The files of the root directory, in its order."""
        for entry in self._root():
            stem, ending, attributes, high, low, size = _ENTRY.unpack(entry)
            if entry[0] == _DELETED or attributes & _NO_FILE:
                continue
            name = stem.decode("latin-1").rstrip() + ("." + ending.decode("latin-1").rstrip()).rstrip(".")
            first = low | high << 16 if self._wide else low
            yield FoundFile(name, size, self._offset_of(first), self._pieces(first, size))

    def _open(self, block: int) -> str:
        """What is wrong with a file system that begins there, if something is."""
        boot = self._read(block * BLOCK, BLOCK)
        if boot[3:11] == b"EXFAT   ":
            return "The card is formatted with exFAT, which boards do not read; format it with FAT32."
        no_fat = "The card has no FAT16 or FAT32 file system; format it with FAT32."
        if len(boot) < BLOCK:
            return no_fat
        size, per, reserved, fats, roots, total_16, fat_16, _, _, _, total_32 = _PARAMETERS.unpack_from(boot)
        fat_32, root = _FAT_BLOCKS_32.unpack_from(boot)
        if size != BLOCK or per == 0 or per & (per - 1) or reserved == 0 or fats not in (1, 2):
            return no_fat
        before = reserved + fats * (fat_16 or fat_32)
        data = before + -(-roots * _ENTRY_BYTES // BLOCK)
        clusters = ((total_16 or total_32) - data) // per
        if clusters < FEWEST_CLUSTERS:
            return "The card has a FAT12 file system, which boards do not read; format it with FAT16 or FAT32."
        self._wide = clusters > MOST_CLUSTERS
        self._fat = (block + reserved) * BLOCK
        self._first_root = root if self._wide else (block + before) * BLOCK
        self._root_bytes = roots * _ENTRY_BYTES
        self._data = (block + data) * BLOCK
        self._cluster_bytes = per * BLOCK
        return ""

    def _root(self) -> Iterator[bytes]:
        chunks = self._chain_chunks() if self._wide else iter([self._read(self._first_root, self._root_bytes)])
        for chunk in chunks:
            for at in range(0, len(chunk) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
                if not chunk[at]:
                    return
                yield chunk[at : at + _ENTRY_BYTES]

    def _chain_chunks(self) -> Iterator[bytes]:
        for cluster in self._chain(self._first_root):
            yield self._read(self._offset_of(cluster), self._cluster_bytes)

    def _chain(self, cluster: int) -> Iterator[int]:
        """The clusters of a chain; a damaged one that has no end is cut."""
        end = 0x0FFFFFF8 if self._wide else 0xFFF8
        width = 4 if self._wide else 2
        for _ in range(_MOST_LINKS):
            if not 2 <= cluster < end:
                return
            yield cluster
            link = self._read(self._fat + cluster * width, width)
            cluster = int.from_bytes(link, "little") & 0x0FFFFFFF

    def _pieces(self, first: int, size: int) -> int:
        """Runs of clusters that follow each other, as far as the file goes; 0 where its chain is cut."""
        needed = -(-size // self._cluster_bytes)
        pieces, last = 0, -1
        for _, cluster in zip(range(needed), self._chain(first), strict=False):
            pieces += cluster != last + 1
            last = cluster
            needed -= 1
        return 0 if needed else pieces

    def _offset_of(self, cluster: int) -> int:
        return self._data + (cluster - 2) * self._cluster_bytes

    def _read(self, offset: int, count: int) -> bytes:
        self._card.seek(offset)
        return self._card.read(count)
