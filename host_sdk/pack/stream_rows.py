"""A stream image in the form *rows*: every weight in 2, 4 or 8 bits (docs/image-stream.md)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FitError
from host_sdk.model.model import Layer, Model
from host_sdk.pack.stream_body import Body
from host_sdk.spec.container import Kind, LayerFlag
from host_sdk.spec.protocol import MAX_QUERY
from host_sdk.spec.stream import ARENA_BYTES, FIELDS, LAYER_BYTES, MIN_QUERY, WAITING_BYTES, Form

_LAYER = struct.Struct("<HHBBBx")
assert _LAYER.size == LAYER_BYTES


def pack_rows(model: Model, layers: Sequence[Layer]) -> Body:
    """The stream of a model whose kept layers are `layers`; FitError when its activations do not fit the SRAM."""
    used = _arena(layers)
    max_query = min(MAX_QUERY, ARENA_BYTES - used)
    apart = _layer(layers[0]) + _fields(layers[0].weights.T, bits_of(layers[0])).tobytes()
    passed = layers[0].bias.astype("<i2").tobytes()
    for layer in layers[1:]:
        bias = layer.bias.astype("<i2").view(np.uint8).reshape(layer.rows, 2)
        passed += _layer(layer) + np.hstack([bias, _fields(layer.weights, bits_of(layer))]).tobytes()
    kept = model.kind is Kind.CHARACTER and used + 2 * layers[0].rows <= ARENA_BYTES
    return Body(Form.ROWS, apart, LAYER_BYTES, passed, max_query, kept, used + max_query)


def unpack_rows(data: bytes, fields: Mapping[str, int]) -> list[Layer]:
    """The layers of an image in this form."""
    at = fields["first"]
    inputs = fields["query_mask"] + 1 + (fields["context_mask"] + 1 if fields["kind"] == Kind.CHARACTER else 0)
    rows, columns, bits, shift, flags = _LAYER.unpack_from(data, at)
    assert columns == inputs
    weights, _ = _read(data, at + LAYER_BYTES, columns, rows, bits)
    bias = np.frombuffer(data, "<i2", rows, fields["pass"]).astype(np.int16)
    layers = [Layer(weights.T, bias, shift=shift, saturate=bool(flags & LayerFlag.SATURATE))]
    at = fields["pass"] + 2 * rows
    for _ in range(1, fields["layers"]):
        rows, columns, bits, shift, flags = _LAYER.unpack_from(data, at)
        at += LAYER_BYTES
        stride = 2 + _stride(columns, bits)
        bias = np.ndarray((rows,), "<i2", data, at, (stride,)).astype(np.int16)
        weights, at = _read(data, at, rows, columns, bits, skip=2)
        layers.append(Layer(weights, bias, shift=shift, saturate=bool(flags & LayerFlag.SATURATE)))
    return layers


def bits_of(layer: Layer) -> int:
    """The fewest bits that hold every weight of a layer."""
    low, high = int(layer.weights.min()), int(layer.weights.max())
    return next(bits for bits, (least, largest) in FIELDS.items() if least <= low and high <= largest)


def _arena(layers: Sequence[Layer]) -> int:
    """Bytes that activations and sums take at the worst moment; FitError when no query fits beside them."""
    moments = [(1, "sums", 2 * layers[0].rows + WAITING_BYTES, "Train it narrower")]
    for number, (before, after) in enumerate(pairwise(layers), 1):
        last = number == len(layers) - 1
        need = _activation_bytes(before) + (2 * after.rows if last else _activation_bytes(after))
        wide = [
            str(n) for n, one in ((number, before), (number + 1, after)) if not one.saturate and one is not layers[-1]
        ]
        remedy = (
            f"Saturate layer{'s' * (len(wide) > 1)} {' and '.join(wide)}, or train it narrower"
            if wide
            else "Train it narrower"
        )
        moments.append((number + 1, "inputs and outputs", need, remedy))
    number, what, need, remedy = max(moments, key=lambda moment: moment[2])
    if need + MIN_QUERY > ARENA_BYTES:
        raise FitError(
            f"The {what} of layer {number} take {need} bytes, and a query of {MIN_QUERY} characters {MIN_QUERY}; the "
            f"board has {ARENA_BYTES} for both, {need + MIN_QUERY - ARENA_BYTES} too few. {remedy}."
        )
    return need


def _activation_bytes(layer: Layer) -> int:
    return layer.rows if layer.saturate else 2 * layer.rows


def _layer(layer: Layer) -> bytes:
    flags = LayerFlag.SATURATE if layer.saturate else 0
    return _LAYER.pack(layer.rows, layer.columns, bits_of(layer), layer.shift, flags)


def _stride(count: int, bits: int) -> int:
    """Bytes of so many weights."""
    return -(-count * bits // 8)


def _fields(weights: NDArray[np.int8], bits: int) -> NDArray[np.uint8]:
    """Lines of weights, shape (lines, count), as lines of bytes; the first weight is in the lowest bits."""
    if bits == 8:
        return weights.view(np.uint8) if weights.flags.c_contiguous else np.ascontiguousarray(weights).view(np.uint8)
    per_byte = 8 // bits
    lines, count = weights.shape
    padded = np.zeros((lines, _stride(count, bits) * per_byte), np.int8)
    padded[:, :count] = weights
    raised = (padded - FIELDS[bits][0]).astype(np.uint8).reshape(lines, -1, per_byte)
    made: NDArray[np.uint8] = np.bitwise_or.reduce(raised << (bits * np.arange(per_byte, dtype=np.uint8)), axis=2)
    return made


def _read(data: bytes, at: int, lines: int, count: int, bits: int, skip: int = 0) -> tuple[NDArray[np.int8], int]:
    """The weights that _fields() wrote, `skip` bytes in front of each line left out, and the offset behind them."""
    stride = skip + _stride(count, bits)
    raw = np.frombuffer(data, np.uint8, lines * stride, at).reshape(lines, stride)[:, skip:]
    at += lines * stride
    if bits == 8:
        return np.ascontiguousarray(raw).view(np.int8), at
    places = bits * np.arange(8 // bits, dtype=np.uint8)
    parts = (raw[:, :, None] >> places & ((1 << bits) - 1)).astype(np.int8)
    return (parts.reshape(lines, -1)[:, :count] + np.int8(FIELDS[bits][0])).astype(np.int8), at
