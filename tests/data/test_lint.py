"""`lint`: every kind of fault is found at its line, good files have none, and the near duplicates are the true ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.data.lint import CROWD, ERRORS, FEW, WARNINGS, Limits, lint, lint_bytes
from host_sdk.data.near import near_pairs
from host_sdk.errors import FileError

WORDS = ["lamp", "north", "sword", "apple", "door", "kettle", "garden", "window", "ladder", "bottle"]


def kinds(text: str, limits: Limits | None = None, held_out: float = 0.1) -> list[tuple[str, int]]:
    return [(f.kind, f.line) for f in lint_bytes(text.encode(), limits or Limits(), held_out) if f.kind != "few"]


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("hi|ok\nhello\n", "refused", 2),
        ("a|b|c\nhi|ok\n", "refused", 1),
        ("hi|ok\n|ok\n", "refused", 2),
        ("hi|ok\nho|\n", "refused", 2),
        ("hi|ok\n" + "h" * 161 + "|ok\n", "refused", 2),
        ("hi|ok\nho|" + "o" * 51 + "\n", "refused", 2),
        ("hi|ok\n\nho|ok\n", "blank", 2),
        ("hi|ok\ncafé|ok\n", "folded", 2),
        ("hi|ok\nHi!|ok\n", "duplicate", 2),
        ("hi|ok\nwho?|me\nHi!|no\n", "contradiction", 3),
        ("hi|ok\nho|Ok.\n", "spelling", 2),
    ],
)
def test_finds_each_fault_at_its_line(text: str, kind: str, line: int) -> None:
    assert kinds(text) == [(kind, line)]


def test_a_file_that_is_not_utf8_or_empty() -> None:
    assert [f.kind for f in lint_bytes(b"h\xff|ok\n", Limits())] == ["refused", "refused"]
    assert [f.kind for f in lint_bytes(b"", Limits())] == ["refused"]


def test_few_queries_per_reply() -> None:
    text = "".join(f"{word}|ok\n" for word in WORDS[: FEW - 1])
    (finding,) = lint_bytes(text.encode(), Limits())
    assert (finding.kind, finding.line, finding.is_error) == ("few", 1, False)
    assert "9 queries. Write 1 more" in finding.text
    assert not lint_bytes((text + f"{WORDS[-1]}|ok\n").encode(), Limits())


def test_imbalance() -> None:
    def share(crowd: int, other: int) -> str:
        lines = [f"crowd number {i} {'x' * i}|a\n" for i in range(crowd)]
        return "".join(lines + [f"{reply}{i}{i}{i}|{reply}\n" for reply in "bcdefghijklmn" for i in range(other)])

    assert ("imbalance", 1) in kinds(share(21 * CROWD // 10, 2), held_out=0)
    assert ("imbalance", 1) not in kinds(share(CROWD, 2), held_out=0)
    assert ("imbalance", 1) in kinds("q|a\nw|a\ne|b\n")


def test_a_leak_needs_the_same_reply_and_two_sides() -> None:
    lines = [f"{one} the {other}|ok\n" for one in WORDS for other in WORDS if one < other]
    turned = [f"the {other} {one}|ok\n" for one in WORDS for other in WORDS if one < other]
    leaks = [f for f in lint_bytes("".join(lines + turned).encode(), Limits(), 0.5) if f.kind == "leak"]
    assert leaks
    assert all("is held out, but" in f.text for f in leaks)
    other = [line.replace("|ok", "|no") for line in turned]
    assert not [f for f in lint_bytes("".join(lines + other).encode(), Limits(), 0.5) if f.kind == "leak"]


def test_a_board_has_its_limits() -> None:
    text = "hello there|ok\n"
    assert kinds(text, Limits(query=10)) == [("refused", 1), ("refused", 1)]
    assert kinds(text, Limits(room=2, board="Toy")) == [("room", 1)]
    assert kinds(text, Limits(room=3)) == []


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileError, match=r"absent\.txt"):
        lint(Path("absent.txt"))


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data: bytes) -> None:
    found = lint_bytes(data, Limits())
    lines = data.count(b"\n") + 1
    for finding in found:
        assert finding.kind in {**ERRORS, **WARNINGS}
        assert 1 <= finding.line <= lines
        assert "\n" not in finding.text


@given(st.lists(st.text("ab ", min_size=1, max_size=9), max_size=12))
def test_near_pairs_are_those_of_the_definition(queries: list[str]) -> None:
    distinct = list(dict.fromkeys(queries))
    due = [(a, b) for i, a in enumerate(distinct) for b in distinct[i + 1 :] if _near(a, b)]
    assert list(near_pairs(queries)) == due


def _near(one: str, other: str) -> bool:
    if sorted(one.split()) == sorted(other.split()):
        return True
    short, long = sorted((one, other), key=len)
    if len(short) == len(long):
        return len(short) >= 6 and sum(a != b for a, b in zip(one, other, strict=True)) == 1
    return len(long) >= 6 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
