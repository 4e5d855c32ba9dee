"""Bring a board's flash from what it holds to what is wanted, page by page, through its bootloader.

Only pages that differ are written, and each is read back. Whether a page differs is asked cheaply: after a
page that differed, four bytes of the next one are read first (1.5 ms at 115200, a whole page takes 12 ms);
if those differ already, the page is written unread. So a full upload crosses the line little more than
twice, and yet no page is ever written that was right.

Pages that carry a valid mark (`order_last`) are erased before the first other page changes and written when
all others are in place: after a cut at any moment the mark is missing or what it vouches for is intact.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from host_sdk.boards import Avr
from host_sdk.errors import BoardError, FitError, LinkError, PortError
from host_sdk.flash.memory import ERASED, Memory
from host_sdk.flash.stk500 import Port, Stk500

Progress = Callable[[int, int], None]
"""Called as (pages settled, pages in all) after each page, in rising order, the last time with both equal."""

SAMPLE_BYTES = 4
"""Read before a whole page: two unrelated pages agree here once in 2^32."""
PAGE_TRIES = 4
"""Attempts at one page, the board being reset in between."""
PASSES = 4
"""A damaged byte can send a write to another page, so after any line fault everything is compared again."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What an upload did. `pages_written + pages_kept` is the number of pages wanted."""

    pages_written: int
    pages_kept: int
    bytes: int  # of flash written
    seconds_wall: float


def upload(
    port: Port,
    board: Avr,
    wanted: Memory,
    *,
    order_last: Sequence[int] = (),
    progress: Progress | None = None,
    verify: bool = True,
) -> UploadResult:
    """Make the board's flash equal to `wanted`; pages outside it stay untouched. Starts the program.

    `order_last` names pages of `wanted`, by byte address, that are erased first and written last.
    `verify=False` leaves out the read back, which is the only protection that STK500v1 has.

    Raises FitError before anything is touched when a page does not lie below the boot section, PortError
    when no bootloader answers, BoardError for another chip or flash that does not take its contents, and
    LinkError when the line failed for good; the same upload again then writes what is missing.
    """
    check_fits(board, wanted, order_last)
    started = time.monotonic()
    timeouts, baud = (port.timeout, port.write_timeout), port.baudrate
    client = Stk500(port, board.bootloader.baud, board.title)
    try:
        client.connect()
        job = _Upload(client, board, wanted, order_last, progress, verify)
        job.check_chip()
        job.run()
        # The flash is right whatever happens to this last answer.
        with contextlib.suppress(LinkError):
            client.leave()
    finally:
        with contextlib.suppress(OSError):
            port.timeout, port.write_timeout = timeouts
            port.baudrate = baud
    return job.result(time.monotonic() - started)


def check_fits(board: Avr, wanted: Memory, order_last: Sequence[int] = ()) -> None:
    """FitError unless all of `wanted` lies below the boot section; ValueError for a stray `order_last`."""
    if wanted.page_bytes != board.flash_page:
        raise ValueError(f"{board.name} has flash pages of {board.flash_page} bytes, not {wanted.page_bytes}")
    excess = wanted.end - board.code_bytes
    if excess > 0:
        raise FitError(
            f"The program and its model end at 0x{wanted.end:04X}, but the bootloader of {board.title} "
            f"begins at 0x{board.code_bytes:04X}; use a model smaller by {excess} bytes."
        )
    for address in order_last:
        if address not in wanted.pages:
            raise ValueError(f"0x{address:04X} is not the start of a wanted page")


class _Upload:
    def __init__(
        self,
        client: Stk500,
        board: Avr,
        wanted: Memory,
        order_last: Sequence[int],
        progress: Progress | None,
        verify: bool,
    ) -> None:
        self._client = client
        self._board = board
        self._pages = wanted.pages
        self._last = tuple(order_last)
        self._body = tuple(address for address in wanted.pages if address not in self._last)
        self._progress = progress
        self._verify = verify
        self._faults = 0
        self._settled: set[int] = set()
        self._written: set[int] = set()

    def check_chip(self) -> None:
        expected = self._board.signature
        # Asked once more before it is believed: a damaged byte looks like another chip.
        if expected not in (
            self._retry(self._client.signature),
            found := self._retry(self._client.signature),
        ):
            raise BoardError(
                f"The chip on the port has signature {found.hex(' ')}, but {self._board.title} has "
                f"{expected.hex(' ')}; name the right board with --board."
            )

    def run(self) -> None:
        for _ in range(PASSES):
            if self._pass():
                return
        raise LinkError(
            f"The line to {self._board.title} damaged bytes in each of {PASSES} attempts; "
            "use a shorter cable or another USB port and upload again, which repairs it."
        )

    def result(self, seconds_wall: float) -> UploadResult:
        written = len(self._written)
        return UploadResult(
            pages_written=written,
            pages_kept=len(self._pages) - written,
            bytes=written * self._board.flash_page,
            seconds_wall=seconds_wall,
        )

    def _pass(self) -> bool:
        """Settle every page once; whether the line was sound all the while."""
        faults = self._faults
        changed = differed = False
        for address in self._body:
            differed = self._differs(address, sample_first=differed)
            if differed:
                if not changed:
                    self._erase_last()
                    changed = True
                self._store(address, self._pages[address])
            self._settle(address)
        if self._faults != faults:
            return False
        for address in self._last:
            if self._differs(address, sample_first=changed):
                self._store(address, self._pages[address])
            self._settle(address)
        return self._faults == faults

    def _erase_last(self) -> None:
        blank = bytes([ERASED]) * self._board.flash_page
        for address in self._last:
            if self._read(address, 0, len(blank)) != blank:
                self._store(address, blank)

    def _differs(self, address: int, sample_first: bool) -> bool:
        page = self._pages[address]
        if sample_first:
            start = _telling_offset(page)
            if self._read(address, start, SAMPLE_BYTES) != page[start : start + SAMPLE_BYTES]:
                return True
        return self._read(address, 0, len(page)) != page

    def _store(self, address: int, page: bytes) -> None:
        for _ in range(PAGE_TRIES):
            self._retry(lambda: self._client.write_page(address, page))
            self._written.add(address)
            if not self._verify or self._read(address, 0, len(page)) == page:
                return
            self._faults += 1
        raise BoardError(
            f"Flash page 0x{address:04X} of {self._board.title} reads back differently after {PAGE_TRIES} "
            "writes; upload again, and if it stays so the flash is worn out: use another board."
        )

    def _read(self, address: int, start: int, count: int) -> bytes:
        return self._retry(lambda: self._client.read(address + start, count))

    def _retry(self, action: Callable[[], _T]) -> _T:
        for _ in range(PAGE_TRIES - 1):
            try:
                return action()
            except LinkError as error:
                self._faults += 1
                try:
                    self._client.connect()
                except (LinkError, PortError):
                    raise error from None
        return action()

    def _settle(self, address: int) -> None:
        if address not in self._settled:
            self._settled.add(address)
            if self._progress:
                self._progress(len(self._settled), len(self._pages))


def _telling_offset(page: bytes) -> int:
    """Even offset of the sample: from the first byte that is not erased, so that blank flash shows."""
    first = next((i for i, value in enumerate(page) if value != ERASED), 0)
    return min(first & ~1, len(page) - SAMPLE_BYTES)
