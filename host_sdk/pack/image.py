"""The model image for flash (`.ulb`): sparse columns in the order in which the engine reads them (docs/image.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FileError, FitError
from host_sdk.model.crc import crc16
from host_sdk.model.engine import row_bounds
from host_sdk.model.model import Layer, Model
from host_sdk.model.text import context_grams
from host_sdk.pack.columns import decode, encode
from host_sdk.spec import image as spec
from host_sdk.spec.container import INPUT_SCALE, Kind, LayerFlag, WeightCode
from host_sdk.spec.protocol import MAX_QUERY

_FORMATS = {1: "B", 2: "H", 4: "I"}
_HEADER = struct.Struct("<" + "".join(_FORMATS[size] for _, _, size in spec.HEADER))
_RECORD = struct.Struct("<HBB")
_SPARSE_CODES = (WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT)


@dataclass(frozen=True, slots=True)
class Image:
    """A packed model and what the packer did to it."""

    data: bytes
    model_crc: int
    max_query: int  # characters
    widths: tuple[int, ...]  # rows kept of each layer
    dropped_rows: int
    arena_bytes: int  # SRAM for accumulators and the cached query half

    def report(self) -> dict[str, object]:
        """What the packer chose, for people and `--json`."""
        return {
            "bytes": len(self.data),
            "model_crc": f"{self.model_crc:08x}",
            "max_query": self.max_query,
            "widths": list(self.widths),
            "dropped_rows": self.dropped_rows,
            "arena_bytes": self.arena_bytes,
        }


def pack(model: Model) -> Image:
    """The image of a model; FitError with the numbers when its shape is beyond the runtime."""
    for number, layer in enumerate(model.layers, 1):
        if layer.code not in _SPARSE_CODES:
            raise FitError(
                f"Layer {number} has {layer.code.name} weights; a bare AVR runs binary, ternary and 2-bit ones. "
                "Train with --code 2bit."
            )
    if model.classes > spec.MAX_CLASSES:
        raise FitError(
            f"The model chooses among {model.classes} replies; the runtime counts at most {spec.MAX_CLASSES}. "
            "Train it with fewer distinct replies."
        )
    max_query = _max_query(model)
    layers = compact(model)
    widths = tuple(layer.rows for layer in layers)
    arena_b, arena_cache, arena_end = _arena(model, widths)
    if model.kind is Kind.CHARACTER:
        _check_cache(layers[0], model)

    name = model.name.encode("ascii", "replace")[:15] + b"\0"
    name_at = spec.HEADER_BYTES + spec.RECORD_BYTES * len(layers)
    charset_at = name_at + len(name)
    charset = model.charset.encode("ascii")
    replies_at = charset_at + len(charset)
    replies = _replies(model, replies_at)
    tape_at = replies_at + len(replies)
    records, tape, first_bytes = _tape(layers, tape_at)
    body = records + name + charset + replies + tape
    length = spec.HEADER_BYTES + len(body)
    if length > 0xFFFF:
        raise FitError(
            f"The packed model takes {length} bytes; an image for flash has at most 65535. Train it sparser or smaller."
        )
    fields = {
        "magic": spec.MAGIC,
        "abi": spec.ABI,
        "kind": model.kind,
        "length": length,
        "check": 0,
        "model_crc": model.crc,
        "layers": len(layers),
        "query_bits": model.query_buckets.bit_length() - 1,
        "context_bits": max(model.context_buckets.bit_length() - 1, 0),
        "context_length": model.context_length,
        "max_query": max_query,
        "max_reply": model.max_reply,
        "arena_b": arena_b,
        "arena_cache": arena_cache,
        "charset": charset_at,
        "replies": replies_at,
        "name": name_at,
        "tape": tape_at,
        "second": tape_at + first_bytes,
    }
    data = bytearray(_HEADER.pack(*(fields[name] for name, _, _ in spec.HEADER)) + body)
    struct.pack_into("<H", data, 6, crc16(bytes(data[spec.CHECK_FROM :])))
    dropped = sum(layer.rows for layer in model.layers) - sum(widths)
    return Image(bytes(data), model.crc, max_query, widths, dropped, arena_end)


def header(data: bytes) -> dict[str, int]:
    """The header fields of an image; FileError when it is not one or damaged."""
    if len(data) < spec.HEADER_BYTES:
        raise FileError("This is not a packed model image (.ulb): it is too short.")
    fields = dict(zip((name for name, _, _ in spec.HEADER), _HEADER.unpack_from(data), strict=True))
    if fields["magic"] != spec.MAGIC or fields["length"] > len(data):
        raise FileError("This is not a packed model image (.ulb).")
    if crc16(data[spec.CHECK_FROM : fields["length"]]) != fields["check"]:
        raise FileError("The packed model image is damaged (CRC-16); pack it again.")
    return fields


def unpack(data: bytes) -> list[Layer]:
    """The layers in an image, in its own row order; the packer's tests compare them with the model's."""
    fields = header(data)
    columns = (1 << fields["query_bits"]) + (1 << fields["context_bits"] if fields["context_bits"] else 0)
    position = fields["tape"]
    layers = []
    for number in range(fields["layers"]):
        rows, shift, flags = _RECORD.unpack_from(data, spec.HEADER_BYTES + number * spec.RECORD_BYTES)
        if number == 1:
            position = fields["second"]
        bias = np.frombuffer(data, "<i2", rows, position).astype(np.int16)
        position += 2 * rows
        weights = np.zeros((rows, columns), np.int8)
        if number == 0:
            places = struct.unpack_from(f"<{columns}H", data, position)
            position += 2 * columns
        for column in range(columns):
            if number == 0:
                if not places[column]:
                    continue
                position = places[column]
            else:
                position += 2 if flags & LayerFlag.LONG_COLUMNS else 1
            weights[:, column], used = decode(data[position:], rows)
            position += used
        layers.append(Layer(weights, bias, shift=shift, saturate=bool(flags & LayerFlag.SATURATE)))
        columns = rows
    return layers


def compact(model: Model) -> list[Layer]:
    """The layers in packing order without rows that can never be positive and rows that nobody reads.

    The outputs of the last layer are the same integers in the same order.
    """
    keep = [np.ones(layer.rows, bool) for layer in model.layers]
    for number, (low, high) in enumerate(row_bounds(model, MAX_QUERY)[:-1]):
        shift = model.layers[number].shift
        keep[number] &= (high >> shift > 0) | (low < -32768)
    for number in range(len(keep) - 2, -1, -1):
        readers = model.layers[number + 1].weights[keep[number + 1]]
        keep[number] &= (readers != 0).any(axis=0)
        if not keep[number].any():
            keep[number][0] = True
    chosen = []
    for number, kept in enumerate(keep):
        last = number == len(keep) - 1
        order = np.arange(kept.size) if last or not model.order else model.order[number].astype(np.int64)
        chosen.append(order[kept[order]])
    layers = []
    inputs: NDArray[np.int64] = np.arange(model.layers[0].columns)
    for layer, rows in zip(model.layers, chosen, strict=True):
        weights = layer.weights[rows][:, inputs]
        layers.append(Layer(weights, layer.bias[rows], WeightCode.TWO_BIT, layer.shift, layer.saturate))
        inputs = rows
    return layers


def _max_query(model: Model) -> int:
    """Query sums of a character model wait in one signed byte between characters; a reply model needs no cache."""
    if model.kind is Kind.REPLY:
        return MAX_QUERY
    return min(MAX_QUERY, spec.CACHE_MAX)


def _check_cache(first: Layer, model: Model) -> None:
    """A sum cut at CACHE_MIN must stay below the ReLU whatever the context adds."""
    weights = first.weights[:, model.query_buckets :]
    top = spec.CACHE_MIN + context_grams(model.context_length) * int(weights.max(initial=0))
    cut = (INPUT_SCALE * top + first.bias.astype(np.int64)) >> first.shift > 0
    deepest = -2 * (spec.CACHE_MAX + context_grams(model.context_length)) * INPUT_SCALE
    wraps = first.bias.astype(np.int64) + deepest < -32768
    if (cut | wraps).any():
        raise FitError(
            "A bias of the first layer is too large for the query cache of this runtime "
            f"(row {int((cut | wraps).argmax())}); train again with weight decay on the biases."
        )


def _arena(model: Model, widths: tuple[int, ...]) -> tuple[int, int, int]:
    """Offsets of accumulator B and of the query cache, and the end: A holds odd layers, B even ones."""
    arena_b = 2 * max(widths[0::2])
    arena_cache = arena_b + 2 * max(widths[1::2], default=0)
    end = arena_cache + (widths[0] if model.kind is Kind.CHARACTER else 0)
    if end > spec.ARENA_BYTES:
        raise FitError(
            f"Layers of {'-'.join(map(str, widths))} need {end} bytes of SRAM for sums; "
            f"the board has {spec.ARENA_BYTES}. Train narrower layers."
        )
    return arena_b, arena_cache, end


def _replies(model: Model, at: int) -> bytes:
    texts = [
        bytes([reply.action]) + reply.text.encode("ascii").replace(b"{}", bytes([spec.VALUE_MARK])) + b"\0"
        for reply in model.replies
    ]
    offsets = np.cumsum([at + 2 * len(texts), *(len(text) for text in texts)])[:-1]
    if len(offsets) and offsets[-1] > 0xFFFF:
        raise FitError("The replies take more than 64 KB; shorten them.")
    return offsets.astype("<u2").tobytes() + b"".join(texts)


def _tape(layers: list[Layer], at: int) -> tuple[bytes, bytes, int]:
    """Layer records, the tape, and how much of it the first layer takes."""
    records, tape, first_bytes = b"", b"", 0
    for number, layer in enumerate(layers):
        columns = [encode(column) if column.any() or number else b"" for column in layer.weights.T]
        flags = LayerFlag.SATURATE if layer.saturate else LayerFlag(0)
        tape += layer.bias.astype("<i2").tobytes()
        if number == 0:
            start = at + len(tape) + 2 * len(columns)
            places = start + np.cumsum([0, *(len(c) for c in columns)])[:-1]
            if places.size and places[-1] > 0xFFFF:
                raise FitError(
                    f"The first layer takes {places[-1]} bytes, more than flash; train it sparser or smaller."
                )
            tape += np.where([bool(c) for c in columns], places, 0).astype("<u2").tobytes() + b"".join(columns)
            first_bytes = len(tape)
        else:
            if max(len(c) for c in columns) > 0xFF:
                flags |= LayerFlag.LONG_COLUMNS
            width = 2 if flags & LayerFlag.LONG_COLUMNS else 1
            tape += b"".join(len(c).to_bytes(width, "little") + c for c in columns)
        records += _RECORD.pack(layer.rows, layer.shift, flags)
    return records, tape, first_bytes
