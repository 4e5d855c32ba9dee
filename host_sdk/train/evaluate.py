"""How well a model answers, beside what no network is needed for. Needs numpy only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from host_sdk.errors import FileError, MissingError, UsageError
from host_sdk.model import engine
from host_sdk.model.model import Model
from host_sdk.train.baselines import BASELINES, FOLDS, TRAINED, Answer, cross_validated
from host_sdk.train.data import Pair, normalise
from host_sdk.train.statistics import Interval, paired_bootstrap, wilson

_CHUNK = 1000
"""Queries that run at once; bounds the memory."""
_COUNTED = 1000
"""Distinct queries over which additions are averaged."""
_TRAINED_FOLDS = 4
_STEPS, _FOLD_STEPS = 2000, 1000
"""Of the training of a baseline, at most: of one, and of each fold."""
CONFUSIONS = 20
"""The most frequent ones that are told."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `count`."""

    hits: int
    count: int

    @classmethod
    def of(cls, hits: Sequence[bool]) -> Share:
        """The share that is true."""
        return cls(sum(hits), len(hits))

    @property
    def value(self) -> float:
        """0 to 1; 0 of nothing."""
        return self.hits / self.count if self.count else 0.0

    @property
    def interval(self) -> Interval:
        """Of 95 %, by Wilson."""
        return wilson(self.hits, self.count)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Replies are free-running, greedy, in exact integers."""

    exact: Share  # of the pairs whose reply is the listed one
    any: Share  # of the distinct normalised queries whose reply is among those listed for it
    baselines: Mapping[str, float | None]  # exact of each; None was left out
    baselines_fit_on: str
    additions_per_char: float  # mean per pass, over at most 1,000 queries

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; shares have four decimals."""
        return {
            "pairs": self.exact.count,
            "exact": round(self.exact.value, 4),
            "exact_interval": _rounded(self.exact.interval),
            "any": round(self.any.value, 4),
            "any_interval": _rounded(self.any.interval),
            "baselines": {name: None if share is None else round(share, 4) for name, share in self.baselines.items()},
            "baselines_fit_on": self.baselines_fit_on,
            "additions_per_char": round(self.additions_per_char, 1),
        }


def evaluate(
    model: Model,
    pairs: Sequence[Pair],
    fit_pairs: Sequence[Pair] | None = None,
) -> Evaluation:
    """Ask every query, and the baselines that take no training. FileError without pairs.

    The baselines are fitted on `fit_pairs`; without them, by ten-fold cross-validation over `pairs`, so that no
    baseline is asked what it was told.
    """
    if not pairs or (fit_pairs is not None and not fit_pairs):
        raise FileError("There are no pairs to evaluate on. Choose another file or another --split.")
    answers = replies(model, pairs)
    listed: dict[str, set[str]] = defaultdict(set)
    given: dict[str, str] = {}
    for pair, answer in zip(pairs, answers, strict=True):
        key = normalise(pair.query)
        listed[key].add(pair.reply)
        given.setdefault(key, answer)
    distinct = list(dict.fromkeys(pair.query for pair in pairs))
    return Evaluation(
        exact=Share.of(_hits(answers, pairs)),
        any=Share.of([given[key] in texts for key, texts in listed.items()]),
        baselines={name: _baseline(answer, pairs, fit_pairs) for name, answer in BASELINES.items()},
        baselines_fit_on=(
            f"{FOLDS}-fold cross-validation over the evaluated pairs, by query"
            if fit_pairs is None
            else f"{len(fit_pairs)} other pairs"
        ),
        additions_per_char=engine.additions(model, distinct[:: -(-len(distinct) // _COUNTED)]),
    )


def with_trained_baselines(
    result: Evaluation,
    model: Model,
    pairs: Sequence[Pair],
    fit_pairs: Sequence[Pair] | None = None,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """The evaluation of these pairs with a linear classifier and a float network beside it; takes up to a minute.

    Without `fit_pairs`, by cross-validation of fewer folds and shorter trainings. `watch` is told what of how much is
    done. MissingError without torch.
    """
    try:
        from host_sdk.train.float_baselines import float_baselines
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingError(
            "The linear and the float baseline need PyTorch, which is not installed: pip install 'micro-lm[train]'."
        ) from None
    finished, trainings = 0, len(TRAINED) * (_TRAINED_FOLDS if fit_pairs is None else 1)

    def tell(share: float) -> None:
        nonlocal finished
        watch(round(100 * (finished + share)), 100 * trainings)
        finished += share == 1.0

    answers = float_baselines(model, _FOLD_STEPS if fit_pairs is None else _STEPS, tell)
    trained = {name: _baseline(answer, pairs, fit_pairs, _TRAINED_FOLDS) for name, answer in answers.items()}
    fit_on = result.baselines_fit_on + (f" ({_TRAINED_FOLDS}-fold for the trained ones)" if fit_pairs is None else "")
    return replace(result, baselines={**result.baselines, **trained}, baselines_fit_on=fit_on)


def without_trained_baselines(result: Evaluation) -> Evaluation:
    """The evaluation with the trained baselines named as left out."""
    return replace(result, baselines={**result.baselines, **dict.fromkeys(TRAINED)})


def replies(model: Model, pairs: Sequence[Pair]) -> list[str]:
    """What the model answers to each pair's query."""
    distinct = list(dict.fromkeys(pair.query for pair in pairs))
    chunks = (distinct[start : start + _CHUNK] for start in range(0, len(distinct), _CHUNK))
    texts = dict(zip(distinct, (run.text for chunk in chunks for run in engine.run(model, chunk)), strict=True))
    return [texts[pair.query] for pair in pairs]


@dataclass(frozen=True, slots=True)
class ReplyReport:
    """How one listed reply fares."""

    reply: str
    recall: Share  # of the pairs that list it, those answered with it
    precision: Share  # of the pairs answered with it, those that list it

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        recall, precision = round(self.recall.value, 4), round(self.precision.value, 4)
        return {"reply": self.reply, "pairs": self.recall.count, "recall": recall, "precision": precision}


def by_reply(answers: Sequence[str], pairs: Sequence[Pair]) -> list[ReplyReport]:
    """One report per listed reply, the worst recall first."""
    listed = Counter(pair.reply for pair in pairs)
    answered = Counter(answers)
    right = Counter(pair.reply for pair, answer in zip(pairs, answers, strict=True) if pair.reply == answer)
    rows = [
        ReplyReport(reply, Share(right[reply], count), Share(right[reply], answered[reply]))
        for reply, count in listed.items()
    ]
    return sorted(rows, key=lambda row: (row.recall.value, row.reply))


def confusions(answers: Sequence[str], pairs: Sequence[Pair]) -> list[tuple[str, str, int]]:
    """(listed reply, other answer, pairs), the most frequent first; at most CONFUSIONS."""
    wrong = Counter((pair.reply, answer) for pair, answer in zip(pairs, answers, strict=True) if pair.reply != answer)
    ordered = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    return [(listed, answer, count) for (listed, answer), count in ordered[:CONFUSIONS]]


@dataclass(frozen=True, slots=True)
class OutOfScope:
    """How a model that may say "I do not know" does on both sides of that line."""

    label: str
    in_scope: Share  # of the pairs with another reply, those answered exactly
    recall: Share  # of the pairs with the label, those answered with it
    precision: Share  # of the pairs answered with the label, those that list it

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "label": self.label,
            "in_scope": round(self.in_scope.value, 4),
            "in_scope_interval": _rounded(self.in_scope.interval),
            "recall": round(self.recall.value, 4),
            "recall_interval": _rounded(self.recall.interval),
            "precision": round(self.precision.value, 4),
        }


def out_of_scope(answers: Sequence[str], pairs: Sequence[Pair], label: str) -> OutOfScope:
    """The figures of the reply `label`; UsageError when no pair lists it."""
    hits = _hits(answers, pairs)
    inside = [hit for hit, pair in zip(hits, pairs, strict=True) if pair.reply != label]
    outside = [hit for hit, pair in zip(hits, pairs, strict=True) if pair.reply == label]
    if not outside:
        raise UsageError(f"No pair lists {label!r}. Give --oos the reply that stands for out of scope.")
    said = [hit for hit, answer in zip(hits, answers, strict=True) if answer == label]
    return OutOfScope(label, Share.of(inside), Share.of(outside), Share.of(said))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another model on the same pairs."""

    name: str
    exact: Share  # of the other model
    difference: float  # exact of the first less exact of the other
    interval: Interval  # of the difference, 95 %: paired bootstrap over queries

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        difference, interval = round(self.difference, 4), _rounded(self.interval)
        exact = round(self.exact.value, 4)
        return {"model": self.name, "exact": exact, "difference": difference, "difference_interval": interval}


def compare(answers: Sequence[str], other: Model, pairs: Sequence[Pair]) -> Comparison:
    """A model's answers to these pairs beside another model's."""
    first, second = _hits(answers, pairs), _hits(replies(other, pairs), pairs)
    interval = paired_bootstrap(first, second, [normalise(pair.query) for pair in pairs])
    own, others = Share.of(first), Share.of(second)
    return Comparison(other.name, others, own.value - others.value, interval)


def _baseline(answer: Answer, pairs: Sequence[Pair], fit_pairs: Sequence[Pair] | None, folds: int = FOLDS) -> float:
    queries = [pair.query for pair in pairs]
    given = cross_validated(answer, pairs, folds) if fit_pairs is None else answer(fit_pairs, queries)
    return Share.of(_hits(given, pairs)).value


def _hits(answers: Sequence[str], pairs: Sequence[Pair]) -> list[bool]:
    return [answer == pair.reply for answer, pair in zip(answers, pairs, strict=True)]


def _rounded(interval: Interval) -> list[float]:
    return [round(bound, 4) for bound in interval]
