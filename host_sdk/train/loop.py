"""The training loop: exact-integer quantisation-aware training on one CPU thread, repeatable to the bit, resumable.

AdamW with warm-up and cosine on latent weights; a soft threshold makes them sparse; sums near the 16-bit border cost,
in the batch and for hostile queries. The live accuracy comes from queries that are neither trained on nor held out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from host_sdk.errors import FileError
from host_sdk.model import engine
from host_sdk.model.model import Model
from host_sdk.spec.container import Kind
from host_sdk.train import checkpoint
from host_sdk.train.best import Best
from host_sdk.train.blank import Blank
from host_sdk.train.data import Pair, split_pairs
from host_sdk.train.examples import Examples, character_examples, reply_examples
from host_sdk.train.fit import packed_bytes
from host_sdk.train.recipe import Recipe
from host_sdk.train.repeatable import repeatable
from host_sdk.train.run import Run
from host_sdk.train.sparsity import SETTLED
from host_sdk.train.teacher import taught

_MAX_VALIDATION = 500
"""Queries; more would only slow the progress figures down."""
_VALIDATIONS = 25
"""How often in a training the live accuracy is measured, at most."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known after an epoch."""

    epoch: int  # finished ones
    epochs: int
    loss: float  # mean cross-entropy per example; NaN right after resuming
    accuracy: float | None  # exact replies on the validation queries; None without any


Watcher = Callable[[Progress], None]
Noter = Callable[[str], None]


def train(
    pairs: Sequence[Pair],
    recipe: Recipe,
    part: Path | None = None,
    watch: Watcher = lambda progress: None,
    note: Noter = lambda sentence: None,
) -> Model:
    """Train on these pairs, all of them but a small validation share; callers hold out what they want to hold out.

    With `part`, the state is kept there after every epoch and taken up from there; removing it in the end is the
    caller's. `watch` is told of every epoch, `note` gets sentences for the user. FileError when the data do not fit
    the recipe.
    """
    queries = len({pair.query for pair in pairs})
    fit, validation = split_pairs(pairs, min(recipe.validation, _MAX_VALIDATION / max(queries, 1)), "validate")
    if not fit:
        raise FileError(f"{len(pairs)} pairs are too few to train on. Collect more, or use all data (--all-data).")
    blank = Blank.of(pairs, recipe)
    with repeatable():
        examples = _examples(fit, blank)
        if recipe.teacher or recipe.variants:
            examples = taught(examples, recipe)
        run = Run(examples, recipe, lambda layers: packed_bytes(blank.model(layers), recipe.board))
        key = checkpoint.fingerprint(pairs, recipe, f"torch {torch.__version__}")
        first, best = 0, Best(recipe.patience)
        if part is not None and part.exists():
            if (saved := checkpoint.load(part, key)) is None:
                note(f"{part} is of other data or settings; starting anew.")
            else:
                first, arrays = saved
                best = Best.restore(recipe.patience, arrays)
                run.restore(arrays)
                note(f"Going on after epoch {first} of {run.epochs} ({part}).")
        every = -(-run.epochs // _VALIDATIONS)
        accuracy = None
        for epoch in range(first, run.epochs):
            if best.given_up:
                note(f"No better since {best.waited} validations: stopped after epoch {epoch} of {run.epochs}.")
                break
            loss = run.epoch(epoch)
            done = (epoch + 1) / run.epochs
            if validation and (epoch % every == 0 or done == 1):
                model = blank.model(run.layers(done))
                accuracy = _accuracy(model, validation)
                if not recipe.targets or done > SETTLED:
                    best.consider(accuracy, model)
            if part is not None:
                checkpoint.save(part, key, epoch + 1, run.state() | best.state())
            watch(Progress(epoch + 1, run.epochs, loss, accuracy))
        return best.model or blank.model(run.layers())


def _examples(pairs: Sequence[Pair], blank: Blank) -> Examples:
    recipe = blank.recipe
    if recipe.kind is Kind.REPLY:
        return reply_examples(pairs, [reply.text for reply in blank.replies], recipe)
    return character_examples(pairs, blank.charset, recipe)


def _accuracy(model: Model, pairs: Sequence[Pair]) -> float:
    runs = engine.run(model, [pair.query for pair in pairs])
    return float(np.mean([run.text == pair.reply for run, pair in zip(runs, pairs, strict=True)]))
