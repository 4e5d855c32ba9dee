"""Images in bits: their unpacker gives the packer's layers back; what is beyond them is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_sdk.boards import board_named
from host_sdk.errors import FitError
from host_sdk.flash.fit import fitted_eeprom
from host_sdk.model import Layer, Model, ReplyText
from host_sdk.pack.bits import pack_bits, unpack_bits
from host_sdk.pack.header import header
from host_sdk.pack.rows import compact
from host_sdk.spec.container import Kind, WeightCode
from host_sdk.spec.image import Form
from tests.synthetic import character_model


def reply_model(
    seed: int, widths: tuple[int, ...], buckets: int, code: WeightCode, density: float, shift: int, saturate: bool
) -> Model:
    random = np.random.default_rng(seed)
    layers = []
    columns = buckets
    for number, rows in enumerate(widths):
        values = {WeightCode.BINARY: [-1, 1], WeightCode.TERNARY: [-1, 1], WeightCode.TWO_BIT: [-2, -1, 1]}[code]
        weights = random.choice(values, (rows, columns)).astype(np.int8)
        if code is not WeightCode.BINARY:
            weights[random.random((rows, columns)) >= density] = 0
        bias = random.integers(-32768, 32768, rows).astype(np.int16)
        layers.append(Layer(weights, bias, code, shift, saturate and number < len(widths) - 1))
        columns = rows
    replies = tuple(ReplyText(f"r{i}") for i in range(widths[-1]))
    return Model(Kind.REPLY, tuple(layers), buckets, replies=replies)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    buckets=st.sampled_from([64, 128, 256]),
    code=st.sampled_from([WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT]),
    density=st.floats(0, 1),
    shift=st.integers(0, 7),
    saturate=st.booleans(),
)
def test_unpacking_gives_the_layers(
    seed: int, widths: list[int], buckets: int, code: WeightCode, density: float, shift: int, saturate: bool
) -> None:
    model = reply_model(seed, tuple(widths), buckets, code, density, shift, saturate)
    image = pack_bits(model)
    fields = header(image.data)
    assert (fields["form"], fields["model_crc"], fields["length"]) == (Form.BITS, model.crc, len(image.data))
    for got, due in zip(unpack_bits(image.data), compact(model), strict=True):
        assert (got.weights == due.weights).all()
        assert (got.bias == due.bias).all()
        assert (got.shift, got.saturate) == (due.shift, due.saturate)


def test_what_an_eeprom_cannot_hold_is_refused_with_the_numbers() -> None:
    uno = board_named("uno")
    with pytest.raises(FitError, match="reply models only"):
        pack_bits(character_model(1))
    many = reply_model(1, (4, 3), 512, WeightCode.TERNARY, 0.3, 2, False)
    with pytest.raises(FitError, match="512 query buckets; in bits, as in an EEPROM, 256 are the most"):
        pack_bits(many)
    large = reply_model(1, (60, 10), 256, WeightCode.BINARY, 1, 2, False)
    with pytest.raises(FitError, match=r"takes \d+ bytes packed for EEPROM; Arduino UNO has 1024, \d+ too few"):
        fitted_eeprom(large, uno)
