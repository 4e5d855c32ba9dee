"""`ulm pack --for sd` and `--for flash`, and `ulm info` of what they write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_sdk.errors import FileError, FitError, UsageError
from host_sdk.model.model import Model
from host_sdk.pack.card import MIB, NOTE_NAME, SLOT_NAMES
from host_sdk.pack.stream import pack_stream
from host_sdk.spec.container import WeightCode
from host_sdk.spec.stream import Form
from tests.cli.conftest import sentence, ulm
from tests.synthetic import wide_reply_model


def test_the_model_alone(small: Model, small_file: Path, tmp_path: Path) -> None:
    for target, form in (("sd", None), ("uno-sd", Form.ROWS), ("flash", Form.LISTS), ("lilypad-flash", None)):
        options = ["--form", form.name.lower()] if form is not None else []
        path = tmp_path / f"{target}.ULB"
        shown = json.loads(ulm("pack", small_file, "--for", target, "-o", path, "--json", *options).out)
        image = pack_stream(small, form)
        assert path.read_bytes() == image.data
        assert shown == {**image.report(), "file_bytes": len(image.data)}


def test_a_whole_card(small: Model, small_file: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    done = ulm("pack", small_file, "--for", "sd", "-o", card, "--capacity", "5")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(ulm("info", card, "--json").out)
    assert shown["medium"] == "FAT16, partition 1"
    assert [(one["name"], one["room"], one["pieces"], one["answers"]) for one in shown["places"]] == [
        (SLOT_NAMES[0], 5 * MIB, 1, True),
        (SLOT_NAMES[1], 5 * MIB, 1, False),
    ]
    assert shown["places"][0]["model"]["model_crc"] == f"{small.crc:08x}"
    lines = ulm("info", card).out.splitlines()
    assert lines[0] == "FAT16, partition 1"
    length = len(pack_stream(small).data)
    assert lines[1].split()[:5] == ["ULM-A.ULB", str(5 * MIB), "one", "piece", "small"]
    assert lines[1].endswith(f", character, lists, {length} bytes, number 0  answers")
    assert lines[2].split() == ["ULM-B.ULB", str(5 * MIB), "one", "piece", "free"]


def test_the_folder_of_a_card_keeps_files_that_are_there(small: Model, small_file: Path, tmp_path: Path) -> None:
    card = tmp_path / "CARD"
    card.mkdir()
    assert ulm("pack", small_file, "--for", "sd", "-o", card, "--capacity", "5").code == 0
    assert sorted(path.name for path in card.iterdir()) == sorted([*SLOT_NAMES, NOTE_NAME])
    first, second = (card / name for name in SLOT_NAMES)
    second.write_bytes(first.read_bytes()[:4] + b"\7" + first.read_bytes()[5:])  # as after an upload
    (card / "photo.jpg").write_bytes(b"mine")
    inodes = [path.stat().st_ino for path in (first, second)]
    other = tmp_path / "other.ulm"
    wide_reply_model(1, (16,), 16, query_buckets=64, name="other").save(other)
    assert ulm("pack", other, "--for", "sd", "-o", card).code == 0
    assert [path.stat().st_ino for path in (first, second)] == inodes
    assert [path.stat().st_size for path in (first, second)] == [5 * MIB, 5 * MIB]
    assert not any(second.read_bytes())  # or the older model would answer
    shown = json.loads(ulm("info", card, "--json").out)
    assert [(one["model"] or {}).get("name") for one in shown["places"]] == ["other", None]
    assert "one piece shows only from its device" in ulm("info", card).out


def test_a_whole_chip(small: Model, small_file: Path, tmp_path: Path) -> None:
    chip = tmp_path / "w25q.bin"
    assert ulm("pack", small_file, "--for", "flash", "-o", chip, "--capacity", "1").code == 0
    data = chip.read_bytes()
    image = pack_stream(small).data
    assert (data, len(data)) == (image.ljust(MIB, b"\xff"), MIB)
    assert [line.split()[0] for line in ulm("info", chip).out.splitlines()] == ["chip", "start", "second"]


def test_nothing_to_answer(tmp_path: Path) -> None:
    (tmp_path / SLOT_NAMES[0]).write_bytes(bytes(1024))
    assert "A board finds no model here." in ulm("info", tmp_path).out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--for", "sd", "-o", "card"], r"could be anything; name a file that ends in .ulb or .img, or a folder"),
        (["--for", "sd", "-o", "card.bin"], "could be anything"),
        (["--for", "flash", "-o", "chip.img"], "could be anything; name a file that ends in .ulb or .bin"),
        (["--for", "sd", "-o", "x.ulb", "--capacity", "9"], "--capacity is for whole cards and chips"),
        (["--for", "uno", "-o", "x.ulb", "--form", "rows"], "--form and --capacity are for `--for sd` and"),
    ],
)
def test_what_makes_no_sense(small_file: Path, tmp_path: Path, options: list[str], message: str) -> None:
    options = [str(tmp_path / one) if "." in one or one == "card" else one for one in options]
    assert message in sentence(ulm("pack", small_file, *options), UsageError)


def test_what_has_no_room(tmp_path: Path) -> None:
    large, wide = tmp_path / "large.ulm", tmp_path / "wide.ulm"
    wide_reply_model(1, (512, 512), 256, code=WeightCode.INT4).save(large)
    wide_reply_model(1, (512, 512), 16, query_buckets=64, saturate=False).save(wide)
    chip = sentence(ulm("pack", large, "--for", "flash", "-o", tmp_path / "x.bin", "--capacity", "1"), FitError)
    assert "a chip of 1 MiB has 524288" in chip
    assert "Say --capacity 2 or more" in chip
    assert "inputs and outputs of layer 2 take 2042 bytes" in sentence(
        ulm("pack", wide, "--for", "sd", "-o", tmp_path / "x.ulb"), FitError
    )


def test_media_that_cannot_be_written_or_read(small_file: Path, tmp_path: Path) -> None:
    there = tmp_path / "none" / "x.img"
    assert "Cannot write" in sentence(ulm("pack", small_file, "--for", "sd", "-o", there), FileError)
    boot = tmp_path / "boot.img"
    boot.write_bytes(bytes(510) + b"\x55\xaa")
    assert "no FAT16 or FAT32" in sentence(ulm("info", boot), FileError)
    folder = tmp_path / "folder"
    (folder / SLOT_NAMES[0]).mkdir(parents=True)
    assert "unlock the card" in sentence(ulm("pack", small_file, "--for", "sd", "-o", folder), FileError)
