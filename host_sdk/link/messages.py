"""Payloads of frames as typed messages, and back. Byte tables: docs/protocol.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

from host_sdk.errors import BoardError, LinkError
from host_sdk.spec.cpm import ORIGIN as TPA_ORIGIN
from host_sdk.spec.image import FACTS
from host_sdk.spec.protocol import REVISION, Fault, HelloFlag, Status

_HELLO = struct.Struct(FACTS + "B")  # and the model's status
_HELLO_MODEL = struct.Struct("<BI")  # longest query, CRC; the name follows
_INFO = struct.Struct("<BIIHHBIHIB")
_INFO_TOP = struct.Struct("<H")  # CP/M: the address behind all that runtime and model use
_END = struct.Struct("<BBBHIIII")
_ACK = struct.Struct("<BH")

NO_SECOND_PLACE = 1
"""Value beside UNSUPPORTED in the answer to BEGIN."""
_SENTENCES = {
    Status.NO_MODEL: "The board has no model; flash one with `ulm flash`.",
    Status.BAD_MODEL: "The model on the board is damaged; flash it again with `ulm flash`.",
    Status.BAD_ABI: "The model on the board was packed for another runtime; flash it again with `ulm flash`.",
    Status.TOO_LARGE: "The model is too large for this place on the board.",
    Status.TOO_LONG: "The query is longer than the {value} characters that the board takes; ask in fewer words.",
    Status.BAD_LENGTH: "The board got a request of an impossible length ({value}); update host_sdk or the runtime.",
    Status.BAD_ORDER: "The board missed a part of the request; try again.",
    Status.BAD_CRC: "The upload arrived damaged; the old model stays. Upload it again.",
    Status.UNKNOWN: "The board's runtime does not know request {value:02X}h; update it with `ulm flash`.",
    Status.UNSUPPORTED: "This board cannot do that: its model is changed with `ulm flash`.",
    Status.BUSY: "The board is busy; try again.",
    Status.MEDIUM: "The board cannot read or write its disk, card or memory chip; it may be full: check it.",
}
_MAKE_A_CARD = "write a card image on it with `ulm pack MODEL.ulm --for sd -o card.img` (docs/streaming.md)"
_FAULTS = {
    Fault.NO_CARD: "There is no card in the board's socket; put in the card with the model.",
    Fault.CARD_SILENT: "The board's card does not answer; push it in firmly, check its wires, or try another card.",
    Fault.READ: "The board's card or chip gives wrong data; check the wires, or try another one.",
    Fault.WRITE: "The board's card or chip could not be written; the old model stays. Check it and upload again.",
    Fault.NOT_FAT: "The board's card has neither a FAT16 or FAT32 file system nor a model at its start; "
    f"{_MAKE_A_CARD}.",
    Fault.EXFAT: f"The board's card is formatted with exFAT; format it with FAT32, or {_MAKE_A_CARD}.",
    Fault.FRAGMENTED: "The model file lies in several pieces on the board's card; format the card with FAT32, "
    f"copy the file on it first, or {_MAKE_A_CARD}.",
    Fault.NO_FILE: "There is no model in the root directory of the board's card; copy a file made with "
    "`ulm pack MODEL.ulm --for sd -o MODEL.ULB` on it.",
    Fault.NO_CHIP: "No flash chip answers on the board's SPI pins; check its wires and its supply (docs/hardware.md).",
    Fault.CHIP_UNKNOWN: "The chip on the board's SPI pins is no flash chip of the W25Q family of up to 16 MB; "
    "use one of those (docs/hardware.md).",
    Fault.PROTECTED: "The board's card or chip keeps nothing that is written: it is write-protected or worn out; "
    "the old model stays. Use another one.",
}
_ONE_PLACE = (
    "The board's card has one place for a model, which is in use; for uploads it needs two files of equal size: "
    f"{_MAKE_A_CARD}."
)


@dataclass(frozen=True, slots=True)
class Hello:
    """Who answers, and what it can take."""

    revision: int
    flags: HelloFlag
    max_payload: int  # bytes in one frame
    max_query: int  # characters; 0 without a model
    build: int  # of the runtime
    spec_sum: int
    clock_hz: int
    model_status: int
    board: str
    model: str  # its name; "" without one
    model_crc: int | None
    fault: int = 0  # beside the status MEDIUM: protocol.Fault


@dataclass(frozen=True, slots=True)
class Info:
    """Sizes in bytes. SRAM is what the runtime holds statically, stack its deepest use so far."""

    abi: int
    model_address: int
    model_capacity: int
    runtime_bytes: int
    sram_bytes: int
    model_status: int
    model_bytes: int
    stack_bytes: int
    uptime_s: int  # 0 where there is no clock
    slot: int  # of the model that answers: protocol.Slot
    tpa_bytes: int | None = None  # CP/M: from 0100h to the last byte in use


@dataclass(frozen=True, slots=True)
class End:
    """Statistics at the end of a reply. Cycles are 0 where HELLO has no CYCLES flag."""

    status: int
    chars: int
    passes: int
    digest: int  # CRC-16/X-25 of the outputs of all passes
    query_cycles: int
    first_cycles: int  # of the first pass, the query apart
    cycles: int  # of all passes
    max_cycles: int


def parse_hello(payload: bytes) -> Hello:
    """BoardError when the board speaks another protocol revision."""
    if payload and payload[0] != REVISION:
        older = "update host_sdk" if payload[0] > REVISION else "update the board's runtime with `ulm flash`"
        raise BoardError(f"The board speaks protocol revision {payload[0]}, this program revision {REVISION}; {older}.")
    revision, flags, max_payload, build, spec_sum, clock_hz, board, status = _unpack(_HELLO, payload)
    max_query, crc, name, fault = 0, None, b"", 0
    if status == Status.OK:
        max_query, crc = _unpack(_HELLO_MODEL, payload[_HELLO.size :])
        name = payload[_HELLO.size + _HELLO_MODEL.size :]
    elif status == Status.MEDIUM and len(payload) > _HELLO.size:
        fault = payload[_HELLO.size]
    return Hello(
        revision,
        HelloFlag(flags),
        max_payload,
        max_query,
        build,
        spec_sum,
        clock_hz,
        status,
        board.rstrip(b"\0").decode("ascii", "replace"),
        name.decode("ascii", "replace"),
        crc,
        fault,
    )


def parse_info(payload: bytes) -> Info:
    """The answer to INFO."""
    fields, rest = _unpack(_INFO, payload), payload[_INFO.size :]
    if not rest:
        return Info(*fields)
    (top,) = _unpack(_INFO_TOP, rest)
    return replace(Info(*fields), tpa_bytes=top - TPA_ORIGIN)


def parse_end(payload: bytes) -> End:
    """The end of a reply."""
    return End(*_unpack(_END, payload))


def parse_ack(payload: bytes) -> tuple[int, int]:
    """Status and value of an acknowledgement."""
    status, value = _unpack(_ACK, payload)
    return status, value


def refusal(status: int, value: int = 0) -> BoardError:
    """What a status other than OK means, as an exception."""
    if status == Status.MEDIUM and value in _FAULTS:
        return BoardError(_FAULTS[Fault(value)])
    if status == Status.UNSUPPORTED and value == NO_SECOND_PLACE:
        return BoardError(_ONE_PLACE)
    try:
        sentence = _SENTENCES[Status(status)]
    except (KeyError, ValueError):
        return BoardError(f"The board refused with status {status}; update host_sdk to learn what it means.")
    return BoardError(sentence.format(value=value))


def _unpack(layout: struct.Struct, payload: bytes) -> tuple[Any, ...]:
    if len(payload) < layout.size:
        raise LinkError(
            f"The board sent a message of {len(payload)} bytes where {layout.size} are due; update its runtime."
        )
    return layout.unpack_from(payload)
