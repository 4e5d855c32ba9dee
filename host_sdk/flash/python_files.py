"""The runtime for Python boards as files: which a board gets, shortened or compiled, with its build number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from host_sdk.errors import MissingError
from host_sdk.flash.shorten import folded, renamed, shortened
from host_sdk.model.crc import crc16
from host_sdk.spec.emit import spec_sum

BUILD_FILE = "ulm_build.py"
MODEL_FILE = "ulm_model.ulb"
NEW_SUFFIX = ".new"
_NATIVE = "ulm_viper.py"
"""Machine code is made on the board."""
_TINY = (
    "ulm_crc.py",
    "ulm_frame.py",
    "ulm_text.py",
    "ulm_tiny.py",
    "ulm_tiny_answer.py",
    "ulm_tiny_engine.py",
    "ulm_tiny_line.py",
    "ulm_tiny_loop.py",
)
"""All that a micro:bit gets: MicroPython 1.9 with 9 KB of heap."""
_TINY_ONLY = "ulm_tiny"


def runtime_folder() -> Path:
    """Where the sources of the runtime are: in an installed package, or in the checkout."""
    package = Path(__file__).parents[1]
    for root in (package / "shipped", package.parent):
        if (root / "device" / "micropython").is_dir():
            return root / "device" / "micropython"
    raise MissingError("This installation has no runtime for Python boards; install micro-lm again.")


@lru_cache
def sources(tiny: bool = False) -> Mapping[str, str]:
    """Name and text of each file of the runtime, without remarks: boards keep and compile them."""
    names = sorted(path.name for path in runtime_folder().glob("ulm*.py"))
    chosen = [name for name in names if (name in _TINY if tiny else not name.startswith(_TINY_ONLY))]
    texts = {name: (runtime_folder() / name).read_text("utf-8") for name in chosen}
    short = {name: shortened(folded(text)) for name, text in texts.items()}
    return renamed(short) if tiny else short


@lru_cache
def build_number(tiny: bool = False) -> int:
    """Checksum of the runtime's files; never 0, which stands for a runtime of your own."""
    text = "".join(f"{name}\0{source}\0" for name, source in sources(tiny).items())
    return crc16(text.encode()) or 1


def runtime_files(
    board: str, compile_: Callable[[str, str], bytes | None] | None = None, partition: str | None = None
) -> dict[str, bytes]:
    """The files that make a board answer; `compile_` makes bytecode of a source, or None to leave it.

    The model is to be in the `partition`, or in the file beside them.
    """
    files: dict[str, bytes] = {}
    for name, source in sources().items():
        stem = name.removesuffix(".py")
        code = compile_(source, stem) if compile_ and name != _NATIVE else None
        files[f"{stem}.mpy" if code else name] = code or source.encode()
    files[BUILD_FILE] = build_file(board, build_number(), partition)
    return files


def tiny_files(board: str) -> dict[str, bytes]:
    """The files that make a micro:bit answer."""
    files = {name: source.encode() for name, source in sources(tiny=True).items()}
    files[BUILD_FILE] = build_file(board, build_number(tiny=True))
    return files


def build_file(board: str, build: int, partition: str | None = None) -> bytes:
    """What the runtime knows about itself, and in which partition its model is."""
    place = f"PARTITION = {partition!r}\n" if partition else ""
    return f"BOARD = {board.encode()!r}\nBUILD = {build}\nSPEC_SUM = {spec_sum()}\n{place}".encode()
