"""Random models with everything that a Z80 image can say, alive enough that mistakes show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.model import VALUES, Layer, Model, ReplyText
from host_sdk.model.text import Features
from host_sdk.spec.container import Kind, WeightCode

CODES = (WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT)
LETTERS = "".join(map(chr, range(0x20, 0x7F)))


def random_model(seed: int, *, most_rows: int = 40, most_buckets: int = 512, layers: int | None = None) -> Model:
    """A model of 1 to 8 layers; sums wrap in one of four, activations pass 255 in many."""
    random = np.random.default_rng(seed)
    kind = Kind.CHARACTER if random.random() < 0.7 else Kind.REPLY
    query_buckets = _power(random, 64, most_buckets)
    context_buckets = _power(random, 64, most_buckets) if kind is Kind.CHARACTER else 0
    count = layers or int(random.choice([1, 2, 2, 3, 3, 4, 8]))
    usual = random.random() < 0.6  # shift 2, no saturation: what most models are
    wide = int(random.choice([1, 40, 1000, 32767], p=[0.2, 0.4, 0.25, 0.15]))  # biases
    columns = query_buckets + context_buckets
    made = []
    for number in range(count):
        last = number == count - 1
        rows = (
            int(random.integers(2, 40 if random.random() < 0.9 else 96)) if last else int(random.integers(1, most_rows))
        )
        code = CODES[random.integers(3)]
        density = 1.0 if code is WeightCode.BINARY else float(random.choice([0.05, 0.2, 0.6]))
        bias = random.integers(-wide, wide + 1, rows).astype(np.int16)
        shift = 2 if usual else int(random.integers(0, 8))
        saturate = not usual and bool(random.random() < 0.3)
        made.append(Layer(_weights(random, rows, columns, code, density), bias, code, shift, saturate))
        columns = rows
    classes = made[-1].rows
    letters = random.permutation(list(LETTERS))[: classes - 1]
    return Model(
        kind=kind,
        layers=tuple(made),
        query_buckets=query_buckets,
        context_buckets=context_buckets,
        context_length=int(random.choice([3, 8, 8, 17, 32])) if kind is Kind.CHARACTER else 0,
        charset="".join(letters) if kind is Kind.CHARACTER else "",
        replies=tuple(ReplyText(f"{n}") for n in range(classes)) if kind is Kind.REPLY else (),
        max_reply=int(random.choice([3, 50], p=[0.9, 0.1])),
        metadata={"name": f"random {seed}"},
        features=Features(int(random.choice([1, 1, 3, 8])), bool(random.random() < 0.3)),
    )


def random_queries(seed: int, longest: int, count: int = 3) -> list[bytes]:
    """The empty query, one as long as it may be, and others; any byte, most of them letters and blanks."""
    random = np.random.default_rng(seed)
    lengths = [0, longest, *random.integers(1, max(min(longest, 40), 2), count - 2)]
    letters = np.frombuffer(b"abcdeEFGH   012~", np.uint8)
    queries = []
    for length in lengths:
        plain = random.choice(letters, length)
        queries.append(
            np.where(random.random(length) < 0.05, random.integers(0, 256, length), plain).astype(np.uint8).tobytes()
        )
    queries.append(b"x" * longest)  # one bucket takes all
    return queries


def _power(random: np.random.Generator, low: int, high: int) -> int:
    return int(2 ** random.integers(low.bit_length() - 1, high.bit_length()))


def _weights(
    random: np.random.Generator, rows: int, columns: int, code: WeightCode, density: float
) -> NDArray[np.int8]:
    if code is WeightCode.BINARY:
        return (random.integers(0, 2, (rows, columns)) * 2 - 1).astype(np.int8)
    low, high = VALUES[code]
    values = random.integers(low, high + 1, (rows, columns))
    return np.where(random.random((rows, columns)) < density, values, 0).astype(np.int8)
