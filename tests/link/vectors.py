"""Vector files shared by all ports: text lines `name: input -> output`, '#' starts a remark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "vectors"


class Line(NamedTuple):
    name: str
    input: str
    output: str


def read(file: str) -> Iterator[Line]:
    for line in (FOLDER / file).read_text("ascii").splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, rest = line.partition(": ")
        given, arrow, due = rest.partition(" -> ")
        assert arrow, f"{file}: {line!r} is no vector"
        yield Line(name, given.strip(), due.strip())
