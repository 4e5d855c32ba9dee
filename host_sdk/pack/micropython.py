"""The model image for Python boards (`.ulb`): columns as lists of rows, for a loop (docs/image-micropython.md)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FileError, FitError
from host_sdk.model.crc import crc16
from host_sdk.model.model import Layer, Model
from host_sdk.pack.fields import layout
from host_sdk.spec import micropython as spec
from host_sdk.spec.container import Kind, WeightCode
from host_sdk.spec.image import MAX_CLASSES
from host_sdk.spec.protocol import MAX_QUERY

_HEADER = layout(spec.HEADER[1:], "<4s")
_LAYER = struct.Struct(spec.LAYER)
_ROW_HEAP, _COLUMN_HEAP = 16, 4
"""Bytes: a bias and two sums, lists grown; an offset."""
_LONGEST_COLUMN = 0xFFFF


@dataclass(frozen=True, slots=True)
class _Texts:
    """Name, character set and replies behind the header, each with its offset in the image."""

    data: bytes
    charset_at: int
    replies_at: int

    @property
    def end(self) -> int:
        """Offset of what follows them."""
        return spec.HEADER_BYTES + len(self.data)

    @classmethod
    def of(cls, model: Model) -> _Texts:
        """Those of a model."""
        name = model.name.encode("ascii", "replace")[:15]
        charset = model.charset.encode("ascii")
        head = bytes((len(name),)) + name
        replies = b"".join(
            bytes((reply.action, len(reply.text))) + reply.text.encode("ascii") for reply in model.replies
        )
        charset_at = spec.HEADER_BYTES + len(head)
        return cls(head + charset + replies, charset_at, charset_at + len(charset))


@dataclass(frozen=True, slots=True)
class PythonImage:
    """A packed model."""

    data: bytes
    model_crc: int
    groups: int  # lists of rows: each takes a view where the heap allows
    least_heap: int  # bytes that a runtime needs for it, if it leaves the columns in their file
    max_query: int = MAX_QUERY

    def report(self) -> dict[str, object]:
        """What the packer chose, for people and `--json`."""
        return {
            "bytes": len(self.data),
            "model_crc": f"{self.model_crc:08x}",
            "max_query": self.max_query,
            "groups": self.groups,
            "least_heap": self.least_heap,
        }


def pack_python(model: Model) -> PythonImage:
    """The image of a model. FitError when it has more classes than the protocol counts."""
    if model.classes > MAX_CLASSES:
        raise FitError(
            f"The model chooses among {model.classes} replies; the runtime counts at most {MAX_CLASSES}. "
            "Train it with fewer distinct replies."
        )
    texts = _Texts.of(model)
    table, body = b"", b""
    groups = columns_bytes = 0
    at = texts.end + len(model.layers) * _LAYER.size
    for layer in model.layers:
        packed = [encode_column(layer.weights[:, column]) for column in range(layer.columns)]
        lengths = np.array([len(data) for data, _ in packed])
        assert lengths.max() <= _LONGEST_COLUMN
        biases = layer.bias.astype("<i2").tobytes()
        columns = b"".join(data for data, _ in packed)
        biases_at, lengths_at = at, at + len(biases)
        columns_at = lengths_at + 2 * layer.columns
        flags = spec.FLAG_SATURATE if layer.saturate else 0
        flags |= spec.FLAG_OTHERS if _has_others(layer) else 0
        table += _LAYER.pack(
            layer.rows, layer.columns, layer.shift, flags, 0, biases_at, lengths_at, columns_at, len(columns)
        )
        body += biases + lengths.astype("<u2").tobytes() + columns
        at = columns_at + len(columns)
        groups += sum(count for _, count in packed)
        columns_bytes += len(columns)

    data = _assemble(model, texts, table + body, {"groups": groups, "columns_bytes": columns_bytes})
    heap = sum(_ROW_HEAP * layer.rows + _COLUMN_HEAP * layer.columns for layer in model.layers)
    return PythonImage(data, model.crc, groups, heap)


def pack_tiny(model: Model) -> PythonImage:
    """The image for a micro:bit. FitError for what its runtime cannot run: it takes reply models of 2-bit weights."""
    rows = max(layer.rows for layer in model.layers)
    trouble = ""
    if model.kind is not Kind.REPLY:
        trouble = "spells its replies"
    elif rows > spec.TINY_ROWS:
        trouble = f"has a layer of {rows} rows"
    elif any(layer.code in (WeightCode.INT4, WeightCode.INT8) for layer in model.layers):
        trouble = "has weights of more than two bits"
    if trouble:
        raise FitError(
            f"The model {model.name!r} {trouble}; a micro:bit runs reply models of at most {spec.TINY_ROWS} rows and "
            "two bits a weight. `commands` is one."
        )
    texts = _Texts.of(model)
    at = texts.end + len(model.layers) * _LAYER.size
    table, body = b"", b""
    for layer in model.layers:
        columns = b"".join(map(_fields, layer.weights.T))
        biases = layer.bias.astype("<i2").tobytes()
        flags = spec.FLAG_SATURATE if layer.saturate else 0
        start = at + len(biases)
        table += _LAYER.pack(layer.rows, layer.columns, layer.shift, flags, 0, at, 0, start, len(columns))
        body += biases + columns
        at = start + len(columns)
    data = _assemble(model, texts, table + body, {"abi": spec.TINY_ABI, "columns_bytes": len(body)})
    return PythonImage(data, model.crc, 0, 0, spec.TINY_QUERY)


def _fields(column: NDArray[np.int8]) -> bytes:
    """Two bits a row, the first in the lowest."""
    padded = np.pad(column.astype(np.int64) + 2, (0, -column.size % 4)).reshape(-1, 4)
    joined: NDArray[np.int64] = (padded << np.arange(0, 8, 2)).sum(axis=1)
    return joined.astype(np.uint8).tobytes()


def encode_column(weights: NDArray[np.int8]) -> tuple[bytes, int]:
    """One column as groups `weight, count, rows`, and how many; count 0 means 256.

    A group of weight 0 moves on to the 256 rows number `count`. A row of weight -2 stands twice among those of -1 where
    that list has room: one loop instead of two.
    """
    out = bytearray()
    groups = 0
    for bank in range(0, weights.size, spec.BANK_ROWS):
        part = weights[bank : bank + spec.BANK_ROWS]
        lists = {int(value): np.flatnonzero(part == value).tolist() for value in np.unique(part) if value}
        if bank and lists:
            out += bytes((0, bank // spec.BANK_ROWS))
        twice = lists.get(-2, [])
        if twice and len(lists.get(-1, [])) + 2 * len(twice) <= spec.BANK_ROWS:
            lists[-1] = lists.get(-1, []) + 2 * lists.pop(-2)
        for value in sorted(lists, reverse=True):
            rows = lists[value]
            out += bytes((value & 0xFF, len(rows) & 0xFF, *rows))
            groups += 1
    return bytes(out), groups


def decode_column(data: bytes, rows: int) -> NDArray[np.int8]:
    """The weights of a column; the inverse of encode_column()."""
    weights = np.zeros(rows, np.int64)
    bank = at = 0
    while at < len(data):
        value, count = data[at], data[at + 1]
        at += 2
        if value == 0:
            bank = count * spec.BANK_ROWS
            continue
        count = count or spec.BANK_ROWS
        for row in data[at : at + count]:
            weights[bank + row] += value - 256 if value > 127 else value
        at += count
    return weights.astype(np.int8)


def header(data: bytes) -> dict[str, int | bytes]:
    """The header fields of an image; FileError when it is not one or damaged."""
    if len(data) < spec.HEADER_BYTES or data[:4] != spec.MAGIC:
        raise FileError("This is not a packed model image for Python boards (.ulb).")
    fields = dict(zip((name for name, _, _ in spec.HEADER), _HEADER.unpack_from(data), strict=True))
    if fields["length"] > len(data) or zlib.crc32(data[spec.CHECK_FROM : fields["length"]]) != fields["check32"]:
        raise FileError("The packed model image is damaged (CRC-32); pack it again.")
    return fields


def unpack_layers(data: bytes) -> list[tuple[NDArray[np.int8], NDArray[np.int16], int, bool]]:
    """Weights, biases, shift and whether it saturates, of each layer of an image."""
    fields = header(data)
    layers = []
    for number in range(int(fields["layers"])):
        entry = _LAYER.unpack_from(data, int(fields["layers_at"]) + number * _LAYER.size)
        rows, columns, shift, flags, _, biases_at, lengths_at, at, _ = entry
        weights = np.zeros((rows, columns), np.int8)
        for column, length in enumerate(np.frombuffer(data, "<u2", columns, lengths_at).tolist()):
            weights[:, column] = decode_column(data[at : at + length], rows)
            at += length
        biases = np.frombuffer(data, "<i2", rows, biases_at).astype(np.int16)
        layers.append((weights, biases, shift, bool(flags & spec.FLAG_SATURATE)))
    return layers


def _assemble(model: Model, texts: _Texts, layers: bytes, fields: Mapping[str, int]) -> bytes:
    """The image from its parts; `fields` are those of the header that the model does not tell."""
    values: dict[str, int | bytes] = {
        "magic": spec.MAGIC,
        "abi": spec.ABI,
        "kind": model.kind,
        "layers": len(model.layers),
        "features": model.features.flags,
        "length": texts.end + len(layers),
        "model_crc": model.crc,
        "query_mask": model.query_buckets - 1,
        "context_mask": max(model.context_buckets - 1, 0),
        "context_length": model.context_length,
        "max_query": MAX_QUERY,
        "max_reply": model.max_reply,
        "classes": model.classes,
        "charset_at": texts.charset_at,
        "replies_at": texts.replies_at,
        "layers_at": texts.end,
        **fields,
    }
    head = _HEADER.pack(*(values.get(name, 0) for name, _, _ in spec.HEADER)).ljust(spec.HEADER_BYTES, b"\0")
    data = bytearray(head + texts.data + layers)
    checked = bytes(data[spec.CHECK_FROM :])
    struct.pack_into("<IH", data, 12, zlib.crc32(checked), crc16(checked))
    return bytes(data)


def _has_others(layer: Layer) -> bool:
    return layer.rows > spec.BANK_ROWS or not bool(np.isin(layer.weights, (-2, -1, 0, 1)).all())
