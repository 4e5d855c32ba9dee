"""Sparse columns as nibble gap lists: the code of one column, and back (docs/image.md).

A column is two lists of rows, those with positive and those with negative weight; a weight of -2 names its row
twice. The row pointer starts at row 0. Nibble s = 1..15 moves it by s - 1 and adds; s = 0 moves it by 15 and adds
nothing, and ends the list when the pointer then lies behind the last row. Low nibbles come first; the second list
follows in the next nibble; a column ends on a whole byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from host_sdk.spec.image import ESCAPE_GAP


def encode(column: NDArray[np.int8]) -> bytes:
    """The bytes of one column of small integer weights, shape (rows,)."""
    nibbles = [*_list(column, 1), *_list(column, -1)]
    if len(nibbles) % 2:
        nibbles.append(0)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def decode(data: Iterable[int], rows: int) -> tuple[NDArray[np.int8], int]:
    """The column at the start of `data`, shape (rows,), and the number of bytes it took."""
    column = np.zeros(rows, np.int8)
    sign, row, used = 1, 0, 0
    for byte in data:
        used += 1
        for nibble in (byte & 15, byte >> 4):
            if nibble:
                row += nibble - 1
                column[row] += sign
                continue
            row += ESCAPE_GAP
            if row >= rows:
                if sign < 0:
                    return column, used
                sign, row = -1, 0
    raise ValueError("the column does not end")


def _list(column: NDArray[np.int8], sign: int) -> Iterator[int]:
    at = 0
    weights = np.maximum(sign * column.astype(np.int64), 0)
    for row in np.repeat(np.arange(column.size), weights):
        while row - at >= ESCAPE_GAP:
            yield 0
            at += ESCAPE_GAP
        yield int(row) - at + 1
        at = int(row)
    while at < column.size:
        yield 0
        at += ESCAPE_GAP
