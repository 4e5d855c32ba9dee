"""The model file: what goes in comes out, the same bytes every time, and damage is named in one sentence."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.errors import FileError
from host_sdk.model import Layer, Model, ReplyText
from host_sdk.model.container import read, write
from host_sdk.model.model import VALUES
from host_sdk.model.z80ai import import_z80ai
from host_sdk.spec.container import MAGIC, Kind, WeightCode
from host_sdk.spec.protocol import Action
from tests.synthetic import character_model


def model_of(code: WeightCode, rows: int, seed: int, action: Action = Action.LED_ON) -> Model:
    low, high = VALUES[code]
    random = np.random.default_rng(seed)
    weights = random.integers(low, high + 1, (rows, 64)).astype(np.int8)
    if code is WeightCode.BINARY:
        weights[weights == 0] = 1
    layer = Layer(weights, random.integers(-32768, 32768, rows).astype(np.int16), code, shift=3, saturate=True)
    replies = tuple(ReplyText(f"reply {i} {{}}", action) for i in range(rows))
    return Model(Kind.REPLY, (layer,), 64, replies=replies, metadata={"name": "m", "licence": "MIT", "n": [1, None]})


@given(st.sampled_from(list(WeightCode)), st.integers(1, 9), st.integers(0, 99))
def test_every_weight_code_round_trips(code: WeightCode, rows: int, seed: int) -> None:
    model = model_of(code, rows, seed)
    back = read(write(model))
    assert np.array_equal(back.layers[0].weights, model.layers[0].weights)
    assert np.array_equal(back.layers[0].bias, model.layers[0].bias)
    assert (back.layers[0].code, back.layers[0].shift, back.layers[0].saturate) == (code, 3, True)
    assert (back.replies, back.metadata, back.crc) == (model.replies, model.metadata, model.crc)
    assert write(back) == write(model)


def test_packed_weights_are_as_dense_as_their_code() -> None:
    sizes = {code: len(write(model_of(code, 5, 1))) for code in WeightCode}
    base = sizes[WeightCode.INT8] - 320
    assert {code: size - base for code, size in sizes.items()} == {
        WeightCode.BINARY: 40,
        WeightCode.TERNARY: 64,
        WeightCode.TWO_BIT: 80,
        WeightCode.INT4: 160,
        WeightCode.INT8: 320,
    }


def test_all_parts_of_a_character_model_round_trip() -> None:
    model = replace(character_model(1), golden=("hello", "", "x" * 60)).with_metadata(name="chatty", data="own")
    back = read(write(model))
    assert (back.kind, back.charset, back.golden, back.name) == (model.kind, model.charset, model.golden, "chatty")
    assert (back.context_buckets, back.context_length) == (model.context_buckets, model.context_length)
    for mine, theirs in zip((*model.order, *model.activity), (*back.order, *back.activity), strict=True):
        assert np.array_equal(mine, theirs)
    assert back.reply("hello") == model.reply("hello")


def test_the_crc_is_that_of_the_meaning() -> None:
    model = character_model(1)
    assert model.with_metadata(name="other").crc == model.crc
    assert replace(model, golden=("q",), order=(), activity=()).crc == model.crc
    changed = model.layers[0].bias.copy()
    changed[0] += 1
    layers = (replace(model.layers[0], bias=changed), *model.layers[1:])
    assert replace(model, layers=layers).crc != model.crc
    assert replace(model, charset=model.charset[::-1]).crc != model.crc


DATA = write(model_of(WeightCode.TWO_BIT, 3, 0))


def test_a_file_cut_anywhere_is_refused() -> None:
    for length in range(len(DATA)):
        with pytest.raises(FileError):
            read(DATA[:length])


def test_a_flipped_bit_anywhere_is_refused() -> None:
    for position in range(len(DATA)):
        damaged = bytearray(DATA)
        damaged[position] ^= 0x10
        with pytest.raises(FileError):
            read(bytes(damaged))


@given(st.binary(max_size=3000))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FileError):
        read(data)
    with pytest.raises(FileError):
        read(DATA[:12] + data)


def head(revision: int = 1, sections: int = 4) -> bytes:
    return struct.pack("<8sHH", MAGIC, revision, sections)


def with_section(name: bytes, change: bytes) -> bytes:
    """DATA with the payload of one section replaced and its CRC made right."""
    out, position = DATA[:12], 12
    while position < len(DATA):
        found, length, _ = struct.unpack_from("<4sII", DATA, position)
        payload = DATA[position + 12 : position + 12 + length]
        position += 12 + length
        if found == name:
            payload = change
        out += struct.pack("<4sII", found, len(payload), zlib.crc32(found + payload)) + payload
    return out


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not a μLM model file"),
        (b"PK\x03\x04" * 10, "not a μLM model file"),
        (DATA.replace(b"\r\n", b"\n", 1), "text mode"),
        (head(revision=2) + DATA[12:], "revision 2"),
        (DATA + b"x", "too many"),
        (head(sections=0), "no section"),
        (with_section(b"SHAP", b""), "contradicts itself"),
        (with_section(b"SHAP", b"\x01\x09\x06\x00\x00\x32"), "impossible shape"),
        (
            with_section(b"SHAP", b"\x01\x01\x06\x00\x00\x32" + struct.pack("<HHBBB", 0, 64, 3, 2, 0)),
            "impossible layer",
        ),
        (with_section(b"SHAP", b"\x01\x01\x06\x00\x00\x32" + struct.pack("<HHBBB", 4, 64, 3, 2, 0)), "fewer"),
        (with_section(b"SHAP", b"\x01\x01\x06\x00\x00\x32" + struct.pack("<HHBBB", 2, 64, 3, 2, 0)), "more"),
        (with_section(b"SHAP", b"\x01\x01\x06\x00\x00\x32" + struct.pack("<HHBBB", 3, 64, 9, 2, 0)), "contradicts"),
        (with_section(b"REPL", b"[]"), "0 replies for 3 outputs"),
        (with_section(b"REPL", b"{"), "contradicts"),
        (with_section(b"META", b"[]"), "metadata"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(FileError, match=sentence):
        read(data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"gone\.ulm"):
        Model.load(tmp_path / "gone.ulm")
    with pytest.raises(FileError, match="Cannot read"):
        Model.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not an archive", DATA])
def test_a_foreign_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"z80ai|Cannot read"):
        import_z80ai(path)


def test_an_npz_of_something_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", weights=np.zeros(3))
    with pytest.raises(FileError, match="z80ai"):
        import_z80ai(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"query_buckets": 100}, "100 query buckets"),
        ({"query_buckets": 4096}, "4096 query buckets"),
        ({"context_buckets": 64}, "with a context"),
        ({"replies": (ReplyText("a"),)}, "1 replies"),
        ({"replies": (ReplyText("é"), ReplyText("b"), ReplyText("c"))}, "printable"),
        ({"replies": (ReplyText("{}"), ReplyText("b"), ReplyText("c"))}, "no action"),
        ({"replies": (ReplyText("x" * 51), ReplyText("b"), ReplyText("c"))}, "exceeds"),
        ({"layers": ()}, "0 layers"),
        ({"max_reply": 0}, "0 characters"),
    ],
)
def test_impossible_models_cannot_be_made(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(FileError, match=sentence):
        replace(model_of(WeightCode.TWO_BIT, 3, 0), **change)
