"""Flash contents as pages: from Intel HEX or from bytes at an address, merged without overlap."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from intelhex import IntelHex, IntelHexError

from host_sdk.errors import FileError, FitError

PAGE_BYTES = 128
"""Flash page of the ATmega328P (datasheet, table 27-9)."""
ERASED = 0xFF


class Memory:
    """What flash should hold: whole pages, with ERASED in the bytes that nobody asked for.

    Addresses and sizes are in bytes. Two memories are equal when their pages are, counting a page that is
    missing as erased. A Memory does not change after it is made: `cells` are the bytes asked for by address,
    `pages` the whole pages by the address of their first byte, in rising order.
    """

    __slots__ = ("cells", "page_bytes", "pages")

    def __init__(self, cells: Mapping[int, int], page_bytes: int = PAGE_BYTES) -> None:
        """From single bytes by address; ValueError for an address below zero."""
        if cells and min(cells) < 0:
            raise ValueError(f"address {min(cells)} is below zero")
        self.cells: Mapping[int, int] = MappingProxyType(dict(cells))
        self.page_bytes = page_bytes
        pages: dict[int, bytearray] = {}
        for address, value in self.cells.items():
            start = address - address % page_bytes
            page = pages.setdefault(start, bytearray([ERASED]) * page_bytes)
            page[address - start] = value
        self.pages: Mapping[int, bytes] = MappingProxyType({a: bytes(pages[a]) for a in sorted(pages)})

    @classmethod
    def from_bytes(cls, address: int, data: bytes, page_bytes: int = PAGE_BYTES) -> Memory:
        """`data` placed at a byte address."""
        return cls(dict(enumerate(data, address)), page_bytes)

    @classmethod
    def from_hex(cls, text: str, name: str = "The program", page_bytes: int = PAGE_BYTES) -> Memory:
        """The contents of an Intel HEX file; FileError, calling it `name`, when it is damaged."""
        reader = IntelHex()
        try:
            reader.loadhex(io.StringIO(text))
        except (IntelHexError, ValueError) as error:
            raise FileError(f"{name} is no sound Intel HEX file ({error}); copy or build it again.") from None
        return cls({address: reader[address] for address in reader.addresses()}, page_bytes)

    @classmethod
    def from_hex_file(cls, path: str | Path, page_bytes: int = PAGE_BYTES) -> Memory:
        """The contents of an Intel HEX file; FileError when it cannot be read or is damaged."""
        try:
            text = Path(path).read_text(encoding="ascii")
        except OSError as error:
            raise FileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
        except UnicodeDecodeError:
            raise FileError(f"{path} is not an Intel HEX file; copy or build it again.") from None
        return cls.from_hex(text, str(path), page_bytes)

    def merged(self, other: Memory) -> Memory:
        """Both together; FitError when they claim the same byte. They may share a page."""
        if self.page_bytes != other.page_bytes:
            raise ValueError(f"pages of {self.page_bytes} and of {other.page_bytes} bytes cannot be merged")
        both = self.cells.keys() & other.cells.keys()
        if both:
            raise FitError(
                f"Two parts of the upload claim the same {len(both)} bytes of flash "
                f"from 0x{min(both):04X} on; use a smaller program or model."
            )
        return Memory({**self.cells, **other.cells}, self.page_bytes)

    def only(self, addresses: tuple[int, ...]) -> Memory:
        """The pages that start at these addresses, complete, and nothing else."""
        return Memory({a + i: v for a in addresses for i, v in enumerate(self.pages[a])}, self.page_bytes)

    @property
    def end(self) -> int:
        """Byte address behind the last page; 0 when there is none."""
        return max(self.pages) + self.page_bytes if self.pages else 0

    def to_hex(self) -> str:
        """The complete pages, erased bytes included, as an Intel HEX file."""
        writer = IntelHex()
        for address, page in self.pages.items():
            writer.puts(address, page)
        text = io.StringIO()
        writer.write_hex_file(text)
        return text.getvalue()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Memory):
            return NotImplemented
        return self.page_bytes == other.page_bytes and self._programmed() == other._programmed()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Memory of {len(self.pages)} pages of {self.page_bytes} bytes, end 0x{self.end:04X}>"

    def _programmed(self) -> dict[int, bytes]:
        blank = bytes([ERASED]) * self.page_bytes
        return {address: page for address, page in self.pages.items() if page != blank}
