"""Queries that are nearly the same: one letter more, less or other, or the same words in another order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

_SHORTEST = 6
"""Characters below which a letter makes another word: "on" and "no" are no near duplicates."""


def near_pairs(queries: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every two different queries that are nearly the same, once, in their order.

    >>> list(near_pairs(["light the lamp", "light the lamps", "the lamp light", "go north"]))
    [('light the lamp', 'light the lamps'), ('light the lamp', 'the lamp light')]
    """
    queries = list(dict.fromkeys(queries))
    places = {query: place for place, query in enumerate(queries)}
    near: set[tuple[int, int]] = set()
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, query in enumerate(queries):
        alike[tuple(sorted(query.split()))].append(place)
        if len(query) < _SHORTEST:
            continue
        for letter in range(len(query)):
            rest = query[:letter] + query[letter + 1 :]
            alike[letter, rest].append(place)  # shared by those that differ in this letter only
            if rest in places:
                near.add((min(place, places[rest]), max(place, places[rest])))
    for group in alike.values():
        near.update(combinations(group, 2))
    yield from ((queries[one], queries[other]) for one, other in sorted(near))
