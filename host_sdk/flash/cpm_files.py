"""Files for CP/M: the shipped runtime, self-contained programs, Intel HEX for LOAD, names on the disk."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from intelhex import IntelHex

from host_sdk.boards import Cpm
from host_sdk.errors import FitError, MissingError
from host_sdk.model.crc import crc16
from host_sdk.spec.cpm import IDENT_ADDRESS, IMAGE_ADDRESS, ORIGIN, RAM_ADDRESS
from host_sdk.spec.image import BUILD_OFFSET, IDENT

CCP_BYTES = 0x0800
"""CP/M's command processor lies so long in front of BDOS: it loads no longer .COM file, but a program may use it."""
LEAST_STACK = 64
PUBLIC = (
    "engine_query_begin",
    "engine_query_add",
    "engine_query_end",
    "engine_pass",
    "engine_context_add",
    "engine_digest",
    "runtime_end",
    "stack_bottom",
)
"""Labels that are shipped beside the runtime: the virtual machine times the engine by them."""
NAME_CHARACTERS = 8
_BUILD = IDENT_ADDRESS - ORIGIN + len(IDENT) + BUILD_OFFSET


@dataclass(frozen=True, slots=True)
class ComRuntime:
    """ULM.COM, and its build number as HELLO reports it."""

    code: bytes
    build: int


def shipped_com() -> ComRuntime:
    """The runtime; MissingError when this installation has none."""
    file = files("host_sdk") / "flash" / "cpm" / "ulm.com"
    if not file.is_file():
        raise MissingError("This installation has no runtime for CP/M; install micro-lm again.")
    code = file.read_bytes()
    return ComRuntime(code, int.from_bytes(code[_BUILD : _BUILD + 2], "little"))


def stamp_com(assembled: bytes, labels: Mapping[str, int]) -> bytes:
    """The assembled runtime without its memory behind, and with its build number: CRC-16 of all other bytes.

    FitError when its memory leaves no room for the stack in front of the engine's pages.
    """
    if labels["shell_end"] > IMAGE_ADDRESS:
        raise FitError(f"The runtime's memory ends at {labels['shell_end']:04X}h, inside the image.")
    if labels["stack_bottom"] > RAM_ADDRESS - LEAST_STACK:
        raise FitError(
            f"The runtime's memory ends at {labels['stack_bottom']:04X}h, which leaves less than {LEAST_STACK} bytes "
            f"of stack below {RAM_ADDRESS:04X}h."
        )
    code = assembled[: labels["runtime_end"] - ORIGIN]
    blank = code[:_BUILD] + bytes(2) + code[_BUILD + 2 :]
    return code[:_BUILD] + struct.pack("<H", crc16(blank)) + code[_BUILD + 2 :]


def read_symbols(text: str) -> dict[str, int]:
    """The labels of an assembler's listing of symbols, `name EQU 0123H`; local ones are left out."""
    found = re.findall(r"^([A-Za-z_]\w*)\s+EQU\s+0*([0-9A-F]+)H$", text, re.MULTILINE)
    return {name: int(address, 16) for name, address in found}


def com_file(image: bytes) -> bytes:
    """A self-contained program: the runtime, and the image at its address."""
    return shipped_com().code.ljust(IMAGE_ADDRESS - ORIGIN, b"\0") + image


def largest_com(board: Cpm) -> int:
    """The bytes of the longest .COM file that CP/M loads there."""
    return board.tpa_bytes - CCP_BYTES


def hex_file(code: bytes) -> str:
    """A program as Intel HEX, from which CP/M's LOAD makes a .COM."""
    program = IntelHex()
    program.frombytes(code, offset=ORIGIN)
    text = io.StringIO()
    program.write_hex_file(text, eolstyle="CRLF")
    return text.getvalue()


def disk_name(model_name: str) -> str:
    """The name of a model's file on a CP/M disk, without ".ULB": letters and digits, 8 at most."""
    return re.sub(r"[^A-Z0-9]", "", model_name.upper())[:NAME_CHARACTERS] or "MODEL"
