"""The shipped lists of everyday queries."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from host_sdk.errors import FileError


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


def read_queries(path: Path) -> list[str]:
    """The queries of a file, one per line; FileError when there are none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
    except UnicodeDecodeError:
        raise FileError(f"{path} is not a text file of queries, one per line.") from None
    if not any(lines):
        raise FileError(f"{path} holds no queries.")
    return [line for line in lines if line]
