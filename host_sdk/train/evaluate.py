"""How well a model answers, beside what no network is needed for. Needs numpy only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from host_sdk.errors import FileError
from host_sdk.model import engine
from host_sdk.model.model import Model
from host_sdk.train.baselines import BASELINES, FOLDS, Answer, cross_validated
from host_sdk.train.data import Pair, normalise

_CHUNK = 1000
"""Queries that run at once; bounds the memory."""
_COUNTED = 1000
"""Distinct queries over which additions are averaged."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Shares are 0 to 1; replies are free-running, greedy, in exact integers."""

    pairs: int
    exact: float  # share of the pairs whose reply is the listed one
    any: float  # share of the distinct normalised queries whose reply is among those listed for it
    baselines: Mapping[str, float]  # exact of each
    baselines_fit_on: str
    additions_per_char: float  # mean per pass, over at most 1,000 queries

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; shares have four decimals."""
        return {
            "pairs": self.pairs,
            "exact": round(self.exact, 4),
            "any": round(self.any, 4),
            "baselines": {name: round(share, 4) for name, share in self.baselines.items()},
            "baselines_fit_on": self.baselines_fit_on,
            "additions_per_char": round(self.additions_per_char, 1),
        }


def evaluate(model: Model, pairs: Sequence[Pair], fit_pairs: Sequence[Pair] | None = None) -> Evaluation:
    """Ask every query. FileError without pairs.

    The baselines are fitted on `fit_pairs`; without them, by ten-fold cross-validation over `pairs`, so that no
    baseline is asked what it was told.
    """
    if not pairs or (fit_pairs is not None and not fit_pairs):
        raise FileError("There are no pairs to evaluate on. Choose another file or another --split.")
    distinct = list(dict.fromkeys(pair.query for pair in pairs))
    replies = dict(zip(distinct, _replies(model, distinct), strict=True))
    listed: dict[str, set[str]] = defaultdict(set)
    spelling: dict[str, str] = {}
    for pair in pairs:
        key = normalise(pair.query)
        listed[key].add(pair.reply)
        spelling.setdefault(key, pair.query)
    step = -(-len(distinct) // _COUNTED)
    return Evaluation(
        pairs=len(pairs),
        exact=_share([replies[pair.query] == pair.reply for pair in pairs]),
        any=_share([replies[spelling[key]] in texts for key, texts in listed.items()]),
        baselines={name: _baseline(answer, pairs, fit_pairs) for name, answer in BASELINES.items()},
        baselines_fit_on=(
            f"{FOLDS}-fold cross-validation over the evaluated pairs, by query"
            if fit_pairs is None
            else f"{len(fit_pairs)} other pairs"
        ),
        additions_per_char=engine.additions(model, distinct[::step]),
    )


def _replies(model: Model, queries: Sequence[str]) -> list[str]:
    chunks = (queries[start : start + _CHUNK] for start in range(0, len(queries), _CHUNK))
    return [run.text for chunk in chunks for run in engine.run(model, chunk)]


def _baseline(answer: Answer, pairs: Sequence[Pair], fit_pairs: Sequence[Pair] | None) -> float:
    queries = [pair.query for pair in pairs]
    replies = cross_validated(answer, pairs) if fit_pairs is None else answer(fit_pairs, queries)
    return _share([reply == pair.reply for reply, pair in zip(replies, pairs, strict=True)])


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)
