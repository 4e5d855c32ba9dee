"""The model image for flash (`.ulb`): sparse columns in the order in which the engine reads them (docs/image.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FitError
from host_sdk.model.model import Layer, Model
from host_sdk.pack.columns import Layout, additions, decode, encode
from host_sdk.pack.counts import Counts
from host_sdk.pack.header import Image, Texts, assemble, header
from host_sdk.pack.rows import compact, kept_activity, kept_rows
from host_sdk.spec import image as spec
from host_sdk.spec.container import INPUT_SCALE, Kind, LayerFlag, WeightCode
from host_sdk.spec.protocol import MAX_QUERY

_SHAPE = struct.Struct("<BBBBB")
NIBBLE_CYCLES, BYTE_CYCLES = 10.4, 9.4
"""Of one addition in device/avr_native/kernel_push.S: what the packer weighs the codes with."""
_SPARSE_CODES = (WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT)
_PUSHED_BUCKETS = 128
"""Reply models with so few buckets read them as a layer: skipping an idle one costs less than a table to find it."""


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
    check_codes(model)
    texts = Texts.of(model)
    kept = kept_rows(model)
    layers = compact(model, kept)
    form = spec.Form.TABLE
    counts = None
    if model.kind is Kind.CHARACTER:
        counts = Counts.of(layers[0], model)
    elif model.query_buckets <= _PUSHED_BUCKETS:
        form = spec.Form.BUCKETS
    tape = _Tape(layers, counts, form, kept_activity(model, kept), texts.end)
    size = texts.end + len(tape.encoded(frozenset()))
    chosen = tape.chosen(0 if room is None else room - size)
    body = tape.encoded(chosen)
    first = model.query_buckets if form is spec.Form.BUCKETS else tape.layouts[0].places
    max_query = counts.max_query if counts else MAX_QUERY
    fields = {
        "form": form,
        "max_query": max_query,
        "first_places": first & 0xFF,
        "output_first": tape.layouts[-1].first & 0xFF,
        "output_groups": tape.layouts[-1].groups,
        "table": tape.table,
        "second": tape.second,
    }
    if form is spec.Form.BUCKETS:
        fields["layers"] = len(layers) + 1
    if counts:
        fields |= {"zero": counts.zero, "floor": counts.floor, "lift": counts.lift}
    every = list(tape.every())
    faster = [(number, one) for number, index, one in every if (number, index) in chosen]
    first_is_apart = form is spec.Form.TABLE
    return Image(
        data=assemble(model, texts, body, fields),
        model_crc=model.crc,
        max_query=max_query,
        form=form,
        widths=tuple(layer.rows for layer in layers),
        dropped_rows=sum(layer.rows for layer in model.layers) - sum(layer.rows for layer in layers),
        counted=counts is not None and not counts.as_sums,
        byte_columns=tuple(sum(number == at for at, _ in faster) for number in range(len(layers))),
        byte_column_bytes=sum(one.growth for _, one in faster),
        additions=sum(
            one.activity * additions(one.in_bytes if (number, index) in chosen and one.in_bytes else one.nibbles)
            for number, index, one in every
            if not first_is_apart or number or index >= model.query_buckets
        ),
    )


def check_codes(model: Model) -> None:
    """FitError where a layer has weights that lists and bits cannot say."""
    for number, layer in enumerate(model.layers, 1):
        if layer.code not in _SPARSE_CODES:
            raise FitError(
                f"Layer {number} has {layer.code.name} weights; a bare AVR runs binary, ternary and 2-bit ones. "
                "Train with --code 2bit."
            )


class _Tape:
    """The tape of a model; offsets in it are known once encoded() has run."""

    def __init__(
        self,
        layers: Sequence[Layer],
        counts: Counts | None,
        form: spec.Form,
        activity: Sequence[NDArray[np.float64]],
        at: int,
    ) -> None:
        self._layers, self._counts, self._form, self._at = layers, counts, form, at
        self.layouts = [Layout(layer.rows) for layer in layers]
        self._columns = [
            [_column(one, layout, share, apart=not number and form is spec.Form.TABLE) for one, share in pairs]
            for number, (layout, pairs) in enumerate(
                (layout, zip(layer.weights.T, shares, strict=True))
                for layer, layout, shares in zip(layers, self.layouts, activity, strict=True)
            )
        ]
        self.table = 0  # offset of the table
        self.second = at  # offset of what follows the first layer

    def every(self) -> list[tuple[int, int, _Column]]:
        """All columns: (layer, index, column)."""
        return [(number, index, one) for number, group in enumerate(self._columns) for index, one in enumerate(group)]

    def chosen(self, room: int) -> frozenset[tuple[int, int]]:
        """The columns (layer, index) that gain most from byte code, as many as `room` holds."""
        useful = [item for item in self.every() if item[2].gain > 0]
        useful.sort(key=lambda item: (-item[2].gain / max(item[2].growth, 1), item[0], item[1]))
        chosen = set()
        for number, index, one in useful:
            if one.growth <= room:
                chosen.add((number, index))
                room -= max(one.growth, 0)
        return frozenset(chosen)

    def encoded(self, chosen: frozenset[tuple[int, int]]) -> bytes:
        """The tape with these columns in byte code."""

        def code(number: int, index: int) -> bytes:
            one = self._columns[number][index]
            return one.in_bytes if (number, index) in chosen and one.in_bytes else one.nibbles

        layers, counts = self._layers, self._counts
        in_counts = counts is not None and not counts.as_sums
        if self._form is spec.Form.BUCKETS:
            buckets = layers[0].columns
            rest = bytes([INPUT_SCALE])
            tape = _start(layers[0].bias, self.layouts[0])
            tape += _SHAPE.pack(buckets & 0xFF, 1, INPUT_SCALE, LayerFlag.COUNTS, 1)
            tape += b"".join(_sized(rest + code(0, index)) for index in range(buckets))
        else:
            tape = self._first([code(0, index) for index in range(layers[0].columns)])
        for number, layer in enumerate(layers[:-1]):
            flags = LayerFlag.SATURATE if layer.saturate else 0
            rests = [b""] * layer.rows
            shift, zero = layer.shift, 0
            if counts and in_counts and not number:
                flags |= LayerFlag.COUNTS
                rests = [bytes([int(rest) >> shift]) for rest in counts.rest]
                shift, zero = INPUT_SCALE >> shift, counts.zero
            layout = self.layouts[number]
            tape += _start(layers[number + 1].bias, self.layouts[number + 1])
            tape += _SHAPE.pack(layout.first & 0xFF, layout.groups, shift, flags, zero)
            tape += b"".join(_sized(rest + code(number + 1, index)) for index, rest in enumerate(rests))
        return tape

    def _first(self, columns: Sequence[bytes]) -> bytes:
        """The first layer with its table."""
        layout, counts, tape = self.layouts[0], self._counts, b""
        if not counts or counts.as_sums:
            tape = _placed(self._layers[0].bias.astype(np.int64) + spec.PRESET, layout).astype("<u2").tobytes()
        elif not counts.lift:
            tape = _placed(counts.threshold, layout).astype("i1").tobytes()
        first = [_sized(one if one != b"\0" else b"") for one in columns]
        self.table = self._at + len(tape)
        blocks = len(first) // spec.BLOCK_COLUMNS
        places = self.table + 2 * blocks + np.cumsum([0, *(len(one) for one in first)])[: -1 : spec.BLOCK_COLUMNS]
        if places[-1] > 0xFFFF:
            raise FitError(f"The first layer takes {places[-1]} bytes, more than flash; train it sparser or smaller.")
        tape += places.astype("<u2").tobytes() + b"".join(first)
        self.second = self._at + len(tape)
        return tape


def unpack(data: bytes) -> list[Layer]:
    """The layers in an image of lists, in its own row order; the packer's tests compare them with the model's.

    Biases of a first layer in counts come without the bits that its shift drops.
    """
    fields = header(data)
    character = fields["kind"] == Kind.CHARACTER
    counting = character and fields["zero"] - fields["floor"] < spec.SUMS_ZERO
    inputs = fields["query_mask"] + 1 + (fields["context_mask"] + 1 if character else 0)
    starts: list[NDArray[np.int64]] = []
    coded: list[list[bytes]] = []
    pushed = fields["form"] == spec.Form.BUCKETS
    if not pushed:
        places = fields["first_places"] or spec.PLACES
        if counting and fields["lift"]:
            starts.append(np.full(places, fields["zero"] - fields["lift"], np.int64))
        else:
            start = np.frombuffer(data, "i1" if counting else "<i2", places, fields["tape"])
            starts.append(start.astype(np.int64))
        at = struct.unpack_from("<H", data, fields["table"])[0]
        columns, at = _read_columns(data, at, inputs)
        coded.append([one or b"\0" for one in columns])
    at = fields["second"]
    shapes: list[tuple[int, int, int, int, int]] = []
    for number in range(1, fields["layers"]):
        start, at = _read_start(data, at)
        starts.append(start)
        shape = _SHAPE.unpack_from(data, at)
        columns, at = _read_columns(data, at + _SHAPE.size, inputs if pushed and number == 1 else _layout(shape).rows)
        coded.append([one[1:] for one in columns] if pushed and number == 1 else columns)
        if not (pushed and number == 1):
            shapes.append(shape)
    shapes.append((fields["output_first"], fields["output_groups"], fields["output_shift"], 0, 0))
    layers = []
    for number, (start, shape, columns) in enumerate(zip(starts, shapes, coded, strict=True)):
        layout = _layout(shape)
        bias = start[layout.of_rows] - spec.PRESET
        shift = shape[2]
        if number == 0 and counting:  # the activation at the threshold leads the row's column
            shift = (INPUT_SCALE // shift).bit_length() - 1
            rest = np.array([one[0] for one in coded[1]], np.int64) << shift
            bias = rest - INPUT_SCALE * start[layout.of_rows]
            coded[1] = [one[1:] for one in coded[1]]
        weights = np.stack([decode(one, layout) for one in columns], axis=1)
        saturate = bool(shape[3] & LayerFlag.SATURATE)
        layers.append(Layer(weights, bias.astype(np.int16), shift=shift, saturate=saturate))
    return layers


def _column(weights: NDArray[np.int8], layout: Layout, activity: float, apart: bool) -> _Column:
    """`apart`: of a first layer with a table, where columns are only counted and byte code saves nothing."""
    nibbles = encode(weights, layout)
    try:
        in_bytes = None if apart else encode(weights, layout, in_bytes=True)
    except FitError:
        in_bytes = None
    return _Column(nibbles, in_bytes, float(activity))


def _sized(code: bytes) -> bytes:
    if len(code) > 0xFF:
        raise FitError(f"A column takes {len(code)} bytes; 255 are the most. Train it sparser or narrower.")
    return bytes([len(code)]) + code


def _read_columns(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """So many columns behind their lengths, and the offset behind them."""
    columns = []
    for _ in range(count):
        columns.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return columns, at


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


def _layout(shape: tuple[int, int, int, int, int]) -> Layout:
    first, groups = shape[:2]
    return Layout((first or spec.PLACES) + (groups - 1) * spec.GROUP_ROWS)
