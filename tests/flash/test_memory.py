from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.errors import FileError, FitError
from host_sdk.flash import Memory


def test_bytes_fill_whole_pages() -> None:
    memory = Memory.from_bytes(0x7E, b"\x01\x02\x03\x04")
    assert list(memory.pages) == [0, 128]
    assert memory.pages[0] == b"\xff" * 126 + b"\x01\x02"
    assert memory.pages[128] == b"\x03\x04" + b"\xff" * 126
    assert memory.end == 256


@given(st.dictionaries(st.integers(0, 0x7FFF), st.integers(0, 255), max_size=300))
def test_hex_round_trip(cells: dict[int, int]) -> None:
    memory = Memory(cells)
    again = Memory.from_hex(memory.to_hex())
    assert again == memory
    assert again.pages == memory.pages


def test_merging_may_share_a_page_but_no_byte() -> None:
    program = Memory.from_bytes(0, bytes(130))
    model = Memory.from_bytes(130, b"\x55")
    both = program.merged(model)
    assert both.pages[128] == b"\0\0\x55" + b"\xff" * 125
    assert both == model.merged(program)
    with pytest.raises(FitError, match="same 2 bytes of flash from 0x0080"):
        program.merged(Memory.from_bytes(128, b"\0\0\0"))


def test_an_erased_page_equals_no_page() -> None:
    blank = Memory.from_bytes(512, b"\xff" * 128)
    assert blank == Memory({})
    assert list(blank.pages) == [512]
    assert Memory.from_bytes(0, b"\0") != Memory({})
    assert Memory({}).end == 0


def test_only_takes_whole_pages() -> None:
    memory = Memory.from_bytes(0, bytes(300))
    part = memory.only((128,))
    assert part.pages == {128: bytes(128)}


def test_damaged_hex_is_a_file_error(tmp_path: Path) -> None:
    path = tmp_path / "runtime.hex"
    with pytest.raises(FileError, match="Cannot read"):
        Memory.from_hex_file(path)
    path.write_text(Memory.from_bytes(0, b"abc").to_hex())
    assert Memory.from_hex_file(path) == Memory.from_bytes(0, b"abc")
    path.write_text(":03000000616263D8\n:00000001FF\n")
    with pytest.raises(FileError, match=r"runtime\.hex is no sound Intel HEX"):
        Memory.from_hex_file(path)
    path.write_bytes(b"\xc3\xa9")
    with pytest.raises(FileError, match="is not an Intel HEX"):
        Memory.from_hex_file(path)


def test_negative_addresses_are_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Memory({-1: 0})
