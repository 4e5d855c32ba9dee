"""Builds the runner, the program that simulates a board, on the machine where it runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

from host_sdk.errors import MissingError

SOURCES = Path(__file__).parent / "avr"
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2")
LIBRARIES = ("-lsimavr", "-lelf")
BUILD_TIMEOUT_S = 120

_APT = "sudo apt install gcc libsimavr-dev libelf-dev"


def runner_path() -> Path:
    """The runner's executable, built first if this version of its sources has not been built yet.

    MissingError when there is no C compiler or no libsimavr.
    """
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(" ".join((*FLAGS, *LIBRARIES)).encode())
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    path = user_cache_path("ulm") / f"avr-runner-{digest.hexdigest()[:16]}"
    if not path.exists():
        _build([source for source in sources if source.suffix == ".c"], path)
    return path


def _build(sources: list[Path], path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise MissingError(f"Virtual boards need a C compiler: {_APT}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = Path(folder) / path.name
        command = [compiler, *FLAGS, *map(str, sources), *LIBRARIES, "-o", str(built)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)
        if done.returncode != 0:
            reason = next((line for line in done.stderr.splitlines() if "error" in line), "unknown error")
            raise MissingError(f"The virtual board could not be built ({reason.strip()}); it needs: {_APT}")
        os.replace(built, path)  # noqa: PTH105  atomic, and another process may be building the same
