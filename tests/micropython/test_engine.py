"""The engine for Python boards under CPython: every kernel gives the reference engine's integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from host_sdk.errors import FileError, FitError
from host_sdk.model.engine import run
from host_sdk.model.model import VALUES, Layer, Model, ReplyText
from host_sdk.model.text import Features, context_hashes, query_hashes
from host_sdk.pack.micropython import decode_column, encode_column, header, pack_python, pack_tiny, unpack_layers
from host_sdk.spec.container import Kind, WeightCode
from tests.link.vectors import Line, read
from tests.micropython.conftest import Runtime
from tests.synthetic import character_model

QUERIES = ["", "a", "hello", "Who ARE you?", "one two three four five six seven", "x" * 160]


def random_model(seed: int, widths: list[int], code: WeightCode, **changes: Any) -> Model:
    """A reply model that nobody trained: big numbers everywhere, so that sums wrap."""
    random = np.random.default_rng(seed)
    low, high = VALUES[code]
    shapes = zip([changes.get("query_buckets", 64), *widths], widths, strict=False)
    layers = tuple(
        Layer(
            random.choice([-1, 1], (rows, columns)).astype(np.int8)
            if code is WeightCode.BINARY
            else random.integers(low, high + 1, (rows, columns)).astype(np.int8),
            random.integers(-32768, 32768, rows).astype(np.int16),
            code,
            int(random.integers(0, 8)),
            bool(random.integers(2)),
        )
        for columns, rows in shapes
    )
    replies = tuple(ReplyText(f"reply {n}") for n in range(widths[-1]))
    return Model(Kind.REPLY, layers, **{"query_buckets": 64, "replies": replies, **changes})


def answer(runtime: Runtime, image: bytes, query: str, form: str) -> tuple[list[list[int]], str, int]:
    """Outputs of every pass, text, digest."""
    opened = runtime.image.Image(runtime.read.MemoryReader(image))
    engine = engine_of(runtime, opened, form)
    outputs: list[list[int]] = []

    def each(reply: Any, before: int) -> bool:
        outputs.append(list(engine.outputs))
        return True

    reply = runtime.reply.Reply(engine)
    reply.run(query.encode(), False, each)
    return outputs, reply.text.decode(), reply.digest


def engine_of(runtime: Runtime, image: Any, form: str) -> Any:
    """An engine of that form, as if the heap allowed no faster one."""

    class Chosen(runtime.engine.Engine):  # type: ignore[name-defined,misc]
        def forms(self, native: bool) -> Any:
            return [found for found in super().forms(native) if found[0] == form]

    return Chosen(image)


def check(runtime: Runtime, model: Model, queries: list[str], form: str) -> None:
    image = pack_python(model).data
    for query, due in zip(queries, run(model, queries), strict=True):
        outputs, text, digest = answer(runtime, image, query, form)
        assert outputs == due.outputs.tolist()
        assert (text, digest) == (due.text, due.digest)


@pytest.mark.parametrize("form", ["views", "packed", "streamed"])
@pytest.mark.parametrize("code", list(WeightCode))
def test_every_code_of_weights(runtime: Runtime, code: WeightCode, form: str) -> None:
    check(runtime, random_model(int(code), [40, 30, 9], code), QUERIES, form)


@pytest.mark.parametrize("form", ["views", "packed", "streamed"])
def test_layers_of_more_rows_than_a_byte_counts(runtime: Runtime, form: str) -> None:
    check(runtime, random_model(7, [300, 513, 12], WeightCode.TWO_BIT), QUERIES, form)
    check(runtime, random_model(8, [256, 257, 12], WeightCode.BINARY), QUERIES, form)


@pytest.mark.parametrize("form", ["views", "packed", "streamed"])
def test_character_models(runtime: Runtime, form: str) -> None:
    check(runtime, character_model(3), QUERIES[2:5], form)
    check(runtime, character_model(4, saturate=True, shift=4, code=WeightCode.INT4), QUERIES[2:5], form)
    check(runtime, character_model(5, context_length=3, context_buckets=64), QUERIES[2:5], form)


def test_features_of_queries(runtime: Runtime) -> None:
    for features in (Features(3), Features(1, True), Features(8, True)):
        check(runtime, random_model(9, [20, 9], WeightCode.TERNARY, features=features), QUERIES[2:5], "views")


@given(
    seed=st.integers(0, 1 << 30),
    widths=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    code=st.sampled_from(list(WeightCode)),
    query=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)
@settings(max_examples=25, deadline=None)
def test_any_model(runtime: Runtime, seed: int, widths: list[int], code: WeightCode, query: str) -> None:
    check(runtime, random_model(seed, widths, code), [query], "views")


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=600))
def test_columns_come_back(weights: list[int]) -> None:
    column = np.array(weights, np.int8)
    data, _ = encode_column(column)
    assert (decode_column(data, column.size) == column).all()


def test_images_come_back() -> None:
    model = random_model(3, [300, 17], WeightCode.INT8)
    for (weights, biases, shift, saturate), layer in zip(
        unpack_layers(pack_python(model).data), model.layers, strict=True
    ):
        assert (weights == layer.weights).all()
        assert (biases == layer.bias).all()
        assert (shift, saturate) == (layer.shift, layer.saturate)


def test_images_that_cannot_be_used(runtime: Runtime) -> None:
    image = bytearray(pack_python(character_model(3)).data)

    def status(data: bytes) -> int:
        with pytest.raises(runtime.image.ImageError) as error:
            runtime.image.Image(runtime.read.MemoryReader(data))
        return int(error.value.args[0])

    assert status(b"\xff" * 100) == 2
    assert status(bytes(image[:4]) + b"\x07" + bytes(image[5:])) == 4
    for place in (30, 200, len(image) - 1):
        damaged = bytearray(image)
        damaged[place] ^= 1
        assert status(bytes(damaged)) == 3
        with pytest.raises(FileError, match="damaged"):
            header(bytes(damaged))
    assert status(bytes(image[:-1])) == 3
    with pytest.raises(FileError, match="not a packed model"):
        header(b"ULM?" + bytes(100))


def test_both_check_sums_are_right(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards without CRC-32 compare CRC-16."""
    image = pack_python(character_model(3)).data
    monkeypatch.setitem(__import__("sys").modules, "binascii", None)
    runtime.image.Image(runtime.read.MemoryReader(image))
    with pytest.raises(runtime.image.ImageError):
        runtime.image.Image(runtime.read.MemoryReader(image[:-1] + bytes((image[-1] ^ 1,))))


def test_too_many_classes() -> None:
    with pytest.raises(FitError, match="256 replies"):
        pack_python(random_model(1, [256], WeightCode.TWO_BIT))


def test_what_a_microbit_cannot_run() -> None:
    with pytest.raises(FitError, match="spells"):
        pack_tiny(character_model(3))
    with pytest.raises(FitError, match="256 rows"):
        pack_tiny(random_model(1, [256, 9], WeightCode.TWO_BIT))
    with pytest.raises(FitError, match="two bits"):
        pack_tiny(random_model(1, [9], WeightCode.INT4))


VECTORS = list(read("text.txt"))
FEATURES = {"query": Features(), "zones3": Features(3), "words": Features(1, True), "all": Features(8, True)}


@pytest.mark.parametrize("line", VECTORS, ids=lambda line: line.name)
def test_text_vectors(line: Line, runtime: Runtime) -> None:
    text = b"" if line.input == "-" else bytes.fromhex(line.input)
    due = [] if line.output == "-" else [int(word, 16) for word in line.output.split()]
    kind, _, _ = line.name.partition(" ")
    if kind in FEATURES:
        found: list[int] = []
        runtime.text.query_buckets(text, FEATURES[kind].flags, 0xFFFF, found)
        assert sorted(found) == sorted(due)
    else:
        found = runtime.context.context_buckets(text.lower(), 0xFFFF, 0)
        assert sorted(found) == sorted(due)


@given(text=st.binary(max_size=160), zones=st.integers(1, 8), words=st.booleans())
@settings(deadline=None)
def test_queries_hash_alike(runtime: Runtime, text: bytes, zones: int, words: bool) -> None:
    features = Features(zones, words)
    found: list[int] = []
    runtime.text.query_buckets(text, features.flags, 1023, found)
    assert sorted(found) == sorted(h & 1023 for h in query_hashes(text, features))


@given(context=st.binary(min_size=3, max_size=32))
def test_contexts_hash_alike(runtime: Runtime, context: bytes) -> None:
    found = runtime.context.context_buckets(context.lower(), 255, 1024)
    assert sorted(found) == sorted((h & 255) + 1024 for h in context_hashes(context))


def tiny_answer(image: bytes, query: bytes, runtime: Runtime, folder: Any, patch: Callable[..., None]) -> list[int]:
    path = folder / "ulm_model.ulb"
    path.write_bytes(image)
    module = runtime.tiny_engine
    patch(module, "PATH", str(path))
    head, _, layers = module.open_head()
    return list(module.outputs(head, layers, query))


@pytest.mark.parametrize("code", [WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT])
def test_the_engine_of_a_microbit(
    runtime: Runtime, code: WeightCode, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model(int(code), [40, 30, 9], code)
    image = pack_tiny(model).data
    for query, due in zip(QUERIES, run(model, QUERIES), strict=True):
        outputs: NDArray[np.int16] = due.outputs[0]
        assert tiny_answer(image, query.encode(), runtime, tmp_path, monkeypatch.setattr) == outputs.tolist()
    cut = replace(model, metadata={"name": "cut"})
    with pytest.raises(ValueError):
        tiny_answer(pack_tiny(cut).data[:-1], b"hi", runtime, tmp_path, monkeypatch.setattr)
