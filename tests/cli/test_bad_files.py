"""Wrong, damaged and foreign files: one sentence, the right exit code, no traceback."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from host_sdk.errors import FileError, FitError
from host_sdk.model.container import write
from host_sdk.model.model import Model
from host_sdk.spec.container import MAGIC, REVISION, Section, WeightCode
from tests.cli.conftest import sentence, ulm
from tests.synthetic import character_model

HEAD = 12
Sections = dict[bytes, bytes]


def split(data: bytes) -> Sections:
    """The sections of a model file, in order, as docs/model-file.md says."""
    sections, at = {}, HEAD
    while at < len(data):
        name, length, _ = struct.unpack_from("<4sII", data, at)
        sections[name] = data[at + 12 : at + 12 + length]
        at += 12 + length
    return sections


def joined(sections: Sections, revision: int = REVISION) -> bytes:
    body = b"".join(
        struct.pack("<4sII", name, len(payload), zlib.crc32(name + payload)) + payload
        for name, payload in sections.items()
    )
    return MAGIC + struct.pack("<HH", revision, len(sections)) + body


def borders(data: bytes) -> list[int]:
    """Where sections and their payloads begin."""
    found, at = [0, 8, HEAD], HEAD
    while at < len(data):
        length = struct.unpack_from("<4sI", data, at)[1]
        found += [at + 12, at + 12 + length]
        at += 12 + length
    return found[:-1]


def with_layer(number: int, **fields: int) -> Callable[[Sections], None]:
    """Changes rows, columns, code or shift in the shape."""

    def change(sections: Sections) -> None:
        shape = bytearray(sections[Section.SHAPE])
        layout, at = struct.Struct("<HHBBB"), 6 + 7 * number
        values = dict(zip(("rows", "columns", "code", "shift", "flags"), layout.unpack_from(shape, at), strict=True))
        layout.pack_into(shape, at, *{**values, **fields}.values())
        sections[Section.SHAPE] = bytes(shape)

    return change


def with_head(at: int, value: int) -> Callable[[Sections], None]:
    def change(sections: Sections) -> None:
        shape = bytearray(sections[Section.SHAPE])
        shape[at] = value
        sections[Section.SHAPE] = bytes(shape)

    return change


def with_payload(name: bytes, payload: bytes) -> Callable[[Sections], None]:
    return lambda sections: sections.update({name: payload})


def without(name: bytes) -> Callable[[Sections], None]:
    def change(sections: Sections) -> None:
        del sections[name]

    return change


def cut_weights(sections: Sections) -> None:
    sections[Section.WEIGHTS] = sections[Section.WEIGHTS][:-1]


def longer_weights(sections: Sections) -> None:
    sections[Section.WEIGHTS] += b"\0"


CONTRADICTIONS: dict[str, Callable[[Sections], None]] = {
    "kind": with_head(0, 9),
    "no layers": with_head(1, 0),
    "too many layers": with_head(1, 200),
    "query buckets": with_head(2, 3),
    "huge query buckets": with_head(2, 255),
    "context buckets": with_head(3, 31),
    "context length": with_head(4, 0),
    "longest reply": with_head(5, 0),
    "rows": with_layer(0, rows=0),
    "many rows": with_layer(0, rows=65535),
    "columns": with_layer(1, columns=1),
    "many columns": with_layer(1, columns=65535),
    "both": with_layer(0, rows=4096, columns=4096),
    "code": with_layer(0, code=77),
    "shift": with_layer(0, shift=200),
    "short shape": with_payload(Section.SHAPE, b"\0"),
    "empty shape": with_payload(Section.SHAPE, b""),
    "fewer weights": cut_weights,
    "more weights": longer_weights,
    "no weights": with_payload(Section.WEIGHTS, b""),
    "characters outside ASCII": with_payload(Section.CHARSET, b"\xff" * 39),
    "characters repeated": with_payload(Section.CHARSET, b"A" * 39),
    "too few characters": with_payload(Section.CHARSET, b"ABC"),
    "metadata no table": with_payload(Section.METADATA, b"[1]"),
    "metadata no JSON": with_payload(Section.METADATA, b"{"),
    "metadata no text": with_payload(Section.METADATA, b"\xff\xfe"),
    "deep metadata": with_payload(Section.METADATA, b"[" * 20000),
    "golden a number": with_payload(Section.GOLDEN, b"7"),
    "golden no JSON": with_payload(Section.GOLDEN, b"\0"),
    "replies a number": with_payload(Section.REPLIES, b"5"),
    "replies of nothing": with_payload(Section.REPLIES, b"[{}]"),
    "unknown action": with_payload(Section.REPLIES, b'[{"text":"x","action":"explode"}]'),
    "odd order": with_payload(Section.ORDER, b"abc"),
    "short order": with_payload(Section.ORDER, b"\0\0"),
    "short activity": with_payload(Section.ACTIVITY, b"\0\0"),
    "no shape": without(Section.SHAPE),
    "no metadata": without(Section.METADATA),
}


@pytest.fixture(scope="session")
def good(small: Model) -> bytes:
    return write(small)


def refused(path: Path, data: bytes) -> str:
    """The sentence with which a model file is refused, in this process: there are many."""
    path.write_bytes(data)
    with pytest.raises(FileError) as caught:
        Model.load(path)
    text = str(caught.value)
    assert str(path) in text
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_the_helpers_write_what_the_package_writes(good: bytes) -> None:
    assert joined(split(good)) == good


@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_file_that_contradicts_itself(change: Callable[[Sections], None], good: bytes, tmp_path: Path) -> None:
    sections = split(good)
    change(sections)
    assert joined(sections) != good
    assert "CRC" not in refused(tmp_path / "bad.ulm", joined(sections))


def test_a_file_cut_at_every_border(good: bytes, tmp_path: Path) -> None:
    for border in borders(good):
        for at in {max(border - 1, 0), border, border + 1}:
            text = refused(tmp_path / "cut.ulm", good[:at])
            assert "cut off" in text or "not a μLM model" in text or "text mode" in text, (at, text)


def test_bytes_behind_the_end(good: bytes, tmp_path: Path) -> None:
    assert "3 bytes too many" in refused(tmp_path / "long.ulm", good + b"abc")


def test_every_flipped_bit_is_noticed(good: bytes, tmp_path: Path) -> None:
    picked = random.Random(1).sample(range(len(good)), 300)
    for at in [*range(40), *picked]:
        flipped = good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :]
        refused(tmp_path / "flipped.ulm", flipped)


def test_a_transfer_in_text_mode_is_named(good: bytes, tmp_path: Path) -> None:
    assert "text mode" in refused(tmp_path / "text.ulm", good.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("command", ["flash", "info", "pack", "chat", "verify", "bench"])
def test_ten_thousand_random_bytes(command: str, uno: str, tmp_path: Path) -> None:
    path = tmp_path / "noise.ulm"
    path.write_bytes(random.Random(7).randbytes(10_000))
    arguments: dict[str, list[str | Path]] = {
        "flash": [uno, path],
        "info": [path],
        "pack": [path, "--for", "uno", "-o", tmp_path / "x"],
        "chat": [uno, "--model", path, "--once", "hi"],
        "verify": [uno, "--model", path],
        "bench": [uno, "--model", path],
    }
    text = sentence(ulm(command, *arguments[command]), FileError)
    assert "noise.ulm: This is not a μLM model file" in text
    assert not (tmp_path / "x").exists()


def test_a_newer_file(good: bytes, uno: str, tmp_path: Path) -> None:
    path = tmp_path / "new.ulm"
    path.write_bytes(joined(split(good), revision=2))
    text = sentence(ulm("flash", uno, path), FileError)
    assert "revision 2; this program reads revision 1. Update host_sdk." in text


def test_a_damaged_file(good: bytes, uno: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.ulm"
    path.write_bytes(good[:-2000] + b"?" + good[-1999:])
    assert "damaged (CRC-32); copy it again" in sentence(ulm("flash", uno, path), FileError)


def test_a_missing_file_and_a_directory(uno: str, tmp_path: Path) -> None:
    assert "none.ulm: No such file" in sentence(ulm("flash", uno, tmp_path / "none.ulm"), FileError)
    assert "Is a directory" in sentence(ulm("flash", uno, tmp_path), FileError)
    assert "is a folder without model images" in sentence(ulm("info", tmp_path), FileError)


def test_an_output_that_cannot_be_written(small_file: Path, tmp_path: Path) -> None:
    assert "Cannot write" in sentence(ulm("pack", small_file, "--for", "uno", "-o", tmp_path), FileError)
    there = tmp_path / "no" / "such" / "x.ulb"
    assert "Cannot write" in sentence(ulm("pack", small_file, "--for", "uno", "-o", there), FileError)


def test_a_model_too_big_names_the_numbers(uno: str, tmp_path: Path) -> None:
    huge = character_model(31, (256, 192, 128), 0.4, short_replies=False, name="huge")
    huge.save(tmp_path / "huge.ulm")
    text = sentence(ulm("flash", uno, tmp_path / "huge.ulm"), FitError)
    assert "'huge' takes" in text
    assert "has 25216 for it" in text
    assert "too few" in text
    assert ulm("chat", uno, "--once", "hi").code == 0


@pytest.mark.parametrize("command", ["flash", "pack"])
def test_weights_that_no_avr_runs(command: str, uno: str, small: Model, tmp_path: Path) -> None:
    wide = replace(small, layers=(replace(small.layers[0], code=WeightCode.INT8), *small.layers[1:]))
    wide.save(tmp_path / "wide.ulm")
    file = tmp_path / "wide.ulm"
    done = ulm("flash", uno, file) if command == "flash" else ulm("pack", file, "--for", "uno", "-o", tmp_path / "x")
    assert "Layer 1 has INT8 weights" in sentence(done, FitError)


def test_too_wide_for_the_sram(uno: str, tmp_path: Path) -> None:
    character_model(32, (500, 300), 0.1, charset="ABC", short_replies=False, name="wide").save(tmp_path / "wide.ulm")
    assert "256 places" in sentence(ulm("flash", uno, tmp_path / "wide.ulm"), FitError)


@pytest.mark.parametrize(
    "lines",
    [
        "not json",
        "[1, 2]",
        '"text"',
        "null",
        '{"query": "x"}',
        '{"query": "x", "reply": "y", "logits_crc32": 5}',
        '{"query": "x", "reply": "y", "logits_crc32": ["z"]}',
        '{"query": "ok", "reply": "y", "logits_crc32": [1]}\n{"query":',
    ],
)
def test_vectors_that_are_none(lines: str, uno: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors.jsonl"
    path.write_text(lines, "utf-8")
    text = sentence(ulm("verify", uno, path), FileError)
    assert f"line {len(lines.splitlines())}: not a vector" in text


def test_files_of_nothing(uno: str, tmp_path: Path) -> None:
    for content in (b"", b"\n\n  \n", b"\xff\xfe\x00"):
        path = tmp_path / "empty"
        path.write_bytes(content)
        sentence(ulm("verify", uno, path), FileError)
    for content in (b"", b"\n\n", b"\xff\xfe\x00"):
        path.write_bytes(content)
        sentence(ulm("bench", uno, "--queries", path), FileError)
    sentence(ulm("bench", uno, "--queries", tmp_path / "none"), FileError)
    sentence(ulm("verify", uno, tmp_path), FileError)


def test_a_vector_that_no_board_can_be_asked(uno: str, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text('{"query": "' + "x" * 200 + '", "reply": "", "logits_crc32": []}', "utf-8")
    done = ulm("verify", uno, path)
    assert (done.code, done.err) == (1, "")
    assert "0 of 1 queries exact" in done.out


def test_an_import_of_something_else(small_file: Path, tmp_path: Path) -> None:
    for source in (small_file, tmp_path, tmp_path / "none.npz"):
        sentence(ulm("import", "z80ai", source, "-o", tmp_path / "x.ulm"), FileError)
    assert not (tmp_path / "x.ulm").exists()
