"""Recipes: what is written is read back, and impossible ones are refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host_sdk.errors import FileError, UsageError
from host_sdk.spec.container import Kind, WeightCode
from host_sdk.spec.protocol import Action
from host_sdk.train.recipe import Recipe

RECIPES = [
    Recipe(),
    Recipe(head="reply"),
    Recipe(code="ternary", hidden=(32,), seed=7, saturate=True, learning_rate=1e-5, name='a "b" é', held_out=0.0),
    Recipe(head="reply", actions={"led on.": "led_on", 'say "{}"': "dice"}),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_toml_round_trip(recipe: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    file = tmp_path / "recipe.toml"
    file.write_text(recipe.to_toml(), encoding="utf-8")
    assert Recipe.load(file) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_defaults_follow_the_head() -> None:
    assert (Recipe().context_length, Recipe().kind) == (8, Kind.CHARACTER)
    reply = Recipe(head="reply")
    assert (reply.hidden, reply.context_buckets, reply.context_length, reply.kind) == ((64,), 0, 0, Kind.REPLY)
    assert Recipe(seed=3).with_head("reply") == Recipe(head="reply", seed=3)
    assert RECIPES[3].with_head("character") == Recipe()
    assert reply.weight_code is WeightCode.TWO_BIT
    assert RECIPES[3].action_table == {"led on.": Action.LED_ON, 'say "{}"': Action.DICE}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"head": "poem"}, "head 'poem'"),
        ({"query_buckets": 100}, "100 query buckets"),
        ({"context_buckets": 32}, "32 context buckets"),
        ({"context_length": 2}, "a context of 2"),
        ({"hidden": (0,)}, "a hidden layer of 0"),
        ({"hidden": (8,) * 8}, "8 hidden layers"),
        ({"code": "3bit"}, "code '3bit'"),
        ({"shift": 8}, "shift 8"),
        ({"max_reply": 51}, "replies of 51"),
        ({"batch": 0}, "batch 0"),
        ({"held_out": 1.0}, "held_out 1.0"),
        ({"actions": {"ok": "led_on"}}, "actions belong to the reply head"),
        ({"head": "reply", "actions": {"ok": "explode"}}, "action 'explode'"),
        ({"head": "reply", "context_buckets": 64}, "no context"),
    ],
)
def test_impossible_recipes_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Recipe(**change)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed = 3\n", "no option 'speed'"),
        ("seed = true\n", "seed cannot be True"),
        ("hidden = 64\n", "hidden cannot be 64"),
        ('seed = "x"\n', "seed cannot be 'x'"),
        ("seed = \n", "no TOML file"),
        ("batch = 0\n", "batch 0"),
    ],
)
def test_bad_files_are_named(text: str, words: str, tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(FileError, match=words) as error:
        Recipe.load(file)
    assert "recipe.toml" in str(error.value)


def test_shipped_recipes_can_be_read() -> None:
    pytest.importorskip("tomllib")
    models = Path(__file__).parents[2] / "models"
    assert Recipe.load(models / "tinychat" / "recipe.toml").kind is Kind.CHARACTER
    assert len(Recipe.load(models / "commands" / "recipe.toml").action_table) == 9


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[2] / "bench").rglob("*.toml")), ids=lambda file: file.name
)
def test_bench_recipes_can_be_read(file: Path) -> None:
    pytest.importorskip("tomllib")
    assert Recipe.load(file).seed == 0
