"""The parts that a virtual AVR board may have on its SPI bus: an SD card in its socket, or a flash chip.

Wiring: chip select D10, supply switched by D8, low for on. Their memories are files that the host may read and
write while the board runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host_sdk.boards import Medium, Offload
from host_sdk.errors import FileError, UsageError

BLOCK = 512  # bytes
CARD_KINDS = ("sdhc", "sdsc", "sd1")  # high capacity; standard capacity; that of version 1
CARD_LATENCIES = ("typical", "ideal", "cheap")
CHIPS = {
    **{f"w25q{8 * mb}": mb << 20 for mb in (2, 4, 8, 16)},
    "w25q80": 1 << 20,
    "w25q256": 32 << 20,  # needs addresses of four bytes
    "at45db321": 4 << 20,  # another family's identification
    "none": 0,
}
CHIP_LATENCIES = ("typical", "slow")
ALARMS = ("remove", "reset")
FAULTS = ("silent", "busy", "read", "write", "flip")


@dataclass(frozen=True, slots=True)
class SdCard:
    """A socket with the card whose image is `file`, a whole number of blocks; empty while there is none.

    Moving the file away pulls the card out, putting one there puts it in.

    `latency` says how long it takes: "typical", "ideal" (no time at all), or "cheap", drawn by `seed`. Without
    `switched` its supply does not hang on D8.
    """

    file: Path | None
    kind: str = "sdhc"
    latency: str = "typical"
    seed: int = 1
    switched: bool = True

    def words(self) -> list[str]:
        """What the runner is told. UsageError, or FileError when the image cannot be a card."""
        _known("kind of card", self.kind, CARD_KINDS)
        _known("latency of a card", self.latency, CARD_LATENCIES)
        if self.file is not None and self.file.exists():
            check_card(self.file)
        return _words("sd", self.kind, self, self.file)


@dataclass(frozen=True, slots=True)
class FlashChip:
    """A flash chip whose content is `file`, which is created erased when there is none; `chip` "none" is no chip.

    `latency` is "typical" or "slow", the longest times of the datasheet.
    """

    file: Path
    chip: str = "w25q32"
    latency: str = "typical"
    seed: int = 1
    switched: bool = True

    def words(self) -> list[str]:
        """What the runner is told. UsageError, or FileError when the file is not of the chip's size."""
        _known("flash chip", self.chip, tuple(CHIPS))
        _known("latency of a flash chip", self.latency, CHIP_LATENCIES)
        size = CHIPS[self.chip]
        if not size:
            return []
        if not self.file.exists():
            try:
                self.file.write_bytes(b"\xff" * size)
            except OSError as error:
                raise FileError(f"{self.file} cannot be created: {error.strerror}.") from None
        if self.file.stat().st_size != size:
            raise FileError(f"{self.file} has {self.file.stat().st_size} bytes; a {self.chip} has {size}.")
        return _words("flash", self.chip, self, self.file)


Part = SdCard | FlashChip


def usual_part(board: Offload, state: Path) -> Part:
    """The part of a board that asks for nothing else, with its file in the state folder."""
    if board.medium is Medium.FLASH:
        return FlashChip(state / "w25q.bin")
    return SdCard(state / "card.img")


def check_card(file: Path) -> Path:
    """The file; FileError when it cannot be the image of a card."""
    if not file.is_file():
        raise FileError(f"There is no card image {file}.")
    size = file.stat().st_size
    if not size or size % BLOCK:
        raise FileError(f"{file} has {size} bytes; the image of a card is a whole number of blocks of {BLOCK} bytes.")
    return file


def _words(name: str, model: str, part: Part, file: Path | None) -> list[str]:
    supply = "switched" if part.switched else "always"
    return [name, model, part.latency, str(part.seed), supply, str(file or "")]


def _known(what: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise UsageError(f"There is no {what} {name!r}; known: {', '.join(names)}.")
