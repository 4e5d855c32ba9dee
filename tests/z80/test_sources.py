"""The assembly says how large its routines are; that is what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_sdk.pack.cpm_templates import templates

FOLDER = Path(__file__).parents[2] / "device" / "z80_cpm"
ENGINE = ("kernel", "moves", "large", "crc", "text", "query", "context", "pass", "choose", "engine")


def routines(name: str) -> Iterator[tuple[str, int | None]]:
    """Every label behind a comment that stands by itself, and the size that the comment says."""
    size: int | None = None
    commented = False
    for line in (FOLDER / f"{name}.asm").read_text("utf-8").splitlines():
        if line.startswith(";"):
            commented = True
            if found := re.match(r"; size:  (\d+) bytes", line):
                size = int(found[1])
        elif label := re.match(r"([a-z]\w*):", line):
            if commented:
                yield label[1], size
            commented, size = False, None
        elif " equ " not in line:
            commented = commented and not line.strip()


def test_sizes_are_what_the_headers_say() -> None:
    labels = templates().labels
    found = sorted((labels[label], label, size) for name in ENGINE for label, size in routines(name))
    wrong = []
    for (at, label, size), (after, _, _) in zip(found, [*found[1:], (labels["t_starts"], "", None)], strict=True):
        if size is not None and size != after - at:
            wrong.append(f"{label}: {size} said, {after - at} bytes")
    assert not wrong, "\n".join(wrong)
    assert sum(size is not None for _, _, size in found) > 25


@pytest.mark.parametrize("name", [*ENGINE, "templates"])
def test_files_can_be_held(name: str) -> None:
    text = (FOLDER / f"{name}.asm").read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 120
    assert text.count("\n") < 800
