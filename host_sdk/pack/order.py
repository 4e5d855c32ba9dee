"""The order of hidden rows that packs smallest, and how often columns are read: sections that packers want.

Hidden units may stand in any order. Nibble gap lists (columns.py) are shorter when rows that are used together are
evenly spread, which sorting by density does not give and a random search does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.pack.queries import everyday_queries
from host_sdk.spec.image import ESCAPE_GAP

DEFAULT_STEPS = 4000
"""Tried swaps per hidden layer: seconds of work for most of what a long search finds."""


def annotate(model: Model, steps: int = DEFAULT_STEPS) -> Model:
    """The same model with its packing order and its column activity measured on shipped queries. Deterministic."""
    order = tuple(row_order(layer.weights, steps) for layer in model.layers[:-1])
    return replace(model, order=order, activity=column_activity(model))


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


def row_order(weights: NDArray[np.int8], steps: int) -> NDArray[np.uint16]:
    """A permutation of the rows, shape (rows,), that shortens the gap lists. Seeded hill climbing over swaps."""
    rows = weights.shape[0]
    order = np.arange(rows)
    if rows < 2:
        return order.astype(np.uint16)
    random = np.random.default_rng(rows * 65537 + weights.shape[1])
    positive, negative = weights > 0, weights < 0
    lists = np.hstack([positive, negative])  # (rows, lists)
    cost = _escapes(lists)
    for _ in range(steps):
        a, b = random.choice(rows, 2, replace=False)
        touched = lists[order[a]] != lists[order[b]]
        before = lists[order][:, touched]
        after = before.copy()
        after[[a, b]] = after[[b, a]]
        gain = int(cost[touched].sum()) - int((new := _escapes(after)).sum())
        if gain >= 0:
            order[[a, b]] = order[[b, a]]
            cost[touched] = new
    return order.astype(np.uint16)


def _escapes(lists: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Nibbles that add nothing, per list; lists has shape (rows, lists)."""
    rows = lists.shape[0]
    position = np.arange(rows)[:, None]
    seen = np.maximum.accumulate(np.where(lists, position, 0), axis=0)
    previous = np.vstack([np.zeros((1, lists.shape[1]), np.int64), seen[:-1]])
    gaps = np.where(lists, (position - previous) // ESCAPE_GAP, 0).sum(axis=0)
    end = -(-(rows - seen[-1]) // ESCAPE_GAP)
    return np.asarray(gaps + end, np.int64)
