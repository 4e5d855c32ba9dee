"""Seeded models that look trained: sparse, alive in every layer, with replies of a few characters.

Nothing here depends on a trained file, so budgets and exactness can be asserted on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.engine import finish, run
from host_sdk.model.model import VALUES, Layer, Model, ReplyText
from host_sdk.model.text import context_counts, query_counts, query_hashes
from host_sdk.pack.order import annotate
from host_sdk.pack.queries import bench_queries, everyday_queries
from host_sdk.spec.container import INPUT_SCALE, Kind, WeightCode

CHARSET = " ABCDEFGHIJKLMNOPQRSTUVWXYZ012345678!/?"
MEAN_PASSES = 4.3
"""Of the published chat model on the shipped queries, the pass that ends the reply included."""
_SPREAD = {WeightCode.INT4: 1.5, WeightCode.INT8: 6.0}
"""Mean size of weights, less one."""
_SATURATING_SHIFT = {WeightCode.TWO_BIT: 1, WeightCode.INT4: 2, WeightCode.INT8: 3}
"""Some activations of the wide models exceed 255."""
_PROBES = 1500  # (query, context) pairs on which biases are tuned


def character_model(
    seed: int,
    widths: Sequence[int] = (48, 32, 24),
    density: float | Sequence[float] = 0.27,
    *,
    query_buckets: int = 128,
    context_buckets: int = 128,
    context_length: int = 8,
    active: Sequence[float] | None = None,
    charset: str = CHARSET,
    code: WeightCode = WeightCode.TWO_BIT,
    shift: int = 2,
    saturate: bool = False,
    dead: float = 0.0,
    short_replies: bool = True,
    name: str = "synthetic",
) -> Model:
    """A character model: hidden `widths`, share of non-zero weights, share of units active per pass and hidden layer.

    `density` is one share or one per layer; `dead` is the share of units in each hidden layer but the last that can
    never be positive, as training leaves them. Without `short_replies` the end of replies is left to chance.
    """
    random = np.random.default_rng(seed)
    columns = [query_buckets + context_buckets, *widths]
    rows = [*widths, len(charset) + 1]
    densities = [density] * len(rows) if isinstance(density, float) else list(density)
    shares = list(active) if active is not None else [0.3] * len(widths)

    counts, said = _probes(random, query_buckets, context_buckets, context_length, charset)
    layers = _grown(random, counts, columns, rows, densities, shares, code, shift, saturate, dead, said)
    model = Model(
        kind=Kind.CHARACTER,
        layers=layers,
        query_buckets=query_buckets,
        context_buckets=context_buckets,
        context_length=context_length,
        charset=charset,
        metadata={"name": name, "seed": seed},
        golden=bench_queries()[:40],
    )
    return _with_short_replies(model) if short_replies else model


def reply_model(
    pairs: Sequence[tuple[str, ReplyText]], seed: int = 0, *, query_buckets: int = 256, name: str = "keywords"
) -> Model:
    """A reply model that answers each query with its own reply; the first pair's reply is also that to anything else.

    A hidden unit per pair counts the query's own buckets, less the others'; the first stands for two buckets always.
    """
    random = np.random.default_rng(seed)
    hashes = [{h % query_buckets for h in query_hashes(query.encode("ascii"))} for query, _ in pairs]
    weights = -(random.random((len(pairs), query_buckets)) < 0.2).astype(np.int8)
    for row, own in enumerate(hashes):
        weights[row, sorted(set().union(*hashes))] = -1
        weights[row, sorted(own)] = 1
    weights[0] = 0
    second = np.eye(len(pairs), dtype=np.int8) * 2 - 1
    zeros = np.zeros(len(pairs), np.int16)
    bias = zeros.copy()
    bias[0] = 2 * INPUT_SCALE
    model = Model(
        kind=Kind.REPLY,
        layers=(Layer(weights, bias, WeightCode.TERNARY), Layer(second, zeros, WeightCode.BINARY)),
        query_buckets=query_buckets,
        replies=tuple(reply for _, reply in pairs),
        metadata={"name": name, "seed": seed},
        golden=tuple(query for query, _ in pairs),
    )
    for query, reply in pairs:
        assert model.reply(query) == reply.text, f"{query!r} is drowned by its neighbours; choose another"
    return model


def wide_reply_model(
    seed: int,
    widths: Sequence[int],
    classes: int,
    density: float = 0.4,
    *,
    query_buckets: int = 2048,
    code: WeightCode = WeightCode.TWO_BIT,
    shift: int = 2,
    saturate: bool = True,
    name: str = "wide",
) -> Model:
    """A reply model that nothing was trained on: hidden `widths`, and replies that tell their number."""
    random = np.random.default_rng(seed)
    rows = [*widths, classes]
    queries = [query.encode("ascii") for query in everyday_queries()]
    counts = query_counts(queries, query_buckets)
    shares = [0.3] * len(widths)
    layers = _grown(
        random, counts, [query_buckets, *widths], rows, [density] * len(rows), shares, code, shift, saturate, 0.0, None
    )
    return Model(
        kind=Kind.REPLY,
        layers=layers,
        query_buckets=query_buckets,
        replies=tuple(ReplyText(f"answer {number}") for number in range(classes)),
        metadata={"name": name, "seed": seed},
        golden=bench_queries()[:40],
    )


@cache
def streamed_512(code: WeightCode = WeightCode.TWO_BIT) -> Model:
    """A character model 512-512-384 wide, more than any flash of an AVR holds: 736,256 weights, saturated.

    Replies have four characters at most.
    """
    model = character_model(
        5,
        (512, 512, 384),
        0.4,
        query_buckets=256,
        context_buckets=256,
        code=code,
        shift=_SATURATING_SHIFT[code],
        saturate=True,
        short_replies=False,
        name="streamed512",
    )
    return replace(model, max_reply=4)


@cache
def streamed_2048(code: WeightCode = WeightCode.TWO_BIT) -> Model:
    """A reply model 2048-512-512-512-256: 1,703,936 weights, saturated."""
    return wide_reply_model(6, (512, 512, 512), 256, code=code, shift=_SATURATING_SHIFT[code], name="streamed2048")


@cache
def published_shape(seed: int = 3) -> Model:
    """The shape, sparsity and activity of the published chat model (HarryR/z80ai), which is not part of the project.

    144,384 weights, about 27 % of them non-zero; per pass about 30, 44, 68 and 45 inputs are active, which makes
    about 7,300 additions.
    """
    model = character_model(
        seed,
        (256, 192, 128),
        (0.2613, 0.2435, 0.3513, 0.3197),
        active=(44 / 256, 68 / 192, 45 / 128),
        dead=0.13,
        name="published",
    )
    return annotate(model)


def endless(model: Model) -> Model:
    """The same character model with an end class that never wins: every reply is as long as replies get."""
    return _with_end_bias(model, -30000).with_metadata(name="endless")


def _grown(
    random: np.random.Generator,
    counts: NDArray[np.int32],
    columns: Sequence[int],
    rows: Sequence[int],
    densities: Sequence[float],
    shares: Sequence[float],
    code: WeightCode,
    shift: int,
    saturate: bool,
    dead: float,
    said: NDArray[np.int64] | None,
) -> tuple[Layer, ...]:
    """Layers alive on these input counts; with `said` the last class ends the reply."""
    x = INPUT_SCALE * counts.astype(np.float64)
    layers = []
    for number, (wide, high, share) in enumerate(zip(columns, rows, densities, strict=True)):
        last = number == len(rows) - 1
        unit = number < len(rows) - 2 and dead > 0
        weights = _weights(random, (high, wide), share, code, int(dead * high) if unit else 0, (x > 0).mean(axis=0))
        if last and said is not None:
            weights[-1] = _end_weights(x, said, share, code)
        sums = x @ weights.T.astype(np.float64)
        bias = _bias(random, sums, None if last else shares[number], 1 << shift)
        layers.append(Layer(weights, bias, code, shift, saturate and not last))
        x = finish(layers[-1], sums, last).astype(np.float64)
    return tuple(layers)


def _weights(
    random: np.random.Generator,
    shape: tuple[int, int],
    density: float,
    code: WeightCode,
    dead: int,
    activity: NDArray[np.float64],
) -> NDArray[np.int8]:
    if code is WeightCode.BINARY:
        return (random.integers(0, 2, shape) * 2 - 1).astype(np.int8)
    # Training thins rows and columns unevenly, most of all the columns that are read most.
    rows = random.beta(4, 4, shape[0])
    rows[:dead] = 0.1
    rank = activity.argsort().argsort() / activity.size
    columns = random.beta(8, 8, shape[1]) * (1 - 0.3 * rank)
    chance = rows[:, None] * columns
    chance *= density / chance.mean()
    drawn = random.random(shape)
    values = np.where(drawn < chance * 0.45, 1, np.where(drawn < chance, -1, 0))
    if code is WeightCode.TWO_BIT:
        values[(values < 0) & (random.random(shape) < 0.02)] = -2
    if code in _SPREAD:
        values *= 1 + random.geometric(1 / _SPREAD[code], shape).clip(max=VALUES[code][1] - 1)
    values[:dead] = np.minimum(values[:dead], 0)
    return random.permutation(values).astype(np.int8)


def _bias(random: np.random.Generator, sums: NDArray[np.float64], active: float | None, one: int) -> NDArray[np.int16]:
    """So many units active on average; without a share, every unit as likely as the others to be the largest.

    `one` is the least sum that is not shifted to 0.
    """
    if active is None:
        return np.asarray(-sums.mean(axis=0).round(), np.int16)
    jitter = random.integers(-3, 4, sums.shape[1])
    threshold = np.quantile(sums + jitter, 1 - active)
    return np.asarray(one - round(float(threshold)) + jitter, np.int16)


def _end_weights(x: NDArray[np.float64], said: NDArray[np.int64], density: float, code: WeightCode) -> NDArray[np.int8]:
    """Weights of the class that ends a reply: on the units that tell best how much was said already."""
    spread = x.std(axis=0) * said.std()
    told = ((x - x.mean(axis=0)) * (said - said.mean())[:, None]).mean(axis=0) / np.maximum(spread, 1)
    least = 0.0 if code is WeightCode.BINARY else np.quantile(np.abs(told), 1 - density)
    return np.where(np.abs(told) >= least, np.where(told < 0, -1, 1), 0).astype(np.int8)


def _probes(
    random: np.random.Generator, query_buckets: int, context_buckets: int, context_length: int, charset: str
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Input counts of shipped queries with random beginnings of replies, and how many characters those have."""
    letters = charset.lower().encode("ascii")
    queries = [everyday_queries()[i % len(everyday_queries())].encode("ascii") for i in range(_PROBES)]
    lengths = random.integers(0, 8, _PROBES)
    starts = [bytes(random.choice(list(letters), length).tolist()) for length in lengths]
    contexts = [start.rjust(context_length)[-context_length:] for start in starts]
    return np.hstack([query_counts(queries, query_buckets), context_counts(contexts, context_buckets)]), lengths


def _with_short_replies(model: Model) -> Model:
    """The bias of the end class that makes replies as long as MEAN_PASSES on average; bisected, so the same always."""
    low, high = -4096, 4096
    while high - low > 1:
        middle = (low + high) // 2
        if _mean_passes(_with_end_bias(model, middle)) > MEAN_PASSES:
            low = middle
        else:
            high = middle
    return _with_end_bias(model, high)


def _mean_passes(model: Model) -> float:
    return float(np.mean([one.passes for one in run(replace(model, max_reply=24), everyday_queries()[::2])]))


def _with_end_bias(model: Model, bias: int) -> Model:
    *rest, last = model.layers
    biases = last.bias.copy()
    biases[-1] = bias
    return replace(model, layers=(*rest, replace(last, bias=biases)))
