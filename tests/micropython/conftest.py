"""Python boards: the runtime's modules under CPython, and addresses of virtual boards."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from host_sdk.errors import MissingError
from host_sdk.flash.python_files import runtime_folder
from host_sdk.sim.python_board import FIRMWARE
from host_sdk.sim.wasm import wasm_command

OLDEST = "micropython-oldest"
"""The folder of the oldest WebAssembly MicroPython, beside that of the newest."""


class Runtime:
    """The modules that boards run, here under CPython: `runtime.engine` is ulm_engine."""

    def __getattr__(self, name: str) -> ModuleType:
        if not (runtime_folder() / f"ulm_{name}.py").exists():
            raise AttributeError(name)
        return import_module(f"ulm_{name}")


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    sys.path.insert(0, str(runtime_folder()))
    # In a long run of tests CPython has a million objects to look at; a board has hundreds.
    import_module("ulm_engine").gc = SimpleNamespace(collect=lambda: None)  # type: ignore[attr-defined]
    yield Runtime()
    sys.path.remove(str(runtime_folder()))


@pytest.fixture(scope="session")
def micropython() -> None:
    """Skips where there is no virtual MicroPython, or nothing to deploy with."""
    for package in ("micropython_unix", "mpremote"):
        if find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed: pip install 'micro-lm[sim,micropython]'")


@pytest.fixture(scope="session")
def qemu(micropython: None) -> None:
    """Skips where there is no virtual micro:bit."""
    if shutil.which("qemu-system-arm") is None or not FIRMWARE.exists():
        pytest.skip("not installed: apt install qemu-system-arm firmware-microbit-micropython")


@pytest.fixture(scope="session")
def webassembly() -> None:
    """Skips where there is no MicroPython in WebAssembly, or not its oldest version."""
    if find_spec("mpremote") is None:
        pytest.skip("the package mpremote is not installed: pip install 'micro-lm[micropython]'")
    if not (Path(sys.prefix) / "node_modules" / OLDEST).exists():
        pytest.skip("not installed: MicroPython in WebAssembly (. scripts/setup.sh; setup test)")
    try:
        wasm_command(None)
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def address(micropython: None, tmp_path: Path) -> str:
    """A virtual board that nobody has used."""
    return f"sim://micropython?state={tmp_path / 'board'}"


@pytest.fixture(scope="session")
def runtime_sources() -> Path:
    """The folder of the runtime."""
    return runtime_folder()
