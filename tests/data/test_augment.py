"""Variants are repeatable, new, on the training side, and what they claim to be."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.data.augment import augment, neighbours, paraphrase, typo
from host_sdk.errors import UsageError
from host_sdk.train.data import Pair, hash_share, normalise

queries = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="|"), max_size=40).map(
    str.strip
)
pairs = st.lists(st.builds(Pair, queries.filter(bool), st.sampled_from(["yes", "no"])), max_size=30)


@given(st.sampled_from("abcdefghijklmnopqrstuvwxyz1234567890"))
def test_keyboards_have_no_one_way_streets(letter: str) -> None:
    assert neighbours(letter)
    assert letter not in neighbours(letter)
    assert all(letter in neighbours(other) for other in neighbours(letter))


@given(queries, st.integers(0, 1000))
def test_a_typo_is_one_edit_inside_a_longer_word(query: str, seed: int) -> None:
    wrong = typo(query, random.Random(seed))
    assert wrong == typo(query, random.Random(seed))
    assert abs(len(wrong) - len(query)) <= 1
    start = next((i for i, (a, b) in enumerate(zip(query, wrong, strict=False)) if a != b), None)
    if start is not None and len(wrong) == len(query):
        assert query[start + 2 :] == wrong[start + 2 :]


@pytest.mark.parametrize("query", ["", "go up", "is it a cat?", "1234567"])
def test_short_words_and_numbers_stay(query: str) -> None:
    assert {typo(query, random.Random(seed)) for seed in range(30)} == {query}


def test_contractions_go_both_ways() -> None:
    def variants(query: str) -> set[str]:
        return {paraphrase(query, random.Random(seed)) for seed in range(200)}

    assert {"i do not know", "i dont know", "please i don't know"} <= variants("i don't know")
    assert "i don't know" in variants("i do not know")
    assert "what's the time" in variants("what is the time?".rstrip("?"))


@given(pairs, st.floats(0, 3), st.floats(0, 3), st.integers(0, 5))
def test_variants_are_new_and_stay_on_the_training_side(
    given_pairs: list[Pair], typos: float, paraphrases: float, seed: int
) -> None:
    made = augment(given_pairs, typos, paraphrases, seed)
    assert made == augment(given_pairs, typos, paraphrases, seed)
    assert made[: len(given_pairs)] == given_pairs
    keys = [normalise(pair.query) for pair in made[len(given_pairs) :]]
    assert len(set(keys)) == len(keys)
    assert not {normalise(pair.query) for pair in given_pairs} & set(keys)
    assert all(hash_share("split", key) >= 0.1 for key in keys)
    assert all(pair.query == pair.query.strip() and len(pair.query) <= 160 for pair in made)
    assert {pair.reply for pair in made} == {pair.reply for pair in given_pairs}


def test_amounts_count_per_query_of_the_training_side() -> None:
    given_pairs = [Pair(f"where is the {chr(97 + i % 26) * 5} number {i}", "here") for i in range(400)]
    fit = sum(hash_share("split", pair.query) >= 0.1 for pair in given_pairs)
    assert len(augment(given_pairs, typos=2)) == 400 + 2 * fit
    assert len(augment(given_pairs, typos=0.5)) == pytest.approx(400 + fit / 2, rel=0.1)
    assert len(augment(given_pairs, paraphrases=1, held_out=0)) == 800


@pytest.mark.parametrize("amount", [-1.0, 21.0])
def test_impossible_amounts(amount: float) -> None:
    with pytest.raises(UsageError, match="typos per query"):
        augment([Pair("hi", "ok")], typos=amount)
