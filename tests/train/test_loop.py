"""Training: it learns, repeats itself to the bit, goes on after a cut as if there had been none, refuses bad data."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from host_sdk.errors import FileError
from host_sdk.model.container import write
from host_sdk.model.engine import run
from host_sdk.pack.queries import everyday_queries
from host_sdk.pack.stream import pack_stream
from host_sdk.pack.stream_rows import bits_of
from host_sdk.spec.container import WeightCode
from host_sdk.spec.protocol import Action
from host_sdk.spec.stream import Form
from host_sdk.train.build import GOLDEN, build
from host_sdk.train.checkpoint import part_path
from host_sdk.train.data import Pair
from host_sdk.train.loop import Progress, train
from host_sdk.train.recipe import CODES, Recipe
from tests.train.samples import CHARACTER, FILE, PAIRS, REPLY

BOTH = pytest.mark.parametrize("recipe", [REPLY, CHARACTER], ids=["reply", "character"])


class CutError(Exception):
    """Stands for a kill."""


def cut_after(epoch: int, error: type[BaseException] = CutError) -> object:
    def watch(progress: Progress) -> None:
        if progress.epoch == epoch:
            raise error

    return watch


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.txt"
    file.write_text(FILE)
    return file


def test_learns_replies() -> None:
    seen: list[Progress] = []
    model = train(PAIRS, replace(REPLY, epochs=30), watch=seen.append)
    right = sum(run.text == pair.reply for run, pair in zip(run(model, [p.query for p in PAIRS]), PAIRS, strict=True))
    assert right > 0.9 * len(PAIRS)
    assert [progress.epoch for progress in seen] == list(range(1, 31))
    assert seen[-1].loss < seen[0].loss / 2
    assert seen[-1].accuracy is not None
    assert seen[-1].accuracy > 0.8


def test_learns_to_spell() -> None:
    model = train(PAIRS, replace(CHARACTER, epochs=40))
    assert [model.reply(query) for query in ("hello", "who are you", "good bye")] == ["hi!", "i am tiny.", "bye."]
    assert model.charset == " !.abehimnty"


@pytest.mark.parametrize("code", CODES)
def test_every_code_trains(code: str) -> None:
    model = train(PAIRS, replace(REPLY, code=code, epochs=1, shift=2, saturate=True))
    assert {layer.code for layer in model.layers} == {CODES[code]}
    assert all(layer.saturate for layer in model.layers)
    assert CODES[code] is not WeightCode.BINARY or (model.layers[0].weights != 0).all()


@BOTH
def test_same_seed_same_bytes_and_another_seed_another_model(recipe: Recipe) -> None:
    short = replace(recipe, epochs=2)
    assert write(train(PAIRS, short)) == write(train(PAIRS, short))
    assert write(train(PAIRS, short)) != write(train(PAIRS, replace(short, seed=1)))


@BOTH
def test_resumed_equals_uninterrupted(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    build(data, tmp_path / "whole.ulm", recipe)
    out = tmp_path / "cut.ulm"
    named = replace(recipe, name="whole")
    for epoch in (1, 4, recipe.epochs):  # the last: killed before the model file was written
        with pytest.raises(CutError):
            build(data, out, named, cut_after(epoch))  # type: ignore[arg-type]
        assert part_path(out).exists()
        assert not out.exists()
    notes: list[str] = []
    seen: list[Progress] = []
    build(data, out, named, seen.append, notes.append)
    assert out.read_bytes() == (tmp_path / "whole.ulm").read_bytes()
    assert notes == [f"Going on after epoch {recipe.epochs} of {recipe.epochs} ({part_path(out)})."]
    assert not seen
    assert [file.name for file in tmp_path.iterdir() if "cut" in file.name] == ["cut.ulm"]


def test_the_checkpoint_of_another_training_is_not_used(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.ulm"
    with pytest.raises(KeyboardInterrupt):
        build(data, out, REPLY, cut_after(2, KeyboardInterrupt))  # type: ignore[arg-type]
    notes: list[str] = []
    build(data, out, replace(REPLY, seed=1), note=notes.append)
    assert len(notes) == 1
    assert "other data or settings; starting anew" in notes[0]
    part_path(out).write_bytes(b"PK damaged")
    build(data, out, REPLY, note=notes.append)
    assert len(notes) == 2
    build(data, tmp_path / "n.ulm", replace(REPLY, name="m"))
    assert out.read_bytes() == (tmp_path / "n.ulm").read_bytes()


def test_the_model_file_says_where_it_comes_from(data: Path, tmp_path: Path) -> None:
    recipe = replace(REPLY, licence="CC0-1.0", seed=3)
    model, evaluation = build(data, tmp_path / "tiny.ulm", recipe)
    assert evaluation is not None
    facts = model.metadata
    assert (facts["name"], facts["licence"], facts["data"]) == ("tiny", "CC0-1.0", "data.txt")
    assert len(facts["data_sha256"]) == 64
    assert Recipe.from_dict(facts["recipe"]) == replace(recipe, name="tiny")
    assert "sha256" in facts["split"]
    assert facts["held_out"] == evaluation.to_dict()
    assert set(facts["held_out"]["baselines"]) == {"majority", "keyword", "centroid", "nearest"}
    assert facts["safe_query_length"] >= -1
    assert len(model.golden) <= GOLDEN
    assert {"", "a"} <= set(model.golden)
    assert any(len(query) == 60 for query in model.golden)
    assert model.activity
    assert len(model.order) == 1


def test_all_data_can_be_used(data: Path, tmp_path: Path) -> None:
    model, evaluation = build(data, tmp_path / "m.ulm", replace(REPLY, held_out=0.0, epochs=1))
    assert evaluation is None
    assert "held_out" not in model.metadata
    assert len(model.golden) == GOLDEN


def test_golden_queries_need_not_be_the_data(data: Path, tmp_path: Path) -> None:
    model, _ = build(data, tmp_path / "m.ulm", replace(REPLY, golden="everyday", epochs=1))
    assert len(model.golden) == GOLDEN
    assert len(set(model.golden) - set(everyday_queries())) <= 4


def test_actions_come_from_the_recipe() -> None:
    pairs = [*PAIRS, *(Pair(f"read {pin}", "a0 reads {}.") for pin in range(20))]
    with pytest.raises(FileError, match=r"'a0 reads \{\}\.' takes a value"):
        train(pairs, REPLY)
    with pytest.raises(FileError, match="'bye!', which is no reply"):
        train(pairs, replace(REPLY, actions={"a0 reads {}.": "read_analog", "bye!": "led_off"}))
    model = train(pairs, replace(REPLY, actions={"a0 reads {}.": "read_analog"}, epochs=1))
    assert {reply.text: reply.action for reply in model.replies}["a0 reads {}."] is Action.READ_ANALOG


def test_too_few_pairs_and_long_replies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="too few"):
        train([], REPLY)
    with pytest.raises(FileError, match="exceeds the recipe's 5"):
        train(PAIRS, replace(REPLY, max_reply=5))
    (tmp_path / "d.txt").write_text("hi|ok\n")
    with pytest.raises(FileError, match="no folder"):
        build(tmp_path / "d.txt", tmp_path / "absent" / "m.ulm", REPLY)


def test_one_pair_is_enough(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("hi|ok\n")
    model, _ = build(tmp_path / "d.txt", tmp_path / "m.ulm", replace(CHARACTER, held_out=0.0, epochs=30))
    assert model.reply("hi") == "ok"


@pytest.mark.parametrize("recipe", [REPLY], ids=["reply"])
def test_trains_fast(recipe: Recipe) -> None:
    start = time.process_time()
    train(PAIRS, recipe)
    assert time.process_time() - start < 20


@pytest.mark.parametrize(("code", "shift", "bits"), [("2bit", 2, 2), ("int4", 3, 4), ("int8", 4, 8)])
def test_wide_saturated_layers_train_and_pack(code: str, shift: int, bits: int) -> None:
    """As boards that stream take them: 2,048 buckets, 512 units, 256 replies."""
    pairs = [Pair(f"tell me about number {i}", f"it is {i}.") for i in range(256)]
    recipe = Recipe(
        head="reply", query_buckets=2048, hidden=(512,), code=code, shift=shift, saturate=True, epochs=8, batch=64,
        sparsity=0.0, validation=0.0, board="uno-sd", learning_rate=0.05 * 2 ** (shift - 2),
    )  # fmt: skip
    model = train(pairs, recipe)
    image = pack_stream(model)
    assert (model.shape, image.form, image.max_query) == ("2048-512-256", Form.ROWS, 160)
    assert all(layer.saturate for layer in model.layers[:-1])
    assert all(bits_of(layer) <= bits for layer in model.layers)
    assert np.mean([model.reply(pair.query) == pair.reply for pair in pairs]) > 0.9
