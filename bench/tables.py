"""Tables as Markdown, printed as they are kept in docs/, and the places in docs/ where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns but the first three are right-aligned when all their cells begin with a digit."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(cell[:1].isdigit() or cell in ("", "–") for cell in column[1:]) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * (width - 1) + (":" if to_right else "-") for width, to_right in zip(widths, right, strict=True)]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def update(path: Path, name: str, text: str) -> None:
    """Replaces what stands in a page between `<!-- NAME -->` and `<!-- end NAME -->`."""
    page = path.read_text("utf-8")
    start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    before, found, rest = page.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{path} has no place for {name}: write {start} and {end}.")
    path.write_text(f"{before}{start}\n{text}\n{end}{after}", "utf-8")


def number(value: float) -> str:
    """A whole number with commas."""
    return f"{value:,.0f}"
