"""Pairs of a query and its reply: reading them, and splitting them so that no query is on both sides.

A data file is UTF-8 text with one `query|reply` per line, as HarryR/z80ai uses it. Blank lines are skipped; `#` starts
no comment, since people type it. Blanks at both ends of a query and a reply are dropped, as boards drop them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from host_sdk.errors import FileError
from host_sdk.model.text import to_ascii
from host_sdk.spec.protocol import MAX_QUERY, MAX_REPLY

HELD_OUT = 0.1
"""Share of the distinct queries that a default training never sees."""
SPLIT_RULE = 'sha256("split:" + normalised query), first 4 bytes big-endian / 2^32, below the fraction: held out'
"""Written into every trained model, so that others can repeat the split."""

_Item = TypeVar("_Item")


class Pair(NamedTuple):
    """One line of a data file; both texts are ASCII, folded as a board would be sent them."""

    query: str
    reply: str


def read_pairs(path: str | Path, max_reply: int = MAX_REPLY) -> list[Pair]:
    """All pairs of a data file; FileError naming the first bad line."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
    pairs = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode().strip()
        except UnicodeDecodeError:
            raise FileError(f"{path}, line {number}: not UTF-8. Save the file as UTF-8 text.") from None
        if line:
            try:
                pairs.append(parse_line(line, max_reply))
            except ValueError as error:
                raise FileError(f"{path}, line {number}: {error}") from None
    if not pairs:
        raise FileError(f"{path} holds no pairs. Write one `query|reply` per line.")
    return pairs


def parse_line(line: str, max_reply: int = MAX_REPLY, max_query: int = MAX_QUERY) -> Pair:
    """The pair of one stripped line; ValueError says what is wrong with it, and what to do."""
    if line.count("|") != 1:
        raise ValueError(f"{line.count('|')} bars instead of one. Write `query|reply`.")
    query, reply = (to_ascii(part.strip()).decode() for part in line.split("|"))
    if not query or not reply:
        raise ValueError(f"the {'reply' if query else 'query'} is missing. Write `query|reply`.")
    if len(query) > max_query:
        raise ValueError(f"the query has {len(query)} characters; a model takes at most {max_query}. Shorten it.")
    if len(reply) > max_reply:
        raise ValueError(f"the reply has {len(reply)} characters; at most {max_reply} are possible. Shorten it.")
    if not all(" " <= c <= "~" for c in reply):
        raise ValueError("the reply holds a control character. Remove it.")
    return Pair(query, reply)


def normalise(query: str) -> str:
    """Lower case, letters, digits and single blanks: what counts as the same query.

    >>> normalise("  What's  UP, Doc?")
    'whats up doc'
    """
    text = to_ascii(query).decode().lower()
    return " ".join("".join(c for c in text if c.isalnum() or c.isspace()).split())


def hash_share(salt: str, query: str) -> float:
    """A number in [0, 1) that depends on the normalised query alone."""
    digest = hashlib.sha256(f"{salt}:{normalise(query)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def split_pairs(
    pairs: Sequence[Pair], fraction: float = HELD_OUT, salt: str = "split"
) -> tuple[list[Pair], list[Pair]]:
    """(pairs to fit, pairs held out): about `fraction` of the distinct queries are held out."""
    return partition(pairs, lambda pair: hash_share(salt, pair.query) >= fraction)


def partition(items: Iterable[_Item], chosen: Callable[[_Item], bool]) -> tuple[list[_Item], list[_Item]]:
    """(items that are chosen, the others), in their order."""
    sides: tuple[list[_Item], list[_Item]] = ([], [])
    for item in items:
        sides[not chosen(item)].append(item)
    return sides
