"""The streaming kernels against the reference engine: random models of every form, every output of every pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from host_sdk.conformance import Vector
from host_sdk.device import Device
from host_sdk.errors import FitError
from host_sdk.model.engine import run
from host_sdk.model.model import Layer, Model, ReplyText
from host_sdk.model.text import Features
from host_sdk.pack.columns import Layout, encode
from host_sdk.pack.stream import pack_stream
from host_sdk.spec.container import Kind, WeightCode
from host_sdk.spec.image import BYTE_CODE
from host_sdk.spec.stream import Form
from tests.offload.streamed import open_streamed
from tests.random_models import QUERIES, random_model

SPARSE = (WeightCode.TWO_BIT, WeightCode.TERNARY, WeightCode.BINARY)
LATENCY = {"flash": "typical", "sd": "ideal"}
Compare = Callable[..., None]


@pytest.fixture
def compare(build: Path, tmp_path: Path) -> Compare:
    """Gives boards of both media a packed model, asks every query, and compares every integer."""

    def ask(model: Model, form: Form | None = None, queries: Sequence[str] = QUERIES, media: str = "flash sd") -> None:
        image = pack_stream(model, form)
        asked = dict.fromkeys(query[: image.max_query] for query in (*queries, "z" * image.max_query))
        runs = run(model, list(asked))
        due = [Vector(q, r.text, tuple(r.logits_crc32)) for q, r in zip(asked, runs, strict=True)]
        for medium in media.split():
            with open_streamed(build, f"uno-{medium}", image.data, tmp_path, latency=LATENCY[medium]) as board:
                assert board.verify(due).mismatches == []
                _timed_well(board)

    return ask


def _timed_well(board: Device) -> None:
    counted = board._connection.virtual.counters()  # type: ignore[union-attr]
    assert (counted.spi_early, counted.spi_collisions, counted.wild) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(12))
def test_random_lists(compare: Compare, seed: int) -> None:
    random = np.random.default_rng(2000 + seed)
    kind = Kind(seed % 2)
    model = random_model(
        seed,
        kind,
        tuple(int(width) for width in random.integers(1, 120, random.integers(1, 6))),
        query_buckets=2 ** int(random.integers(6, 9)),
        context_buckets=2 ** int(random.integers(6, 9)),
        context_length=int(random.integers(3, 33)),
        classes=int(random.integers(2, 60 if kind is Kind.CHARACTER else 161)),
        code=[SPARSE[int(i)] for i in random.integers(0, 3, 3)],
        density=float(random.uniform(0.05, 0.5)),
        shifts=tuple(int(shift) for shift in random.integers(0, 6, 3)),
        saturate=bool(random.integers(0, 2)),
    )
    compare(model, Form.LISTS, media=("flash", "sd", "flash sd")[seed % 3])


@pytest.mark.parametrize("seed", range(12))
def test_random_rows(compare: Compare, seed: int) -> None:
    random = np.random.default_rng(3000 + seed)
    kind = Kind(seed % 2)
    model = random_model(
        seed,
        kind,
        tuple(int(width) for width in random.integers(1, 150, random.integers(1, 4))),
        query_buckets=2 ** int(random.integers(6, 10)),
        context_buckets=2 ** int(random.integers(6, 10)),
        context_length=int(random.integers(3, 12)),
        classes=int(random.integers(2, 60 if kind is Kind.CHARACTER else 161)),
        code=[list(WeightCode)[int(i)] for i in random.integers(0, 5, 3)],
        density=float(random.uniform(0.05, 1)),
        shifts=tuple(int(shift) for shift in random.integers(0, 8, 3)),
        saturate=bool(random.integers(0, 2)),
        max_reply=3,
    )
    compare(model, Form.ROWS, media=("flash", "sd")[seed % 2])


@pytest.mark.parametrize("width", [1, 14, 15, 16, 17, 238, 239, 256])
def test_widths_at_the_edges_of_a_page(compare: Compare, width: int) -> None:
    kind = Kind(width % 2)
    model = random_model(width, kind, (width, 5, width, 9), density=0.1, query_buckets=64, context_buckets=64)
    compare(model, Form.LISTS, media=("flash", "sd")[width // 2 % 2])


def test_columns_in_bytes(compare: Compare) -> None:
    """A layer without spares, whose columns nibbles cannot say: from row 0 to 100 no other is named."""
    random = np.random.default_rng(8)
    first = np.zeros((256, 64), np.int8)
    first[[0, 100, 200, 255]] = [[1], [1], [-2], [1]]
    first[:, 1::2] = random.integers(-1, 2, (256, 32))
    second = random.integers(-2, 2, (256, 256)).astype(np.int8)
    third = random.integers(-1, 2, (3, 256)).astype(np.int8)
    biases = (np.full(256, 9), random.integers(-300, 301, 256), np.array([0, 5, -5]))
    layers = tuple(Layer(w, b.astype(np.int16)) for w, b in zip((first, second, third), biases, strict=True))
    assert encode(first[:, 0], Layout(256))[0] & BYTE_CODE
    model = Model(Kind.REPLY, layers, 64, replies=tuple(ReplyText(c) for c in "abc"))
    assert pack_stream(model, Form.LISTS).widths[0] == 256
    compare(model, Form.LISTS)


@pytest.mark.parametrize("shift", range(8))
def test_shifts_and_activations_of_two_bytes(compare: Compare, shift: int) -> None:
    for form, saturate in product(Form, (False, True)):
        kind = Kind((shift + saturate) % 2)
        model = random_model(shift, kind, (33, 20), shifts=(shift,), saturate=saturate, density=0.6)
        compare(model, form, QUERIES[3:6], "flash" if form is Form.ROWS else "sd")


@pytest.mark.parametrize("form", list(Form))
def test_sums_that_wrap(compare: Compare, form: Form) -> None:
    model = random_model(1, Kind.REPLY, (40, 40, 30), shifts=(0, 0, 1), density=0.9, bias=32767)
    assert any(abs(int(b)) > 30000 for b in model.layers[1].bias)
    compare(model, form)


@pytest.mark.parametrize("form", list(Form))
def test_multiples_of_256(compare: Compare, form: Form) -> None:
    """Activations whose low byte is 0."""
    first = Layer(np.ones((4, 64), np.int8), np.array([0, -32, 992, 2000], np.int16), shift=0)
    second = Layer(np.array([[1, 0, -2, 1], [0, -1, 1, 1], [-1, 1, 0, 1]], np.int8), np.zeros(3, np.int16), shift=0)
    last = Layer(np.array([[1, -1, 0], [-1, 0, 1]], np.int8), np.zeros(2, np.int16), shift=1)
    compare(Model(Kind.REPLY, (first, second, last), 64, replies=(ReplyText("a"), ReplyText("b"))), form)


@pytest.mark.parametrize("form", list(Form))
def test_ties_take_the_first_of_256(compare: Compare, form: Form) -> None:
    random = np.random.default_rng(4)
    weights = random.integers(-1, 2, (64, 3)).astype(np.int8)
    first = Layer(random.integers(0, 2, (3, 64)).astype(np.int8), np.zeros(3, np.int16))
    last = Layer(np.tile(weights, (4, 1)), np.tile(random.integers(0, 9, 64), 4).astype(np.int16))
    compare(Model(Kind.REPLY, (first, last), 64, replies=tuple(ReplyText(f"r{i}") for i in range(256))), form)


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("kind", list(Kind))
def test_one_layer(compare: Compare, kind: Kind, form: Form) -> None:
    compare(random_model(6, kind, (), classes=26), form)


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("features", [Features(3), Features(8, True)])
def test_features_of_queries(compare: Compare, features: Features, form: Form) -> None:
    for kind in Kind:
        model = random_model(9, kind, (24, 11), query_buckets=64, density=0.2)
        compare(replace(model, features=features), form, media="flash")


def test_replies_of_fifty_characters(compare: Compare) -> None:
    """Longer than the longest context, so that it moves."""
    model = random_model(5, Kind.CHARACTER, (20, 20), classes=9, max_reply=50, context_length=32)
    last = model.layers[-1]
    bias = last.bias.copy()
    bias[-1] = -30000
    endless = replace(model, layers=(*model.layers[:-1], replace(last, bias=bias)))
    assert len(run(endless, ["hi"])[0].text) == 50
    for form in Form:
        compare(endless, form, ["hi", "Go on!"], "flash")


def test_counts_of_a_query_that_are_cut(compare: Compare) -> None:
    """Rows that every window of a query lowers by two, below what a byte holds."""
    weights = np.ones((6, 192), np.int8)
    weights[1], weights[2, :128], weights[3, :128] = -1, -2, -1
    weights[5, 128:] = -2
    first = Layer(weights, np.array([0, 900, 500, 500, -3000, -700], np.int16))
    last = Layer(
        np.array([[1, 1, 0, 1, 0, -1], [0, -1, 1, 0, 1, 1], [-1, 0, 0, 1, 1, 0]], np.int8), np.zeros(3, np.int16)
    )
    compare(Model(Kind.CHARACTER, (first, last), 128, 64, 8, charset="ab", max_reply=4), Form.LISTS)


@pytest.mark.parametrize("columns", range(499, 525, 5))
def test_columns_and_rows_across_blocks(compare: Compare, columns: int) -> None:
    """Layers of which a row ends on all sides of a block's end."""
    widths = (columns - 490, columns)
    model = random_model(columns, Kind.REPLY, widths, code=WeightCode.INT8, density=0.5, saturate=True, classes=4)
    compare(model, Form.ROWS, QUERIES[:3], "sd")


def test_a_layer_too_wide_is_refused_with_numbers() -> None:
    model = random_model(3, Kind.REPLY, (700, 8), classes=4)
    with pytest.raises(FitError, match="1256 bytes"):
        pack_stream(model)
