"""What flashing did, and whether the board agrees."""

from __future__ import annotations

from dataclasses import dataclass

from host_sdk.errors import BoardError, FitError
from host_sdk.link.messages import Hello
from host_sdk.spec.protocol import Status


@dataclass(frozen=True, slots=True)
class FlashResult:
    """What flashing did. Sizes in bytes."""

    board: str
    model: str
    model_crc: int
    model_bytes: int
    memory: str  # where the model is: one of the kind's
    runtime_bytes: int
    runtime_build: int
    pages_written: int | None  # of flash; None where there is none
    pages_kept: int | None
    seconds_wall: float
    files_written: int | None = None  # of a file system; None where there is none
    files_kept: int | None = None


def check_result(result: FlashResult, hello: Hello) -> None:
    """What the board says, started again: BoardError if it has something else, FitError if it lacks the memory."""
    if hello.model_status == Status.TOO_LARGE:
        raise FitError(f"{hello.board} has too little memory to run {result.model}; choose a narrower model.")
    if hello.model_crc != result.model_crc or hello.build != result.runtime_build:
        raise BoardError(
            f"{hello.board} was flashed, but reports another model or runtime; flash it again, and if that "
            "does not help its flash is worn out."
        )
