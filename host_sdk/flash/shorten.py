"""Python sources made small for boards that keep and compile them: nothing that they do changes."""

from __future__ import annotations

import ast
import io
import re
import token
import tokenize
from collections.abc import Iterator, Mapping
from itertools import count
from string import ascii_letters

_CONST = """try:
    from micropython import const
except ImportError:

    def const(number):
        return number
"""


def folded(source: str) -> str:
    """A Python source with the numbers of its constants in their places: `_NAME = const(NUMBER)`."""
    text = source.replace(_CONST, "")
    for name, number in re.findall(r"^(_[A-Z][A-Z0-9_]*) = const\((\w+)\)", text, re.MULTILINE):
        text = re.sub(rf"^{name} = const\(.*\n", "", text, flags=re.MULTILINE)
        text = re.sub(rf"\b{name}\b", number, text)
    return text


def shortened(source: str) -> str:
    """A Python source without docstrings, remarks and blank lines, indented by one blank."""
    out: list[str] = []
    line: list[tuple[str, bool]] = []  # (text, a blank before it)
    depth = 0
    end = (0, 0)
    for item in tokenize.generate_tokens(io.StringIO(source).readline):
        kind, text, start = item.type, item.string, item.start
        if kind == token.INDENT:
            depth += 1
        elif kind == token.DEDENT:
            depth -= 1
        elif kind in (token.NEWLINE, token.ENDMARKER):
            if line and not (len(line) == 1 and line[0][0][0] in "\"'"):  # no docstring
                body = "".join(" " * blank + word for word, blank in line).strip()
                out.append(" " * depth + body)
            line = []
        elif kind not in (token.COMMENT, tokenize.NL):
            line.append((text, start[0] == end[0] and start[1] > end[1]))
        end = item.end
    return _with_bodies(out)


def _with_bodies(lines: list[str]) -> str:
    """A body that was nothing but a docstring needs a statement."""
    out: list[str] = []
    for number, line in enumerate(lines):
        out.append(line)
        depth = len(line) - len(line.lstrip())
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if line.endswith(":") and len(after) - len(after.lstrip()) <= depth:
            out.append(" " * (depth + 1) + "pass")
    return "\n".join(out) + "\n"


def renamed(sources: Mapping[str, str]) -> dict[str, str]:
    """The same modules with one short name for each of theirs: a board with little memory keeps every name it reads.

    Names of modules stay, and all that others define. `sources` are by file name, and complete: they import
    nothing else of ours.
    """
    modules = {name.removesuffix(".py") for name in sources}
    trees = [ast.parse(source) for source in sources.values()]
    ours = {name for tree in trees for name in _defined(tree)}
    aliases = modules | {alias for tree in trees for alias in _aliases(tree, modules)}
    others = {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in aliases)
    }
    keep = others | modules | {"serve", "BOARD", "BUILD", "SPEC_SUM"}
    taken = {word for source in sources.values() for word in re.findall(r"\w+", source)}
    fresh = (name for name in _short_names() if name not in taken)
    short = {name: name if len(name) == 1 else next(fresh) for name in sorted(ours - keep)}
    return {file: _replaced(source, short) for file, source in sources.items()}


def _defined(tree: ast.AST) -> Iterator[str]:
    """Names that a module gives itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def _aliases(tree: ast.AST, modules: set[str]) -> Iterator[str]:
    """What a module calls the other modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.asname for alias in node.names if alias.asname and alias.name in modules)


def _short_names() -> Iterator[str]:
    yield from ascii_letters
    for number in count(10):
        yield f"a{number}"


def _replaced(source: str, names: Mapping[str, str]) -> str:
    out, end = "", 0
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for item in tokenize.generate_tokens(io.StringIO(source).readline):
        if item.type == token.NAME and item.string in names:
            at = starts[item.start[0] - 1] + item.start[1]
            out += source[end:at] + names[item.string]
            end = at + len(item.string)
    return out + source[end:]
