"""Both kernels of the AVR runtime against the reference engine: random models, every output of every pass."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from host_sdk.boards import board_named
from host_sdk.conformance import Vector
from host_sdk.device import Device
from host_sdk.errors import FitError
from host_sdk.flash.memory import Memory
from host_sdk.flash.runtime import stamp
from host_sdk.kinds import model_room
from host_sdk.model.engine import run
from host_sdk.model.model import Layer, Model, ReplyText
from host_sdk.model.text import Features
from host_sdk.pack.image import pack
from host_sdk.spec.container import Kind, WeightCode
from host_sdk.spec.image import MODEL_ADDRESS, Form
from tests.random_models import QUERIES, random_model

UNO = board_named("uno")
ROOM = model_room(UNO)
Ask = Callable[[Model, int | None], None]


@pytest.fixture(scope="module", params=["asm", "c"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """The runtime of an UNO with one of the kernels, built from the sources."""
    build = tmp_path_factory.mktemp(request.param)
    device = Path(__file__).parents[2] / "device" / "avr_native"
    command = ["make", "-s", "-C", str(device), f"KERNEL={request.param}", f"BUILD={build}", f"{build}/uno.hex"]
    subprocess.run(command, check=True, timeout=120)
    return stamp(Memory.from_hex_file(build / "uno.hex", UNO.flash_page))


@pytest.fixture
def compare(runtime: Memory, tmp_path: Path) -> Ask:
    """Puts a packed model behind the runtime, asks every query, and compares every integer."""

    def ask(model: Model, room: int | None) -> None:
        image = pack(model, room)
        flash = runtime.merged(Memory.from_bytes(MODEL_ADDRESS, image.data, UNO.flash_page))
        cells = bytearray(b"\xff" * UNO.flash_bytes)
        for address, value in flash.cells.items():
            cells[address] = value
        state = tmp_path / "board"
        state.mkdir(exist_ok=True)
        (state / "flash.bin").write_bytes(cells)
        queries = [query[: image.max_query] for query in (*QUERIES, "z" * image.max_query, "y? " * 60)]
        runs = run(model, queries)
        due = [Vector(q, r.text, tuple(r.logits_crc32)) for q, r in zip(queries, runs, strict=True)]
        with Device(f"sim://uno?state={state}") as board:
            assert board.verify(due).mismatches == []

    return ask


@pytest.mark.parametrize("seed", range(16))
def test_random_models(compare: Ask, seed: int) -> None:
    random = np.random.default_rng(1000 + seed)
    kind = Kind(seed % 2)
    widths = tuple(int(width) for width in random.integers(1, 90, random.integers(1, 6)))
    model = random_model(
        seed,
        kind,
        widths,
        query_buckets=2 ** int(random.integers(6, 11)),
        context_buckets=2 ** int(random.integers(6, 8)),
        context_length=int(random.integers(3, 13)),
        classes=int(random.integers(2, 27 if kind is Kind.CHARACTER else 161)),
        code=[WeightCode.TWO_BIT, WeightCode.TERNARY, WeightCode.BINARY][int(random.integers(0, 3))],
        density=float(random.uniform(0.05, 0.5)),
        shifts=tuple(int(shift) for shift in random.integers(1, 5, 3)),
        saturate=bool(random.integers(0, 2)),
    )
    try:
        compare(model, None if seed % 3 else ROOM)
    except FitError as refusal:
        pytest.skip(str(refusal))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("width", [1, 14, 15, 239, 240, 253, 255, 256])
def test_widths_at_the_edges_of_a_page(compare: Ask, kind: Kind, width: int) -> None:
    model = random_model(width, kind, (width, 5, width, 9), density=0.1, query_buckets=64, context_buckets=64)
    compare(model, None)


@pytest.mark.parametrize("shift", range(8))
@pytest.mark.parametrize("saturate", [False, True])
def test_shifts_and_activations_of_two_bytes(compare: Ask, shift: int, saturate: bool) -> None:
    compare(random_model(shift, Kind.REPLY, (33, 20), shifts=(shift,), saturate=saturate, density=0.6), ROOM)
    compare(random_model(shift, Kind.CHARACTER, (33, 20), shifts=(shift,), saturate=saturate, density=0.6), ROOM)


def test_sums_that_wrap(compare: Ask) -> None:
    model = random_model(1, Kind.REPLY, (40, 40, 30), shifts=(0, 0, 1), density=0.9, bias=32767)
    assert any(abs(int(b)) > 30000 for b in model.layers[1].bias)
    compare(model, None)
    compare(model, ROOM)


def test_multiples_of_256(compare: Ask) -> None:
    """Activations whose low byte is 0."""
    first = Layer(np.ones((4, 64), np.int8), np.array([0, -32, 992, 2000], np.int16), shift=0)
    second = Layer(np.array([[1, 0, -2, 1], [0, -1, 1, 1], [-1, 1, 0, 1]], np.int8), np.zeros(3, np.int16), shift=0)
    last = Layer(np.array([[1, -1, 0], [-1, 0, 1]], np.int8), np.zeros(2, np.int16), shift=1)
    compare(Model(Kind.REPLY, (first, second, last), 64, replies=(ReplyText("a"), ReplyText("b"))), None)


def test_ties_take_the_first(compare: Ask) -> None:
    first = Layer(np.ones((3, 64), np.int8), np.zeros(3, np.int16))
    last = Layer(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], np.int8), np.array([-1, 0, 3, 3], np.int16))
    replies = tuple(ReplyText(letter) for letter in "abcd")
    compare(Model(Kind.REPLY, (first, last), 64, replies=replies), None)


def test_replies_of_fifty_characters(compare: Ask) -> None:
    model = random_model(5, Kind.CHARACTER, (20, 20), classes=9, max_reply=50)
    layers = (*model.layers[:-1], _never_ending(model.layers[-1]))
    endless = Model(Kind.CHARACTER, layers, 128, 128, 8, charset=model.charset, max_reply=50)
    assert len(run(endless, ["hi"])[0].text) == 50
    compare(endless, ROOM)


def _never_ending(last: Layer) -> Layer:
    bias = last.bias.copy()
    bias[-1] = -30000
    return Layer(last.weights, bias, last.code, last.shift)


@pytest.mark.parametrize("kind", list(Kind))
def test_one_layer(compare: Ask, kind: Kind) -> None:
    compare(random_model(6, kind, (), classes=26), None)


@pytest.mark.parametrize(("context_length", "bias"), [(32, 300), (20, 300), (8, 6000), (32, 25000)])
def test_counts_that_fit_no_byte(compare: Ask, context_length: int, bias: int) -> None:
    model = random_model(8, Kind.CHARACTER, (40, 20), context_length=context_length, bias=bias)
    assert not pack(model).counted
    compare(model, None)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("features", [Features(3), Features(words=True), Features(8, True)])
@pytest.mark.parametrize("buckets", [64, 512])
def test_features_of_queries(compare: Ask, kind: Kind, features: Features, buckets: int) -> None:
    model = random_model(9, kind, (24, 11), query_buckets=buckets, density=0.2)
    compare(replace(model, features=features), ROOM)


@pytest.mark.parametrize("buckets", [64, 128])
def test_buckets_that_are_met_often(compare: Ask, buckets: int) -> None:
    """Counts of a whole query in one bucket: activations of two bytes from the buckets themselves."""
    model = random_model(10, Kind.REPLY, (24, 11), query_buckets=buckets, density=0.5, saturate=True)
    assert pack(model).form is Form.BUCKETS
    compare(model, None)
    compare(model, ROOM)


@pytest.mark.parametrize("buckets", [64, 512, 1024, 2048])
def test_buckets(compare: Ask, buckets: int) -> None:
    compare(random_model(7, Kind.REPLY, (24, 11), query_buckets=buckets, density=0.2), ROOM)
    compare(random_model(7, Kind.CHARACTER, (24, 11), query_buckets=buckets, context_buckets=64, density=0.2), ROOM)


def test_counts_reach_both_ends_of_their_byte(compare: Ask) -> None:
    """Rows that every window of a query raises or lowers, with the largest biases that pack."""
    weights = np.ones((6, 192), np.int8)
    weights[1], weights[2, :128], weights[3, :128] = -1, -2, -1
    weights[5, 128:] = -2
    first = Layer(weights, np.array([0, 900, 500, 500, -3000, -700], np.int16))
    last = Layer(
        np.array([[1, 1, 0, 1, 0, -1], [0, -1, 1, 0, 1, 1], [-1, 0, 0, 1, 1, 0]], np.int8), np.zeros(3, np.int16)
    )
    compare(Model(Kind.CHARACTER, (first, last), 128, 64, 8, charset="ab", max_reply=4), None)
