"""The training loop: exact-integer quantisation-aware training on one CPU thread, repeatable to the bit, resumable.

AdamW with warm-up and cosine on latent weights; a soft threshold makes them sparse; sums near the 16-bit border cost,
in the batch and for hostile queries. The live accuracy comes from queries that are neither trained on nor held out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from host_sdk.errors import FileError
from host_sdk.model import engine
from host_sdk.model.model import Layer, Model, ReplyText
from host_sdk.pack.image import pack
from host_sdk.spec.container import Kind
from host_sdk.spec.protocol import Action
from host_sdk.train import checkpoint
from host_sdk.train.data import Pair, split_pairs
from host_sdk.train.examples import Examples, character_examples, reply_examples
from host_sdk.train.recipe import Recipe
from host_sdk.train.run import Run
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
    blank = _blank_model(pairs, recipe)
    with _repeatable():
        examples = _examples(fit, blank)
        if recipe.teacher or recipe.variants:
            examples = taught(examples, recipe)
        run = Run(examples, recipe, lambda layers: packed_bytes(blank.model(layers)))
        key = checkpoint.fingerprint(pairs, recipe, f"torch {torch.__version__}")
        first = 0
        if part is not None and part.exists():
            if (saved := checkpoint.load(part, key)) is None:
                note(f"{part} is of other data or settings; starting anew.")
            else:
                first, arrays = saved
                run.restore(arrays)
                note(f"Going on after epoch {first} of {run.epochs} ({part}).")
        every = -(-run.epochs // _VALIDATIONS)
        accuracy = None
        for epoch in range(first, run.epochs):
            loss = run.epoch(epoch)
            if part is not None:
                checkpoint.save(part, key, epoch + 1, run.state())
            if validation and (epoch % every == 0 or epoch + 1 == run.epochs):
                accuracy = _accuracy(blank.model(run.layers), validation)
            watch(Progress(epoch + 1, run.epochs, loss, accuracy))
        return blank.model(run.layers)


@dataclass(frozen=True)
class _Blank:
    """What a model says, before there are weights."""

    recipe: Recipe
    charset: str
    replies: tuple[ReplyText, ...]

    @property
    def classes(self) -> int:
        return len(self.charset) + 1 if self.recipe.kind is Kind.CHARACTER else len(self.replies)

    def model(self, layers: tuple[Layer, ...]) -> Model:
        """The model with these layers."""
        recipe = self.recipe
        return Model(
            recipe.kind,
            layers,
            recipe.query_buckets,
            recipe.context_buckets,
            recipe.context_length,
            self.charset,
            self.replies,
            recipe.max_reply,
            recipe.features,
            {"name": recipe.name},
        )


def _blank_model(pairs: Sequence[Pair], recipe: Recipe) -> _Blank:
    texts = sorted({pair.reply for pair in pairs})
    if longest := [text for text in texts if len(text) > recipe.max_reply]:
        raise FileError(f"The reply {longest[0]!r} exceeds the recipe's {recipe.max_reply} characters. Shorten it.")
    if unknown := sorted(set(recipe.class_weights) - set(texts)):
        raise FileError(f"The recipe weighs {unknown[0]!r}, which is no reply of the data. Correct one.")
    if recipe.kind is Kind.CHARACTER:
        return _Blank(recipe, "".join(sorted({char for text in texts for char in text})), ())
    actions = recipe.action_table
    if unknown := sorted(set(actions) - set(texts)):
        raise FileError(f"The recipe names an action for {unknown[0]!r}, which is no reply of the data. Correct one.")
    if open_texts := [text for text in texts if "{}" in text and text not in actions]:
        raise FileError(f"The reply {open_texts[0]!r} takes a value. Name its action in the recipe, under [actions].")
    return _Blank(recipe, "", tuple(ReplyText(text, actions.get(text, Action.NONE)) for text in texts))


def _examples(pairs: Sequence[Pair], blank: _Blank) -> Examples:
    recipe = blank.recipe
    if recipe.kind is Kind.REPLY:
        return reply_examples(pairs, [reply.text for reply in blank.replies], recipe)
    return character_examples(pairs, blank.charset, recipe)


def _accuracy(model: Model, pairs: Sequence[Pair]) -> float:
    runs = engine.run(model, [pair.query for pair in pairs])
    return float(np.mean([run.text == pair.reply for run, pair in zip(runs, pairs, strict=True)]))


@contextmanager
def _repeatable() -> Iterator[None]:
    """One thread and deterministic kernels: the sums of a gradient are formed in the same order every time.

    These networks are so small that a second thread costs more than it gains.
    """
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


def packed_bytes(model: Model) -> int:
    """What a model takes in the flash of a board, its texts included. FitError where no board runs it."""
    return len(pack(model).data)
