"""Hashing of queries and contexts: shared vectors, and the firmware's text.c against the reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.model.text import MAX_ZONES, PLAIN, Features, context_hashes, query_hashes
from tests.link.conftest import Firmware
from tests.link.vectors import Line, read

VECTORS = list(read("text.txt"))
FEATURES = {"query": PLAIN, "zones3": Features(zones=3), "words": Features(words=True), "all": Features(8, True)}


@pytest.mark.parametrize("line", VECTORS, ids=lambda line: line.name)
def test_vectors(line: Line, firmware: Firmware) -> None:
    text = b"" if line.input == "-" else bytes.fromhex(line.input)
    due = [] if line.output == "-" else [int(word, 16) for word in line.output.split()]
    kind, _, _ = line.name.partition(" ")
    if kind in FEATURES:
        assert list(query_hashes(text, FEATURES[kind])) == due
        assert firmware.query_hashes(text, FEATURES[kind]) == due
    else:
        assert line.name.startswith("context ")
        assert list(context_hashes(text)) == due
        assert firmware.context_hashes(text) == due


@given(
    text=st.binary(max_size=160) | st.text("ab ", max_size=160).map(str.encode),
    features=st.builds(Features, st.integers(1, MAX_ZONES), st.booleans()),
)
def test_the_firmware_hashes_queries_alike(firmware: Firmware, text: bytes, features: Features) -> None:
    hashes = list(query_hashes(text, features))
    assert firmware.query_hashes(text, features) == hashes
    assert len(hashes) <= features.most_hashes(len(text))


@given(text=st.binary(min_size=3, max_size=32))
def test_the_firmware_hashes_contexts_alike(firmware: Firmware, text: bytes) -> None:
    assert firmware.context_hashes(text) == list(context_hashes(text))
