"""What is on a board whose runtime does not answer: asked from its bootloader."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from host_sdk.boards import AVR_BOARDS, Avr
from host_sdk.errors import LinkError, PortError
from host_sdk.flash.memory import ERASED
from host_sdk.flash.stk500 import MAX_READ, Port, Stk500
from host_sdk.spec.image import FACTS, IDENT, IDENT_ADDRESS

IDENTITY_TRIES = 3
"""Readings of the first page before the line counts as broken; the board is reset in between."""
_IDENTITY = struct.Struct(FACTS + "B")  # and the image ABI
_IDENTITY_END = IDENT_ADDRESS + len(IDENT) + _IDENTITY.size


class Resident(Enum):
    """Whose program is in the flash."""

    BLANK = "blank"
    RUNTIME = "runtime"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the start of the flash says. `abi`, `build` and `board` are those of the runtime, else empty."""

    resident: Resident
    abi: int = 0
    build: int = 0
    board: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A board in its bootloader. With several `boards` its user has to say which one it is."""

    boards: tuple[Avr, ...]
    identity: Identity


def identify(port: Port, boards: Iterable[Avr] = AVR_BOARDS.values()) -> Found:
    """Reset the board and ask its bootloader, at each baud of `boards`, which of them it can be.

    A μLM runtime names its board; a blank or foreign flash leaves every board with that baud and chip. The
    bootloader is still running afterwards, until an upload or its own time-out (about 1 s).

    Raises PortError when no bootloader of `boards` answers, LinkError when one answers and then fails.
    """
    known = tuple(boards)
    timeouts, baud = (port.timeout, port.write_timeout), port.baudrate
    try:
        return _search(port, known)
    finally:
        with contextlib.suppress(OSError):
            port.timeout, port.write_timeout = timeouts
            port.baudrate = baud


def read_identity(client: Stk500) -> Identity:
    """The identity at the start of the flash of a board whose bootloader is in sync; LinkError as in Stk500."""
    rest = _IDENTITY_END - MAX_READ + _IDENTITY_END % 2  # words are read
    return parse_identity(client.read(0, MAX_READ) + client.read(MAX_READ, rest))


def parse_identity(start: bytes) -> Identity:
    """The identity in the first 134 bytes of flash: behind the vectors IDENT, FACTS, ABI (spec/image.py)."""
    if start.count(ERASED) == len(start):
        return Identity(Resident.BLANK)
    if not start.startswith(IDENT, IDENT_ADDRESS):
        return Identity(Resident.FOREIGN)
    _, _, _, build, _, _, name, abi = _IDENTITY.unpack_from(start, IDENT_ADDRESS + len(IDENT))
    return Identity(
        Resident.RUNTIME,
        abi=abi,
        build=build,
        board=name.rstrip(b"\0").decode("ascii", "replace"),
    )


def _search(port: Port, boards: tuple[Avr, ...]) -> Found:
    bauds = dict.fromkeys(board.bootloader.baud for board in boards)
    # One reset for each baud before a second for any: the wrong ones cost 1.4 s each.
    for baud in (*bauds, *bauds):
        client = Stk500(port, baud)
        try:
            client.connect(resets=1)
        except PortError:
            continue
        signature, identity = _ask(client)
        candidates = tuple(b for b in boards if b.bootloader.baud == baud and b.signature == signature)
        if not candidates:
            raise PortError(
                f"The bootloader at {baud} baud reports the chip {signature.hex(' ')}, which no board of μLM "
                f"has; connect one of: {', '.join(b.name for b in boards)}."
            )
        named = tuple(b for b in candidates if b.name == identity.board)
        return Found(named or candidates, identity)
    raise PortError(
        f"No bootloader answers at {' or '.join(map(str, bauds))} baud; check that the port is the board's, "
        "or press its reset button and try again at once."
    )


def _ask(client: Stk500) -> tuple[bytes, Identity]:
    for _ in range(IDENTITY_TRIES - 1):
        try:
            return client.signature(), read_identity(client)
        except LinkError:
            client.connect()
    return client.signature(), read_identity(client)
