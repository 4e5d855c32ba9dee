"""Training on a GPU, where there is one: it repeats itself, goes on after a cut, and learns what the CPU learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from host_sdk.model.container import write
from host_sdk.model.engine import run
from host_sdk.train.build import build
from host_sdk.train.loop import Progress, train
from host_sdk.train.recipe import CODES, Recipe
from tests.train.samples import CHARACTER, FILE, PAIRS, REPLY

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU on this computer")
BOTH = pytest.mark.parametrize(
    "recipe", [replace(REPLY, device="gpu"), replace(CHARACTER, device="gpu")], ids=["reply", "character"]
)


@BOTH
def test_same_seed_same_bytes(recipe: Recipe) -> None:
    short = replace(recipe, epochs=4)
    assert write(train(PAIRS, short)) == write(train(PAIRS, short))


@BOTH
def test_learns_as_on_the_cpu(recipe: Recipe) -> None:
    queries = [pair.query for pair in PAIRS]
    right = []
    for device in ("cpu", "gpu"):
        model = train(PAIRS, replace(recipe, device=device, epochs=40))
        answers = run(model, queries)
        right.append(sum(run.text == pair.reply for run, pair in zip(answers, PAIRS, strict=True)))
    assert min(right) > 0.9 * len(PAIRS)
    assert abs(right[0] - right[1]) <= 0.05 * len(PAIRS)


@pytest.mark.parametrize("code", CODES)
def test_every_code_trains(code: str) -> None:
    model = train(PAIRS, replace(REPLY, device="gpu", code=code, epochs=1, shift=2, saturate=True))
    assert {layer.code for layer in model.layers} == {CODES[code]}


def test_with_a_teacher_and_variants() -> None:
    train(PAIRS, replace(REPLY, device="gpu", teacher=0.5, variants=2, epochs=2))


@BOTH
def test_resumed_equals_uninterrupted(recipe: Recipe, tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    data.write_text(FILE)
    whole, out = tmp_path / "whole.ulm", tmp_path / "cut.ulm"
    build(data, whole, recipe)

    def cut(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    named = replace(recipe, name="whole")
    with pytest.raises(KeyboardInterrupt):
        build(data, out, named, cut)
    build(data, out, named)
    assert out.read_bytes() == whole.read_bytes()
