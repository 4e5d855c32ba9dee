"""Evaluation: exact and any by hand, baselines that know what they may, and no torch."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from host_sdk.errors import FileError, UsageError
from host_sdk.model import Layer, Model, ReplyText
from host_sdk.model.engine import additions
from host_sdk.spec.container import Kind
from host_sdk.train.baselines import BASELINES, TRAINED, centroid, cross_validated, keyword, majority, nearest
from host_sdk.train.data import Pair, normalise
from host_sdk.train.evaluate import (
    Share,
    by_reply,
    compare,
    confusions,
    evaluate,
    out_of_scope,
    replies,
    with_trained_baselines,
    without_trained_baselines,
)
from tests.synthetic import character_model


def constant(text: str) -> Model:
    """Always answers `text`."""
    layer = Layer(np.zeros((2, 64), np.int8), np.array([4, 0], np.int16))
    return Model(Kind.REPLY, (layer,), 64, replies=(ReplyText(text), ReplyText("never")))


def test_exact_counts_pairs_and_any_counts_queries() -> None:
    pairs = [Pair("a", "yes"), Pair("a", "no"), Pair("A!", "maybe"), Pair("b", "no")]
    result = evaluate(constant("yes"), pairs)
    assert (result.exact, result.any) == (Share(1, 4), Share(1, 2))
    assert result.additions_per_char == 0


def test_additions_are_the_engines() -> None:
    model = character_model(1)
    queries = ["hello", "who are you", "42"]
    result = evaluate(model, [Pair(query, "x") for query in queries])
    assert result.additions_per_char == additions(model, queries)


def test_nothing_to_evaluate_is_said() -> None:
    with pytest.raises(FileError, match="no pairs"):
        evaluate(constant("yes"), [])
    with pytest.raises(FileError, match="no pairs"):
        evaluate(constant("yes"), [Pair("a", "b")], [])


def test_baselines_by_hand() -> None:
    fit = [Pair("is it red", "no"), Pair("is it big", "yes"), Pair("big one", "yes"), Pair("is it old", "no")]
    fit += [Pair("it is new", "no")]
    assert majority(fit, ["x", "y"]) == ["no", "no"]
    assert keyword(fit, ["a big thing", "is it", "unknown"]) == ["yes", "no", "no"]
    assert nearest(fit, ["is it redd", "one big"]) == ["no", "yes"]
    assert centroid(fit, ["is it redd", "big", "~"]) == ["no", "yes", "no"]


def test_nearest_answers_contradictions_with_the_commonest() -> None:
    fit = [Pair("hi", "b"), Pair("HI", "a"), Pair("hi", "b"), Pair("hi there you", "c")]
    assert nearest(fit, ["hi"]) == ["b"]


def test_cross_validation_never_tells_a_query_its_own_reply() -> None:
    pairs = [Pair(f"question number {i}", f"reply {i}") for i in range(40)] * 2
    for name, answer in BASELINES.items():
        replies = cross_validated(answer, pairs)
        assert all(reply != pair.reply for reply, pair in zip(replies, pairs, strict=True)), name
    result = evaluate(constant("yes"), pairs)
    assert "cross-validation" in result.baselines_fit_on
    assert set(result.baselines.values()) == {0.0}


def test_baselines_fitted_on_other_pairs_say_so() -> None:
    pairs = [Pair("hello", "hi"), Pair("good bye", "bye")]
    result = evaluate(constant("hi"), pairs, pairs)
    assert result.baselines == {"majority": 0.5, "keyword": 1.0, "centroid": 1.0, "nearest": 1.0}
    assert result.baselines_fit_on == "2 other pairs"
    assert result.to_dict()["baselines"]["nearest"] == 1.0


def test_trained_baselines_learn_a_table() -> None:
    pytest.importorskip("torch")
    fit = [Pair(query, reply) for query, reply in (("hello", "hi"), ("good bye", "bye"), ("who are you", "tiny"))]
    for model in (character_model(1), constant("x")):
        told: list[tuple[int, int]] = []
        result = evaluate(model, fit, fit)
        whole = with_trained_baselines(
            result, model, fit, fit, lambda done, total, told=told: told.append((done, total))
        )
        assert whole.baselines == {**result.baselines, "linear": 1.0, "float network": 1.0}
        assert told[-1] == (200, 200)
        assert told == sorted(told)


def test_trained_baselines_never_know_the_reply_either() -> None:
    pytest.importorskip("torch")
    pairs = [Pair(f"question number {i}", f"reply {i}") for i in range(12)]
    told: list[int] = []
    model = constant("yes")
    result = with_trained_baselines(evaluate(model, pairs), model, pairs, None, lambda done, total: told.append(done))
    assert set(result.baselines.values()) == {0.0}
    assert list(result.baselines)[-2:] == list(TRAINED)
    assert "4-fold for the trained ones" in result.baselines_fit_on
    assert told[-1] == 800


def test_what_was_left_out_is_null() -> None:
    pairs = [Pair("hello", "hi")]
    left_out = without_trained_baselines(evaluate(constant("hi"), pairs, pairs)).to_dict()["baselines"]
    assert left_out == {**dict.fromkeys(BASELINES, 1.0), "linear": None, "float network": None}


ANSWERS = ["a", "b", "no", "no", "a"]
LISTED = [Pair("1", "a"), Pair("2", "a"), Pair("3", "b"), Pair("4", "no"), Pair("5", "no")]


def test_reports_by_hand() -> None:
    rows = {row.reply: row for row in by_reply(ANSWERS, LISTED)}
    assert (rows["a"].recall, rows["a"].precision) == (Share(1, 2), Share(1, 2))
    assert (rows["b"].recall, rows["b"].precision) == (Share(0, 1), Share(0, 1))
    assert confusions([*ANSWERS, "a"], [*LISTED, Pair("6", "no")]) == [("no", "a", 2), ("a", "b", 1), ("b", "no", 1)]
    scope = out_of_scope(ANSWERS, LISTED, "no")
    assert (scope.in_scope, scope.recall, scope.precision) == (Share(1, 3), Share(1, 2), Share(1, 2))
    with pytest.raises(UsageError, match="--oos"):
        out_of_scope(ANSWERS, LISTED, "maybe")


def test_a_comparison_tells_better_from_equal() -> None:
    pairs = [Pair(f"question {i}", "yes" if i % 4 else "no") for i in range(200)]
    better = compare(replies(constant("yes"), pairs), constant("no"), pairs)
    assert (better.exact, better.difference) == (Share(50, 200), 0.5)
    assert 0.3 < better.interval[0] < 0.5 < better.interval[1] < 0.7
    equal = compare(replies(constant("yes"), pairs), constant("yes"), pairs)
    assert (equal.difference, equal.interval) == (0.0, (0.0, 0.0))


def test_many_queries_take_seconds() -> None:
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("abcdefghij"), 4)) for _ in range(500)]
    pairs = [Pair(" ".join(random.choice(words, 4)), str(random.choice(["yes", "no"]))) for _ in range(4000)]
    start = time.process_time()
    evaluate(constant("yes"), pairs)
    assert time.process_time() - start < 10
    assert len({normalise(pair.query) for pair in pairs}) > 3900


def test_works_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import host_sdk.cli.train, host_sdk.train.evaluate, host_sdk.train.build, host_sdk.train.checkpoint\n"
        "from host_sdk.errors import MissingError\n"
        "try:\n"
        "    host_sdk.train.build.build('x', 'y', host_sdk.train.recipe.Recipe())\n"
        "except MissingError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'micro-lm[train]'" in done.stdout
    assert done.stdout.count("\n") == 1
