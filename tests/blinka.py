"""The whole Python runtime on CPython and Blinka, its model on a virtual flash chip behind the real busio."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from host_sdk.flash import blinka
from host_sdk.flash.provision import provision_spi_flash
from host_sdk.flash.python_files import runtime_folder
from host_sdk.model.model import Model
from host_sdk.pack.micropython import pack_python
from host_sdk.spec.protocol import Status

PROGRAM = Path(__file__).with_name("runtime_on_blinka.py")


def replies_on_blinka(model: Model, folder: Path) -> dict[str, tuple[int, str]]:
    """Digest and text of each golden reply; the chip is provisioned through Blinka, too."""
    file = folder / f"w25q-{model.name}.bin"
    provision_spi_flash(pack_python(model).data, f"{blinka.VIRTUAL}?flash={file}")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(runtime_folder()), str(file)],
        input="".join(f"{query}\n" for query in model.golden),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    status, *lines = done.stdout.splitlines()
    assert int(status) == Status.OK
    found = (line.split(" ", 1) for line in lines)
    return {query: (int(digest), text) for query, (digest, text) in zip(model.golden, found, strict=True)}
