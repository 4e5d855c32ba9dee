"""A first layer that is counted in bytes: when that is exact, and from which numbers it starts (docs/image-cpm.md).

With inputs of 32 * count, a row's sum is 32 * S + bias, S its signed count. It is active from a threshold T of S on.
Its byte is S - T + zero, and cut at `floor` when the query is complete: so low that no context can lift it to `zero`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.model import Layer, Model
from host_sdk.model.text import context_grams
from host_sdk.spec.container import INPUT_SCALE, Kind
from host_sdk.spec.protocol import MAX_QUERY

SHIFT = 2
"""Counts know this shift alone: x = 8 * (S - T) + rest."""
MOST_ROWS = 255
"""One place of the page ends the scan."""
GOOD_QUERY = 80
"""Characters of a query for which speed is given up: a line that a person can type."""


@dataclass(frozen=True)
class Counts:
    """How the rows of a first layer are counted."""

    start: NDArray[np.int64]  # (rows,): of the query's tally, above `floor`
    rest: NDArray[np.int64]  # (rows,): x of a row at its threshold
    zero: int
    floor: int
    max_query: int  # characters for which no byte and no sum can wrap

    @classmethod
    def of(cls, model: Model, first: Layer) -> Counts | None:
        """The counts of a model whose first layer keeps these rows; None when sums are exact for more queries."""
        if model.kind is not Kind.CHARACTER or first.shift != SHIFT or first.rows > MOST_ROWS or len(model.layers) == 1:
            return None
        bias = first.bias.astype(np.int64)
        query, context = np.hsplit(first.weights.astype(np.int64), [model.query_buckets])
        grams = context_grams(model.context_length)
        rise = grams * np.maximum(context.max(axis=1), 0)
        floor = int(grams * np.maximum(-context.min(axis=1), 0).max())
        zero = floor + int(rise.max()) + 1
        threshold = -((bias - (1 << SHIFT)) // INPUT_SCALE)
        # The last count of a page ends the scan; so does a row's highest.
        above = np.minimum(0xFF - zero + threshold, (32767 - bias) // INPUT_SCALE) - rise
        below = (bias + 32768) // INPUT_SCALE - floor
        hashes = np.minimum(
            np.where((query > 0).any(axis=1), above, np.where(above < 0, -1, 2 * MAX_QUERY)),
            below // np.maximum(-query.min(axis=1), 1),
        )
        max_query = min(MAX_QUERY, model.features.longest(int(hashes.min())))
        if max_query < GOOD_QUERY:
            return None
        rest = (bias + INPUT_SCALE * threshold) >> SHIFT
        return cls(zero - floor - threshold, rest, zero, floor, max_query)
