"""The Z80 engine gives the integers of the reference engine, whatever the model and however it is packed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host_sdk.errors import FitError
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Layer, Model, ReplyText
from host_sdk.model.z80ai import import_z80ai
from host_sdk.pack.cpm import CpmImage, pack_cpm
from host_sdk.pack.queries import bench_queries
from host_sdk.spec.container import Kind, WeightCode
from host_sdk.spec.cpm import IMAGE_ADDRESS, ORIGIN
from tests.synthetic import character_model, endless
from tests.z80.machine import Machine, assert_exact
from tests.z80.models import random_model, random_queries

seeds = st.integers(0, 2**32 - 1)
RUNTIME = IMAGE_ADDRESS - ORIGIN


def squeezed(model: Model, image: CpmImage, share: float) -> CpmImage:
    """The model packed into a share of the bytes that it took, or into as many as it needs."""
    try:
        return pack_cpm(model, tpa=RUNTIME + int((image.tpa_bytes - RUNTIME) * share))
    except FitError:
        return image


@settings(deadline=None, max_examples=25)
@given(seed=seeds)
def test_any_model_is_exact(seed: int) -> None:
    model = random_model(seed)
    image = pack_cpm(model, tpa=0xE000)
    assert_exact(model, image, random_queries(seed, image.max_query))


@settings(deadline=None, max_examples=25)
@given(seed=seeds, share=st.floats(0.6, 0.95))
@example(seed=508, share=0.75)  # x = 256 with shift 0
def test_any_model_is_exact_in_less_room(seed: int, share: float) -> None:
    model = random_model(seed)
    image = squeezed(model, pack_cpm(model, tpa=0xE000), share)
    assert_exact(model, image, random_queries(seed, image.max_query))


@pytest.mark.parametrize("rows", [127, 128, 129, 254, 255, 256])
@pytest.mark.parametrize("compact", [False, True])
def test_widths_at_the_edge_of_a_page(rows: int, compact: bool) -> None:
    random = np.random.default_rng(rows)
    shape = ((rows, 128), (rows, rows), (7, rows))
    layers = tuple(
        Layer((random.random(size) < 0.06).astype(np.int8) * random.choice([-2, -1, 1], size).astype(np.int8),
              random.integers(-60, 60, size[0]).astype(np.int16), WeightCode.TWO_BIT)
        for size in shape
    )  # fmt: skip
    model = Model(Kind.CHARACTER, layers, 64, 64, 8, charset="abcdef", max_reply=5)
    image = pack_cpm(model, compact=compact)
    assert_exact(model, image, ["", "hello there", "x" * image.max_query])


@pytest.mark.parametrize("classes", [2, 127, 128, 255])
def test_many_replies(classes: int) -> None:
    model = random_model(5, layers=2)
    random = np.random.default_rng(classes)
    last = Layer(random.integers(-1, 2, (classes, model.layers[0].rows)).astype(np.int8), np.zeros(classes, np.int16))
    letters = tuple(chr(0x20 + n % 95) for n in range(classes))
    model = replace(
        model,
        kind=Kind.REPLY,
        layers=(replace(model.layers[0], weights=model.layers[0].weights[:, : model.query_buckets]), last),
        context_buckets=0,
        context_length=0,
        charset="",
        replies=tuple(ReplyText(letter) for letter in letters),
    )
    assert_exact(model, pack_cpm(model), ["", "one", "two words", "z" * 160])


def test_the_first_of_equal_outputs_wins() -> None:
    first = Layer(np.zeros((2, 128), np.int8), np.array([64, 0], np.int16))
    last = Layer(np.ones((5, 2), np.int8), np.array([0, 3, 4, 5, 7], np.int16))  # 16 >> 2 … 23 >> 2
    model = Model(Kind.CHARACTER, (first, last), 64, 64, 3, charset="abcd", max_reply=4)
    image = pack_cpm(model)
    assert [reply.text for reply in assert_exact(model, image, ["", "hello"])] == ["cccc", "cccc"]


def test_long_replies_are_exact() -> None:
    model = replace(endless(character_model(11)), max_reply=50)
    replies = assert_exact(model, pack_cpm(model), ["", "tell me all", "x" * 100])
    assert [len(reply.text) for reply in replies] == [50, 50, 50]


def test_activations_of_more_than_a_byte_are_exact() -> None:
    model = random_model(3, layers=3)
    layers = [replace(layer, shift=0, saturate=False) for layer in model.layers]
    for change in ({}, {"saturate": True}, {"shift": 7}):
        layers[0] = replace(layers[0], bias=np.full(layers[0].rows, 30000, np.int16), **change)
        wide = replace(model, layers=tuple(layers))
        image = pack_cpm(wide)
        assert_exact(wide, image, random_queries(1, image.max_query))


@pytest.fixture(scope="module")
def tinychat(reference: Path) -> Model:
    return import_z80ai(reference / "z80ai" / "tinychat.npz")


@pytest.mark.parametrize("compact", [False, True])
def test_published_vectors(tinychat: Model, reference: Path, compact: bool) -> None:
    lines = (reference / "z80ai" / "tinychat.vectors.jsonl").read_text("utf-8").splitlines()
    vectors = [json.loads(line) for line in lines]
    assert len(vectors) == 100
    image = pack_cpm(tinychat, compact=compact)
    replies = assert_exact(tinychat, image, [vector["query"] for vector in vectors])
    assert [reply.text for reply in replies] == [vector["reply"] for vector in vectors]


def test_shipped_models_are_exact() -> None:
    for name in ("tinychat", "commands"):
        model = shipped_model(name)
        assert_exact(model, pack_cpm(model), bench_queries()[:12])


def test_a_damaged_image_is_refused() -> None:
    image = bytearray(pack_cpm(random_model(1)).data)
    statuses = []
    for change in ((0, b"UM"), (2, b"\x03"), (4, b"\x05\0"), (40, b"\xaa\x55"), (len(image) - 1, b"\x99")):
        damaged = bytes(image[: change[0]]) + change[1] + bytes(image[change[0] + len(change[1]) :])
        statuses.append(Machine(damaged).call("engine_open"))
    assert statuses == [2, 4, 3, 3, 3]
    assert Machine(bytes(image)).call("engine_open") == 0
