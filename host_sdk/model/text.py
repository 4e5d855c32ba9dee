"""Text to buckets: what a query and a context mean to the network, to the bit (docs/semantics.md)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import UsageError
from host_sdk.spec.container import WORD_START, ZONE_WINDOWS, QueryFlag
from host_sdk.spec.protocol import MAX_QUERY

_SPACE = 0x20
MAX_ZONES = QueryFlag.ZONES + 1


@dataclass(frozen=True, slots=True)
class Features:
    """What of a query is hashed beside its windows alone."""

    zones: int = 1  # so many parts of a query hash the same window to different buckets: the order of words counts
    words: bool = False  # every word counts as a whole, too

    @property
    def flags(self) -> int:
        """As files and images have it: QueryFlag."""
        return self.zones - 1 | (QueryFlag.WORDS if self.words else 0)

    @classmethod
    def of(cls, flags: int) -> Features:
        """The features that `flags` says."""
        return cls((flags & QueryFlag.ZONES) + 1, bool(flags & QueryFlag.WORDS))

    def most_hashes(self, length: int) -> int:
        """How many hashes a query of `length` characters has at most."""
        return length + (length + 1) // 2 if self.words else length

    def longest(self, hashes: int) -> int:
        """The longest query that has at most so many hashes; the inverse of most_hashes()."""
        return hashes * 2 // 3 if self.words else hashes


PLAIN = Features()
"""Windows of three characters, wherever they stand."""


def to_ascii(text: str) -> bytes:
    """Fold accents, replace what is left outside ASCII by '?'. This is what a board is sent."""
    folded = unicodedata.normalize("NFKD", text)
    kept = "".join(c for c in folded if not unicodedata.combining(c))
    return kept.encode("ascii", "replace")


def query_bytes(text: str, limit: int = MAX_QUERY) -> bytes:
    """The bytes of a query; UsageError when they exceed `limit`: a query is refused, never cut."""
    data = to_ascii(text)
    if len(data) > limit:
        raise UsageError(f"The query has {len(data)} characters; this model takes at most {limit}. Ask in fewer words.")
    return data


def lower(data: bytes) -> bytes:
    """Lower case, A to Z only."""
    return data.lower()


def query_hashes(query: bytes, features: Features = PLAIN) -> Iterator[int]:
    """The 16-bit hashes of every 3-character window of the query with one blank on each side, and of its words.

    A word comes behind the window that ends with it.
    """
    padded = b" " + lower(query) + b" "
    word = b""
    for start in range(len(padded) - 2):
        zone = min(start // ZONE_WINDOWS, features.zones - 1)
        yield _hash(zone * 7, padded[start : start + 3])
        if padded[start + 1] != _SPACE:
            word += padded[start + 1 : start + 2]
        if features.words and word and padded[start + 2] == _SPACE:
            yield _hash(WORD_START, word)
            word = b""


def context_hashes(context: bytes) -> Iterator[int]:
    """The hashes of all 1-, 2- and 3-grams of a context, each started from 7 times its position."""
    data = lower(context)
    for n in (1, 2, 3):
        for start in range(len(data) - n + 1):
            yield _hash(start * 7, data[start : start + n])


def context_grams(length: int) -> int:
    """How many n-grams a context of `length` characters has."""
    return 3 * length - 3


def query_counts(queries: Sequence[bytes], buckets: int, features: Features = PLAIN) -> NDArray[np.int32]:
    """Bucket counts, shape (queries, buckets)."""
    return _counts([list(query_hashes(q, features)) for q in queries], buckets)


def context_counts(contexts: Sequence[bytes], buckets: int) -> NDArray[np.int32]:
    """Bucket counts, shape (contexts, buckets)."""
    return _counts([list(context_hashes(c)) for c in contexts], buckets)


def blank_context(length: int) -> bytes:
    """The context before the first character."""
    return bytes([_SPACE]) * length


def _hash(start: int, data: bytes) -> int:
    value = start
    for byte in data:
        value = (value * 31 + byte) & 0xFFFF
    return value


def _counts(hashes: Sequence[Sequence[int]], buckets: int) -> NDArray[np.int32]:
    counts = np.zeros((len(hashes), buckets), np.int32)
    rows = np.repeat(np.arange(len(hashes)), [len(h) for h in hashes])
    columns = np.array([h & (buckets - 1) for one in hashes for h in one], np.intp)
    np.add.at(counts, (rows, columns), 1)
    return counts
