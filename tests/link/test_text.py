"""Hashing of queries and contexts: shared vectors, and the firmware's text.c against the reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.model.text import context_hashes, query_hashes
from tests.link.conftest import Firmware
from tests.link.vectors import Line, read

VECTORS = list(read("text.txt"))


@pytest.mark.parametrize("line", VECTORS, ids=lambda line: line.name)
def test_vectors(line: Line, firmware: Firmware) -> None:
    text = b"" if line.input == "-" else bytes.fromhex(line.input)
    due = [] if line.output == "-" else [int(word, 16) for word in line.output.split()]
    if line.name.startswith("query "):
        assert list(query_hashes(text)) == due
        assert firmware.query_hashes(text) == due
    else:
        assert line.name.startswith("context ")
        assert list(context_hashes(text)) == due
        assert firmware.context_hashes(text) == due


@given(text=st.binary(max_size=160))
def test_the_firmware_hashes_queries_alike(firmware: Firmware, text: bytes) -> None:
    assert firmware.query_hashes(text) == list(query_hashes(text))


@given(text=st.binary(min_size=3, max_size=32))
def test_the_firmware_hashes_contexts_alike(firmware: Firmware, text: bytes) -> None:
    assert firmware.context_hashes(text) == list(context_hashes(text))
