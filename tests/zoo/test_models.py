"""The zoo keeps what its cards say: sizes, CRCs, golden replies, clean data, paraphrases apart from the data."""

from __future__ import annotations

import hashlib
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from host_sdk.boards import board_named
from host_sdk.data.lint import lint
from host_sdk.kinds import fitted
from host_sdk.model.engine import run
from host_sdk.model.library import SHIPPED, find_model, shipped_model
from host_sdk.model.model import Model
from host_sdk.pack.queries import everyday_queries
from host_sdk.train.data import normalise, read_pairs

MODELS = Path(__file__).parents[2] / "models"
NAMES = sorted(SHIPPED)
STREAMED = {"widechat"}
"""Larger than any flash."""
DATA = {"widechat": "tinychat"}
"""Whose data a model without data of its own was trained on."""
OWN = sorted(path.parent.name for path in MODELS.glob("*/data.txt"))
LEAST = {"guess": 3000, "adventure": 3000}
GOLDEN = Path(__file__).with_name("golden.txt")
"""Name, and SHA-256 over the replies and outputs' CRCs of its golden queries, by line."""


@cache
def model_of(name: str) -> Model:
    return Model.load(MODELS / name / f"{name}.ulm")


def card(name: str, row: str) -> str:
    """The second cell of a row of a model's card."""
    text = (MODELS / name / "README.md").read_text("utf-8")
    found = re.search(rf"^\| {row} \| (.*?) \|$", text, re.MULTILINE)
    assert found, f"the card of {name} has no row {row!r}"
    return found[1]


def proof(model: Model) -> str:
    replies = [(query, r.text, r.logits_crc32) for query, r in zip(model.golden, run(model, model.golden), strict=True)]
    return hashlib.sha256(repr(replies).encode()).hexdigest()


def test_the_shipped_models_are_those_of_the_zoo() -> None:
    project = (MODELS.parent / "pyproject.toml").read_text("utf-8")
    for name in SHIPPED:
        assert shipped_model(name).crc == model_of(name).crc
        assert f'"models/{name}/{name}.ulm" = "host_sdk/shipped/{name}.ulm"' in project


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_of_this_file(name: str) -> None:
    model = model_of(name)
    assert model.name == name
    assert card(name, "CRC") == f"`{model.crc:08x}`"
    board, row = ("uno-sd", "packed for a card or chip") if name in STREAMED else ("uno", "packed for flash")
    image = fitted(model, board_named(board))
    assert card(name, row).startswith(f"{len(image.data):,} bytes")
    assert model.metadata["licence"] in card(name, "licence")
    assert f"{model.weight_count:,} weights" in card(name, "shape")


@pytest.mark.parametrize("name", NAMES)
def test_golden_replies_hold(name: str) -> None:
    due = dict(line.split() for line in GOLDEN.read_text("ascii").splitlines())
    assert len(model_of(name).golden) >= 20
    assert proof(model_of(name)) == due[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_of_its_recipe_and_data(name: str) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("recipes are read with Python 3.11's tomllib")
    from host_sdk.train.recipe import Recipe

    facts = model_of(name).metadata
    assert Recipe.from_dict(facts["recipe"]) == Recipe.load(MODELS / name / "recipe.toml")
    if (own := DATA.get(name, name)) in OWN:
        assert facts["data_sha256"] == hashlib.sha256((MODELS / own / "data.txt").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", OWN)
def test_own_data_are_clean(name: str) -> None:
    for file in ("data.txt", "validation.txt", "paraphrases.txt"):
        if not (path := MODELS / name / file).exists():
            continue
        assert not [f for f in lint(path) if f.is_error or f.kind in ("blank", "folded", "duplicate", "spelling")]
        text = path.read_text("ascii")
        assert text == text.lower()
    assert len(read_pairs(MODELS / name / "data.txt")) >= LEAST.get(name, 0)


@pytest.mark.parametrize("name", [name for name in OWN if (MODELS / name / "paraphrases.txt").exists()])
def test_paraphrases_are_apart(name: str) -> None:
    known, apart = (
        {normalise(pair.query) for pair in read_pairs(MODELS / name / file)} for file in ("data.txt", "paraphrases.txt")
    )
    assert len(apart) >= 150
    assert not known & apart
    if (path := MODELS / name / "validation.txt").exists():
        assert not (known | apart) & {normalise(pair.query) for pair in read_pairs(path)}


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(OWN) - set(DATA)))
def test_no_query_of_foreign_data_is_in_the_file(name: str) -> None:
    """Their data are not ours to ship."""
    assert model_of(name).metadata["recipe"]["golden"] == "everyday"
    assert len(set(model_of(name).golden) - set(everyday_queries())) <= 4


def test_names_stand_for_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guess").mkdir()
    assert find_model("guess").name == "guess"
    shipped_model("commands").save(tmp_path / "commands.ulm")
    (tmp_path / "commands.ulm").rename(tmp_path / "tinychat")
    assert find_model("tinychat").name == "commands"
