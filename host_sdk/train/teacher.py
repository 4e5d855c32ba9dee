"""A float network with more to look at than a board could hash: its answers are better targets than the data alone.

The teacher sees windows of 2, 3 and 4 characters, words, and pairs of words in many buckets, and learns with dropout.
What it thinks of the data's queries, and of variants of them that nobody wrote, is what the small network learns
(Hinton, Vinyals and Dean 2015). Most is gained where data are few.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from host_sdk.model.text import context_hashes, query_counts
from host_sdk.spec.protocol import MAX_QUERY
from host_sdk.train.examples import MAX_COUNT, Examples
from host_sdk.train.recipe import Recipe
from host_sdk.train.repeatable import repeatable

_BUCKETS = 1 << 13
_WIDTH = 256
_INIT = 0.05
_SCALE = 3.0
_DROPOUT = 0.5
_STEPS = 600
_BATCH = 128
_RATE = 4e-3
_ASKED = 2048
"""Examples that the teacher answers at once."""


class Teacher(nn.Module):
    """Sums of hashed features, one hidden layer, one output per class."""

    def __init__(self, classes: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.features = nn.EmbeddingBag(_BUCKETS + 1, _WIDTH, mode="sum", padding_idx=0)
        self.context = nn.EmbeddingBag(_BUCKETS + 1, _WIDTH, mode="sum", padding_idx=0)
        self.bias = nn.Parameter(torch.zeros(_WIDTH))
        self.last = nn.Linear(_WIDTH, classes)
        nn.init.normal_(self.features.weight, std=_INIT, generator=generator)
        nn.init.normal_(self.context.weight, std=_INIT, generator=generator)
        nn.init.normal_(self.last.weight, std=_WIDTH**-0.5, generator=generator)
        nn.init.zeros_(self.last.bias)
        self.generator = generator

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Outputs (batch, classes) for bucket numbers from 1 on, (batch, any) each, filled up with 0."""
        hidden = self._sum(self.features, query) + self.bias
        if context.shape[1]:
            hidden = hidden + self._sum(self.context, context)
        hidden = hidden.relu()
        if self.training:
            keep = torch.rand(hidden.shape, generator=self.generator) >= _DROPOUT
            hidden = hidden * keep / (1 - _DROPOUT)
        outputs: Tensor = self.last(hidden)
        return outputs

    @staticmethod
    def _sum(bag: nn.EmbeddingBag, numbers: Tensor) -> Tensor:
        count = (numbers > 0).sum(1, keepdim=True).clamp(min=1)
        total: Tensor = bag(numbers)
        return total * (_SCALE / count.sqrt())


def taught(examples: Examples, recipe: Recipe) -> Examples:
    """The examples, and `variants` more for each, with the teacher's share in their targets."""
    with repeatable():
        return _taught(examples, recipe)


def _taught(examples: Examples, recipe: Recipe) -> Examples:
    teacher = _trained(examples, recipe.seed)
    targets = examples.target * (1 - recipe.teacher) + _answers(teacher, examples) * recipe.teacher
    examples = replace(examples, target=targets.astype(np.float32))
    if not recipe.variants:
        return examples
    more = _varied(examples, recipe)
    more = replace(more, target=_answers(teacher, more))
    return _joined(examples, more)


def _trained(examples: Examples, seed: int) -> Teacher:
    teacher = Teacher(examples.target.shape[1], seed)
    optimiser = torch.optim.AdamW(teacher.parameters(), lr=_RATE, weight_decay=0.0)
    query, context = _inputs(examples)
    target, weight = torch.from_numpy(examples.target), torch.from_numpy(examples.weight)
    order: list[Tensor] = []
    generator = torch.Generator().manual_seed(seed)
    per_epoch = -(-len(examples) // _BATCH)
    steps = max(_STEPS, 4 * per_epoch)
    for step in range(steps):
        if not order:
            order = list(torch.split(torch.randperm(len(examples), generator=generator), _BATCH))
        chosen = order.pop()
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        shares = torch.log_softmax(teacher(query[examples.query[chosen]], context[examples.context[chosen]]), 1)
        loss = (-(shares * target[chosen]).sum(1) * weight[chosen]).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return teacher.eval()


@torch.no_grad()
def _answers(teacher: Teacher, examples: Examples) -> NDArray[np.float32]:
    query, context = _inputs(examples)
    parts = torch.split(torch.arange(len(examples)), _ASKED)
    asked = [teacher(query[examples.query[part]], context[examples.context[part]]).softmax(1) for part in parts]
    return torch.cat(asked).numpy()


def _inputs(examples: Examples) -> tuple[Tensor, Tensor]:
    """Bucket numbers of the distinct queries and contexts."""
    queries = [[1 + zlib.crc32(one) % _BUCKETS for one in _features(query)] for query in examples.queries]
    contexts = [[1 + number % _BUCKETS for number in context_hashes(one)] for one in examples.contexts]
    return _filled(queries), _filled(contexts)


def _features(query: bytes) -> Iterator[bytes]:
    padded = b" " + query + b" "
    for size in (2, 3, 4):
        yield from dict.fromkeys(padded[at : at + size] for at in range(len(padded) - size + 1))
    words = query.split()
    yield from (b"word " + word for word in dict.fromkeys(words))
    yield from (b"pair " + b" ".join(pair) for pair in dict.fromkeys(pairwise(words)))


def _filled(lists: Sequence[Sequence[int]]) -> Tensor:
    numbers = torch.zeros(len(lists), max(map(len, lists)), dtype=torch.int64)
    for row, one in zip(numbers, lists, strict=True):
        row[: len(one)] = torch.tensor(one, dtype=torch.int64)
    return numbers


def _varied(examples: Examples, recipe: Recipe) -> Examples:
    """Examples with variants of the queries in place of the queries; their targets are to be replaced."""
    source = random.Random(recipe.seed)
    words = [word for query in examples.queries for word in query.split()]
    queries = [variant(query, words, source) for _ in range(recipe.variants) for query in examples.queries]
    shift = np.repeat(np.arange(recipe.variants) * len(examples.queries), len(examples))
    counts = query_counts(queries, recipe.query_buckets, recipe.features)
    return replace(
        examples,
        queries=queries,
        query_table=np.minimum(counts, MAX_COUNT).astype(np.uint8),
        query=np.tile(examples.query, recipe.variants) + shift,
        context=np.tile(examples.context, recipe.variants),
        weight=np.tile(examples.weight, recipe.variants),
    )


def variant(query: bytes, words: Sequence[bytes], source: random.Random) -> bytes:
    """The query with some words dropped, replaced by others of the data, or swapped with their neighbours."""
    changed = []
    for word in query.split():
        luck = source.random()
        if luck < 0.12:
            continue
        changed.append(source.choice(words) if luck < 0.24 else word)
    if len(changed) > 1 and source.random() < 0.2:
        at = source.randrange(len(changed) - 1)
        changed[at], changed[at + 1] = changed[at + 1], changed[at]
    return b" ".join(changed)[:MAX_QUERY].strip() or query


def _joined(examples: Examples, more: Examples) -> Examples:
    return replace(
        examples,
        queries=examples.queries + more.queries,
        query_table=np.concatenate([examples.query_table, more.query_table]),
        query=np.concatenate([examples.query, more.query + len(examples.queries)]),
        context=np.concatenate([examples.context, more.context]),
        target=np.concatenate([examples.target, more.target]),
        weight=np.concatenate([examples.weight, more.weight]),
    )
