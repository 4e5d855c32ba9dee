"""Stream images: their unpacker gives the packer's layers back, and these compute what the model computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_sdk.errors import FileError, FitError
from host_sdk.model import Layer, Model, ReplyText
from host_sdk.model.crc import crc16
from host_sdk.model.engine import run
from host_sdk.model.text import PLAIN, Features, context_counts, query_counts
from host_sdk.pack.rows import compact
from host_sdk.pack.stream import pack_stream, stream_header, unpack_stream
from host_sdk.spec import stream as spec
from host_sdk.spec.container import Kind, WeightCode
from host_sdk.spec.stream import ARENA_BYTES, BLOCK_BYTES, FIELDS, MIN_QUERY, Form
from tests.synthetic import character_model, published_shape, reply_model, streamed_512, streamed_2048, wide_reply_model

CODES = {2: WeightCode.TWO_BIT, 4: WeightCode.INT4, 8: WeightCode.INT8}


def random_model(
    seed: int,
    widths: list[int],
    bits: list[int],
    kind: Kind,
    query_buckets: int = 64,
    context_buckets: int = 64,
    density: float = 0.5,
    features: Features = PLAIN,
    bias: int = 3000,
) -> Model:
    """Weights over all values of each layer's field, biases up to `bias`, shifts and saturation at random."""
    random = np.random.default_rng(seed)
    layers = []
    columns = query_buckets + (context_buckets if kind is Kind.CHARACTER else 0)
    for number, rows in enumerate(widths):
        wide = bits[number % len(bits)]
        low, high = FIELDS[wide]
        weights = random.integers(low, high + 1, (rows, columns)).astype(np.int8)
        weights[random.random((rows, columns)) >= density] = 0
        biases = random.integers(-bias, bias + 1, rows).astype(np.int16)
        saturate = bool(random.integers(2)) and number < len(widths) - 1
        layers.append(Layer(weights, biases, CODES[wide], int(random.integers(8)), saturate))
        columns = rows
    if kind is Kind.CHARACTER:
        return Model(
            kind,
            tuple(layers),
            query_buckets,
            context_buckets,
            8,
            charset="".join(chr(33 + i) for i in range(widths[-1] - 1)),
            features=features,
        )
    replies = tuple(ReplyText(f"r{i}") for i in range(widths[-1]))
    return Model(kind, tuple(layers), query_buckets, replies=replies, features=features)


def assert_same_layers(data: bytes, model: Model) -> None:
    for got, due in zip(unpack_stream(data), compact(model), strict=True):
        assert np.array_equal(got.weights, due.weights)
        assert np.array_equal(got.bias, due.bias)
        assert (got.shift, got.saturate) == (due.shift, due.saturate)


def first_outputs(layers: list[Layer], model: Model, query: bytes, cut: int | None) -> list[int]:
    """The first pass as a board makes it, in wrapped 16-bit integers; the query's counts cut at `cut` from below."""
    split = model.query_buckets
    counts = layers[0].weights[:, :split].astype(np.int64) @ query_counts([query], split, model.features)[0]
    if cut is not None:
        assert counts.max() <= 127
        counts = np.maximum(counts, cut)
    if model.kind is Kind.CHARACTER:
        context = context_counts([b" " * model.context_length], model.context_buckets)[0]
        counts = counts + layers[0].weights[:, split:].astype(np.int64) @ context
    sums = 32 * counts
    for number, layer in enumerate(layers, 1):
        acc = (sums + layer.bias).astype(np.int16).astype(np.int64)
        values = acc >> layer.shift
        if number < len(layers):
            values = np.clip(values, 0, 255 if layer.saturate else None)
            sums = layers[number].weights.astype(np.int64) @ values
    return [int(v) for v in values]


kinds = st.sampled_from([Kind.CHARACTER, Kind.REPLY])
features = st.builds(Features, zones=st.integers(1, 8), words=st.booleans())


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(2, 40), min_size=1, max_size=6),
    bits=st.lists(st.sampled_from([2, 4, 8]), min_size=1, max_size=3),
    kind=kinds,
    buckets=st.sampled_from([(64, 64), (512, 64), (64, 128)]),
    density=st.sampled_from([0.05, 0.5, 1.0]),
)
def test_rows_give_the_layers_and_compute_the_model(
    seed: int, widths: list[int], bits: list[int], kind: Kind, buckets: tuple[int, int], density: float
) -> None:
    model = random_model(seed, widths, bits, kind, *buckets, density)
    image = pack_stream(model, Form.ROWS)
    assert_same_layers(image.data, model)
    query = b"tell me more"
    assert first_outputs(unpack_stream(image.data), model, query, None) == run(model, [query])[0].outputs[0].tolist()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.one_of(st.integers(2, 60), st.integers(225, 256)), min_size=1, max_size=4),
    kind=kinds,
    features=features,
    density=st.floats(0.02, 0.2),
    bias=st.sampled_from([100, 3000, 32767]),
    letter=st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=4),
)
def test_lists_give_the_layers_and_compute_the_model(
    seed: int, widths: list[int], kind: Kind, features: Features, density: float, bias: int, letter: str
) -> None:
    """Queries that say the same over and over drive counts far down; those at the limit are the worst."""
    if kind is Kind.CHARACTER:
        widths = [*widths[:-1], min(widths[-1], 90)]
    model = random_model(seed, widths, [2], kind, density=density, features=features, bias=bias)
    image = pack_stream(model, Form.LISTS)
    assert_same_layers(image.data, model)
    query = (letter * 160)[: image.max_query].encode("ascii")
    cut = -128 if kind is Kind.CHARACTER else None
    assert first_outputs(unpack_stream(image.data), model, query, cut) == run(model, [query])[0].outputs[0].tolist()


@pytest.mark.parametrize("form", Form)
def test_the_published_shape_packs_in_both_forms(form: Form) -> None:
    image = pack_stream(published_shape(), form)
    assert_same_layers(image.data, published_shape())
    assert image.form is form


@pytest.mark.parametrize("code", [WeightCode.TWO_BIT, WeightCode.INT4, WeightCode.INT8])
@pytest.mark.parametrize("make", [streamed_512, streamed_2048])
def test_models_that_no_flash_holds(make: type, code: WeightCode) -> None:
    model = make(code)
    image = pack_stream(model)
    assert (image.form, image.max_query, image.dropped_rows) == (Form.ROWS, 160, 0)
    assert image.arena_bytes == 1024 + 2 + 160  # 512 sums, and the bucket of a column
    assert_same_layers(image.data, model)
    assert (
        first_outputs(unpack_stream(image.data), model, b"hello", None) == run(model, ["hello"])[0].outputs[0].tolist()
    )


def test_header_and_places_of_the_parts() -> None:
    model = character_model(2)
    for form in Form:
        image = pack_stream(model, form)
        fields = stream_header(image.data)
        assert (fields["form"], fields["kind"], fields["layers"]) == (form, Kind.CHARACTER, 4)
        assert fields["model_crc"] == model.crc == image.model_crc
        assert fields["length"] == len(image.data)
        assert len(image.data) % BLOCK_BYTES == 0
        assert (fields["sequence"], fields["ones"]) == (0, 0xFFFF)
        assert fields["check"] == crc16(image.data[16:])
        assert fields["max_query"] == image.max_query
        assert fields["pass"] % BLOCK_BYTES == 0
        assert (fields["first"] + (8 if form is Form.ROWS else 0)) % BLOCK_BYTES == 0
        assert fields["charset"] == fields["pass"] + fields["stream_bytes"]
        assert image.data[fields["charset"] :].startswith(model.charset.encode())
        assert image.data[fields["name"] :].startswith(b"synthetic\0")
    assert pack_stream(model).form is Form.LISTS
    assert pack_stream(model).data == pack_stream(model).data


def test_the_query_share_may_be_kept_where_it_fits_beside_the_rest() -> None:
    for rows, kept in ((319, 1), (320, 0)):  # 2 * 319 + 2 + 2 * 319 = 1,278
        first = np.ones((rows, 128), np.int8)
        last = np.ones((4, rows), np.int8)
        layers = (Layer(first, np.zeros(rows, np.int16), saturate=True), Layer(last, np.zeros(4, np.int16)))
        model = Model(Kind.CHARACTER, layers, 64, 64, 8, charset="abc")
        assert stream_header(pack_stream(model, Form.ROWS).data)["kept"] == kept
    assert not stream_header(pack_stream(character_model(1), Form.LISTS).data)["kept"]
    assert not stream_header(pack_stream(wide_reply_model(1, (16,), 16), Form.ROWS).data)["kept"]


def test_a_pass_of_a_reply_model_in_lists_begins_with_the_query() -> None:
    model = reply_model([("hello", ReplyText("hi")), ("goodbye", ReplyText("bye"))])
    fields = stream_header(pack_stream(model).data)
    assert fields["first"] == fields["pass"]
    assert pack_stream(model).data[fields["replies"] :].startswith(b"\0hi\0\0bye\0")


@pytest.mark.parametrize("position", [0, 8, 17, 70, 600, -1])
def test_a_damaged_image_is_refused(position: int) -> None:
    data = bytearray(pack_stream(character_model(1)).data)
    data[position] ^= 1
    with pytest.raises(FileError):
        stream_header(bytes(data))
    with pytest.raises(FileError, match="too short"):
        stream_header(bytes(data[:200]))


def test_a_cut_image_is_refused_with_the_numbers() -> None:
    data = pack_stream(character_model(1)).data
    with pytest.raises(FileError, match=f"has {len(data) - 512} of {len(data)} bytes"):
        stream_header(data[:-512])


@pytest.mark.parametrize(
    ("widths", "saturate", "message"),
    [
        (
            (700,),
            True,
            r"sums of layer 1 take 1398 bytes, and a query of 40 characters 40; the board has 1280 for "
            r"both, 158 too few\. Train it narrower",
        ),
        ((512, 400, 100), False, r"inputs and outputs of layer 2 take 1824 bytes.*Saturate layers 1 and 2, or train"),
        ((300, 1000, 100), True, r"inputs and outputs of layer 2 take 1300 bytes.*60 too few\. Train it narrower"),
    ],
)
def test_activations_that_do_not_fit_are_refused_with_the_numbers(
    widths: tuple[int, ...], saturate: bool, message: str
) -> None:
    with pytest.raises(FitError, match=message):
        pack_stream(wide_reply_model(1, widths, 16, query_buckets=256, saturate=saturate))


def test_room_for_the_query_is_what_activations_leave() -> None:
    model = wide_reply_model(1, (600, 100), 16, query_buckets=256)
    image = pack_stream(model)
    kept = image.widths[0]
    assert (image.max_query, image.arena_bytes) == (ARENA_BYTES - 2 * kept - 2, ARENA_BYTES)
    assert image.max_query >= MIN_QUERY


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (wide_reply_model(1, (300,), 16, query_buckets=256), "Layer 1 has 299 rows; lists have 256 places"),
        (wide_reply_model(1, (16,), 16, query_buckets=512), "512 buckets; lists count 256"),
        (wide_reply_model(1, (16,), 16, query_buckets=64, code=WeightCode.INT4), "outside -2 to 1"),
    ],
)
def test_what_lists_cannot_say_goes_into_rows_unless_lists_are_asked_for(model: Model, message: str) -> None:
    assert pack_stream(model).form is Form.ROWS
    with pytest.raises(FitError, match=message):
        pack_stream(model, Form.LISTS)


def test_more_classes_than_a_byte_counts_are_refused() -> None:
    with pytest.raises(FitError, match="among 257 replies; the runtime counts at most 256"):
        pack_stream(wide_reply_model(1, (16,), 257))


def test_rows_take_the_fewest_bits_that_hold_the_weights() -> None:
    model = wide_reply_model(1, (16,), 16, query_buckets=64)
    as_int8 = replace(model, layers=tuple(replace(layer, code=WeightCode.INT8) for layer in model.layers))
    fields = stream_header(pack_stream(as_int8, Form.ROWS).data)
    assert pack_stream(as_int8, Form.ROWS).data[fields["first"] + 4] == 2
    assert spec.LAYER_BYTES == 8
