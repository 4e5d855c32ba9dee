"""The same numbers for C and for Z80 assembly, generated from this folder's modules.

`python -m host_sdk.cli.emit` writes the files, `--check` fails when a committed one is stale.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from enum import IntEnum, IntFlag

from host_sdk.spec import container, image, protocol

_NOTE = "Generated from host_sdk/spec by `python -m host_sdk.cli.emit`; do not edit."


def files() -> Mapping[str, str]:
    """Path in the repository -> text, for every generated file."""
    return {"device/common/spec.h": _c_header(), "device/z80_cpm/spec.inc": _z80_include()}


def spec_sum() -> int:
    """16-bit checksum of all numbers; HELLO carries it as a warning for developers of the two ends."""
    text = "".join(f"{name}={value}\n" for name, value in _numbers())
    return zlib.crc32(text.encode()) & 0xFFFF


def _numbers() -> Iterator[tuple[str, int]]:
    yield "PROTOCOL_REVISION", protocol.REVISION
    for name in ("FRAME_FLAG", "FRAME_ESCAPE", "FRAME_HIGH", "FRAME_XOR", "MAX_PAYLOAD", "MAX_QUERY", "MAX_REPLY"):
        yield name, getattr(protocol, name)
    enums: list[tuple[str, type[IntEnum] | type[IntFlag]]] = [
        ("OP", protocol.Op),
        ("STATUS", protocol.Status),
        ("HELLO", protocol.HelloFlag),
        ("CHAT", protocol.ChatFlag),
        ("ACTION", protocol.Action),
        ("KIND", container.Kind),
        ("LAYER", container.LayerFlag),
    ]
    for prefix, enum in enums:
        yield from _members(prefix, enum)
    yield "INPUT_SCALE", container.INPUT_SCALE
    yield "INPUT_SCALE_BITS", container.INPUT_SCALE.bit_length() - 1
    yield "IMAGE_MAGIC", image.MAGIC
    yield "IMAGE_ABI", image.ABI
    for name, offset, _ in image.HEADER:
        yield f"AT_{name.upper()}", offset
    for name in ("HEADER_BYTES", "CHECK_FROM", "RECORD_BYTES", "MODEL_ADDRESS", "ARENA_BYTES", "ESCAPE_GAP"):
        yield name if name in ("MODEL_ADDRESS", "ARENA_BYTES", "ESCAPE_GAP") else f"IMAGE_{name}", getattr(image, name)
    yield "RUNTIME_IDENT_ADDRESS", image.IDENT_ADDRESS
    yield "VALUE_MARK", image.VALUE_MARK
    yield "CACHE_MIN", image.CACHE_MIN


def _members(prefix: str, enum: type[IntEnum] | type[IntFlag]) -> Iterator[tuple[str, int]]:
    for member in enum:
        yield f"{prefix}_{member.name}", int(member)


def _c_header() -> str:
    lines = [f"/* What crosses a border. {_NOTE} */", "#ifndef SPEC_H", "#define SPEC_H", ""]
    lines += [f"#define {name} {_c_number(value)}" for name, value in [*_numbers(), ("SPEC_SUM", spec_sum())]]
    lines += ["#define RUNTIME_MARK {" + ", ".join(f"'{c}'" for c in image.IDENT.decode()) + "}", "", "#endif", ""]
    return "\n".join(lines)


def _c_number(value: int) -> str:
    return f"({value})" if value < 0 else str(value) if value < 10 else f"0x{value:02X}"


def _z80_include() -> str:
    lines = [f"; What crosses a border. {_NOTE}", ""]
    lines += [f"{name:<24}equ {value & 0xFFFF}" for name, value in [*_numbers(), ("SPEC_SUM", spec_sum())]]
    return "\n".join([*lines, ""])
