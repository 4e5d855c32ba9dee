"""The runtime that the package ships for each board: an Intel HEX file with its build number stamped in."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from struct import calcsize, unpack

from host_sdk.boards import Avr
from host_sdk.errors import FitError, MissingError
from host_sdk.flash.memory import ERASED, Memory
from host_sdk.model.crc import crc16
from host_sdk.spec.image import BUILD_OFFSET, FACTS, IDENT, IDENT_ADDRESS, MODEL_ADDRESS, PLACE

_BUILD_ADDRESS = IDENT_ADDRESS + len(IDENT) + BUILD_OFFSET


@dataclass(frozen=True, slots=True)
class Runtime:
    """What belongs below the model, and its build number as HELLO reports it."""

    memory: Memory
    build: int

    @property
    def bytes(self) -> int:
        """Flash that it takes."""
        return max(self.memory.cells) + 1


def shipped_runtime(board: Avr) -> Runtime:
    """The runtime of a board; MissingError when this installation has none."""
    file = files("host_sdk") / "flash" / "hex" / f"{board.name}.hex"
    if not file.is_file():
        raise MissingError(f"This installation has no runtime for {board.title}; install micro-lm again.")
    memory = Memory.from_hex(file.read_text("ascii"), f"The runtime of {board.title}", board.flash_page)
    return Runtime(memory, _build(memory))


def stamp(memory: Memory) -> Memory:
    """The runtime with its build number: CRC-16 of all its other bytes. FitError when it reaches the model."""
    if _model_address(memory) and max(memory.cells) >= MODEL_ADDRESS:
        raise FitError(
            f"The runtime ends at 0x{max(memory.cells):04X}, behind the model's address 0x{MODEL_ADDRESS:04X}."
        )
    blank = Memory({**memory.cells, _BUILD_ADDRESS: 0, _BUILD_ADDRESS + 1: 0}, memory.page_bytes)
    build = crc16(b"".join(blank.pages.values())).to_bytes(2, "little")
    stamped = {**memory.cells, _BUILD_ADDRESS: build[0], _BUILD_ADDRESS + 1: build[1]}
    return Memory(stamped, memory.page_bytes)


def _model_address(memory: Memory) -> int:
    """Of the model in flash; 0 when it lies on a card or a chip."""
    at = IDENT_ADDRESS + len(IDENT) + calcsize(FACTS)
    place = bytes(memory.cells.get(at + i, ERASED) for i in range(calcsize(PLACE)))
    address: int = unpack(PLACE, place)[1]
    return address


def _build(memory: Memory) -> int:
    low, high = (memory.cells.get(_BUILD_ADDRESS + i, ERASED) for i in (0, 1))
    return low | high << 8
