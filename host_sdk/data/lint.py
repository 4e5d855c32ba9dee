"""Faults of a data file, each with its line and what to do. Errors spoil a training or its figures; the rest warns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from host_sdk.data.near import near_pairs
from host_sdk.errors import FileError
from host_sdk.spec.protocol import MAX_QUERY, MAX_REPLY
from host_sdk.train.data import HELD_OUT, Pair, hash_share, normalise, parse_line

FEW = 10
"""Distinct queries below which a reply is hardly learnt."""
CROWD = 10
"""A reply with more than this many times the queries of the median reply drowns the others."""

ERRORS: Mapping[str, str] = {
    "refused": "a line that a training refuses: no or several bars, an empty part, too long, a control character",
    "contradiction": "a query with another reply in an earlier line",
}
WARNINGS: Mapping[str, str] = {
    "blank": "an empty line",
    "folded": "a character outside ASCII, which no board gets as it is",
    "duplicate": "a query and reply that an earlier line has",
    "spelling": "a reply that differs from another in case, blanks or punctuation only",
    "leak": "a held-out query that differs by a letter or the order of words from one trained on, with the same reply",
    "few": f"a reply with fewer than {FEW} distinct queries",
    "imbalance": f"a reply with most of all queries, or {CROWD} times the queries of the median reply",
    "room": "replies that take more bytes as strings than the board has",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a board takes."""

    query: int = MAX_QUERY  # characters
    reply: int = MAX_REPLY  # characters
    room: int | None = None  # bytes of a packed model
    board: str = ""  # its name, for the sentences


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault; `line` counts from 1."""

    kind: str
    line: int
    text: str  # what is wrong, and what to do

    @property
    def is_error(self) -> bool:
        """Whether the file should not be trained on."""
        return self.kind in ERRORS


class _Line(NamedTuple):
    number: int
    pair: Pair
    key: str  # normalised query


def lint(path: str | Path, limits: Limits | None = None, held_out: float = HELD_OUT) -> list[Finding]:
    """All faults of a file, in the order of its lines; FileError when it cannot be read at all."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
    return lint_bytes(data, limits or Limits(), held_out)


def lint_bytes(data: bytes, limits: Limits, held_out: float = HELD_OUT) -> list[Finding]:
    """All faults of a file's contents."""
    lines: list[_Line] = []
    found = list(_read(data, limits, lines))
    for check in (_same_queries, _spellings, _few, _imbalance):
        found += check(lines)
    found += _leaks(lines, held_out)
    found += _room(lines, limits)
    if not lines:
        found.append(Finding("refused", 1, "The file holds no pairs. Write one `query|reply` per line."))
    return sorted(found, key=lambda finding: (finding.line, finding.kind))


def _read(data: bytes, limits: Limits, lines: list[_Line]) -> Iterator[Finding]:
    """Findings of single lines; the readable ones are added to `lines`."""
    raws = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if raws[-1] == b"":
        raws.pop()
    for number, raw in enumerate(raws, 1):
        try:
            text = raw.decode().strip()
        except UnicodeDecodeError:
            yield Finding("refused", number, "Not UTF-8. Save the file as UTF-8 text.")
            continue
        if not text:
            yield Finding("blank", number, "An empty line. Remove it.")
            continue
        try:
            pair = parse_line(text, limits.reply, limits.query)
        except ValueError as error:
            yield Finding("refused", number, str(error)[:1].upper() + str(error)[1:])
            continue
        if strange := "".join(sorted({c for c in text if not c.isascii()})):
            yield Finding("folded", number, f"Boards get {pair.query!r} for {strange!r}. Write it in ASCII.")
        lines.append(_Line(number, pair, normalise(pair.query)))


def _same_queries(lines: Sequence[_Line]) -> Iterator[Finding]:
    first: dict[tuple[str, str], _Line] = {}
    replied: dict[str, _Line] = {}
    for line in lines:
        # Punctuation alone, "?" or "...", normalises to nothing: such queries are compared as they are.
        key = line.key or line.pair.query
        earlier = first.setdefault((key, line.pair.reply), line)
        other = replied.setdefault(key, line)
        if earlier is not line:
            yield Finding("duplicate", line.number, f"The same as line {earlier.number}. Remove one.")
        elif other is not line:
            yield Finding(
                "contradiction",
                line.number,
                f"{line.pair.query!r} has the reply {line.pair.reply!r} here and {other.pair.reply!r} in line "
                f"{other.number}. Keep one.",
            )


def _spellings(lines: Sequence[_Line]) -> Iterator[Finding]:
    seen: dict[str, _Line] = {}
    told: set[str] = set()
    for line in lines:
        reply = line.pair.reply
        if not (key := normalise(reply)):
            continue
        known = seen.setdefault(key, line)
        if known.pair.reply != reply and reply not in told:
            told.add(reply)
            yield Finding(
                "spelling",
                line.number,
                f"The reply {reply!r} is {known.pair.reply!r} in line {known.number}. Choose one spelling.",
            )


def _leaks(lines: Sequence[_Line], held_out: float) -> Iterator[Finding]:
    first = {line.key: line for line in reversed(lines)}
    held = {key for key in first if hash_share("split", key) < held_out}
    told: set[str] = set()
    for one, other in near_pairs(list(first)):
        if (one in held) == (other in held) or first[one].pair.reply != first[other].pair.reply:
            continue
        ours, theirs = (one, other) if one in held else (other, one)
        if ours not in told:
            told.add(ours)
            yield Finding(
                "leak",
                first[ours].number,
                f"{ours!r} is held out, but {theirs!r} in line {first[theirs].number} is trained on. "
                "Reword one, or expect the held-out figure to flatter.",
            )


def _few(lines: Sequence[_Line]) -> Iterator[Finding]:
    for reply, (number, count) in _replies(lines).items():
        if count < FEW:
            yield Finding("few", number, f"The reply {reply!r} has {_queries(count)}. Write {FEW - count} more.")


def _imbalance(lines: Sequence[_Line]) -> Iterator[Finding]:
    replies = _replies(lines)
    if len(replies) < 2:
        return
    total = sum(count for _, count in replies.values())
    middle = median(count for _, count in replies.values())
    for reply, (number, count) in replies.items():
        if count > total / 2 or count > CROWD * middle:
            yield Finding(
                "imbalance",
                number,
                f"The reply {reply!r} has {count} of {total} queries, the median reply {middle:g}. "
                "Write more for the others, or remove some.",
            )


def _room(lines: Sequence[_Line], limits: Limits) -> Iterator[Finding]:
    size = sum(len(reply) + 1 for reply in {line.pair.reply for line in lines})
    if limits.room is not None and size > limits.room:
        yield Finding(
            "room",
            1,
            f"The replies take {size} bytes as strings; {limits.board} has {limits.room} for a model. "
            "Use fewer or shorter ones, or the character head, which spells them.",
        )


def _replies(lines: Sequence[_Line]) -> dict[str, tuple[int, int]]:
    """Reply -> (its first line, its distinct queries)."""
    queries: dict[str, set[str]] = defaultdict(set)
    numbers: Counter[str] = Counter()
    for line in reversed(lines):
        queries[line.pair.reply].add(line.key or line.pair.query)
        numbers[line.pair.reply] = line.number
    return {reply: (numbers[reply], len(keys)) for reply, keys in queries.items()}


def _queries(count: int) -> str:
    return "1 query" if count == 1 else f"{count} queries"
