"""Shared parts of rows: what two rows have in common is summed once, in a virtual row, and added to both at the end.

Greedy: always the pair of rows that saves most, weighted by how often columns are read. Exact for every input, since
sums wrap modulo 2^16 in whatever order they are formed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Shared:
    """A layer's rows with virtual rows behind them; sum of row r = its own columns + its parts."""

    plus: NDArray[np.uint8]  # (rows + virtual, columns): how often a column is added
    minus: NDArray[np.uint8]  # the same, subtracted
    parts: list[list[tuple[int, int]]] = field(default_factory=list)  # per row: (virtual row, sign)

    @property
    def places(self) -> int:
        """Rows and virtual rows."""
        return int(self.plus.shape[0])

    @property
    def additions(self) -> NDArray[np.int64]:
        """What a read column costs in additions, shape (columns,)."""
        return np.asarray(self.plus.sum(axis=0, dtype=np.int64) + self.minus.sum(axis=0, dtype=np.int64))


def unshared(weights: NDArray[np.int8]) -> Shared:
    """The layer as it is; a weight of -2 subtracts twice."""
    plus = np.maximum(weights, 0).astype(np.uint8)
    minus = np.maximum(-weights.astype(np.int64), 0).astype(np.uint8)
    return Shared(plus, minus, [[] for _ in range(weights.shape[0])])


def share(weights: NDArray[np.int8], worth: NDArray[np.float64], least: float, most_places: int) -> Shared:
    """The layer with as many virtual rows as save more than `least` each, in units of `worth`, shape (columns,).

    `worth` is what one addition less in a column saves. The second subtraction of a weight of -2 is never shared.
    """
    rows, columns = weights.shape
    room = max(most_places, rows)
    plus = np.zeros((room, columns), np.float32)
    minus = plus.copy()
    plus[:rows], minus[:rows] = weights > 0, weights < 0
    price = worth.astype(np.float32)
    same = np.full((room, room), -1, np.float32)
    opposite = same.copy()
    count = rows

    def rate(row: int) -> None:
        for table, (a, b) in ((same, (plus, minus)), (opposite, (minus, plus))):
            gain = (plus[row] * price) @ a[:count].T + (minus[row] * price) @ b[:count].T
            gain[row] = -1
            table[row, :count] = table[:count, row] = gain

    for row in range(rows):
        rate(row)
    parts: list[list[tuple[int, int]]] = [[] for _ in range(rows)]
    while count < room:
        best = [table[:count, :count].max(initial=-1) for table in (same, opposite)]
        if max(best) <= least:
            break
        sign = 1 if best[0] >= best[1] else -1
        table = same if sign == 1 else opposite
        a, b = divmod(int(table[:count, :count].argmax()), count)
        plus_b, minus_b = (plus, minus) if sign == 1 else (minus, plus)
        plus[count] = plus[a] * plus_b[b]
        minus[count] = minus[a] * minus_b[b]
        for row, mirrored in ((a, False), (b, sign == -1)):
            plus[row] -= minus[count] if mirrored else plus[count]
            minus[row] -= plus[count] if mirrored else minus[count]
        parts[a].append((count, 1))
        parts[b].append((count, sign))
        parts.append([])
        count += 1
        for row in (a, b, count - 1):
            rate(row)
    twice = np.zeros((count, columns), np.uint8)
    twice[:rows] = weights == -2
    return Shared(plus[:count].astype(np.uint8), minus[:count].astype(np.uint8) + twice, parts)


def whole(shared: Shared) -> NDArray[np.int64]:
    """The weights that the rows stand for, shape (rows + virtual, columns); the tests compare them with the model's."""
    sums = shared.plus.astype(np.int64) - shared.minus
    for row in reversed(range(shared.places)):  # a virtual row is made before those that are its parts
        for part, sign in shared.parts[row]:
            sums[row] += sign * sums[part]
    return sums
