"""What a model is: shape, weights, texts. Its meaning is here and in engine.py; bytes are in container.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FileError
from host_sdk.model.text import MAX_ZONES, PLAIN, Features
from host_sdk.spec.container import (
    CONTEXT_LENGTHS,
    MAX_LAYERS,
    MAX_SHIFT,
    MAX_WIDTH,
    QUERY_BITS,
    Kind,
    WeightCode,
)
from host_sdk.spec.protocol import MAX_REPLY, Action

VALUES: Mapping[WeightCode, tuple[int, int]] = {
    WeightCode.BINARY: (-1, 1),
    WeightCode.TERNARY: (-1, 1),
    WeightCode.TWO_BIT: (-2, 1),
    WeightCode.INT4: (-8, 7),
    WeightCode.INT8: (-128, 127),
}
"""Smallest and largest weight of each code. Binary weights are never 0."""


VALUE_CHARACTERS = 11
"""Longest value of an action: a 32-bit number with sign or point."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: `acc = weights @ x + bias` in 16 bits, then `acc >> shift`."""

    weights: NDArray[np.int8]  # (rows, columns)
    bias: NDArray[np.int16]  # (rows,)
    code: WeightCode = WeightCode.TWO_BIT
    shift: int = 2
    saturate: bool = False  # activations cut at 255

    @property
    def rows(self) -> int:
        """Units of this layer."""
        return int(self.weights.shape[0])

    @property
    def columns(self) -> int:
        """Inputs of this layer."""
        return int(self.weights.shape[1])


@dataclass(frozen=True, slots=True)
class ReplyText:
    """One entry of a reply model's table. `{}` in the text takes the value of the action."""

    text: str
    action: Action = Action.NONE


@dataclass(frozen=True)
class Model:
    """One model. Raises FileError when its parts do not fit together."""

    kind: Kind
    layers: tuple[Layer, ...]
    query_buckets: int
    context_buckets: int = 0
    context_length: int = 0
    charset: str = ""
    replies: tuple[ReplyText, ...] = ()
    max_reply: int = MAX_REPLY
    features: Features = PLAIN  # of queries
    metadata: Mapping[str, Any] = field(default_factory=dict)
    golden: tuple[str, ...] = ()  # queries that prove a board
    order: tuple[NDArray[np.uint16], ...] = ()  # packing order of the rows of each hidden layer
    activity: tuple[NDArray[np.uint16], ...] = ()  # per layer and column: share of passes it is read in, 65535 = all

    def __post_init__(self) -> None:
        _check(self)

    @property
    def name(self) -> str:
        """The name that boards show; not part of the meaning."""
        return str(self.metadata.get("name", "model"))

    @property
    def classes(self) -> int:
        """Outputs of the last layer."""
        return self.layers[-1].rows

    @property
    def weight_count(self) -> int:
        """All weights, zeros included."""
        return sum(layer.weights.size for layer in self.layers)

    @property
    def shape(self) -> str:
        """The widths, as people write them: inputs-hidden-…-classes."""
        return "-".join(str(n) for n in (self.layers[0].columns, *(layer.rows for layer in self.layers)))

    @cached_property
    def crc(self) -> int:
        """CRC-32 of the meaning: equal for two files exactly when they compute and answer the same."""
        from host_sdk.model.container import meaning_crc

        return meaning_crc(self)

    def with_metadata(self, **values: Any) -> Model:
        """The same model with some metadata replaced."""
        return replace(self, metadata={**self.metadata, **values})

    def reply(self, query: str) -> str:
        """What the reference engine answers; `{}` of an action is left as it is."""
        from host_sdk.model.engine import run

        return run(self, [query])[0].text

    def save(self, path: str | Path) -> None:
        """Write a `.ulm` file; the same model gives the same bytes."""
        from host_sdk.model.container import write

        Path(path).write_bytes(write(self))

    @staticmethod
    def load(path: str | Path) -> Model:
        """Read a `.ulm` file; FileError in one sentence when it is not one."""
        from host_sdk.model.container import load

        return load(path)


def _check(model: Model) -> None:
    def need(holds: bool, what: str) -> None:
        if not holds:
            raise FileError(f"This is not a possible model: {what}.")

    need(1 <= len(model.layers) <= MAX_LAYERS, f"{len(model.layers)} layers (1 to {MAX_LAYERS} are possible)")
    need(_is_bucket_count(model.query_buckets), f"{model.query_buckets} query buckets")
    need(1 <= model.features.zones <= MAX_ZONES, f"{model.features.zones} zones of a query (1 to {MAX_ZONES})")
    need(1 <= model.max_reply <= MAX_REPLY, f"replies of {model.max_reply} characters")
    if model.kind is Kind.CHARACTER:
        need(_is_bucket_count(model.context_buckets), f"{model.context_buckets} context buckets")
        need(model.context_length in CONTEXT_LENGTHS, f"a context of {model.context_length} characters")
        need(
            model.classes == len(model.charset) + 1 <= 255,
            f"{len(model.charset)} characters and the end for {model.classes} outputs",
        )
        need(len(set(model.charset)) == len(model.charset), "a character set with repetitions")
        need(all(" " <= c <= "~" for c in model.charset), "a character set outside printable ASCII")
    else:
        need(model.context_buckets == 0 == model.context_length, "a reply model with a context")
        need(
            model.classes == len(model.replies) <= MAX_WIDTH,
            f"{len(model.replies)} replies for {model.classes} outputs",
        )
        for reply in model.replies:
            need(all(" " <= c <= "~" for c in reply.text), f"the reply {reply.text!r} is not printable ASCII")
            longest = len(reply.text.replace("{}", "0" * VALUE_CHARACTERS))
            need(longest <= model.max_reply, f"the reply {reply.text!r} exceeds {model.max_reply} characters")
            need(
                reply.text.count("{}") <= (reply.action is not Action.NONE),
                f"the reply {reply.text!r} has a place for a value but no action that gives one",
            )
    inputs = model.query_buckets + model.context_buckets
    for number, layer in enumerate(model.layers, 1):
        low, high = VALUES[layer.code]
        need(layer.weights.ndim == 2, f"weights of layer {number} are no matrix")
        need(layer.columns == inputs, f"layer {number} has {layer.columns} columns for {inputs} inputs")
        need(1 <= layer.rows <= MAX_WIDTH, f"layer {number} has {layer.rows} rows")
        need(layer.bias.shape == (layer.rows,), f"layer {number} has {layer.bias.size} biases for {layer.rows} rows")
        need(0 <= layer.shift <= MAX_SHIFT, f"layer {number} shifts by {layer.shift}")
        need(
            layer.weights.dtype == np.int8 and layer.bias.dtype == np.int16,
            f"layer {number} is not int8 weights and int16 biases",
        )
        need(
            low <= int(layer.weights.min()) and int(layer.weights.max()) <= high,
            f"layer {number} has weights outside {low}..{high}",
        )
        if layer.code is WeightCode.BINARY:
            need(bool((layer.weights != 0).all()), f"layer {number} is binary but has zero weights")
        inputs = layer.rows
    need(len(model.golden) <= 1000, f"{len(model.golden)} golden queries")
    if model.order:
        need(len(model.order) == len(model.layers) - 1, "row orders do not match the layers")
        for order, layer in zip(model.order, model.layers, strict=False):
            need(sorted(order.tolist()) == list(range(layer.rows)), "a row order is not a permutation")
    if model.activity:
        widths = [a.size for a in model.activity]
        need(widths == [layer.columns for layer in model.layers], "column activity does not match the layers")


def _is_bucket_count(count: int) -> bool:
    return count.bit_count() == 1 and count.bit_length() - 1 in QUERY_BITS
