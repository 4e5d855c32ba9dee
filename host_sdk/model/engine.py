"""The reference engine: the law that every runtime follows to the bit (docs/semantics.md).

Sums are formed in float64 by BLAS, which is exact below 2^53, and then wrapped to 16 bits: fast and exact.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.crc import crc16
from host_sdk.model.model import Layer, Model
from host_sdk.model.text import (
    blank_context,
    context_counts,
    context_grams,
    lower,
    query_bytes,
    query_counts,
)
from host_sdk.spec.container import INPUT_SCALE, Kind
from host_sdk.spec.protocol import MAX_QUERY

Watcher = Callable[[int, NDArray[np.int64]], None]
"""Is told (layer number, its inputs of shape (batch, columns)) in every pass."""


@dataclass(frozen=True, slots=True)
class Run:
    """One reply of the reference engine."""

    text: str
    outputs: NDArray[np.int16]  # (passes, classes): the last layer of every pass, after its shift

    @property
    def passes(self) -> int:
        """Runs of the network, the one that ends the reply included."""
        return int(self.outputs.shape[0])

    @property
    def digest(self) -> int:
        """CRC-16/X-25 over the outputs of all passes, int16 little-endian."""
        return crc16(self.outputs.astype("<i2").tobytes())

    @property
    def logits_crc32(self) -> list[int]:
        """CRC-32 of the outputs of each pass, int16 little-endian."""
        return [zlib.crc32(row.astype("<i2").tobytes()) for row in self.outputs]


def run(model: Model, queries: Sequence[str | bytes], watch: Watcher | None = None) -> list[Run]:
    """Free-running greedy replies to many queries at once. UsageError for a query of over 160 characters."""
    data = [query_bytes(q) if isinstance(q, str) else q for q in queries]
    first = _float(model.layers[0])
    split = model.query_buckets
    counts = query_counts(data, split, model.features).astype(np.float64)
    half = INPUT_SCALE * counts @ first[:, :split].T  # (queries, rows): the same for every character
    live = np.arange(len(data))
    contexts = [blank_context(model.context_length)] * len(data)
    texts = [""] * len(data)
    outputs: list[list[NDArray[np.int16]]] = [[] for _ in data]
    rest = [_float(layer) for layer in model.layers[1:]]

    while live.size:
        sums = half[live]
        context = np.zeros((live.size, 0))
        if model.kind is Kind.CHARACTER:
            context = context_counts([contexts[i] for i in live], model.context_buckets).astype(np.float64)
            sums = sums + INPUT_SCALE * context @ first[:, split:].T
        if watch:
            watch(0, np.hstack([counts[live], context]).astype(np.int64))
        x = finish(model.layers[0], sums, last=not rest)
        for number, (layer, weights) in enumerate(zip(model.layers[1:], rest, strict=True), 1):
            if watch:
                watch(number, x.astype(np.int64))
            x = finish(layer, x.astype(np.float64) @ weights.T, last=number == len(rest))
        choice = x.argmax(axis=1)  # numpy takes the first maximum
        for i, row, best in zip(live, x, choice, strict=True):
            outputs[i].append(row)
            if model.kind is Kind.REPLY:
                texts[i] = model.replies[best].text
            elif best < len(model.charset):
                texts[i] += model.charset[best]
                contexts[i] = contexts[i][1:] + lower(model.charset[best].encode())
        if model.kind is Kind.REPLY:
            break
        going = (choice < len(model.charset)) & np.array([len(texts[i]) < model.max_reply for i in live])
        live = live[going]
    return [Run(text, np.array(rows, np.int16)) for text, rows in zip(texts, outputs, strict=True)]


def finish(layer: Layer, sums: NDArray[np.float64], last: bool) -> NDArray[np.int16]:
    """Bias, 16-bit wrap, arithmetic shift; ReLU and saturation unless it is the last layer."""
    acc = (sums.astype(np.int64) + layer.bias).astype(np.int16)  # wraps mod 2^16
    value: NDArray[np.int16] = acc >> layer.shift
    if last:
        return value
    return np.clip(value, 0, 255 if layer.saturate else 32767)


def additions(model: Model, queries: Sequence[str | bytes]) -> float:
    """Mean additions per pass: non-zero weights in the columns of non-zero inputs, the query half included."""
    nonzero = [(layer.weights != 0).sum(axis=0) for layer in model.layers]
    total = 0
    passes = 0

    def watch(number: int, x: NDArray[np.int64]) -> None:
        nonlocal total, passes
        total += int(((x != 0) @ nonzero[number]).sum())
        passes += x.shape[0] if number == 0 else 0

    run(model, queries, watch)
    return total / passes if passes else 0.0


def safe_query_length(model: Model) -> int:
    """The longest query (characters, at most 160) for which no sum of any layer can wrap; -1 when none is safe.

    Interval arithmetic over all texts of that length: true for every query, but not tight.
    """
    for length in range(MAX_QUERY, -1, -1):
        if all((low >= -32768).all() and (high <= 32767).all() for low, high in row_bounds(model, length)):
            return length
    return -1


def row_bounds(model: Model, length: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Per layer the smallest and largest unwrapped sums, shape (rows,), for queries of at most `length` characters.

    True for every text; what follows a sum that can wrap is bounded as if it did anything.
    """
    first = model.layers[0]
    weights = first.weights.astype(np.int64)
    low = first.bias.astype(np.int64)
    high = low.copy()
    split = model.query_buckets
    grams = context_grams(model.context_length) if model.context_length else 0
    hashes = model.features.most_hashes(length)
    for part, most in ((weights[:, :split], hashes), (weights[:, split:], grams)):
        low = low + INPUT_SCALE * most * part.min(axis=1, initial=0)
        high = high + INPUT_SCALE * most * part.max(axis=1, initial=0)
    bounds = [(low, high)]
    for before, layer in pairwise(model.layers):
        wraps = (low < -32768) | (high > 32767)
        ceiling = 255 if before.saturate else 32767 >> before.shift
        top = np.where(wraps, ceiling, np.clip(high >> before.shift, 0, ceiling))
        bottom = np.where(wraps, 0, np.clip(low >> before.shift, 0, ceiling))
        weights = layer.weights.astype(np.int64)
        positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
        low, high = (
            positive @ bottom + negative @ top + layer.bias,
            positive @ top + negative @ bottom + layer.bias,
        )
        bounds.append((low, high))
    return bounds


def _float(layer: Layer) -> NDArray[np.float64]:
    return layer.weights.astype(np.float64)
