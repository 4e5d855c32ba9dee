"""The model file `.ulm`: a magic number, named sections, each with a CRC-32. Layout: docs/model-file.md.

    magic 8 | revision u16 | sections u16 | { name 4 | length u32 | crc32 u32 | payload }...

All numbers are little-endian; a CRC covers name and payload. Unknown sections are kept out of the meaning and ignored.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FileError
from host_sdk.model.model import VALUES, Layer, Model, ReplyText
from host_sdk.model.text import Features
from host_sdk.spec.container import (
    MAGIC,
    MAX_LAYERS,
    MAX_WIDTH,
    REVISION,
    Kind,
    LayerFlag,
    Section,
    WeightCode,
)
from host_sdk.spec.protocol import Action

_HEAD = struct.Struct("<8sHH")
_SECTION = struct.Struct("<4sII")
_SHAPE = struct.Struct("<BBBBBB")  # kind, layers, query, log2 context buckets, context length, max reply
_QUERY_BITS = 4  # log2 of the query buckets; above them QueryFlag
_LAYER = struct.Struct("<HHBBB")  # rows, columns, code, shift, flags


def write(model: Model) -> bytes:
    """The bytes of a `.ulm` file; deterministic."""
    sections = [*_meaning(model).items(), (Section.METADATA, _to_json(dict(model.metadata)))]
    if model.golden:
        sections.append((Section.GOLDEN, _to_json(list(model.golden))))
    for name, arrays in ((Section.ORDER, model.order), (Section.ACTIVITY, model.activity)):
        if arrays:
            sections.append((name, b"".join(a.astype("<u2").tobytes() for a in arrays)))
    body = b"".join(_SECTION.pack(name, len(data), zlib.crc32(name + data)) + data for name, data in sections)
    return _HEAD.pack(MAGIC, REVISION, len(sections)) + body


def load(path: str | Path) -> Model:
    """Read a `.ulm` file; FileError in one sentence when it cannot be used."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
    try:
        return read(data)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def read(data: bytes) -> Model:
    """The model in the bytes of a `.ulm` file; FileError in one sentence when there is none."""
    sections = _split(data)
    for name in (Section.SHAPE, Section.WEIGHTS, Section.METADATA):
        if name not in sections:
            raise FileError(f"The model file has no section {name.decode()}; copy or build it again.")
    try:
        return _assemble(sections)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"The model file contradicts itself ({error}); build it again.") from None


def meaning_crc(model: Model) -> int:
    """CRC-32 over the sections that decide what the model computes and answers."""
    crc = 0
    for name, data in _meaning(model).items():
        crc = zlib.crc32(_SECTION.pack(name, len(data), 0) + data, crc)
    return crc


def _meaning(model: Model) -> dict[bytes, bytes]:
    replies = [{"action": reply.action.name.lower(), "text": reply.text} for reply in model.replies]
    return {
        Section.SHAPE: _shape(model),
        Section.WEIGHTS: b"".join(_pack(layer) + layer.bias.astype("<i2").tobytes() for layer in model.layers),
        Section.CHARSET: model.charset.encode("ascii"),
        Section.REPLIES: _to_json(replies),
    }


def _shape(model: Model) -> bytes:
    context_bits = model.context_buckets.bit_length() - 1 if model.context_buckets else 0
    query = model.query_buckets.bit_length() - 1 | model.features.flags << _QUERY_BITS
    head = _SHAPE.pack(model.kind, len(model.layers), query, context_bits, model.context_length, model.max_reply)
    return head + b"".join(
        _LAYER.pack(layer.rows, layer.columns, layer.code, layer.shift, LayerFlag.SATURATE if layer.saturate else 0)
        for layer in model.layers
    )


def _split(data: bytes) -> dict[bytes, bytes]:
    if len(data) < _HEAD.size or data[:4] != MAGIC[:4]:
        raise FileError("This is not a μLM model file (.ulm). Make one with `ulm train` or `ulm import`.")
    magic, revision, count = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise FileError("The model file was damaged by a transfer in text mode; copy it again in binary mode.")
    if revision != REVISION:
        raise FileError(
            f"The model file has revision {revision}; this program reads revision {REVISION}. Update host_sdk."
        )
    sections: dict[bytes, bytes] = {}
    position = _HEAD.size
    for _ in range(count):
        if position + _SECTION.size > len(data):
            raise FileError("The model file is cut off; copy it again.")
        name, length, crc = _SECTION.unpack_from(data, position)
        position += _SECTION.size
        payload = data[position : position + length]
        if len(payload) != length:
            raise FileError("The model file is cut off; copy it again.")
        if zlib.crc32(name + payload) != crc:
            raise FileError(
                f"Section {name.decode('ascii', 'replace')} of the model file is damaged (CRC-32); copy it again."
            )
        if name in sections:
            raise FileError(
                f"Section {name.decode('ascii', 'replace')} stands twice in the model file; build it again."
            )
        sections[name] = payload
        position += length
    if position != len(data):
        raise FileError(f"The model file has {len(data) - position} bytes too many at its end; copy it again.")
    return sections


def _assemble(sections: dict[bytes, bytes]) -> Model:
    shape = sections[Section.SHAPE]
    kind, count, query, context_bits, context_length, max_reply = _SHAPE.unpack_from(shape)
    if not 1 <= count <= MAX_LAYERS or len(shape) != _SHAPE.size + count * _LAYER.size:
        raise FileError(f"The model file has an impossible shape ({count} layers); build it again.")
    layers: list[Layer] = []
    weights = sections[Section.WEIGHTS]
    position = 0
    for number in range(count):
        rows, columns, code, shift, flags = _LAYER.unpack_from(shape, _SHAPE.size + number * _LAYER.size)
        if not (1 <= rows <= MAX_WIDTH and 1 <= columns <= MAX_WIDTH):
            raise FileError(f"The model file has an impossible layer of {rows} x {columns}; build it again.")
        size = _packed_bytes(WeightCode(code), rows * columns)
        if position + size + 2 * rows > len(weights):
            raise FileError("The weights of the model file are fewer than its shape says; build it again.")
        values = _UNPACK[WeightCode(code)](np.frombuffer(weights, np.uint8, size, position), rows * columns)
        bias = np.frombuffer(weights, "<i2", rows, position + size).astype(np.int16)
        position += size + 2 * rows
        saturate = bool(flags & LayerFlag.SATURATE)
        layers.append(Layer(values.reshape(rows, columns), bias, WeightCode(code), shift, saturate))
    if position != len(weights):
        raise FileError("The weights of the model file are more than its shape says; build it again.")
    replies = json.loads(sections.get(Section.REPLIES) or b"[]")
    metadata = json.loads(sections[Section.METADATA])
    if not isinstance(metadata, dict):
        raise FileError("The metadata of the model file is no table; build it again.")
    return Model(
        kind=Kind(kind),
        layers=tuple(layers),
        query_buckets=1 << (query & (1 << _QUERY_BITS) - 1),
        context_buckets=1 << context_bits if context_bits else 0,
        context_length=context_length,
        charset=sections.get(Section.CHARSET, b"").decode("ascii"),
        replies=tuple(ReplyText(str(r["text"]), Action[r["action"].upper()]) for r in replies),
        max_reply=max_reply,
        features=Features.of(query >> _QUERY_BITS),
        metadata=metadata,
        golden=tuple(str(q) for q in json.loads(sections.get(Section.GOLDEN) or b"[]")),
        order=_arrays(sections.get(Section.ORDER), [layer.rows for layer in layers[:-1]]),
        activity=_arrays(sections.get(Section.ACTIVITY), [layer.columns for layer in layers]),
    )


def _arrays(data: bytes | None, sizes: list[int]) -> tuple[NDArray[np.uint16], ...]:
    if data is None:
        return ()
    values = np.frombuffer(data, "<u2").astype(np.uint16)
    if values.size != sum(sizes):
        raise FileError("The row order or activity of the model file does not match its shape; build it again.")
    return tuple(np.split(values, np.cumsum(sizes)[:-1]))


def _to_json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


# Weights, row by row; the first value sits in the lowest bits.


def _packed_bytes(code: WeightCode, count: int) -> int:
    per_byte = {WeightCode.BINARY: 8, WeightCode.TERNARY: 5, WeightCode.TWO_BIT: 4, WeightCode.INT4: 2}
    return -(-count // per_byte.get(code, 1))


def _pack(layer: Layer) -> bytes:
    low = VALUES[layer.code][0]
    flat = layer.weights.reshape(-1).astype(np.int64) - low
    if layer.code is WeightCode.BINARY:
        return _join(flat // 2, 8, 2)
    if layer.code is WeightCode.TERNARY:
        return _join(flat, 5, 3)
    if layer.code is WeightCode.TWO_BIT:
        return _join(flat, 4, 4)
    if layer.code is WeightCode.INT4:
        return _join(flat, 2, 16)
    return _join(flat, 1, 256)


def _join(digits: NDArray[np.int64], per_byte: int, base: int) -> bytes:
    padded = np.pad(digits, (0, -digits.size % per_byte)).reshape(-1, per_byte)
    joined: NDArray[np.int64] = (padded * base ** np.arange(per_byte)).sum(axis=1)
    return joined.astype(np.uint8).tobytes()


def _digits(data: NDArray[np.uint8], per_byte: int, base: int, count: int) -> NDArray[np.int64]:
    digits = data.astype(np.int64)[:, None] // base ** np.arange(per_byte) % base
    return digits.reshape(-1)[:count]


_UNPACK: dict[WeightCode, Callable[[NDArray[np.uint8], int], NDArray[np.int8]]] = {
    WeightCode.BINARY: lambda data, n: (_digits(data, 8, 2, n) * 2 - 1).astype(np.int8),
    WeightCode.TERNARY: lambda data, n: (_digits(data, 5, 3, n) - 1).astype(np.int8),
    WeightCode.TWO_BIT: lambda data, n: (_digits(data, 4, 4, n) - 2).astype(np.int8),
    WeightCode.INT4: lambda data, n: (_digits(data, 2, 16, n) - 8).astype(np.int8),
    WeightCode.INT8: lambda data, n: (_digits(data, 1, 256, n) - 128).astype(np.int8),
}
