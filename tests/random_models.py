"""Random models of any shape, which no training would give: for exactness, not for figures."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np

from host_sdk.model.engine import finish
from host_sdk.model.model import VALUES, Layer, Model, ReplyText
from host_sdk.model.text import context_counts, query_counts
from host_sdk.spec.container import INPUT_SCALE, Kind, WeightCode

QUERIES = ("", "a", "hi", "What is YOUR name?", "x" * 100, "~!@#$%^&*()", "tab\there", "the lights, please " * 4)
CHARSET = string.ascii_lowercase + string.ascii_uppercase + string.digits + " .,!?"


def random_model(
    seed: int,
    kind: Kind,
    widths: tuple[int, ...],
    *,
    query_buckets: int = 128,
    context_buckets: int = 128,
    context_length: int = 8,
    classes: int = 12,
    code: WeightCode | Sequence[WeightCode] = WeightCode.TWO_BIT,
    density: float = 0.3,
    shifts: tuple[int, ...] = (2,),
    saturate: bool = False,
    bias: int = 300,
    max_reply: int = 6,
) -> Model:
    """Random weights, and biases that keep about a third of every hidden layer active; the rest of them is noise."""
    random = np.random.default_rng(seed)
    codes = [code] if isinstance(code, WeightCode) else code
    counts = query_counts([q.encode() for q in QUERIES], query_buckets)
    if kind is Kind.CHARACTER:
        contexts = context_counts([b"abcdefghijklmnop"[:context_length].rjust(context_length)], context_buckets)
        counts = np.hstack([counts, np.repeat(contexts, len(QUERIES), axis=0)])
    x = INPUT_SCALE * counts.astype(np.float64)
    layers = []
    for number, rows in enumerate((*widths, classes)):
        one = codes[number % len(codes)]
        weights = _weights(random, (rows, x.shape[1]), one, density)
        shift = shifts[number % len(shifts)]
        sums = x @ weights.T.astype(np.float64)
        noise = random.integers(-bias, bias + 1, rows)
        last = number == len(widths)
        wanted = noise if last or number == 0 else noise - np.quantile(sums, 0.6, axis=0)
        layers.append(
            Layer(weights, np.clip(wanted, -32768, 32767).astype(np.int16), one, shift, saturate and not last)
        )
        x = finish(layers[-1], sums, last).astype(np.float64)
    character = kind is Kind.CHARACTER
    return Model(
        kind,
        tuple(layers),
        query_buckets,
        context_buckets if character else 0,
        context_length if character else 0,
        charset=CHARSET[: classes - 1] if character else "",
        replies=() if character else tuple(ReplyText(f"reply {i}") for i in range(classes)),
        max_reply=max_reply if character else 20,
    )


def _weights(random: np.random.Generator, shape: tuple[int, int], code: WeightCode, density: float) -> np.ndarray:
    if code is WeightCode.BINARY:
        return (random.integers(0, 2, shape) * 2 - 1).astype(np.int8)
    least, most = VALUES[code]
    values = [value for value in range(least, most + 1) if value]
    chosen = random.choice(values, shape)
    return np.where(random.random(shape) < density, chosen, 0).astype(np.int8)
