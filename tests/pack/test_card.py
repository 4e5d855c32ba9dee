"""Cards: what the packer writes stands up to dosfstools and mtools, and what those write is read back."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_sdk.errors import FileError, FitError, UsageError
from host_sdk.pack.card import MIB, SLOT_NAMES, card_files, card_image, default_capacity
from host_sdk.pack.contents import contents, is_medium
from host_sdk.pack.fat import BLOCK, FIRST_BLOCK, disk
from host_sdk.pack.stream import pack_stream
from host_sdk.pack.volume import Volume
from tests.offload.cards import Card, fragmented
from tests.synthetic import character_model, wide_reply_model

MODEL = pack_stream(wide_reply_model(1, (16,), 16, query_buckets=64)).data
OTHER = pack_stream(character_model(1)).data


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    for tool in ("mkfs.fat", "fsck.fat", "mcopy"):
        if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            pytest.skip(f"{tool} is not installed")


def run(*command: str) -> str:
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MTOOLS_SKIP_CHECK": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def newer(data: bytes, sequence: int) -> bytes:
    """The image as a board stores it."""
    return data[:4] + struct.pack("<I", sequence) + data[8:]


@pytest.mark.parametrize("capacity", [None, 33 * MIB])
def test_others_find_a_sound_file_system_with_both_files(tmp_path: Path, capacity: int | None) -> None:
    image = card_image(MODEL, capacity)
    card = saved(tmp_path / "card.img", image)
    run("fsck.fat", "-nv", str(saved(tmp_path / "volume.img", image[FIRST_BLOCK * BLOCK :])))
    for name, data in card_files(MODEL, capacity).items():
        copy = tmp_path / name
        run("mcopy", "-n", "-i", f"{card}@@{FIRST_BLOCK * BLOCK}", f"::{name}", str(copy))
        assert copy.read_bytes() == data
    kind, start, blocks = struct.unpack_from("<4xB3xII", image, 446)
    assert (kind, start) == (0x0E, FIRST_BLOCK)
    assert (start + blocks) * BLOCK == len(image)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex(r"[A-Z]{1,8}\.[A-Z]{3}", fullmatch=True), st.integers(1, 70_000), max_size=5))
def test_files_of_any_size_lie_in_one_piece_one_behind_the_other(tmp_path: Path, sizes: dict[str, int]) -> None:
    image = disk({name: name.encode() * (size // len(name) + 1) for name, size in sizes.items()}, "TEST")
    run("fsck.fat", "-n", str(saved(tmp_path / "volume.img", image[FIRST_BLOCK * BLOCK :])))
    with saved(tmp_path / "card.img", image).open("rb") as file:
        found = list(Volume(file).files())
    assert [(one.name, one.pieces) for one in found] == [(name, 1) for name in sizes]
    for one in found:
        assert image[one.offset : one.offset + one.size] == one.name.encode() * (one.size // len(one.name))


def test_the_same_model_gives_the_same_card() -> None:
    assert card_image(MODEL) == card_image(MODEL)


def test_room_of_a_file() -> None:
    assert default_capacity(MODEL) == 4 * MIB
    assert default_capacity(bytes(5 * MIB + 512)) == 11 * MIB
    card_files(bytes(MIB - 512), MIB)
    with pytest.raises(FitError, match=r"takes 1049088 bytes .* files are to have 1048576; say --capacity 2 or more"):
        card_files(bytes(MIB), MIB)
    with pytest.raises(UsageError, match="more than a card of ours holds"):
        disk({"A.BIN": bytes(0)} | {f"{n}.BIN": _Huge() for n in "BC"}, "BIG")


class _Huge(bytes):
    def __len__(self) -> int:
        return 1 << 31


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("partition", [False, True])
def test_cards_that_others_format_are_read(tmp_path: Path, bits: int, partition: bool) -> None:
    card = Card(tmp_path / "card.img", bits, partition=partition, cluster=2 if bits == 16 else 1)
    card.add("NOTES.TXT", b"mine").make_folder("FOLDER").add("a long name.ulb", MODEL).add("NOTHING.ULB", b"other")
    found = contents(card.path)
    assert found.medium == f"FAT{bits}" + (", partition 1" if partition else "")
    names = [(one.name, one.pieces, bool(one.model), one.answers) for one in found.places]
    assert names == [("ALONGN~1.ULB", 1, True, True), ("NOTHING.ULB", 1, False, False)]


def test_a_fragmented_file_is_told(tmp_path: Path) -> None:
    found = contents(fragmented(tmp_path / "card.img", "MODEL.ULB", MODEL))
    (place,) = (one for one in found.places if one.name == "MODEL.ULB")
    assert place.pieces is not None
    assert place.pieces > 1
    assert place.fault == f"lies in {place.pieces} pieces; copy it again to an empty card"
    assert not place.answers


def test_the_newer_of_two_slots_answers(tmp_path: Path) -> None:
    room = MIB
    slots = [newer(MODEL, 4).ljust(room, b"\0"), newer(OTHER, 5).ljust(room, b"\0")]
    files = {"X.ULB": newer(MODEL, 9), **dict(zip(SLOT_NAMES, slots, strict=True))}
    found = contents(saved(tmp_path / "card.img", disk(files, "TEST")))
    assert [one.answers for one in found.places] == [False, False, True]
    assert (found.places[2].model or {})["name"] == "synthetic"
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in files.items():
        saved(folder / name, data)
    assert [(one.name, one.answers, one.pieces) for one in contents(folder).places] == [
        ("ULM-A.ULB", False, None),
        ("ULM-B.ULB", True, None),
        ("X.ULB", False, None),
    ]


def test_an_image_alone_and_a_chip_with_two(tmp_path: Path) -> None:
    alone = contents(saved(tmp_path / "M.ULB", MODEL))
    assert (alone.medium, len(alone.places)) == ("stream image", 1)
    half = 1 << 19
    chip = newer(MODEL, 7).ljust(half, b"\xff") + newer(OTHER, 8).ljust(half, b"\xff")
    found = contents(saved(tmp_path / "w25q.bin", chip))
    assert [(one.name, one.room, one.answers) for one in found.places] == [
        ("start", half, False),
        ("second half", half, True),
    ]


def test_a_damaged_model_on_a_card_is_told(tmp_path: Path) -> None:
    image = bytearray(card_image(MODEL))
    image[image.index(b"ULMS") + 70] ^= 1
    found = contents(saved(tmp_path / "card.img", bytes(image)))
    assert "damaged (CRC-16)" in found.places[0].fault
    assert not any(one.answers for one in found.places)


def test_what_boards_do_not_read_is_refused(tmp_path: Path) -> None:
    exfat = bytes(3) + b"EXFAT   " + bytes(499) + b"\x55\xaa"
    with pytest.raises(FileError, match="exFAT"):
        contents(saved(tmp_path / "exfat.img", exfat))
    with pytest.raises(FileError, match="no FAT16 or FAT32 file system"):
        contents(saved(tmp_path / "zeros.img", bytes(1024)))
    small = tmp_path / "small.img"
    small.write_bytes(bytes(MIB))
    run("mkfs.fat", "-F", "12", str(small))
    with pytest.raises(FileError, match="FAT12"):
        contents(small)
    with pytest.raises(FileError, match="Cannot read"):
        contents(tmp_path / "absent.img")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_card_with_wrong_bytes_never_hangs(tmp_path: Path, data: st.DataObject) -> None:
    """Anywhere in partition table, boot block, FAT and root directory."""
    image = bytearray(disk({"MODEL.ULB": MODEL, "B.ULB": OTHER}, "TEST"))
    start = FIRST_BLOCK * BLOCK
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.sampled_from([(446, 64), (start, 64), (start + BLOCK, 300), (start + 37 * BLOCK, 96)]))
        image[where[0] + data.draw(st.integers(0, where[1] - 1))] = data.draw(st.integers(0, 255))
    path = saved(tmp_path / "card.img", bytes(image))
    try:
        found = contents(path)
    except FileError:
        return
    assert len([one for one in found.places if one.answers]) <= 1


def test_what_info_looks_at_as_a_medium(tmp_path: Path) -> None:
    assert is_medium(tmp_path)
    assert is_medium(saved(tmp_path / "a.ulb", MODEL))
    assert is_medium(saved(tmp_path / "a.img", card_image(MODEL)))
    assert not is_medium(saved(tmp_path / "a.ulm", b"\x89ULM\r\n\x1a\n".ljust(510) + b"\x55\xaa"))
    assert not is_medium(tmp_path / "absent")
