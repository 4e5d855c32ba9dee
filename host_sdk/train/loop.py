"""The training loop: exact-integer quantisation-aware training on one CPU thread, repeatable to the bit, resumable.

AdamW with warm-up and cosine on latent weights; a soft threshold makes them sparse; sums near the 16-bit border cost,
in the batch and for hostile queries. The live accuracy comes from queries that are neither trained on nor held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from host_sdk.errors import FileError
from host_sdk.model import engine
from host_sdk.model.model import Model, ReplyText
from host_sdk.model.text import query_counts
from host_sdk.spec.container import Kind
from host_sdk.spec.protocol import MAX_QUERY, Action
from host_sdk.train import checkpoint
from host_sdk.train.data import Pair, split_pairs
from host_sdk.train.examples import Examples, character_examples, reply_examples
from host_sdk.train.network import Network, Stage
from host_sdk.train.recipe import Recipe

_BETAS = (0.9, 0.99)
_OVERFLOW_FROM = 24_000
"""Sums of larger magnitude are priced; 32,768 wraps."""
_HOSTILE_LENGTHS = (60, MAX_QUERY)
_HOSTILE_BATCH = 16
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
        run = _Run(_examples(fit, blank), recipe)
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
                accuracy = _accuracy(run.model(blank), validation)
            watch(Progress(epoch + 1, run.epochs, loss, accuracy))
        return run.model(blank)


@dataclass(frozen=True)
class _Blank:
    """What a model says, before there are weights."""

    recipe: Recipe
    charset: str
    replies: tuple[ReplyText, ...]

    @property
    def classes(self) -> int:
        return len(self.charset) + 1 if self.recipe.kind is Kind.CHARACTER else len(self.replies)


def _blank_model(pairs: Sequence[Pair], recipe: Recipe) -> _Blank:
    texts = sorted({pair.reply for pair in pairs})
    if longest := [text for text in texts if len(text) > recipe.max_reply]:
        raise FileError(f"The reply {longest[0]!r} exceeds the recipe's {recipe.max_reply} characters. Shorten it.")
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
        return reply_examples(pairs, [reply.text for reply in blank.replies], recipe.query_buckets)
    return character_examples(pairs, blank.charset, recipe.query_buckets, recipe.context_buckets, recipe.context_length)


def _accuracy(model: Model, pairs: Sequence[Pair]) -> float:
    runs = engine.run(model, [pair.query for pair in pairs])
    return float(np.mean([run.text == pair.reply for run, pair in zip(runs, pairs, strict=True)]))


class _Run:
    """Network, optimiser and data of one training."""

    def __init__(self, examples: Examples, recipe: Recipe) -> None:
        self.recipe = recipe
        self.per_epoch = -(-len(examples) // recipe.batch)
        self.epochs = recipe.epochs or -(-recipe.steps // self.per_epoch)
        self.query_table = torch.from_numpy(examples.query_table)
        self.context_table = torch.from_numpy(examples.context_table)
        self.query = torch.from_numpy(examples.query)
        self.context = torch.from_numpy(examples.context)
        self.weight = torch.from_numpy(examples.weight)
        stages = [
            Stage(rows, recipe.weight_code, recipe.shift, recipe.saturate)
            for rows in (*recipe.hidden, examples.target.shape[1])
        ]
        self.network = Network(recipe.query_buckets + recipe.context_buckets, stages, recipe.seed)
        self.target = torch.from_numpy(examples.target).to(self.network.dtype)
        self.hostile = torch.from_numpy(_hostile_counts(recipe))
        latents = [layer.latent for layer in self.network.stack]
        offsets = [layer.offset for layer in self.network.stack]
        self.latents = latents
        self.optimiser = torch.optim.AdamW(
            # AdamW multiplies the decay by the learning rate; the recipe gives it per step.
            [
                {"params": latents, "weight_decay": recipe.decay / recipe.learning_rate},
                {"params": offsets, "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            betas=_BETAS,
        )

    def epoch(self, number: int) -> float:
        """One pass over the examples in an order that depends on seed and number alone; the mean loss."""
        random = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + number)
        order = torch.randperm(len(self.query), generator=random)
        total = 0.0
        for step, chosen in enumerate(torch.split(order, self.recipe.batch), number * self.per_epoch):
            pace = _pace(step / (self.epochs * self.per_epoch), self.recipe.warm_up)
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.learning_rate * pace
            total += self._step(chosen, pace, random) * len(chosen)
        return total / len(order)

    def model(self, blank: _Blank) -> Model:
        """The model at this moment."""
        recipe = self.recipe
        return Model(
            recipe.kind,
            self.network.to_layers(),
            recipe.query_buckets,
            recipe.context_buckets,
            recipe.context_length,
            blank.charset,
            blank.replies,
            recipe.max_reply,
        )

    def state(self) -> checkpoint.Arrays:
        """Everything that an epoch changes, by name."""
        arrays = {}
        for number, parameter in enumerate(self.network.parameters()):
            arrays[f"{number}.value"] = parameter.detach().numpy()
            for name, value in self.optimiser.state[parameter].items():
                arrays[f"{number}.{name}"] = value.numpy()
        return arrays

    def restore(self, arrays: checkpoint.Arrays) -> None:
        """Take up a state that `state` returned."""
        with torch.no_grad():
            for number, parameter in enumerate(self.network.parameters()):
                own = {name.split(".", 1)[1]: v for name, v in arrays.items() if name.startswith(f"{number}.")}
                parameter.copy_(torch.from_numpy(own.pop("value")))
                self.optimiser.state[parameter] = {name: torch.from_numpy(v.copy()) for name, v in own.items()}

    def _step(self, chosen: Tensor, pace: float, random: torch.Generator) -> float:
        recipe = self.recipe
        outputs, sums = self.network(self._inputs(self.query_table[self.query[chosen]], self.context[chosen]))
        log_shares = torch.log_softmax(outputs / recipe.temperature, 1)
        loss = (-(log_shares * self.target[chosen]).sum(1) * self.weight[chosen]).mean()
        price = loss
        if recipe.overflow:
            hostile = torch.randint(len(self.hostile), (_HOSTILE_BATCH,), generator=random)
            context = torch.randint(len(self.context_table), (_HOSTILE_BATCH,), generator=random)
            _, more = self.network(self._inputs(self.hostile[hostile], context))
            for acc in (*sums, *more):
                price = price + recipe.overflow * (acc.abs() - _OVERFLOW_FROM).relu().mean()
        self.optimiser.zero_grad()
        torch.autograd.backward(price)
        self.optimiser.step()
        if recipe.sparsity:
            with torch.no_grad():
                for latent in self.latents:
                    latent.copy_(torch.nn.functional.softshrink(latent, recipe.sparsity * pace))
        return float(loss.detach())

    def _inputs(self, query_counts: Tensor, context: Tensor) -> Tensor:
        return torch.cat([query_counts, self.context_table[context]], 1)


def _pace(done: float, warm_up: float) -> float:
    """The learning rate's factor, in (0, 1], for the share of the training that is done: linear, then half a cosine."""
    if done < warm_up:
        return (done + 1e-3) / (warm_up + 1e-3)
    return 0.5 + 0.5 * math.cos(math.pi * (done - warm_up) / (1 - warm_up))


def _hostile_counts(recipe: Recipe) -> NDArray[Any]:
    """Bucket counts of what people type to break things: long random letters and one letter held down."""
    random = np.random.default_rng(recipe.seed)
    letters = np.arange(ord("a"), ord("z") + 1, dtype=np.uint8)
    queries = [bytes([letter]) * length for length in _HOSTILE_LENGTHS for letter in letters]
    queries += [random.choice(letters, length).tobytes() for length in _HOSTILE_LENGTHS for _ in range(64)]
    return np.minimum(query_counts(queries, recipe.query_buckets), 255).astype(np.uint8)


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
