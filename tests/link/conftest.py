"""The firmware's frame and text modules, compiled for this computer."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from host_sdk.link import session, wire
from host_sdk.link.frame import Frame
from host_sdk.model.text import PLAIN, Features

COMMON = Path(__file__).parents[2] / "device" / "common"


class Firmware:
    """device/common/frame.c and text.c, called through ctypes."""

    def __init__(self, library: Path) -> None:
        self._c = ctypes.CDLL(str(library))
        self._sent = (ctypes.c_uint8 * 4096).in_dll(self._c, "sent")
        self._hashes = (ctypes.c_uint16 * 1024).in_dll(self._c, "hashes")

    def encode(self, frame: Frame) -> bytes:
        count = self._c.harness_encode(frame.type, frame.seq, frame.payload, len(frame.payload))
        return bytes(self._sent[:count])

    def decode(self, data: bytes) -> list[Frame]:
        self._c.harness_reset()
        out = (ctypes.c_uint8 * (len(data) + 16))()
        raw = bytes(out[: self._c.harness_decode(data, len(data), out)])
        frames = []
        while raw:
            end = 3 + raw[0]
            frames.append(Frame(raw[1], raw[2], raw[3:end]))
            raw = raw[end:]
        return frames

    def query_hashes(self, query: bytes, features: Features = PLAIN) -> list[int]:
        return list(self._hashes[: self._c.harness_query(query, len(query), features.flags)])

    def context_hashes(self, context: bytes) -> list[int]:
        return list(self._hashes[: self._c.harness_context(context, len(context))])


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed")
    library = tmp_path_factory.mktemp("harness") / "harness.so"
    sources = [Path(__file__).with_name("harness.c"), COMMON / "frame.c", COMMON / "text.c"]
    options = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{COMMON}")
    subprocess.run([compiler, *options, *map(str, sources), "-o", str(library)], check=True)
    return Firmware(library)


@pytest.fixture(autouse=True)
def _real_time_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rigs put a clock of their own in the place of time."""
    for module in (session, wire):
        monkeypatch.setitem(vars(module), "time", time)
