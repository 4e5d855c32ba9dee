"""How the first layer of a character model is counted in bytes (docs/image.md, "The first layer")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.model import Layer, Model
from host_sdk.model.text import context_grams
from host_sdk.spec import image as spec
from host_sdk.spec.container import INPUT_SCALE
from host_sdk.spec.protocol import MAX_QUERY

GOOD_QUERY = 80
"""Characters of a query for which speed is given up: a line that a person can type."""


@dataclass(frozen=True)
class Counts:
    """How the first layer of a character model is counted; 32 counts + bias is a sum.

    A row is active from a threshold of counts on. Its byte is its count less the threshold, plus `zero`; the query's
    share is cut from below at `floor`, so that the context can neither wrap it nor lift it to `zero`. Where bytes are
    too small for that, `as_sums`, only the query's share is a byte, and every pass forms sums of two bytes: slower.
    """

    threshold: NDArray[np.int64]  # (rows,)
    rest: NDArray[np.int64]  # (rows,): the sum of a row whose count is its threshold
    zero: int
    floor: int
    max_query: int
    as_sums: bool = False

    @property
    def lift(self) -> int:
        """`zero` less the threshold that all rows share; 0 where they have their own."""
        lift = self.zero - int(self.threshold[0])
        return lift if (self.threshold == self.threshold[0]).all() and 0 < lift <= 0xFF else 0

    @classmethod
    def of(cls, first: Layer, model: Model) -> Counts:
        """The faster way for a first layer in packing order if it takes queries of GOOD_QUERY characters."""
        ways = [cls._counted(first, model), cls.summed(first, model)]
        if len(model.layers) < 2 or ways[0].max_query < min(GOOD_QUERY, ways[1].max_query):
            return ways[1]
        return ways[0]

    @classmethod
    def _counted(cls, first: Layer, model: Model) -> Counts:
        bias = first.bias.astype(np.int64)
        query, context = np.hsplit(first.weights.astype(np.int64), [model.query_buckets])
        grams = context_grams(model.context_length)
        rise = grams * np.maximum(context.max(axis=1), 0)
        floor = int(grams * np.maximum(-context.min(axis=1), 0).max())
        zero = floor + int(rise.max()) + 1
        threshold = -((bias - (1 << first.shift)) // INPUT_SCALE)
        # A byte must hold zero - threshold + what query and context add, and no true sum may wrap.
        above = np.minimum(0xFF - zero + threshold, (32767 - bias) // INPUT_SCALE) - rise
        below = (bias + 32768) // INPUT_SCALE - floor
        longest = np.minimum(
            np.where((query > 0).any(axis=1), above, np.where(above < 0, -1, MAX_QUERY)),
            below // np.maximum(-query.min(axis=1), 1),
        )
        longest = np.where((threshold < -128) | (threshold > 127) | (INPUT_SCALE >> first.shift == 0), -1, longest)
        rest = bias + INPUT_SCALE * threshold
        return cls(threshold, rest, zero, floor, min(MAX_QUERY, model.features.longest(int(longest.min()))))

    @classmethod
    def summed(cls, first: Layer, model: Model) -> Counts:
        """Only the query's share in bytes: its count + SUMS_ZERO, cut at 0 from below."""
        bias = first.bias.astype(np.int64)
        query, context = np.hsplit(first.weights.astype(np.int64), [model.query_buckets])
        grams = context_grams(model.context_length)
        # A row that was cut must stay inactive, and its true sum may not wrap.
        top = INPUT_SCALE * (grams * np.maximum(context.max(axis=1), 0) - spec.SUMS_ZERO) + bias
        bottom = bias - 2 * INPUT_SCALE * (0xFF - spec.SUMS_ZERO + grams)
        shown = len(model.layers) == 1
        unsure = (query.min(axis=1) < -1) & (shown | (top >> first.shift > 0) | (bottom < -32768))
        # So short that nothing is cut.
        max_query = model.features.longest((0xFF - spec.SUMS_ZERO) // (2 if unsure.any() else 1))
        none = np.zeros(first.rows, np.int64)
        return cls(none, none, spec.SUMS_ZERO, 0, max_query, as_sums=True)
