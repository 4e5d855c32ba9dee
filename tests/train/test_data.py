"""Data files: what is read, what is refused and where, and splits that never cut a query in two."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.errors import FileError
from host_sdk.train.data import HELD_OUT, Pair, hash_share, normalise, read_pairs, split_pairs


def test_reads_pairs_as_boards_get_them(tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    file.write_bytes("\ufeffHello there | hi!\r\n\r\n# is no comment|ok\nCafé?|naïve\n".encode())
    assert read_pairs(file) == [("Hello there", "hi!"), ("# is no comment", "ok"), ("Cafe?", "naive")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hi|ok\nhello\n", "line 2: 0 bars"),
        (b"a|b|c\n", "line 1: 2 bars"),
        (b"hi|ok\n\n|ok\n", "line 3: the query is missing"),
        (b"hi| \n", "line 1: the reply is missing"),
        (b"hi|ok\nh\xff|ok\n", "line 2: not UTF-8"),
        (b"h" * 161 + b"|ok\n", "line 1: the query has 161 characters"),
        (b"hi|" + b"o" * 51, "line 1: the reply has 51 characters"),
        (b"hi|a\tb\n", "line 1: the reply holds a control character"),
        (b"", "no pairs"),
        (b"\n \n", "no pairs"),
    ],
)
def test_names_the_bad_line_in_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "data.txt"
    file.write_bytes(content)
    with pytest.raises(FileError, match=words) as error:
        read_pairs(file)
    assert "data.txt" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="absent"):
        read_pairs(tmp_path / "absent.txt")


def test_normal_form_ignores_case_punctuation_and_blanks() -> None:
    assert normalise(" What's\tUP,  doc? 42 é") == "whats up doc 42 e"


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12), max_size=60))
def test_no_query_is_on_both_sides(queries: list[str]) -> None:
    pairs = [Pair(query, "ok") for query in queries] + [Pair(query.upper() + "!", "no") for query in queries]
    fit, held = split_pairs(pairs, 0.5)
    assert not {normalise(pair.query) for pair in fit} & {normalise(pair.query) for pair in held}
    assert sorted(fit + held) == sorted(pairs)


def test_a_tenth_is_held_out_and_the_split_never_moves() -> None:
    pairs = [Pair(f"question {i}", "ok") for i in range(5000)]
    _, held = split_pairs(pairs)
    assert 0.085 < len(held) / len(pairs) < 0.115
    assert hash_share("split", "Hello, World!") == hash_share("split", "hello world")
    assert hash_share("split", "hello world") == pytest.approx(0.00388, abs=1e-5)
    assert HELD_OUT == 0.1
