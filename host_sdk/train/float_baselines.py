"""What a model could be without its integers: a linear classifier on its features, and a float network of its shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from host_sdk.model.model import Model
from host_sdk.model.text import blank_context, context_counts, lower, query_counts
from host_sdk.spec.container import Kind
from host_sdk.train.baselines import TRAINED, Answer
from host_sdk.train.data import Pair
from host_sdk.train.examples import Examples, character_examples, reply_examples
from host_sdk.train.recipe import Recipe
from host_sdk.train.repeatable import repeatable

_BATCH = 256
_EPOCHS = 100
"""Few data need no more."""
_LEAST_STEPS = 200
_RATE = 5e-3
_DECAY = 1e-4
_SCALE = 0.25
"""Of bucket counts: inputs are mostly 0 to 2."""
_TOLD = 25
"""Steps between two tellings of how far a training is."""

Watcher = Callable[[float], None]
"""Is told the share of one training that is done; 1 in the end."""


def float_baselines(model: Model, most_steps: int, watch: Watcher = lambda share: None) -> Mapping[str, Answer]:
    """Answers of classifiers with the features of this model; each is trained when asked, in at most so many steps."""
    reply = Recipe(head="reply", query_buckets=model.query_buckets, zones=model.features.zones)
    reply = replace(reply, words=model.features.words)
    shape = reply
    if model.kind is Kind.CHARACTER:
        buckets, length = model.context_buckets, model.context_length
        shape = replace(reply.with_head("character"), context_buckets=buckets, context_length=length)
    hidden = [layer.rows for layer in model.layers[:-1]]

    def answer(recipe: Recipe, widths: Sequence[int]) -> Answer:
        recipe = replace(recipe, steps=most_steps)
        return lambda fit, queries: _answers(fit, queries, recipe, widths, watch)

    return dict(zip(TRAINED, (answer(reply, []), answer(shape, hidden)), strict=True))


def _answers(
    fit: Sequence[Pair], queries: Sequence[str], recipe: Recipe, hidden: Sequence[int], watch: Watcher
) -> list[str]:
    texts = sorted({pair.reply for pair in fit})
    with repeatable():
        if recipe.kind is Kind.REPLY:
            network = _trained(reply_examples(fit, texts, recipe), hidden, recipe.steps, watch)
            return [texts[best] for best in _best(network, _counts(queries, recipe))]
        charset = "".join(sorted({char for text in texts for char in text}))
        network = _trained(character_examples(fit, charset, recipe), hidden, recipe.steps, watch)
        return _spelled(network, queries, charset, recipe, max(map(len, texts)))


def _spelled(network: _Network, queries: Sequence[str], charset: str, recipe: Recipe, longest: int) -> list[str]:
    """Free-running greedy replies."""
    counts = _counts(queries, recipe)
    texts = [""] * len(queries)
    live = np.arange(len(queries))
    for _ in range(longest + 1):
        contexts = [
            (blank_context(recipe.context_length) + lower(texts[i].encode()))[-recipe.context_length :] for i in live
        ]
        inputs = np.hstack([counts[live], context_counts(contexts, recipe.context_buckets)])
        best = _best(network, inputs)
        for i, choice in zip(live, best, strict=True):
            texts[i] += charset[choice : choice + 1]  # nothing for the end
        live = live[best < len(charset)]
        if not live.size:
            break
    return texts


def _counts(queries: Sequence[str], recipe: Recipe) -> NDArray[np.int32]:
    return query_counts([query.encode() for query in queries], recipe.query_buckets, recipe.features)


@torch.no_grad()
def _best(network: _Network, counts: NDArray[np.int32]) -> NDArray[np.int64]:
    return cast(Tensor, network(*_active(counts))).argmax(1).numpy()


def _active(counts: NDArray[Any], first: int = 0) -> tuple[Tensor, Tensor]:
    """(places of the counts that are not zero, from `first` on; the counts, scaled), padded with zero counts."""
    rows, columns = np.nonzero(counts)
    lengths = np.bincount(rows, minlength=len(counts))
    turns = np.arange(len(rows)) - (np.cumsum(lengths) - lengths)[rows]
    places = np.zeros((len(counts), max(lengths.max(initial=0), 1)), np.int64)
    values = np.zeros(places.shape, np.float32)
    places[rows, turns] = columns + first
    values[rows, turns] = counts[rows, columns] * _SCALE
    return torch.from_numpy(places), torch.from_numpy(values)


class _Network(nn.Module):
    """Float layers; the first one reads only the buckets that are not zero."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        first = nn.Linear(widths[0], widths[1])
        self.columns = nn.Parameter(first.weight.detach().T.contiguous())
        self.bias = nn.Parameter(first.bias.detach())
        parts: list[nn.Module] = []
        for columns, rows in pairwise(widths[1:]):
            parts += [nn.ReLU(), nn.Linear(columns, rows)]
        self.rest = nn.Sequential(*parts)

    def forward(self, places: Tensor, values: Tensor) -> Tensor:
        sums = functional.embedding_bag(places, self.columns, per_sample_weights=values, mode="sum")
        return cast(Tensor, self.rest(sums + self.bias))


def _trained(examples: Examples, hidden: Sequence[int], most_steps: int, watch: Watcher) -> _Network:
    torch.manual_seed(0)
    buckets = examples.query_table.shape[1]
    network = _Network([buckets + examples.context_table.shape[1], *hidden, examples.target.shape[1]])
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    tables = [(examples.query, *_active(examples.query_table))]
    if examples.context_table.shape[1]:
        tables.append((examples.context, *_active(examples.context_table, buckets)))
    target, weight = torch.from_numpy(examples.target), torch.from_numpy(examples.weight)
    steps = min(max(_EPOCHS * -(-len(examples) // _BATCH), _LEAST_STEPS), most_steps)
    order: list[Tensor] = []
    for step in range(steps):
        order = order or list(torch.split(torch.randperm(len(examples)), _BATCH))
        chosen = order.pop()
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        rows = [(index[chosen.numpy()], places, values) for index, places, values in tables]
        places = torch.cat([places[index] for index, places, _ in rows], 1)
        values = torch.cat([values[index] for index, _, values in rows], 1)
        shares = torch.log_softmax(network(places, values), 1)
        loss = (-(shares * target[chosen]).sum(1) * weight[chosen]).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        if step % _TOLD == _TOLD - 1 and step + 1 < steps:
            watch((step + 1) / steps)
    watch(1.0)
    return network
