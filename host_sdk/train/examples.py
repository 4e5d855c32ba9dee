"""Training examples: distinct inputs of the network, each with the share of every class that follows it.

Identical (query, context) inputs are merged into one example with soft targets, so that contradicting lines of a data
file pull once, by their share, instead of in turns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.text import blank_context, context_counts, lower, query_counts
from host_sdk.train.data import Pair
from host_sdk.train.recipe import Recipe

MAX_COUNT = 255


@dataclass(frozen=True)
class Examples:
    """Inputs kept as indices into tables of distinct queries and contexts; bucket counts are cut at 255."""

    queries: list[bytes]  # distinct ones, in lower case
    contexts: list[bytes]
    query_table: NDArray[np.uint8]  # (distinct queries, query buckets)
    context_table: NDArray[np.uint8]  # (distinct contexts, context buckets)
    query: NDArray[np.int64]  # (examples,) rows of query_table
    context: NDArray[np.int64]  # (examples,) rows of context_table
    target: NDArray[np.float32]  # (examples, classes), each row sums to 1
    weight: NDArray[np.float32]  # (examples,) merged lines; the mean is 1

    def __len__(self) -> int:
        return int(self.query.size)


def character_examples(pairs: Sequence[Pair], charset: str, recipe: Recipe) -> Examples:
    """One example per distinct query and context: the next character, or the end of the reply."""
    classes = {char: number for number, char in enumerate(charset)}
    seen: dict[tuple[bytes, bytes], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for pair in pairs:
        context = blank_context(recipe.context_length)
        query = lower(pair.query.encode())
        share = recipe.class_weights.get(pair.reply, 1.0)
        for char in pair.reply:
            seen[query, context][classes[char]] += share
            context = context[1:] + lower(char.encode())
        seen[query, context][len(charset)] += share
    return _examples(seen, len(charset) + 1, recipe)


def reply_examples(pairs: Sequence[Pair], replies: Sequence[str], recipe: Recipe) -> Examples:
    """One example per distinct query: the index of the reply."""
    classes = {reply: number for number, reply in enumerate(replies)}
    seen: dict[tuple[bytes, bytes], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for pair in pairs:
        seen[lower(pair.query.encode()), b""][classes[pair.reply]] += recipe.class_weights.get(pair.reply, 1.0)
    return _examples(seen, len(replies), recipe)


def _examples(seen: Mapping[tuple[bytes, bytes], dict[int, float]], classes: int, recipe: Recipe) -> Examples:
    queries, query = _index([query for query, _ in seen])
    contexts, context = _index([context for _, context in seen])
    target = np.zeros((len(seen), classes), np.float32)
    for row, shares in zip(target, seen.values(), strict=True):
        row[list(shares)] = list(shares.values())
    weight = target.sum(axis=1)
    buckets = recipe.context_buckets
    table = context_counts(contexts, buckets) if buckets else np.zeros((1, 0), np.int32)
    return Examples(
        queries,
        contexts,
        np.minimum(query_counts(queries, recipe.query_buckets, recipe.features), MAX_COUNT).astype(np.uint8),
        np.minimum(table, MAX_COUNT).astype(np.uint8),
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
