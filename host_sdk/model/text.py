"""Text to buckets: what a query and a context mean to the network, to the bit (docs/semantics.md)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import UsageError
from host_sdk.spec.protocol import MAX_QUERY

_SPACE = 0x20


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


def query_hashes(query: bytes) -> Iterator[int]:
    """The 16-bit hashes of every 3-character window of the query with one blank on each side."""
    padded = b" " + lower(query) + b" "
    for start in range(len(padded) - 2):
        yield _hash(0, padded[start : start + 3])


def context_hashes(context: bytes) -> Iterator[int]:
    """The hashes of all 1-, 2- and 3-grams of a context, each started from 7 times its position."""
    data = lower(context)
    for n in (1, 2, 3):
        for start in range(len(data) - n + 1):
            yield _hash(start * 7, data[start : start + n])


def context_grams(length: int) -> int:
    """How many n-grams a context of `length` characters has."""
    return 3 * length - 3


def query_counts(queries: Sequence[bytes], buckets: int) -> NDArray[np.int32]:
    """Bucket counts, shape (queries, buckets)."""
    return _counts([list(query_hashes(q)) for q in queries], buckets)


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
