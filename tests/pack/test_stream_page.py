"""docs/image-stream.md: the tables of the worked example are what the packer writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs/image-stream.md").read_text("utf-8")
EXAMPLE = PAGE.split("## Worked example")[1].split("\n## ")[0]


def test_every_line_of_the_example_is_in_the_image() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", EXAMPLE, re.DOTALL)
    made: dict[str, Any] = {}
    exec(code, made)
    tables = [part for part in EXAMPLE.split("\n\n") if part.startswith("| Offset")]
    for name, table, lines in zip(("lists", "rows"), tables, (24, 14), strict=True):
        image: bytes = made[name]
        assert len(image) == 1536
        rows = re.findall(r"^\| (\d+) \| `([0-9a-f ]+)` \|", table, re.MULTILINE)
        assert len(rows) == lines
        for at, due in rows:
            assert image[int(at) :].startswith(bytes.fromhex(due)), (name, at)
