"""Which form the engine takes in how much heap, on MicroPython's Unix port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from host_sdk.model.library import shipped_model
from host_sdk.pack.micropython import pack_python
from host_sdk.spec.protocol import Status

LEAST_KB = 40
"""Words of 4 bytes. Below 36 KB it depends on how the heap is cut into pieces."""
TRY = """
import sys
sys.path.insert(0, {runtime!r})
import ulm, ulm_read
engine, status = ulm.open_engine(ulm_read.FileReader({image!r}), False)
if engine:
    engine.ask(b"hello there, how are you today?")
    engine.run()
print(engine.kernel if engine else status)
"""


def form(image: Path, runtime: Path, heap_kb: int) -> str:
    """The engine's form after a pass, or the status that says why there is none."""
    program = TRY.format(runtime=str(runtime), image=str(image))
    command = [sys.executable, "-m", "micropython_unix", "-X", f"heapsize={heap_kb}wK", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_a_form_that_does_not_fit_makes_way_for_the_next(
    micropython: None, runtime_sources: Path, tmp_path: Path
) -> None:
    """Above the least heap every heap will do, also one that is a little too small for a fast form."""
    image = tmp_path / "tinychat.ulb"
    image.write_bytes(pack_python(shipped_model("tinychat")).data)
    assert form(image, runtime_sources, LEAST_KB // 2) == str(int(Status.TOO_LARGE))
    forms = [form(image, runtime_sources, heap_kb) for heap_kb in range(LEAST_KB, 96, 2)]
    assert set(forms) == {"streamed", "packed", "views"}
