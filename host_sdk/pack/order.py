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
from host_sdk.pack.queries import everyday_queries
from host_sdk.pack.rows import kept_rows
from host_sdk.spec.container import WeightCode
from host_sdk.spec.image import PLACES

DEFAULT_STEPS = 200
"""Rounds of the search per hidden layer: seconds of work. Five times as many save 2 % more additions."""
_TRIED_PER_ROUND = 48
_FLASH_WORTH = 0.15
"""What a nibble of flash is worth, in additions per pass: flash that is left makes hot columns faster."""
_HEAT = (150.0, 10.0)
"""Of the first round and the last, in units of _worth()."""


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

    Simulated annealing. Every round rates all swaps of two rows at once, draws some of those that the heat allows,
    and makes each if that still holds after the ones before it. Seeded.
    """
    rows = weights.shape[0]
    order = np.arange(rows)
    if rows < 3:
        return order.astype(np.uint16)
    random = np.random.default_rng(rows * 65537 + weights.shape[1])
    lists = np.hstack([weights > 0, weights < 0])
    worth = _worth(np.ones(weights.shape[1]) if reads is None else reads)
    places = Layout(rows).of_rows.astype(np.int16)[:, None]
    cost = _cost(lists, places)
    best, lowest = order.copy(), np.inf
    for step in range(steps):
        if (total := float(cost @ worth)) < lowest:
            best, lowest = order.copy(), total
        heat = _HEAT[0] * (_HEAT[1] / _HEAT[0]) ** (step / steps)
        named = lists[order]
        rating = _swaps(named, _toggles(named, places, worth))
        allowed = np.flatnonzero(np.triu(rating < -heat * np.log1p(-random.random((rows, rows))), 1))
        drawn = random.choice(allowed, min(_TRIED_PER_ROUND, allowed.size), replace=False)
        for flat, limit in zip(drawn, -heat * np.log1p(-random.random(drawn.size)), strict=True):
            a, b = divmod(int(flat), rows)
            touched = np.flatnonzero(named[a] != named[b])
            after = named[:, touched]
            after[[a, b]] = after[[b, a]]
            changed = _cost(after, places)
            if (changed - cost[touched]) @ worth[touched] <= limit:
                named[:, touched] = after
                cost[touched] = changed
                order[[a, b]] = order[[b, a]]
    found: NDArray[np.uint16] = best.astype(np.uint16)
    return found


_FAR = 4096  # behind all places
_BRIDGES = np.maximum(np.arange(_FAR + 1) - 1, 0).astype(np.int16) // REACH
"""Spares that a gap takes."""


def _worth(reads: NDArray[np.float64]) -> NDArray[np.float32]:
    """What an addition saved is worth, per list of the columns: whole numbers, so that float32 sums are exact."""
    return np.tile(np.round(100 * (reads + _FLASH_WORTH)), 2).astype(np.float32)


def _before(named: NDArray[np.bool_], places: NDArray[np.int16]) -> NDArray[np.int16]:
    """The place that each list names last above each row, shape (rows, lists); 0 when there is none."""
    before = np.zeros(named.shape, np.int16)
    np.maximum.accumulate(np.where(named, places, 0)[:-1], axis=0, out=before[1:])
    return before


def _cost(named: NDArray[np.bool_], places: NDArray[np.int16]) -> NDArray[np.int64]:
    """Spares that each list takes, shape (lists,)."""
    return np.asarray((_BRIDGES[places - _before(named, places)] * named).sum(axis=0, dtype=np.int64))


def _toggles(named: NDArray[np.bool_], places: NDArray[np.int16], worth: NDArray[np.float32]) -> NDArray[np.float32]:
    """How the cost changes if one row entered or left one list, shape (rows, lists)."""
    before = _before(named, places)
    after = np.full(named.shape, _FAR, np.int16)
    np.minimum.accumulate(np.where(named, places, _FAR).astype(np.int16)[:0:-1], axis=0, out=after[-2::-1])
    rest = _BRIDGES[after - places] - _BRIDGES[after - before]
    change = _BRIDGES[places - before] + np.where(after < _FAR, rest, 0)
    return np.asarray(np.where(named, -change, change) * worth, np.float32)


def _swaps(named: NDArray[np.bool_], toggles: NDArray[np.float32]) -> NDArray[np.float32]:
    """How the cost changes with a swap of two rows, shape (rows, rows); not exact for close neighbours."""
    own = named.astype(np.float32)
    leaving = toggles * own
    half = leaving.sum(axis=1)[:, None] + (toggles - 2 * leaving) @ own.T  # lists in which the two differ
    return np.asarray(half + half.T)
