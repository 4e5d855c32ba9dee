"""Writing pair files: one `query|reply` per line, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from host_sdk.errors import FileError
from host_sdk.train.data import Pair


def write_pairs(path: str | Path, pairs: Iterable[Pair]) -> None:
    """Write a data file; FileError when that is impossible, and then an older file stays as it was."""
    write_text(Path(path), "".join(f"{pair.query}|{pair.reply}\n" for pair in pairs))


def write_text(path: Path, text: str) -> None:
    """Replace a UTF-8 file in one step."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_text(text, "utf-8", newline="\n")
        fresh.replace(path)
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}. Choose another place.") from None
