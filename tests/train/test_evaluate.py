"""Evaluation: exact and any by hand, baselines that know what they may, and no torch."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from host_sdk.errors import FileError
from host_sdk.model import Layer, Model, ReplyText
from host_sdk.model.engine import additions
from host_sdk.spec.container import Kind
from host_sdk.train.baselines import BASELINES, cross_validated, keyword, majority, nearest
from host_sdk.train.data import Pair, normalise
from host_sdk.train.evaluate import evaluate
from tests.synthetic import character_model


def constant(text: str) -> Model:
    """Always answers `text`."""
    layer = Layer(np.zeros((2, 64), np.int8), np.array([4, 0], np.int16))
    return Model(Kind.REPLY, (layer,), 64, replies=(ReplyText(text), ReplyText("never")))


def test_exact_counts_pairs_and_any_counts_queries() -> None:
    pairs = [Pair("a", "yes"), Pair("a", "no"), Pair("A!", "maybe"), Pair("b", "no")]
    result = evaluate(constant("yes"), pairs)
    assert (result.pairs, result.exact, result.any) == (4, 0.25, 0.5)
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
    assert result.baselines == {"majority": 0.5, "keyword": 1.0, "nearest": 1.0}
    assert result.baselines_fit_on == "2 other pairs"
    assert result.to_dict()["baselines"]["nearest"] == 1.0


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
