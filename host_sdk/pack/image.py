"""The model image for flash (`.ulb`): sparse columns in the order in which the engine reads them (docs/image.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FileError, FitError
from host_sdk.model.crc import crc16
from host_sdk.model.engine import row_bounds
from host_sdk.model.model import Layer, Model
from host_sdk.model.text import context_grams
from host_sdk.pack.columns import Layout, additions, decode, encode
from host_sdk.spec import image as spec
from host_sdk.spec.container import INPUT_SCALE, Kind, LayerFlag, WeightCode
from host_sdk.spec.protocol import MAX_QUERY

_FORMATS = {1: "B", 2: "H", 4: "I"}
_HEADER = struct.Struct("<" + "".join(_FORMATS[size] for _, _, size in spec.HEADER))
_SCAN = struct.Struct("<BBBBB")
GOOD_QUERY = 80
"""Characters of a query for which speed is given up: a line that a person can type."""
NIBBLE_CYCLES, BYTE_CYCLES = 10.4, 9.4
"""Of one addition in device/avr_native/kernel_avr.S: what the packer weighs the codes with."""
_SPARSE_CODES = (WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT)


@dataclass(frozen=True, slots=True)
class Image:
    """A packed model and what the packer did to it."""

    data: bytes
    model_crc: int
    max_query: int  # characters
    widths: tuple[int, ...]  # rows kept of each layer
    dropped_rows: int
    counted: bool  # first layer in counts of one byte
    byte_columns: tuple[int, ...]  # columns in byte code, per layer
    byte_column_bytes: int  # what they take more than in nibbles
    additions: float  # expected in one pass behind the query, those to spare places included

    def report(self) -> dict[str, object]:
        """What the packer chose, for people and `--json`."""
        return {
            "bytes": len(self.data),
            "model_crc": f"{self.model_crc:08x}",
            "max_query": self.max_query,
            "widths": list(self.widths),
            "dropped_rows": self.dropped_rows,
            "counted": self.counted,
            "byte_columns": list(self.byte_columns),
            "byte_column_bytes": self.byte_column_bytes,
            "additions": round(self.additions),
        }


@dataclass(frozen=True, slots=True)
class _Column:
    """One column in both codes, and how often it is read."""

    nibbles: bytes
    in_bytes: bytes | None  # None where byte code cannot be or would not help
    activity: float

    @property
    def growth(self) -> int:
        """Bytes that byte code takes more."""
        return len(self.in_bytes or b"") - len(self.nibbles)

    @property
    def gain(self) -> float:
        """Cycles that byte code saves per pass."""
        if self.in_bytes is None:
            return 0.0
        saved = NIBBLE_CYCLES * additions(self.nibbles) - BYTE_CYCLES * additions(self.in_bytes)
        return self.activity * saved


def pack(model: Model, room: int | None = None) -> Image:
    """The image of a model; FitError with the numbers when its shape is beyond the runtime.

    With `room` bytes of flash, what is left of it is spent on byte code for the columns where it saves most.
    """
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
    kept = kept_rows(model)
    layers = _compacted(model, kept)
    widths = tuple(layer.rows for layer in layers)
    layouts = [Layout(rows) for rows in widths]
    counts = _Counts.of(layers[0], model) if model.kind is Kind.CHARACTER else None
    columns = [
        [_column(one, layout, share, number) for one, share in zip(layer.weights.T, shares, strict=True)]
        for number, (layer, layout, shares) in enumerate(zip(layers, layouts, _activity(model, kept), strict=True))
    ]

    name = model.name.encode("ascii", "replace")[:15] + b"\0"
    charset_at = spec.HEADER_BYTES + len(name)
    charset = model.charset.encode("ascii")
    replies_at = charset_at + len(charset)
    replies = _replies(model, replies_at)
    tape_at = replies_at + len(replies)
    size = tape_at + len(_tape(layers, layouts, columns, counts, tape_at, frozenset())[0])
    chosen = _chosen(columns, 0 if room is None else room - size)
    tape, first_bytes = _tape(layers, layouts, columns, counts, tape_at, chosen)
    body = name + charset + replies + tape
    length = spec.HEADER_BYTES + len(body)
    if length > 0xFFFF:
        raise FitError(
            f"The packed model takes {length} bytes; an image for flash has at most 65535. Train it sparser or smaller."
        )
    max_query = counts.max_query if counts else MAX_QUERY
    fields = {
        "magic": spec.MAGIC,
        "abi": spec.ABI,
        "kind": model.kind,
        "length": length,
        "check": 0,
        "model_crc": model.crc,
        "layers": len(layers),
        "query_mask": model.query_buckets - 1,
        "context_mask": max(model.context_buckets - 1, 0),
        "context_length": model.context_length,
        "max_query": max_query,
        "max_reply": model.max_reply,
        "classes": model.classes,
        "zero": counts.zero if counts else 0,
        "floor": counts.floor if counts else 0,
        "first_places": layouts[0].places & 0xFF,
        "features": model.features.flags,
        "charset": charset_at,
        "replies": replies_at,
        "name": spec.HEADER_BYTES,
        "tape": tape_at,
        "table": tape_at + layouts[0].places * (2 if not counts else 3 if counts.as_sums else 1),
        "second": tape_at + first_bytes,
    }
    data = bytearray(_HEADER.pack(*(fields[name] for name, _, _ in spec.HEADER)) + body)
    struct.pack_into("<H", data, 6, crc16(bytes(data[spec.CHECK_FROM :])))
    every = [(number, index, one) for number, group in enumerate(columns) for index, one in enumerate(group)]
    faster = [(number, one) for number, index, one in every if (number, index) in chosen]
    return Image(
        data=bytes(data),
        model_crc=model.crc,
        max_query=max_query,
        widths=widths,
        dropped_rows=sum(layer.rows for layer in model.layers) - sum(widths),
        counted=counts is not None and not counts.as_sums,
        byte_columns=tuple(sum(number == at for at, _ in faster) for number in range(len(layers))),
        byte_column_bytes=sum(one.growth for _, one in faster),
        additions=sum(
            one.activity * additions(one.in_bytes if (number, index) in chosen and one.in_bytes else one.nibbles)
            for number, index, one in every
            if number or index >= model.query_buckets
        ),
    )


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
    character = fields["kind"] == Kind.CHARACTER
    counting = character and fields["zero"] - fields["floor"] < spec.SUMS_ZERO
    inputs = fields["query_mask"] + 1 + (fields["context_mask"] + 1 if character else 0)
    places = fields["first_places"] or spec.PLACES
    skipped = places if character and not counting else 0
    start = np.frombuffer(data, "i1" if counting else "<i2", places, fields["tape"] + skipped)
    starts = [start.astype(np.int64)]
    at = struct.unpack_from("<H", data, fields["table"])[0]
    coded: list[list[bytes]] = [[]]
    for _ in range(inputs):
        coded[0].append(data[at + 1 : at + 1 + data[at]] or b"\0")
        at += 1 + data[at]
    scans: list[tuple[int, int, int, int, int]] = []
    at = fields["second"]
    for number in range(1, fields["layers"] + 1):
        if number < fields["layers"]:
            start, at = _read_start(data, at)
            starts.append(start)
        scans.append(_SCAN.unpack_from(data, at))
        at += _SCAN.size
        if number < fields["layers"]:
            rows = _layout(scans[-1]).rows
            coded.append([])
            for _ in range(rows):
                coded[-1].append(data[at + 1 : at + 1 + data[at]])
                at += 1 + data[at]
    layers = []
    for number, (start, scan, columns) in enumerate(zip(starts, scans, coded, strict=True)):
        layout = _layout(scan)
        bias = start[layout.of_rows] - spec.PRESET
        if number == 0 and counting:  # the rest of a bias leads the row's column
            rest = np.array([one[0] for one in coded[1]], np.int64)
            bias = rest - INPUT_SCALE * start[layout.of_rows]
            coded[1] = [one[1:] for one in coded[1]]
        weights = np.stack([decode(one, layout) for one in columns], axis=1)
        saturate = bool(scan[3] & LayerFlag.SATURATE)
        layers.append(Layer(weights, bias.astype(np.int16), shift=scan[2], saturate=saturate))
    return layers


def compact(model: Model) -> list[Layer]:
    """The layers in packing order without rows that can never be positive and rows that nobody reads.

    The outputs of the last layer are the same integers in the same order.
    """
    return _compacted(model, kept_rows(model))


def kept_rows(model: Model) -> list[NDArray[np.int64]]:
    """The kept rows of each layer in packing order."""
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
    return chosen


def _compacted(model: Model, kept: Sequence[NDArray[np.int64]]) -> list[Layer]:
    layers = []
    inputs: NDArray[np.int64] = np.arange(model.layers[0].columns)
    for layer, rows in zip(model.layers, kept, strict=True):
        weights = layer.weights[rows][:, inputs]
        layers.append(Layer(weights, layer.bias[rows], WeightCode.TWO_BIT, layer.shift, layer.saturate))
        inputs = rows
    return layers


def _activity(model: Model, kept: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
    """Share of passes in which each kept column is read; all of them where nobody measured."""
    inputs = [np.arange(model.layers[0].columns), *kept[:-1]]
    if not model.activity:
        return [np.ones(one.size) for one in inputs]
    return [share[one] / 65535 for share, one in zip(model.activity, inputs, strict=True)]


@dataclass(frozen=True)
class _Counts:
    """How the first layer of a character model is counted; 32 counts + bias is a sum.

    A row is active from a threshold of counts on. Its byte is its count less the threshold, plus `zero`; the query's
    share is cut from below at `floor`, so that the context can neither wrap it nor lift it to `zero`. Where bytes are
    too small for that, `as_sums`, only the query's share is a byte, and every pass forms sums of two bytes: slower.
    """

    threshold: NDArray[np.int64]  # (rows,)
    rest: NDArray[np.int64]  # (rows,): the sum of a row whose count is its threshold
    zero: int
    floor: int
    max_query: int
    as_sums: bool = False

    @classmethod
    def of(cls, first: Layer, model: Model) -> _Counts:
        """The faster way for a first layer in packing order if it takes queries of GOOD_QUERY characters."""
        ways = [cls._counted(first, model), cls._summed(first, model)]
        if len(model.layers) < 2 or ways[0].max_query < min(GOOD_QUERY, ways[1].max_query):
            return ways[1]
        return ways[0]

    @classmethod
    def _counted(cls, first: Layer, model: Model) -> _Counts:
        bias = first.bias.astype(np.int64)
        query, context = np.hsplit(first.weights.astype(np.int64), [model.query_buckets])
        grams = context_grams(model.context_length)
        rise = grams * np.maximum(context.max(axis=1), 0)
        floor = int(grams * np.maximum(-context.min(axis=1), 0).max())
        zero = floor + int(rise.max()) + 1
        threshold = -((bias - (1 << first.shift)) // INPUT_SCALE)
        # A byte must hold zero - threshold + what query and context add, and no true sum may wrap.
        above = np.minimum(0xFF - zero + threshold, (32767 - bias) // INPUT_SCALE) - rise
        below = (bias + 32768) // INPUT_SCALE - floor
        longest = np.minimum(
            np.where((query > 0).any(axis=1), above, np.where(above < 0, -1, MAX_QUERY)),
            below // np.maximum(-query.min(axis=1), 1),
        )
        longest = np.where((threshold < -128) | (threshold > 127), -1, longest)
        rest = bias + INPUT_SCALE * threshold
        return cls(threshold, rest, zero, floor, min(MAX_QUERY, model.features.longest(int(longest.min()))))

    @classmethod
    def _summed(cls, first: Layer, model: Model) -> _Counts:
        bias = first.bias.astype(np.int64)
        query, context = np.hsplit(first.weights.astype(np.int64), [model.query_buckets])
        grams = context_grams(model.context_length)
        # A row that was cut must stay inactive, and its true sum may not wrap.
        top = INPUT_SCALE * (grams * np.maximum(context.max(axis=1), 0) - spec.SUMS_ZERO) + bias
        bottom = bias - 2 * INPUT_SCALE * (0xFF - spec.SUMS_ZERO + grams)
        shown = len(model.layers) == 1
        unsure = (query.min(axis=1) < -1) & (shown | (top >> first.shift > 0) | (bottom < -32768))
        # So short that nothing is cut.
        max_query = model.features.longest((0xFF - spec.SUMS_ZERO) // (2 if unsure.any() else 1))
        none = np.zeros(first.rows, np.int64)
        return cls(none, none, spec.SUMS_ZERO, 0, max_query, as_sums=True)


def _replies(model: Model, at: int) -> bytes:
    texts = [
        bytes([reply.action]) + reply.text.encode("ascii").replace(b"{}", bytes([spec.VALUE_MARK])) + b"\0"
        for reply in model.replies
    ]
    offsets = np.cumsum([at + 2 * len(texts), *(len(text) for text in texts)])[:-1]
    if len(offsets) and offsets[-1] > 0xFFFF:
        raise FitError("The replies take more than 64 KB; shorten them.")
    return offsets.astype("<u2").tobytes() + b"".join(texts)


def _column(weights: NDArray[np.int8], layout: Layout, activity: float, layer: int) -> _Column:
    nibbles = encode(weights, layout)
    try:
        in_bytes = encode(weights, layout, in_bytes=True) if layer else None
    except FitError:
        in_bytes = None
    return _Column(nibbles, in_bytes, float(activity))


def _chosen(columns: Sequence[Sequence[_Column]], room: int) -> frozenset[tuple[int, int]]:
    """The columns (layer, index) that gain most from byte code, as many as `room` holds."""
    every = [(number, index, one) for number, group in enumerate(columns) for index, one in enumerate(group)]
    useful = [item for item in every if item[2].gain > 0]
    useful.sort(key=lambda item: (-item[2].gain / max(item[2].growth, 1), item[0], item[1]))
    chosen = set()
    for number, index, one in useful:
        if one.growth <= room:
            chosen.add((number, index))
            room -= max(one.growth, 0)
    return frozenset(chosen)


def _tape(
    layers: Sequence[Layer],
    layouts: Sequence[Layout],
    columns: Sequence[Sequence[_Column]],
    counts: _Counts | None,
    at: int,
    chosen: frozenset[tuple[int, int]],
) -> tuple[bytes, int]:
    """The tape, and how much of it the first layer takes."""

    def code(number: int, index: int, one: _Column) -> bytes:
        return one.in_bytes if (number, index) in chosen and one.in_bytes else one.nibbles

    tape = b""
    if counts:
        tape = _placed(counts.threshold, layouts[0]).astype("i1").tobytes()
    if not counts or counts.as_sums:
        tape += _placed(layers[0].bias.astype(np.int64) + spec.PRESET, layouts[0]).astype("<u2").tobytes()
    first = [_sized(code(0, index, one) if one.nibbles != b"\0" else b"") for index, one in enumerate(columns[0])]
    blocks = len(first) // spec.BLOCK_COLUMNS
    places = at + len(tape) + 2 * blocks + np.cumsum([0, *(len(one) for one in first)])[: -1 : spec.BLOCK_COLUMNS]
    if places[-1] > 0xFFFF:
        raise FitError(f"The first layer takes {places[-1]} bytes, more than flash; train it sparser or smaller.")
    tape += places.astype("<u2").tobytes() + b"".join(first)
    first_bytes = len(tape)
    in_counts = counts is not None and not counts.as_sums
    for number, layer in enumerate(layers):
        if number:
            before = counts if number == 1 and in_counts else None
            for index, one in enumerate(columns[number]):
                lead = bytes([int(before.rest[index])]) if before else b""
                tape += _sized(lead + code(number, index, one))
        if number + 1 < len(layers):
            tape += _start(layers[number + 1].bias, layouts[number + 1])
        flags = (LayerFlag.SATURATE if layer.saturate else 0) | (LayerFlag.COUNTS if in_counts and not number else 0)
        layout = layouts[number]
        zero = counts.zero if counts and in_counts and not number else 0
        tape += _SCAN.pack(layout.first & 0xFF, layout.groups, layer.shift, flags, zero)
    return tape, first_bytes


def _sized(code: bytes) -> bytes:
    if len(code) > 0xFF:
        raise FitError(f"A column takes {len(code)} bytes; 255 are the most. Train it sparser or narrower.")
    return bytes([len(code)]) + code


def _placed(values: NDArray[np.int64], layout: Layout) -> NDArray[np.int64]:
    """Values of rows at their places, shape (places,); 0 on spares."""
    placed = np.zeros(layout.places, np.int64)
    placed[layout.of_rows] = values
    return placed


def _start(bias: NDArray[np.int16], layout: Layout) -> bytes:
    """What sums start from: low bytes in fours, then the places whose high byte is not 0."""
    sums = _placed((bias.astype(np.int64) + spec.PRESET) & 0xFFFF, layout)
    lows = (sums & 0xFF).astype(np.uint8).tobytes()
    highs = [(place, int(value) >> 8) for place, value in enumerate(sums) if value > 0xFF]
    if len(highs) > 0xFF:
        raise FitError("256 rows of one layer have biases beyond -128 to 127; 255 are the most.")
    lows += b"\0" * (-len(lows) % 4)
    return bytes([len(lows) // 4]) + lows + bytes([len(highs)]) + b"".join(bytes(one) for one in highs)


def _read_start(data: bytes, at: int) -> tuple[NDArray[np.int64], int]:
    """The sums that _start() wrote at `at`, and what follows."""
    places = 4 * data[at]
    sums = np.frombuffer(data, np.uint8, places, at + 1).astype(np.int64)
    at += 1 + places
    for index in range(data[at]):
        sums[data[at + 1 + 2 * index]] += data[at + 2 + 2 * index] << 8
    return sums, at + 1 + 2 * data[at]


def _layout(scan: tuple[int, int, int, int, int]) -> Layout:
    first, groups = scan[:2]
    return Layout((first or spec.PLACES) + (groups - 1) * spec.GROUP_ROWS)
