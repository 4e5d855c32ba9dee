"""Hashing, to the bit as docs/semantics.md says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.errors import UsageError
from host_sdk.model.crc import crc16
from host_sdk.model.text import (
    Features,
    blank_context,
    context_counts,
    context_grams,
    context_hashes,
    query_bytes,
    query_counts,
    query_hashes,
    to_ascii,
)


def by_the_letter(start: int, text: str) -> int:
    """The rule as it is written down: h = (h * 31 + c) mod 2^16."""
    value = start
    for character in text:
        value = (value * 31 + ord(character)) & 0xFFFF
    return value


def test_a_query_is_hashed_in_windows_of_three_with_a_blank_on_each_side() -> None:
    assert list(query_hashes(b"Hi")) == [by_the_letter(0, " hi"), by_the_letter(0, "hi ")]
    assert list(query_hashes(b"")) == []
    assert list(query_hashes(b"A")) == [by_the_letter(0, " a ")]


def test_a_context_is_hashed_with_positions() -> None:
    expected = [by_the_letter(i * 7, "abcd"[i : i + n]) for n in (1, 2, 3) for i in range(4 - n + 1)]
    assert list(context_hashes(b"AbCd")) == expected
    assert len(expected) == context_grams(4)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=160), st.sampled_from([64, 128, 2048]))
def test_counts_sum_to_the_number_of_windows(text: str, buckets: int) -> None:
    counts = query_counts([text.encode()], buckets)
    assert counts.shape == (1, buckets)
    assert counts.sum() == len(text)


@given(st.binary(min_size=8, max_size=8))
def test_context_counts_use_the_low_bits(context: bytes) -> None:
    wide, narrow = (context_counts([context], buckets)[0] for buckets in (256, 64))
    assert np.array_equal(wide.reshape(4, 64).sum(axis=0), narrow)


def test_lower_case_is_a_to_z_only() -> None:
    assert list(query_hashes("[@À".encode("latin-1"))) != []
    assert list(query_hashes(b"[Z")) == [by_the_letter(0, " [z"), by_the_letter(0, "[z ")]


def test_text_is_folded_to_ascii() -> None:
    assert to_ascii("Crème brûlée") == b"Creme brulee"
    assert to_ascii("日本") == b"??"


def test_a_long_query_is_refused_and_never_cut() -> None:
    assert len(query_bytes("x" * 160)) == 160
    with pytest.raises(UsageError, match="161 characters"):
        query_bytes("x" * 161)


def test_the_blank_context_is_spaces() -> None:
    assert blank_context(8) == b" " * 8


def test_crc_check_value() -> None:
    assert crc16(b"123456789") == 0x906E


def test_zones_tell_where_a_window_stands() -> None:
    query = b"abcdefgh" * 4
    plain, zoned = list(query_hashes(query)), list(query_hashes(query, Features(zones=3)))
    steps = [(a - b) % 65536 for a, b in zip(zoned, plain, strict=True)]
    assert steps == [7 * 31**3 * min(i // 8, 2) % 65536 for i in range(32)]


def test_words_count_as_a_whole_behind_their_last_window() -> None:
    hashes = list(query_hashes(b" Hi  you ", Features(words=True)))
    assert [by_the_letter(1, word) for word in ("hi", "you")] == [hashes[3], hashes[9]]
    assert [h for i, h in enumerate(hashes) if i not in (3, 9)] == list(query_hashes(b" Hi  you "))


@given(st.integers(0, 160))
def test_longest_is_the_inverse_of_most_hashes(length: int) -> None:
    for features in (Features(), Features(zones=4, words=True)):
        assert features.longest(features.most_hashes(length)) == length
        assert features.most_hashes(features.longest(length)) <= length
        assert Features.of(features.flags) == features
