"""What a model could be without its integers: a linear classifier on its features, and a float network of its shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from host_sdk.model.model import Model
from host_sdk.model.text import blank_context, context_counts, lower, query_counts
from host_sdk.spec.container import Kind
from host_sdk.train.baselines import Answer
from host_sdk.train.data import Pair
from host_sdk.train.examples import Examples, character_examples, reply_examples
from host_sdk.train.recipe import Recipe
from host_sdk.train.repeatable import repeatable

_STEPS = 2000
_BATCH = 256
_RATE = 5e-3
_DECAY = 1e-4
_SCALE = 0.25
"""Of bucket counts: inputs are mostly 0 to 2."""


def float_baselines(model: Model) -> Mapping[str, Answer]:
    """Answers of classifiers with the features of this model; each is trained when asked."""
    reply = Recipe(head="reply", query_buckets=model.query_buckets, zones=model.features.zones)
    reply = replace(reply, words=model.features.words)
    shape = reply
    if model.kind is Kind.CHARACTER:
        buckets, length = model.context_buckets, model.context_length
        shape = replace(reply.with_head("character"), context_buckets=buckets, context_length=length)
    hidden = [layer.rows for layer in model.layers[:-1]]
    return {
        "linear": lambda fit, queries: _answers(fit, queries, reply, []),
        "float network": lambda fit, queries: _answers(fit, queries, shape, hidden),
    }


def _answers(fit: Sequence[Pair], queries: Sequence[str], recipe: Recipe, hidden: Sequence[int]) -> list[str]:
    texts = sorted({pair.reply for pair in fit})
    with repeatable():
        return _answered(fit, queries, recipe, hidden, texts)


def _answered(
    fit: Sequence[Pair], queries: Sequence[str], recipe: Recipe, hidden: Sequence[int], texts: Sequence[str]
) -> list[str]:
    if recipe.kind is Kind.REPLY:
        network = _trained(reply_examples(fit, texts, recipe), hidden)
        return [texts[best] for best in _best(network, _counts(queries, recipe))]
    charset = "".join(sorted({char for text in texts for char in text}))
    network = _trained(character_examples(fit, charset, recipe), hidden)
    return _spelled(network, queries, charset, recipe, max(map(len, texts)))


def _spelled(
    network: Callable[[Tensor], Tensor], queries: Sequence[str], charset: str, recipe: Recipe, longest: int
) -> list[str]:
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
def _best(network: Callable[[Tensor], Tensor], counts: NDArray[np.int32]) -> NDArray[np.int64]:
    return network(torch.from_numpy(counts * np.float32(_SCALE)).float()).argmax(1).numpy()


def _trained(examples: Examples, hidden: Sequence[int]) -> nn.Module:
    torch.manual_seed(0)
    widths = [examples.query_table.shape[1] + examples.context_table.shape[1], *hidden, examples.target.shape[1]]
    parts: list[nn.Module] = []
    for number, (columns, rows) in enumerate(pairwise(widths)):
        parts += ([nn.ReLU()] if number else []) + [nn.Linear(columns, rows)]
    network = nn.Sequential(*parts)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    query_table, context_table = torch.from_numpy(examples.query_table), torch.from_numpy(examples.context_table)
    query, context = torch.from_numpy(examples.query), torch.from_numpy(examples.context)
    target, weight = torch.from_numpy(examples.target), torch.from_numpy(examples.weight)
    order: list[Tensor] = []
    for step in range(_STEPS):
        order = order or list(torch.split(torch.randperm(len(examples)), _BATCH))
        chosen = order.pop()
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (0.5 + 0.5 * math.cos(math.pi * step / _STEPS))
        inputs = torch.cat([query_table[query[chosen]], context_table[context[chosen]]], 1).float() * _SCALE
        shares = torch.log_softmax(network(inputs), 1)
        loss = (-(shares * target[chosen]).sum(1) * weight[chosen]).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return network
