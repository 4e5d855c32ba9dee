"""Targets: a training keeps to its additions and bytes, fits a board and says why, and stops early."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from host_sdk.errors import FitError, UsageError
from host_sdk.model.engine import additions
from host_sdk.train.best import Best
from host_sdk.train.blank import Blank
from host_sdk.train.build import missed
from host_sdk.train.data import Pair
from host_sdk.train.fit import packed_bytes, room_on, shaped
from host_sdk.train.loop import train
from host_sdk.train.recipe import Recipe
from host_sdk.train.sparsity import Price
from tests.synthetic import character_model
from tests.train.samples import CHARACTER, PAIRS, REPLY

QUERIES = [pair.query for pair in PAIRS]
LONG = replace(REPLY, epochs=40)


def test_a_price_rises_above_the_aim_and_falls_below_it() -> None:
    price = Price(target=100)
    above = [price.factor(300, 3600, 4000) for _ in range(50)]
    assert all(a <= b for a, b in pairwise(above))
    below = [price.factor(50, 3600, 4000) for _ in range(400)]
    assert below[-1] < 0.01 < above[-1]


@given(st.floats(1, 1e6), st.integers(0, 4000))
def test_a_price_stays_in_bounds(figure: float, step: int) -> None:
    assert 1e-3 <= Price(target=1000).factor(figure, step, 4000) <= 1e3


def test_additions_are_kept() -> None:
    free = additions(train(PAIRS, LONG), QUERIES)
    recipe = replace(LONG, additions=round(free / 2))
    model = train(PAIRS, recipe)
    assert 0.7 * recipe.additions < additions(model, QUERIES) <= recipe.additions
    assert list(missed(model, recipe, PAIRS)) == []


@pytest.mark.parametrize("recipe", [LONG, replace(CHARACTER, epochs=12)], ids=["reply", "character"])
def test_bytes_are_kept(recipe: Recipe) -> None:
    texts = packed_bytes(train(PAIRS, replace(recipe, sparsity=0.1)))
    free = packed_bytes(train(PAIRS, recipe))
    recipe = replace(recipe, bytes=round(texts + (free - texts) * 0.6))
    model = train(PAIRS, recipe)
    assert texts < packed_bytes(model) <= recipe.bytes


def test_a_missed_target_is_said() -> None:
    recipe = replace(CHARACTER, additions=1, bytes=100)
    assert [sentence.split()[0] for sentence in missed(character_model(1), recipe, PAIRS)] == ["The", "A"]


def test_a_board_chooses_the_shape() -> None:
    recipe, why = shaped(Recipe(head="reply", words=True), PAIRS * 40, "uno")
    assert (recipe.query_buckets, recipe.hidden, recipe.words) == (1024, (64,), True)
    assert recipe.bytes == room_on("uno")
    assert str(room_on("uno")) in why
    small, why = shaped(Recipe(head="reply"), PAIRS, "uno")
    assert (small.query_buckets, small.hidden) == (128, (16,))
    assert "120 pairs can teach" in why
    assert shaped(Recipe(), PAIRS * 200, "lilypad")[0].context_buckets == 256


@pytest.mark.parametrize("board", ["uno-sd", "lilypad-flash"])
def test_a_board_that_streams_takes_wider_shapes(board: str) -> None:
    recipe, why = shaped(Recipe(), PAIRS * 120, board)
    assert (recipe.query_buckets, recipe.context_buckets, recipe.hidden) == (2048, 512, (512,))
    assert (recipe.board, recipe.bytes) == (board, 0)
    blank = Blank.of(PAIRS, recipe)
    assert f"has {room_on(board)} bytes for a model; 2560-512-{blank.classes} takes 3" in why
    assert why.endswith("and its sums have room in SRAM: the largest shape that fits.")
    small, why = shaped(Recipe(head="reply"), PAIRS, board)
    assert (small.query_buckets, small.hidden) == (256, (32,))
    assert why.endswith("fits and that 120 pairs can teach.")


def test_256_replies_and_a_width_that_their_sums_leave() -> None:
    pairs = [Pair(f"question {i} {j}", f"answer {i}") for i in range(256) for j in range(40)]
    recipe, _ = shaped(Recipe(head="reply"), pairs, "uno-sd")
    assert (recipe.query_buckets, recipe.hidden) == (2048, (256,))  # 512 outputs of two bytes and 512 sums do not fit
    pairs += [Pair("one more", "one more")]
    with pytest.raises(FitError, match="among 257 replies; the runtime counts at most 256"):
        shaped(Recipe(head="reply"), pairs, "uno-sd")


def test_texts_beyond_a_board_are_refused() -> None:
    pairs = [Pair(f"question {i}", f"{i:03} " + "x" * 46) for i in range(250)]
    assert shaped(Recipe(head="reply"), pairs, "uno")[0].query_buckets == 64
    with pytest.raises(FitError, match="at most 255"):
        shaped(Recipe(head="reply"), [*pairs, *(Pair(f"more {i}", f"more {i}") for i in range(9))], "uno")
    with pytest.raises(UsageError, match="no board 'apple'"):
        shaped(Recipe(), PAIRS, "apple")


def test_patience() -> None:
    best = Best(2)
    models = [character_model(seed) for seed in range(4)]
    for accuracy, model in zip((0.5, 0.7, 0.6, 0.7), models, strict=True):
        assert not best.given_up
        best.consider(accuracy, model)
    assert best.given_up
    assert best.model == models[1]
    kept = Best.restore(2, best.state())
    assert kept.given_up
    assert kept.model is not None
    assert kept.model.crc == models[1].crc
    none = Best(0)
    none.consider(1.0, models[0])
    assert (none.model, none.given_up, Best.restore(0, none.state())) == (None, False, none)


def test_stops_early() -> None:
    said: list[str] = []
    seen: list[int] = []
    recipe = replace(REPLY, epochs=400, patience=3, validation=0.3)
    train(PAIRS, recipe, watch=lambda progress: seen.append(progress.epoch), note=said.append)
    assert len(said) == 1
    assert "stopped after epoch" in said[0]
    assert len(seen) < 400
