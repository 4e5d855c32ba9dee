"""Training examples: distinct inputs of the network, each with the share of every class that follows it.

Identical (query, context) inputs are merged into one example with soft targets, so that contradicting lines of a data
file pull once, by their share, instead of in turns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.text import blank_context, context_counts, lower, query_counts
from host_sdk.train.data import Pair

_MAX_COUNT = 255


@dataclass(frozen=True)
class Examples:
    """Inputs kept as indices into tables of distinct queries and contexts; bucket counts are cut at 255."""

    query_table: NDArray[np.uint8]  # (distinct queries, query buckets)
    context_table: NDArray[np.uint8]  # (distinct contexts, context buckets)
    query: NDArray[np.int64]  # (examples,) rows of query_table
    context: NDArray[np.int64]  # (examples,) rows of context_table
    target: NDArray[np.float32]  # (examples, classes), each row sums to 1
    weight: NDArray[np.float32]  # (examples,) merged lines; the mean is 1

    def __len__(self) -> int:
        return int(self.query.size)


def character_examples(
    pairs: Sequence[Pair], charset: str, query_buckets: int, context_buckets: int, context_length: int
) -> Examples:
    """One example per distinct query and context: the next character, or the end of the reply."""
    classes = {char: number for number, char in enumerate(charset)}
    seen: dict[tuple[bytes, bytes], Counter[int]] = defaultdict(Counter)
    for pair in pairs:
        context = blank_context(context_length)
        query = lower(pair.query.encode())
        for char in pair.reply:
            seen[query, context][classes[char]] += 1
            context = context[1:] + lower(char.encode())
        seen[query, context][len(charset)] += 1
    return _examples(seen, len(charset) + 1, query_buckets, context_buckets)


def reply_examples(pairs: Sequence[Pair], replies: Sequence[str], query_buckets: int) -> Examples:
    """One example per distinct query: the index of the reply."""
    classes = {reply: number for number, reply in enumerate(replies)}
    seen: dict[tuple[bytes, bytes], Counter[int]] = defaultdict(Counter)
    for pair in pairs:
        seen[lower(pair.query.encode()), b""][classes[pair.reply]] += 1
    return _examples(seen, len(replies), query_buckets, 0)


def _examples(
    seen: Mapping[tuple[bytes, bytes], Counter[int]], classes: int, query_buckets: int, context_buckets: int
) -> Examples:
    queries, query = _index([query for query, _ in seen])
    contexts, context = _index([context for _, context in seen])
    target = np.zeros((len(seen), classes), np.float32)
    for row, counter in zip(target, seen.values(), strict=True):
        row[list(counter)] = list(counter.values())
    weight = target.sum(axis=1)
    table = context_counts(contexts, context_buckets) if context_buckets else np.zeros((1, 0), np.int32)
    return Examples(
        np.minimum(query_counts(queries, query_buckets), _MAX_COUNT).astype(np.uint8),
        np.minimum(table, _MAX_COUNT).astype(np.uint8),
        query,
        context,
        target / weight[:, None],
        weight / weight.mean(),
    )


def _index(values: Sequence[bytes]) -> tuple[list[bytes], NDArray[np.int64]]:
    """(distinct values in order of appearance, the place of each value among them)."""
    places: dict[Hashable, int] = {}
    index = [places.setdefault(value, len(places)) for value in values]
    return list(dict.fromkeys(values)), np.array(index, np.int64)
