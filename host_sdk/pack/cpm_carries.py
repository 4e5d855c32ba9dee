"""Where virtual rows start, so that few additions carry: a carry costs as much as the addition itself.

A virtual row may start anywhere, if the rows that it is a part of start lower by as much. What carries is counted
on passes of shipped queries; sums are exact whatever they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from host_sdk.pack.cpm_share import Shared

STEP = 128
"""Starts differ by multiples of this."""
_CHOICES = 256 // STEP
_ROUNDS = 4


def offsets(shared: Shared, starts: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each row's sum is more by when it is complete, shape (rows + virtual,): 0 for rows.

    `starts` are those of the rows without it, shape (rows,); `x` are inputs of some passes, shape (passes, columns).
    """
    rows, count = starts.size, shared.places
    carries = _carries(shared, np.concatenate([starts, np.zeros(count - rows, np.int64)]), x)
    users: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for row, parts in enumerate(shared.parts):
        for part, sign in parts:
            users[part].append((row, sign))
    chosen = np.zeros(count, np.int64)  # in STEPs
    chosen[rows:] = _CHOICES // 2
    moved = chosen.copy()  # what each row starts from, beside its own start
    for row, parts in enumerate(shared.parts):
        moved[row] -= sum(sign * chosen[part] for part, sign in parts)
    tried = np.arange(_CHOICES)
    for _ in range(_ROUNDS):
        for row in range(rows, count):
            change = tried - chosen[row]
            cost = carries[row, (moved[row] + change) % _CHOICES].copy()
            for user, sign in users[row]:
                cost += carries[user, (moved[user] - sign * change) % _CHOICES]
            best = int(cost.argmin())
            moved[row] += best - chosen[row]
            for user, sign in users[row]:
                moved[user] -= sign * (best - chosen[row])
            chosen[row] = best
    return chosen * STEP


def _carries(shared: Shared, starts: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Carries and borrows of each row's own additions for each start, shape (rows + virtual, choices)."""
    weights = shared.plus.astype(np.int64) - shared.minus
    counted = np.zeros((starts.size, _CHOICES), np.int64)
    for row in range(starts.size):
        read = np.flatnonzero(weights[row])
        sums = np.cumsum(np.hstack([np.full((x.shape[0], 1), starts[row]), x[:, read] * weights[row, read]]), axis=1)
        for choice in range(_CHOICES):
            counted[row, choice] = np.abs(np.diff((sums + choice * STEP) >> 8, axis=1)).sum()
    return counted
