"""The reference engine against a slow reading of the same rules, and against published logits."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from host_sdk.errors import UsageError
from host_sdk.model import Layer, Model, ReplyText
from host_sdk.model.engine import additions, row_bounds, run, safe_query_length
from host_sdk.model.text import context_counts, query_counts
from host_sdk.model.z80ai import import_z80ai
from host_sdk.spec.container import Kind, WeightCode
from tests.synthetic import character_model, reply_model

PAIRS = [("hello", ReplyText("hi")), ("goodbye", ReplyText("bye")), ("lights", ReplyText("on"))]


def wrap(value: int) -> int:
    return (value + 0x8000) % 0x10000 - 0x8000


def slow_outputs(model: Model, query: bytes, context: bytes) -> list[int]:
    """One pass in plain integers: 16-bit wrap after every addition."""
    x = [32 * int(n) for n in query_counts([query], model.query_buckets)[0]]
    if model.kind is Kind.CHARACTER:
        x += [32 * int(n) for n in context_counts([context], model.context_buckets)[0]]
    for number, layer in enumerate(model.layers, 1):
        out = []
        for row, bias in zip(layer.weights.tolist(), layer.bias.tolist(), strict=True):
            acc = bias
            for weight, value in zip(row, x, strict=True):
                acc = wrap(acc + weight * value)
            value = acc >> layer.shift
            if number < len(model.layers):
                value = min(max(value, 0), 255 if layer.saturate else 32767)
            out.append(value)
        x = out
    return x


@pytest.mark.parametrize("seed", range(4))
def test_every_pass_equals_plain_integers(seed: int) -> None:
    model = character_model(seed, widths=(19, 12), query_buckets=64, context_buckets=64, saturate=bool(seed % 2))
    for query in ("", "a", "hello there", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"):
        result = run(model, [query])[0]
        context = b" " * model.context_length
        for number, outputs in enumerate(result.outputs):
            assert outputs.tolist() == slow_outputs(model, query.encode(), context)
            if number < len(result.text):
                context = context[1:] + result.text[number].lower().encode()


def test_sums_wrap_at_16_bits() -> None:
    first = Layer(np.ones((1, 64), np.int8), np.array([32767 - 31], np.int16), shift=0)
    model = Model(Kind.REPLY, (first,), 64, replies=(ReplyText("x"),))
    assert run(model, ["a"])[0].outputs.tolist() == [[32767 - 31 + 32 - 65536]]


def test_a_shift_floors() -> None:
    layer = Layer(np.zeros((2, 64), np.int8), np.array([-1, -5], np.int16), shift=2)
    model = Model(Kind.REPLY, (layer,), 64, replies=(ReplyText("x"), ReplyText("y")))
    assert run(model, [""])[0].outputs.tolist() == [[-1, -2]]


def test_the_first_maximum_wins() -> None:
    layer = Layer(np.zeros((3, 64), np.int8), np.array([0, 8, 8], np.int16))
    model = Model(Kind.REPLY, (layer,), 64, replies=tuple(map(ReplyText, "abc")))
    assert run(model, ["anything"])[0].text == "b"


def test_a_batch_gives_what_single_queries_give() -> None:
    model = character_model(5, widths=(24, 16))
    queries = ["one", "two", "three four", ""]
    batch = run(model, queries)
    for query, together in zip(queries, batch, strict=True):
        alone = run(model, [query])[0]
        assert alone.text == together.text
        assert np.array_equal(alone.outputs, together.outputs)
        assert together.passes == len(together.outputs) <= model.max_reply


def test_replies_stop_at_the_limit() -> None:
    endless = Layer(np.zeros((3, 128), np.int8), np.array([4, 0, 0], np.int16))
    model = Model(Kind.CHARACTER, (endless,), 64, 64, 3, charset="ab")
    result = run(model, ["x"])[0]
    assert result.text == "a" * 50
    assert result.passes == 50


def test_queries_beyond_the_limit_are_refused() -> None:
    with pytest.raises(UsageError, match="161"):
        run(reply_model(PAIRS), ["x" * 161])


def test_additions_count_nonzero_weights_under_nonzero_inputs() -> None:
    bucket = int(query_counts([b"k"], 64)[0].argmax())
    weights = np.zeros((2, 64), np.int8)
    weights[:, bucket] = (-2, 1)
    model = Model(Kind.REPLY, (Layer(weights, np.zeros(2, np.int16)),), 64, replies=tuple(map(ReplyText, "ab")))
    assert additions(model, ["k"]) == 2
    assert additions(model, [""]) == 0


def test_no_sum_wraps_up_to_the_safe_length() -> None:
    model = character_model(3, widths=(16, 12), density=0.2)
    length = safe_query_length(model)
    assert length >= 0, "the model of this test is meant to be small enough"
    for low, high in row_bounds(model, length):
        assert low.min() >= -32768
        assert high.max() <= 32767
    if length < 160:
        assert any((low < -32768).any() or (high > 32767).any() for low, high in row_bounds(model, length + 1))


def test_bounds_hold_for_real_sums() -> None:
    model = character_model(4, widths=(16, 12))
    bounds = row_bounds(model, 40)
    random = np.random.default_rng(1)
    queries = ["".join(map(chr, random.integers(32, 127, 40))) for _ in range(50)]
    for result in run(model, queries):
        low, high = bounds[-1]
        assert (result.outputs >= low >> model.layers[-1].shift).all()
        assert (result.outputs <= high >> model.layers[-1].shift).all()


def test_published_vectors(reference: Path) -> None:
    model = import_z80ai(reference / "z80ai" / "tinychat.npz")
    lines = (reference / "z80ai" / "tinychat.vectors.jsonl").read_text().splitlines()
    vectors = [json.loads(line) for line in lines]
    results = run(model, [vector["query"] for vector in vectors])
    assert len(vectors) == 100
    for vector, result in zip(vectors, results, strict=True):
        assert result.text == vector["reply"]
        assert result.logits_crc32 == vector["logits_crc32"]
        assert result.outputs[0].tolist() == vector["first_logits"]


def test_many_queries_are_quick_enough_to_evaluate(reference: Path) -> None:
    """20,000 queries take seconds; the test's own time-out is the bound."""
    model = import_z80ai(reference / "z80ai" / "tinychat.npz")
    text = gzip.decompress((reference / "z80ai" / "guess.train.txt.gz").read_bytes()).decode()
    queries = [line.rpartition("|")[0][:160] for line in text.splitlines()][:20_000]
    results = run(model, queries)
    assert len(results) == 20_000
    assert zlib.crc32(results[0].outputs[0].astype("<i2").tobytes()) == run(model, queries[:1])[0].logits_crc32[0]


def test_binary_weights_run() -> None:
    random = np.random.default_rng(0)
    weights = random.choice(np.array([-1, 1], np.int8), (5, 64))
    layer = Layer(weights, np.zeros(5, np.int16), WeightCode.BINARY)
    model = Model(Kind.REPLY, (layer,), 64, replies=tuple(map(ReplyText, "abcde")))
    assert run(model, ["hello"])[0].outputs[0].tolist() == slow_outputs(model, b"hello", b"")
