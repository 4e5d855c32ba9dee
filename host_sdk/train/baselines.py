"""Trivial answers to compare a model with: the commonest reply, a table of telling words, the nearest known queries.

Every baseline answers queries from fitted pairs and is told which of them it may use (`fold`): either the fitted pairs
are others than those asked about, or each query is answered from the pairs of the other folds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.text import query_hashes
from host_sdk.train.data import Pair, hash_share, normalise

FOLDS = 10
TRAINED = ("linear", "float network")
"""Those that are trained, in float_baselines.py."""

Answer = Callable[[Sequence[Pair], Sequence[str]], list[str]]
"""(fitted pairs, queries) -> replies."""


def majority(fit: Sequence[Pair], queries: Sequence[str]) -> list[str]:
    """The commonest reply, whatever is asked."""
    return [_commonest(Counter(pair.reply for pair in fit))[0]] * len(queries)


def keyword(fit: Sequence[Pair], queries: Sequence[str]) -> list[str]:
    """A table word -> reply; the most telling word of the query decides, without any the commonest reply.

    A word's reply is the commonest one among the fitted pairs with that word. The most telling word is the one whose
    reply was right most often, n of them counting as n / (count + 1), so that a word seen once is no certainty.
    """
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for pair in fit:
        for word in set(normalise(pair.query).split()):
            words[word][pair.reply] += 1
    table: dict[str, tuple[float, str]] = {}
    for word, replies in words.items():
        reply, right = _commonest(replies)
        table[word] = (right / (replies.total() + 1), reply)
    default = majority(fit, [""])[0]
    return [
        max((table[word] for word in normalise(query).split() if word in table), default=(0.0, default))[1]
        for query in queries
    ]


def nearest(fit: Sequence[Pair], queries: Sequence[str]) -> list[str]:
    """The reply of the nearest fitted query: cosine of the trigram counts over all 65,536 hash values.

    Among equally near ones, contradicting lines of one query for example, the commonest reply.
    """
    lines: dict[str, Counter[str]] = defaultdict(Counter)
    for pair in fit:
        lines[pair.query.lower()][pair.reply] += 1
    replies = [_commonest(counter)[0] for counter in lines.values()]
    postings = _postings(list(lines))
    answers = []
    for query in queries:
        scores = np.zeros(len(replies))
        for trigram, count in Counter(query_hashes(query.encode())).items():
            if trigram in postings:
                places, shares = postings[trigram]
                scores[places] += count * shares
        answers.append(replies[int(scores.argmax())])
    return answers


def centroid(fit: Sequence[Pair], queries: Sequence[str]) -> list[str]:
    """The reply whose fitted queries are nearest on the mean: cosine with the sum of their unit vectors of trigrams."""
    replies = sorted({pair.reply for pair in fit})
    rows = {reply: row for row, reply in enumerate(replies)}
    columns: dict[int, int] = {}
    known = [Counter(query_hashes(pair.query.encode())) for pair in fit]
    for counts in known:
        for trigram in counts:
            columns.setdefault(trigram, len(columns))
    sums = np.zeros((len(replies), len(columns)))
    for pair, counts in zip(fit, known, strict=True):
        places = [columns[trigram] for trigram in counts]
        sums[rows[pair.reply], places] += np.array(list(counts.values())) / _norm(counts)
    sums /= np.linalg.norm(sums, axis=1, keepdims=True)
    answers = []
    for query in queries:
        counts = Counter(query_hashes(query.encode()))
        seen = {columns[trigram]: count for trigram, count in counts.items() if trigram in columns}
        scores = sums[:, list(seen)] @ np.array(list(seen.values()), float)
        answers.append(replies[int(scores.argmax())])
    return answers


BASELINES: Mapping[str, Answer] = {"majority": majority, "keyword": keyword, "centroid": centroid, "nearest": nearest}
"""Those that take no training."""


def cross_validated(answer: Answer, pairs: Sequence[Pair], count: int = FOLDS) -> list[str]:
    """A reply per pair, each from the pairs of the other folds; `count` folds are chosen by the hash of the query."""
    folds = [int(hash_share("fold", pair.query) * count) for pair in pairs]
    replies = [""] * len(pairs)
    for fold in set(folds):
        fit = [pair for pair, own in zip(pairs, folds, strict=True) if own != fold]
        asked = [place for place, own in enumerate(folds) if own == fold]
        if fit:
            for place, reply in zip(asked, answer(fit, [pairs[place].query for place in asked]), strict=True):
                replies[place] = reply
    return replies


def _commonest(counter: Counter[str]) -> tuple[str, int]:
    """(reply, count); the first in the alphabet of equally common ones."""
    return min(counter.items(), key=lambda item: (-item[1], item[0]))


def _norm(counts: Counter[int]) -> float:
    return float(sum(count * count for count in counts.values()) ** 0.5)


def _postings(queries: Sequence[str]) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Trigram hash -> (places of the queries that have it, their counts of it divided by their norms)."""
    places: dict[int, list[int]] = defaultdict(list)
    shares: dict[int, list[float]] = defaultdict(list)
    for place, query in enumerate(queries):
        counts = Counter(query_hashes(query.encode()))
        norm = _norm(counts)
        for trigram, count in counts.items():
            places[trigram].append(place)
            shares[trigram].append(count / norm)
    return {trigram: (np.array(places[trigram], np.int64), np.array(shares[trigram])) for trigram in places}
