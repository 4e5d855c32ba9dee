"""The sizes that stand above the shell's routines are those of the assembled ones."""

from __future__ import annotations

import re

import pytest

from tests.cpm.conftest import SOURCES

SHELL = ("bdos", "frame", "reply", "console", "disk", "service", "main")
LABEL = re.compile(r"^([A-Za-z]\w*):", re.MULTILINE)
HEADED = re.compile(r"^;   size: (\d+) bytes\n;   time: .*\n([A-Za-z]\w*):", re.MULTILINE)


@pytest.mark.parametrize("name", SHELL)
def test_sizes_are_current(name: str, labels: tuple[bytes, dict[str, int]]) -> None:
    at = labels[1]
    every = {label for path in SOURCES.glob("*.asm") for label in LABEL.findall(path.read_text())}
    addresses = sorted({at[label] for label in every if label in at})
    headed = HEADED.findall((SOURCES / f"{name}.asm").read_text())
    assert headed
    for size, label in headed:
        following = next(address for address in addresses if address > at[label])
        assert (label, int(size)) == (label, following - at[label])
