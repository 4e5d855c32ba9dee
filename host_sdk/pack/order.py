"""The order of hidden rows that packs best, and how often columns are read: sections that packers want.

Hidden units may stand in any order. A gap of more than 15 places costs the nibble code (columns.py) an addition to a
spare place; a search over swaps finds orders with few of them where they are read often.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.pack.columns import REACH, Layout
from host_sdk.pack.image import kept_rows
from host_sdk.pack.queries import everyday_queries
from host_sdk.spec.container import WeightCode
from host_sdk.spec.image import PLACES

DEFAULT_STEPS = 40
"""Rounds of the search per hidden layer: seconds of work."""
_FLASH_WORTH = 0.15
"""What a nibble of flash is worth, in additions per pass: flash that is left makes hot columns faster."""
_HEAT = 12.0
"""Noise of the first rounds, in units of _worth()."""


def annotate(model: Model, steps: int = DEFAULT_STEPS) -> Model:
    """The same model with its packing order and its column activity measured on shipped queries. Deterministic."""
    activity = column_activity(model)
    order = []
    kept = kept_rows(replace(model, order=()))
    for number, (layer, rows) in enumerate(zip(model.layers[:-1], kept, strict=False)):
        best = np.arange(layer.rows)
        if rows.size <= PLACES and layer.code in (WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT):
            inputs = kept[number - 1] if number else np.arange(layer.columns)
            reads = activity[number][inputs] / 65535
            if number == 0:
                reads[: model.query_buckets] /= 4  # once per reply
            found = row_order(layer.weights[rows][:, inputs], steps, reads)
            best = np.concatenate([rows[found], np.setdiff1d(best, rows)])
        order.append(best.astype(np.uint16))
    return replace(model, order=tuple(order), activity=activity)


def column_activity(model: Model) -> tuple[NDArray[np.uint16], ...]:
    """Per layer, shape (columns,): share of passes in which the column is read; 65535 is every pass."""
    reads = [np.zeros(layer.columns) for layer in model.layers]
    passes = 0

    def watch(number: int, x: NDArray[np.int64]) -> None:
        nonlocal passes
        reads[number] += (x != 0).sum(axis=0)
        passes += x.shape[0] if number == 0 else 0

    run(model, everyday_queries(), watch)
    return tuple(np.round(r / passes * 65535).astype(np.uint16) for r in reads)


def row_order(weights: NDArray[np.int8], steps: int, reads: NDArray[np.float64] | None = None) -> NDArray[np.uint16]:
    """A permutation of the rows, shape (rows,), that shortens the gap lists of columns, above all of those often read.

    Every round rates all swaps of two rows at once and makes the best few; noise that fades keeps it from the first
    dead end. Seeded, and exact in float64, so the same everywhere.
    """
    rows = weights.shape[0]
    order = np.arange(rows)
    if rows < 3:
        return order.astype(np.uint16)
    random = np.random.default_rng(rows * 65537 + weights.shape[1])
    lists = np.hstack([weights > 0, weights < 0])
    worth = _worth(np.ones(weights.shape[1]) if reads is None else reads)
    places = Layout(rows).of_rows
    best, lowest = order, np.inf
    for step in range(steps):
        named = lists[order]
        total, toggles = _toggles(named, places, worth)
        if total < lowest:
            best, lowest = order.copy(), total
        heat = _HEAT * max(0.0, 1 - step / (0.8 * steps)) ** 2
        rating = _swaps(named.astype(np.float64), toggles) - heat * random.gumbel(size=(rows, rows)).round(3)
        order = order.copy()
        used = np.zeros(rows, bool)
        for flat in np.argsort(rating, axis=None, kind="stable")[: 8 * rows]:
            a, b = divmod(int(flat), rows)
            if rating[a, b] >= 0:
                break
            if a != b and not used[max(0, a - 2) : a + 3].any() and not used[max(0, b - 2) : b + 3].any():
                order[[a, b]] = order[[b, a]]
                used[[a, b]] = True
                if used.sum() >= max(2, rows // 16):
                    break
    return best.astype(np.uint16)


def _worth(reads: NDArray[np.float64]) -> NDArray[np.float64]:
    """What an addition saved is worth, per list of the columns: whole numbers, so that sums are exact."""
    return np.tile(np.round(100 * (reads + _FLASH_WORTH)), 2)


def _toggles(
    named: NDArray[np.bool_], places: NDArray[np.int64], worth: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The cost of all bridges, and how it changes if one row entered or left one list, shape (rows, lists)."""
    place = places[:, None]
    before = np.vstack([np.zeros((1, named.shape[1]), np.int64), np.where(named, place, 0)[:-1]])
    before = np.maximum.accumulate(before, axis=0)
    far = 1 << 30
    after = np.vstack([np.where(named, place, far)[1:], np.full((1, named.shape[1]), far)])
    after = np.minimum.accumulate(after[::-1], axis=0)[::-1]
    into = _bridges(place - before)
    change = into + np.where(after < far, _bridges(after - place) - _bridges(after - before), 0)
    total = float((np.where(named, into, 0) @ worth).sum())
    return total, np.where(named, -change, change) * worth


def _bridges(gap: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.maximum(gap - 1, 0) // REACH


def _swaps(named: NDArray[np.float64], toggles: NDArray[np.float64]) -> NDArray[np.float64]:
    """How the cost changes with a swap of two rows, shape (rows, rows); not exact for close neighbours."""
    own = (toggles * named).sum(axis=1)
    cross = toggles @ named.T - 2 * (toggles * named) @ named.T
    half = own[:, None] + cross  # lists in which the two differ, toggled at the first
    return np.asarray(half + half.T)
