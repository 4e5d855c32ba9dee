"""The teacher: learns, repeats itself, softens targets, and answers variants of queries."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_sdk.train import teacher
from host_sdk.train.examples import character_examples, reply_examples
from host_sdk.train.loop import train
from host_sdk.train.teacher import taught, variant
from tests.train.samples import CHARACTER, PAIRS, REPLY

REPLIES = sorted({pair.reply for pair in PAIRS})
TAUGHT = replace(REPLY, teacher=0.5, variants=2)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """120 pairs need no more."""
    for name, value in (("_STEPS", 100), ("_BUCKETS", 512), ("_WIDTH", 64)):
        monkeypatch.setattr(teacher, name, value)


def test_targets_stay_shares_and_soften() -> None:
    hard = reply_examples(PAIRS, REPLIES, REPLY)
    soft = taught(hard, TAUGHT)
    assert len(soft) == 3 * len(hard)
    assert np.allclose(soft.target.sum(axis=1), 1, atol=1e-5)
    assert (soft.target[: len(hard)].argmax(axis=1) == hard.target.argmax(axis=1)).mean() > 0.95
    assert soft.target[: len(hard)].max() < 1
    assert soft.query.max() == len(soft.queries) - 1 == len(soft.query_table) - 1
    again = taught(hard, TAUGHT)
    assert np.array_equal(soft.target, again.target)
    assert soft.queries == again.queries


def test_a_spelling_teacher_learns_the_next_character() -> None:
    charset = "".join(sorted({char for reply in REPLIES for char in reply}))
    hard = character_examples(PAIRS, charset, CHARACTER)
    soft = taught(hard, replace(CHARACTER, teacher=1.0))
    assert len(soft) == len(hard)
    assert (soft.target.argmax(axis=1) == hard.target.argmax(axis=1)).mean() > 0.9


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("abc ", max_size=40), st.integers())
def test_variants_are_possible_queries(query: str, seed: int) -> None:
    made = variant(query.encode(), [b"some", b"words"], random.Random(seed))
    assert made == query.encode() or set(made.split()) <= {*query.encode().split(), b"some", b"words"}
    assert made == query.encode() or made.strip() == made != b""


def test_a_taught_training_repeats_itself() -> None:
    recipe = replace(TAUGHT, epochs=2)
    assert train(PAIRS, recipe).crc == train(PAIRS, recipe).crc != train(PAIRS, replace(REPLY, epochs=2)).crc
