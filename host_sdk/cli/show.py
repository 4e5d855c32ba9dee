"""How the command line shows things: progress bars on a terminal, tables, stable JSON."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from host_sdk.link.pace import Thought

Progress = Callable[[int, int], None]
_PATIENCE_S = 0.5
"""Without a character before anything is drawn."""
_BAR = 20
_SAVE, _RESTORE, _CLEAR = "\x1b7", "\x1b8", "\x1b[K"


@contextmanager
def progress_bar(label: str, quiet: bool = False) -> Iterator[Progress | None]:
    """A bar on stderr while the block runs; None when nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show


class ThinkingBar:
    """Behind the text of a reply, how far the board is with its next character, if that takes long.

    Only where both streams are a terminal.
    """

    def __init__(self) -> None:
        self.watched = sys.stdout.isatty() and sys.stderr.isatty()
        self._column = 0
        self._since = time.monotonic()
        self._shown = False

    def say(self, text: str) -> None:
        """Print a part of the reply."""
        self.clear()
        click.echo(text, nl=False)
        self._column += len(text)
        self._since = time.monotonic()

    def show(self, thought: Thought) -> None:
        """Draw the bar, and leave the cursor where it was."""
        room = shutil.get_terminal_size().columns - 1
        text = _bar(thought)[: room - self._column % (room + 1)]
        if self.watched and time.monotonic() - self._since >= _PATIENCE_S and text:
            sys.stdout.flush()
            sys.stderr.write(f"{_SAVE}{_CLEAR}{text}{_RESTORE}")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Take the bar away."""
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False


def _bar(thought: Thought) -> str:
    full = _BAR * min(thought.done, thought.total) // max(thought.total, 1)
    left = "" if thought.seconds_left is None else f" {thought.seconds_left:.1f} s"
    what = f"layer {thought.layer}" if thought.layer else "reading"
    return f" [{'#' * full}{'-' * (_BAR - full)}] {what}{left}"


@contextmanager
def ctrl_c_calls(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C in this block calls `stop`, the second leaves as usual."""

    def first(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def print_json(value: Any) -> None:
    """One line of JSON on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False))


def table(rows: Sequence[Sequence[object]]) -> None:
    """Left-aligned columns."""
    texts = [[str(cell) for cell in row] for row in rows]
    if not texts:
        return
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
    for row in texts:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
