"""Sparse columns: the places of a layer's rows, the two codes of one column, and back (docs/image.md).

The sums of a layer lie in a page of 256 places. Rows keep their order, and every 15th place is a spare that nobody
reads. A column is two lists of places, those to add to and those to subtract from; a weight of -2 names its place
twice. Nibble code: each nibble, high one first, moves the place by 0 to 15 and adds there. A wider gap is bridged by
adding to a spare on the way. Byte code: each byte is a place; faster and twice as large.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FitError
from host_sdk.spec.image import BYTE_CODE, GROUP_ROWS, PLACES

REACH = 15
"""A nibble moves no further."""


@dataclass(frozen=True)
class Layout:
    """Where the rows of one layer lie in their page. FitError when they do not fit."""

    rows: int

    def __post_init__(self) -> None:
        if self.rows > PLACES:
            raise FitError(f"A layer of {self.rows} rows: the runtime has {PLACES} places for sums. Train it narrower.")

    @property
    def spaced(self) -> bool:
        """Whether there is room for a spare behind every group of rows."""
        return self.rows + self.rows // GROUP_ROWS < PLACES

    @property
    def first(self) -> int:
        """Rows of the first group, the only one that may be short."""
        return (self.rows - 1) % GROUP_ROWS + 1 if self.spaced else self.rows

    @property
    def groups(self) -> int:
        """Groups of rows, with one spare between two of them."""
        return (self.rows - self.first) // GROUP_ROWS + 1

    @property
    def places(self) -> int:
        """Places from the first row to the last, spares included."""
        return self.rows + self.groups - 1

    @cached_property
    def of_rows(self) -> NDArray[np.int64]:
        """The place of each row, shape (rows,)."""
        row = np.arange(self.rows)
        return row + (row - self.first + GROUP_ROWS) // GROUP_ROWS if self.spaced else row

    @cached_property
    def spares(self) -> list[int]:
        """Places that no row has, ascending."""
        return sorted(set(range(PLACES)) - set(self.of_rows.tolist()))


def encode(column: NDArray[np.int8], layout: Layout, in_bytes: bool = False) -> bytes:
    """One column, shape (rows,): bytes of the plus list (and BYTE_CODE), plus list, minus list.

    A column that has no nibble code, in a layer without spares, takes the byte code. FitError when it is too long.
    """
    lists = [_named(column, layout, sign) for sign in (1, -1)]
    plus, minus = (bytes(one) for one in lists) if in_bytes else (b"", b"")
    if not in_bytes:
        moves = _moves(lists[0], lists[1], layout)
        if moves is None:
            return encode(column, layout, in_bytes=True)
        plus, minus = (bytes(a << 4 | b for a, b in zip(m[::2], m[1::2], strict=True)) for m in moves)
    if len(plus) >= BYTE_CODE or len(plus) + len(minus) > 0xFE:
        raise FitError(
            f"A column of the model adds to {len(plus)} rows and subtracts from {len(minus)}, more than an image "
            "can say; train it sparser or narrower."
        )
    return bytes([len(plus) | (BYTE_CODE if in_bytes else 0)]) + plus + minus


def decode(data: bytes, layout: Layout) -> NDArray[np.int8]:
    """The column that is coded in `data`, shape (rows,)."""
    sums = np.zeros(PLACES, np.int64)
    in_bytes, count = data[0] & BYTE_CODE, data[0] & ~BYTE_CODE
    for sign, part in ((1, data[1 : 1 + count]), (-1, data[1 + count :])):
        place = 0
        for byte in part:
            if in_bytes:
                sums[byte] += sign
                continue
            for move in (byte >> 4, byte & 15):
                place += move
                sums[place] += sign
    return sums[layout.of_rows].astype(np.int8)


def additions(coded: bytes) -> int:
    """Additions that the kernel makes for a coded column, those to spares included."""
    return (len(coded) - 1) * (1 if coded[0] & BYTE_CODE else 2)


def _named(column: NDArray[np.int8], layout: Layout, sign: int) -> list[int]:
    times = np.maximum(sign * column.astype(np.int64), 0)
    return [int(place) for place in np.repeat(layout.of_rows, times)]


def _moves(plus: list[int], minus: list[int], layout: Layout) -> tuple[list[int], list[int]] | None:
    """Moves of both lists, an even number in each; None when a list cannot be made even.

    Where no spare is near, a place that both lists name is as good: x is added there and subtracted again.
    """
    named = sorted({*plus, *minus, int(layout.of_rows[-1])}, reverse=True)
    for shared in ([], *([place] for place in named), *([place, place] for place in named)):
        lists = [sorted([*plus, *shared]), sorted([*minus, *shared])]
        while (gap := _unbridged(lists, layout)) is not None:
            for one in lists:
                one.append(gap)
                one.sort()
        paths = [_bridge(one, layout.spares) for one in lists]
        if all(len(path) % 2 == 0 or _pad(path, layout.spares) for path in paths):
            return _steps(paths[0]), _steps(paths[1])
    return None


def _unbridged(lists: Sequence[list[int]], layout: Layout) -> int | None:
    """A place that would shorten a gap too wide for every spare; None when there is no such gap."""
    for one in lists:
        path = _bridge(one, layout.spares)
        for before, after in zip([0, *path], path, strict=False):
            if after - before > REACH:
                return before + REACH
    return None


def _bridge(places: Sequence[int], spares: Sequence[int]) -> list[int]:
    """The places with as few spares between them as make every gap short enough, where spares allow it."""
    path: list[int] = []
    at = 0
    for place in places:
        while place - at > REACH:
            spare = spares[bisect_right(spares, at + REACH) - 1] if spares and spares[0] <= at + REACH else at
            if spare <= at:
                break
            path.append(spare)
            at = spare
        path.append(place)
        at = place
    return path


def _pad(path: list[int], spares: Sequence[int]) -> bool:
    """Puts one more spare into a path; false when none is near."""
    for index, (before, after) in enumerate(zip([0, *path], [*path, PLACES], strict=True)):
        for spare in spares[bisect_right(spares, before - 1) :]:
            if spare > min(before + REACH, after):
                break
            if after - spare <= REACH or after == PLACES:
                path.insert(index, spare)
                return True
    return False


def _steps(path: Sequence[int]) -> list[int]:
    return [after - before for before, after in zip([0, *path], path, strict=False)]
