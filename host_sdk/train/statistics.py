"""How sure a measured share is: intervals of 95 %."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_Z = 1.959964
"""Standard deviations of the normal distribution that 95 % lie within."""
_DRAWS = 10_000
_CHUNK = 500

Interval = tuple[float, float]


def wilson(hits: float, count: int) -> Interval:
    """The interval of a share of which `hits` of `count` were seen (Wilson 1927); it never leaves 0 to 1.

    >>> [round(bound, 3) for bound in wilson(9, 10)]
    [0.596, 0.982]
    >>> [round(bound, 3) for bound in wilson(0, 100)]
    [0.0, 0.037]
    """
    if not count:
        return 0.0, 1.0
    share, square = hits / count, _Z * _Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = _Z / (1 + square / count) * (share * (1 - share) / count + square / (4 * count * count)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_bootstrap(first: Sequence[float], second: Sequence[float], groups: Sequence[str], seed: int = 0) -> Interval:
    """The interval of mean(first) − mean(second), scores of two models on the same pairs.

    Groups, the queries, are drawn with replacement, so that lines of one query count as one draw (Efron 1979).
    """
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    rows = np.array([places[group] for group in groups])
    sums = np.bincount(rows, np.asarray(first, float) - np.asarray(second, float), len(places))
    counts = np.bincount(rows, minlength=len(places)).astype(float)
    random = np.random.default_rng(seed)
    differences = []
    for _ in range(_DRAWS // _CHUNK):
        drawn = random.integers(len(places), size=(_CHUNK, len(places)))
        differences.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.percentile(np.concatenate(differences), [2.5, 97.5])
    return float(low), float(high)
