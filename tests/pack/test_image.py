"""The packed image: its unpacker gives the packer's layers back, and these compute what the model computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_sdk.boards import AVR_BOARDS, BOARDS
from host_sdk.errors import FileError, FitError
from host_sdk.kinds import fitted
from host_sdk.model import Layer, Model, ReplyText
from host_sdk.model.engine import run
from host_sdk.model.text import context_counts, query_counts
from host_sdk.pack.header import header
from host_sdk.pack.image import pack, unpack
from host_sdk.pack.order import annotate, row_order
from host_sdk.pack.rows import compact
from host_sdk.spec import image as spec
from host_sdk.spec.container import Kind, WeightCode
from tests.synthetic import character_model, published_shape, reply_model

PAIRS = [("hello", ReplyText("hi")), ("goodbye", ReplyText("bye")), ("lights", ReplyText("on"))]


def outputs(layers: list[Layer], x: np.ndarray) -> list[int]:
    """One pass in wrapped 16-bit integers."""
    values = x.astype(np.int64)
    for number, layer in enumerate(layers, 1):
        acc = (layer.weights.astype(np.int64) @ values + layer.bias).astype(np.int16).astype(np.int64)
        values = acc >> layer.shift
        if number < len(layers):
            values = np.clip(values, 0, 255 if layer.saturate else None)
    return [int(v) for v in values]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 70), min_size=1, max_size=4), st.floats(0.05, 0.6))
def test_unpacked_layers_compute_the_model(seed: int, widths: list[int], density: float) -> None:
    model = annotate(character_model(seed, widths=widths, density=density), steps=50)
    image = pack(model)
    layers = unpack(image.data)
    for number, (made, due) in enumerate(zip(layers, compact(model), strict=True)):
        assert np.array_equal(made.weights, due.weights)
        dropped = due.shift if image.counted and number == 0 else 0
        assert np.array_equal(made.bias >> dropped, due.bias >> dropped)
    query = b"tell me more"
    x = 32 * np.hstack([query_counts([query], model.query_buckets)[0], context_counts([b" " * 8], 128)[0]])
    assert outputs(layers, x) == run(model, [query])[0].outputs[0].tolist()


def test_header_fields() -> None:
    model = annotate(character_model(2))
    image = pack(model)
    fields = header(image.data)
    assert fields["magic"] == spec.MAGIC
    assert fields["length"] == len(image.data)
    assert fields["model_crc"] == model.crc == image.model_crc
    assert fields["max_query"] == image.max_query == 160


def test_the_same_model_gives_the_same_bytes() -> None:
    model = character_model(3)
    assert pack(annotate(model)).data == pack(annotate(model)).data


@pytest.mark.parametrize("position", [0, 5, 9, 40, -1])
def test_a_damaged_image_is_refused(position: int) -> None:
    data = bytearray(pack(reply_model(PAIRS)).data)
    data[position] ^= 1
    with pytest.raises(FileError):
        header(bytes(data))
    with pytest.raises(FileError):
        header(bytes(data[:20]))


def test_the_order_of_rows_saves_flash_and_changes_nothing_else() -> None:
    model = published_shape(1)
    plain = replace(model, order=())
    assert len(pack(model).data) < len(pack(plain).data)
    for layer in model.layers[:-1]:
        assert sorted(row_order(layer.weights, 20).tolist()) == list(range(layer.rows))


def test_the_published_shape_fits_every_board() -> None:
    for board in AVR_BOARDS.values():
        assert len(fitted(published_shape(1), board).data) <= board.code_bytes - spec.MODEL_ADDRESS


def test_a_model_too_large_for_flash_is_refused_with_the_numbers() -> None:
    model = character_model(1, widths=(250, 250), density=0.4)
    with pytest.raises(FitError, match=r"takes \d+ bytes packed; Arduino UNO has 25216 for it, \d+ too few"):
        fitted(model, BOARDS["uno"])


def test_layers_too_wide_for_sram_are_refused_with_the_numbers() -> None:
    model = character_model(1, widths=(300, 300), density=0.05)
    with pytest.raises(FitError, match=r"256 places"):
        pack(model)


def test_weights_beyond_two_bits_are_refused() -> None:
    model = reply_model(PAIRS)
    layers = tuple(replace(layer, code=WeightCode.INT8) for layer in model.layers)
    with pytest.raises(FitError, match="INT8"):
        pack(replace(model, layers=layers))


def test_a_first_layer_whose_counts_fit_no_byte_is_summed() -> None:
    model = character_model(1, widths=(8,))
    bias = model.layers[0].bias.copy()
    bias[0] = -30000
    layers = (replace(model.layers[0], bias=bias), *model.layers[1:])
    assert pack(model).counted
    assert not pack(replace(model, layers=layers, order=(), activity=())).counted


def test_rows_that_never_fire_and_rows_that_nobody_reads_are_dropped() -> None:
    first = Layer(np.ones((3, 64), np.int8), np.array([0, -20000, 0], np.int16))
    first.weights[1] = -1  # never positive
    second = Layer(np.array([[1, 1, 0], [-1, 0, 0]], np.int8), np.zeros(2, np.int16))  # row 2 is not read
    model = Model(Kind.REPLY, (first, second), 64, replies=(ReplyText("a"), ReplyText("b")))
    image = pack(model)
    assert image.widths == (1, 2)
    assert image.dropped_rows == 2
    x = 32 * query_counts([b"hello"], 64)[0]
    assert outputs(unpack(image.data), x) == run(model, ["hello"])[0].outputs[0].tolist()
