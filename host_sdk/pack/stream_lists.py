"""A stream image in the form *lists*: sparse columns with their lengths in front (docs/image-stream.md)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FitError
from host_sdk.model.model import Layer, Model
from host_sdk.pack.columns import Layout, decode, encode
from host_sdk.pack.counts import Counts
from host_sdk.pack.stream_body import Body
from host_sdk.spec import image, stream
from host_sdk.spec.container import Kind, LayerFlag
from host_sdk.spec.protocol import MAX_QUERY

_SHAPE = struct.Struct("<BBBB")
_LONGEST = 0xFF
"""Bytes of one column."""


def pack_lists(model: Model, layers: Sequence[Layer]) -> Body:
    """The stream of a model whose kept layers are `layers`; FitError when lists cannot say it."""
    _check(model, layers)
    layouts = [Layout(layer.rows) for layer in layers]
    first = layers[0]
    query = _columns(first.weights[:, : model.query_buckets].T, layouts[0])
    start = _start(first.bias, layouts[0])
    if model.kind is Kind.CHARACTER:
        apart = query
        passed = start + _columns(first.weights[:, model.query_buckets :].T, layouts[0])
        max_query = Counts.summed(first, model).max_query
    else:
        apart, passed, max_query = b"", start + query, MAX_QUERY
    for number, layer in enumerate(layers[1:], 1):
        before, layout = layers[number - 1], layouts[number - 1]
        at_places: list[NDArray[np.int8] | None] = [None] * layout.places
        for place, column in zip(layout.of_rows.tolist(), layer.weights.T, strict=True):
            at_places[place] = column
        passed += _start(layer.bias, layouts[number])
        flags = LayerFlag.SATURATE if before.saturate else 0
        passed += _SHAPE.pack(before.shift, flags, layout.places & 0xFF, 0)
        passed += _columns(at_places, layouts[number])
    passed += _SHAPE.pack(layers[-1].shift, 0, layers[-1].rows & 0xFF, 0)
    return Body(stream.Form.LISTS, apart, 0, passed, max_query, False, stream.ARENA_BYTES)


def unpack_lists(data: bytes, fields: Mapping[str, int]) -> list[Layer]:
    """The layers of an image in this form, in its own row order."""
    character = fields["kind"] == Kind.CHARACTER
    queries, contexts = fields["query_mask"] + 1, fields["context_mask"] + 1 if character else 0
    at = fields["pass"]
    start, at = _read_start(data, at)
    if character:
        coded, _ = _read_columns(data, fields["first"], queries)
        rest, at = _read_columns(data, at, contexts)
        columns = [coded + rest]
    else:
        coded, at = _read_columns(data, at, queries)
        columns = [coded]
    starts, shapes = [start], []
    for _ in range(1, fields["layers"]):
        start, at = _read_start(data, at)
        starts.append(start)
        shapes.append(_SHAPE.unpack_from(data, at))
        coded, at = _read_columns(data, at + _SHAPE.size, shapes[-1][2] or image.PLACES)
        columns.append(coded)
    shapes.append(_SHAPE.unpack_from(data, at))
    read = [_layout_of(shape[2] or image.PLACES, one) for shape, one in zip(shapes, columns[1:], strict=False)]
    read.append(Layout(shapes[-1][2] or image.PLACES))
    layers = []
    inputs: NDArray[np.int64] = np.arange(len(columns[0]))
    for layout, start, shape, one in zip(read, starts, shapes, columns, strict=True):
        weights = np.stack([decode(one[index] or b"\0", layout) for index in inputs], axis=1)
        bias = (start[layout.of_rows] - image.PRESET).astype(np.int16)
        layers.append(Layer(weights, bias, shift=shape[0], saturate=bool(shape[1] & LayerFlag.SATURATE)))
        inputs = layout.of_rows
    return layers


def _check(model: Model, layers: Sequence[Layer]) -> None:
    for number, layer in enumerate(layers, 1):
        if layer.rows > image.PLACES:
            raise FitError(
                f"Layer {number} has {layer.rows} rows; lists have {image.PLACES} places for sums. "
                "Pack it with --form rows, or train it narrower."
            )
        low, high = stream.FIELDS[2]
        if layer.weights.min() < low or layer.weights.max() > high:
            raise FitError(
                f"Layer {number} has weights outside {low} to {high}, which lists cannot say. "
                "Pack it with --form rows, or train it with --code 2bit."
            )
    if most := max((n for n in (model.query_buckets, model.context_buckets) if n > stream.LISTS_BUCKETS), default=0):
        raise FitError(
            f"The model has {most} buckets; lists count {stream.LISTS_BUCKETS} of the query and as many of the "
            "context. Pack it with --form rows, or train it with fewer."
        )


def _columns(columns: Sequence[NDArray[np.int8] | None], layout: Layout) -> bytes:
    """An indexed list: for each GROUP the lengths, then the columns. None and a column of zeros take no bytes."""
    coded = [b"" if column is None or not column.any() else encode(column, layout) for column in columns]
    if (longest := max(map(len, coded))) > _LONGEST:
        raise FitError(f"A column takes {longest} bytes; {_LONGEST} are the most. Train it sparser or narrower.")
    return b"".join(bytes(map(len, group)) + b"".join(group) for group in _groups(coded))


def _groups(coded: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(coded), stream.GROUP):
        yield coded[at : at + stream.GROUP]


def _read_columns(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """So many columns of an indexed list, and the offset behind them."""
    columns: list[bytes] = []
    while len(columns) < count:
        lengths = data[at : at + min(stream.GROUP, count - len(columns))]
        at += len(lengths)
        for length in lengths:
            columns.append(data[at : at + length])
            at += length
    return columns, at


def _start(bias: NDArray[np.int16], layout: Layout) -> bytes:
    """What sums start from: places, low bytes, then how many high bytes are not 0 and those with their places."""
    sums = np.zeros(layout.places, np.int64)
    sums[layout.of_rows] = (bias.astype(np.int64) + image.PRESET) & 0xFFFF
    highs = np.flatnonzero(sums > 0xFF)
    if highs.size > 0xFF:
        raise FitError("256 rows of one layer have biases beyond -128 to 127; 255 are the most in lists.")
    pairs = np.stack([highs, sums[highs] >> 8], axis=1).astype(np.uint8)
    lows = (sums & 0xFF).astype(np.uint8)
    return bytes([layout.places & 0xFF]) + lows.tobytes() + bytes([highs.size]) + pairs.tobytes()


def _read_start(data: bytes, at: int) -> tuple[NDArray[np.int64], int]:
    """The sums that _start() wrote at `at`, and the offset behind them."""
    places = data[at] or image.PLACES
    sums = np.frombuffer(data, np.uint8, places, at + 1).astype(np.int64)
    at += 1 + places
    pairs = np.frombuffer(data, np.uint8, 2 * data[at], at + 1).reshape(-1, 2).astype(np.int64)
    sums[pairs[:, 0]] += pairs[:, 1] << 8
    return sums, at + 1 + pairs.size


def _layout_of(places: int, columns: Sequence[bytes]) -> Layout:
    """The layout with so many places. Where two have them, the one whose spares nobody reads: rows have readers."""
    made = [layout for rows in range(1, places + 1) if (layout := Layout(rows)).places == places]
    return next((one for one in made if not any(columns[at] for at in one.spares if at < places)), made[-1])
