"""What `device/z80_cpm/templates.asm` was assembled to: addresses of the kernel, and code with holes to stamp.

Files of the package, committed and checked to be current, so that packing needs no assembler.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from host_sdk.spec.cpm import KERNEL_ADDRESS

_PREFIX = "t_"


@dataclass(frozen=True, slots=True)
class Hole:
    """An operand of a template that the packer fills."""

    name: str
    offset: int
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Template:
    """Z80 code with holes; runs at any address."""

    code: bytes
    holes: tuple[Hole, ...]

    def stamp(self, **values: int) -> bytes:
        """The code with its holes filled; every hole wants a value."""
        code = bytearray(self.code)
        for hole in self.holes:
            code[hole.offset : hole.offset + hole.size] = values.pop(hole.name).to_bytes(hole.size, "little")
        if values:
            raise ValueError(f"no such holes: {', '.join(values)}")
        return bytes(code)

    def __len__(self) -> int:
        return len(self.code)


@dataclass(frozen=True, slots=True)
class Templates:
    """All templates by name, and the labels of the kernel with their values."""

    labels: dict[str, int]
    code: dict[str, Template]


@cache
def templates() -> Templates:
    """The templates that come with the package."""
    folder = files("host_sdk") / "pack" / "z80"
    return read((folder / "templates.bin").read_bytes(), (folder / "templates.sym").read_text("ascii"))


def read(binary: bytes, symbols: str) -> Templates:
    """Templates from pasmo's two outputs."""
    labels = {}
    for line in symbols.splitlines():
        name, _, value = line.split()
        labels[name] = int(value.removesuffix("H"), 16)
    code = {}
    for name in (label.removesuffix("_end")[len(_PREFIX) :] for label in labels if label.endswith("_end")):
        if f"{_PREFIX}{name}" not in labels:
            continue  # the end of a part of the kernel
        start, end = labels[f"{_PREFIX}{name}"], labels[f"{_PREFIX}{name}_end"]
        holes = tuple(
            Hole(label[len(mark) :], value - start, size)
            for size, mark in ((1, f"{_PREFIX}{name}_b_"), (2, f"{_PREFIX}{name}_w_"))
            for label, value in labels.items()
            if label.startswith(mark)
        )
        code[name] = Template(binary[start - KERNEL_ADDRESS : end - KERNEL_ADDRESS], holes)
    return Templates(labels, code)
