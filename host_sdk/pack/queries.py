"""The shipped lists of everyday queries."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def everyday_queries() -> tuple[str, ...]:
    """Queries on which packers measure how often a column is read. No benchmark uses them."""
    return _lines("everyday.txt")


@cache
def bench_queries() -> tuple[str, ...]:
    """The queries of `ulm bench`, 2 to 40 characters each. Nothing is tuned on them."""
    return _lines("bench.txt")


def _lines(name: str) -> tuple[str, ...]:
    return tuple((files("host_sdk") / "pack" / name).read_text("ascii").splitlines())
