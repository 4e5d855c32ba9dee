"""The torch network gives the reference engine's integers: any code, shift, width, and queries that overflow."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from host_sdk.model import Layer, Model, ReplyText  # noqa: E402
from host_sdk.model.engine import run  # noqa: E402
from host_sdk.model.model import VALUES  # noqa: E402
from host_sdk.model.text import blank_context, context_counts, lower, query_counts  # noqa: E402
from host_sdk.spec.container import Kind, WeightCode  # noqa: E402
from host_sdk.train.network import Network, Stage  # noqa: E402
from tests.synthetic import character_model  # noqa: E402

HOSTILE = [b"", b"a", b"e" * 160, b"the " * 40, bytes(range(33, 127)), b"zq" * 80, b"!" * 60]


def random_layers(seed: int, codes: list[WeightCode], saturate: bool) -> tuple[Layer, ...]:
    random = np.random.default_rng(seed)
    widths = [64, *random.integers(1, 40, len(codes)).tolist()]
    layers = []
    for columns, rows, code in zip(widths, widths[1:], codes, strict=False):
        weights = random.integers(VALUES[code][0], VALUES[code][1] + 1, (rows, columns)).astype(np.int8)
        if code is WeightCode.BINARY:
            weights[weights == 0] = 1
        bias = random.integers(-32768, 32768, rows).astype(np.int16)
        layers.append(Layer(weights, bias, code, int(random.integers(0, 8)), saturate))
    return tuple(layers)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9999), st.lists(st.sampled_from(list(WeightCode)), min_size=1, max_size=4), st.booleans())
def test_equals_the_engine_on_random_layers(seed: int, codes: list[WeightCode], saturate: bool) -> None:
    layers = random_layers(seed, codes, saturate)
    model = Model(Kind.REPLY, layers, 64, replies=tuple(ReplyText(str(i)) for i in range(layers[-1].rows)))
    expected = np.stack([reply.outputs[0] for reply in run(model, HOSTILE)])
    outputs, sums = Network.from_layers(layers)(torch.from_numpy(query_counts(HOSTILE, 64)))
    assert np.array_equal(outputs.detach().numpy(), expected)
    assert [tuple(acc.shape) for acc in sums] == [(len(HOSTILE), layer.rows) for layer in layers]


def test_equals_the_engine_in_every_pass_of_a_reply() -> None:
    model = character_model(3)
    network = Network.from_layers(model.layers)
    for query, reply in zip(HOSTILE, run(model, HOSTILE), strict=True):
        text = blank_context(model.context_length) + lower(reply.text.encode())
        contexts = [text[i : i + model.context_length] for i in range(reply.passes)]
        counts = np.hstack(
            [
                query_counts([query] * reply.passes, model.query_buckets),
                context_counts(contexts, model.context_buckets),
            ]
        )
        outputs, _ = network(torch.from_numpy(counts))
        assert np.array_equal(outputs.detach().numpy(), reply.outputs)


def test_layers_survive_the_way_there_and_back() -> None:
    layers = random_layers(5, list(WeightCode), saturate=True)
    for before, after in zip(layers, Network.from_layers(layers).to_layers(), strict=True):
        assert np.array_equal(before.weights, after.weights)
        assert np.array_equal(before.bias, after.bias)
        assert (before.code, before.shift, before.saturate) == (after.code, after.shift, after.saturate)


def test_wide_layers_are_summed_where_they_stay_exact() -> None:
    assert Network(64, [Stage(64), Stage(8)]).dtype is torch.float32
    assert Network(64, [Stage(64, shift=0), Stage(8, WeightCode.INT8)]).dtype is torch.float64


def test_a_seed_decides_the_start_and_most_weights_start_at_zero() -> None:
    one, same, other = (Network(64, [Stage(32)], seed).to_layers()[0].weights for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert (one != 0).mean() < 0.25
