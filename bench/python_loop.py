"""A whole character on MicroPython beside the bare loop over the same additions.

    python bench/python_loop.py MODEL.ulm [QUERY...]

Runs in MicroPython's Unix port; wall-clock times, so only their ratios mean something.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from host_sdk.flash.python_files import runtime_folder  # noqa: E402
from host_sdk.model.library import find_model  # noqa: E402
from host_sdk.model.model import Model  # noqa: E402
from host_sdk.pack.micropython import pack_python  # noqa: E402

PROGRAM = Path(__file__).parent / "micropython" / "character.py"
QUERIES = ("hello", "who are you", "what is your name")


@dataclass(frozen=True, slots=True)
class Loop:
    """Sums over all passes; microseconds."""

    passes: int
    additions: int
    bare_us: int
    plain_us: int
    native_us: int  # negative where there is no machine code

    @property
    def ratio(self) -> float:
        """A whole pass in plain Python, in bare loops."""
        return self.plain_us / self.bare_us


def measure(model: Model, queries: Sequence[str] = QUERIES) -> Loop:
    """Every pass of the replies to some queries."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "model.ulb"
        image.write_bytes(pack_python(model).data)
        python = [sys.executable, "-m", "micropython_unix", "-X", "heapsize=4M"]
        words = [*python, str(PROGRAM), str(runtime_folder()), str(image), *queries]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    rows = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    return Loop(len(rows), *(sum(column) for column in zip(*rows, strict=True)))


if __name__ == "__main__":
    loop = measure(find_model(sys.argv[1]), sys.argv[2:] or QUERIES)
    print(
        f"{loop.passes} passes, {loop.additions / loop.passes:.0f} additions each: bare loop "
        f"{loop.bare_us / loop.passes:.0f} µs, whole pass {loop.plain_us / loop.passes:.0f} µs "
        f"({loop.ratio:.2f} times), in machine code {loop.native_us / loop.passes:.0f} µs"
    )
