"""Devices whose model streams: a built runtime, and an image as it lies on a card or a chip."""

from __future__ import annotations

from pathlib import Path

from host_sdk.boards import Medium, Offload, board_named
from host_sdk.device import Device
from host_sdk.flash.memory import Memory
from host_sdk.pack.stream import stream_header

CHIP_BYTES = 4 << 20  # of a W25Q32
CARD_BYTES = 4 << 20


def open_streamed(build: Path, name: str, image: bytes, folder: Path, **options: object) -> Device:
    """The board `name` with the runtime in `build`, and the image at the start of its chip or card."""
    board = board_named(name)
    state = folder / name
    state.mkdir(exist_ok=True)
    cells = Memory.from_hex_file(build / f"{name}.hex", board.flash_page).cells
    (state / "flash.bin").write_bytes(bytes(cells.get(at, 0xFF) for at in range(board.flash_bytes)))
    assert stream_header(image)["length"] == len(image)
    assert isinstance(board, Offload)
    if board.medium is Medium.FLASH:
        part = state / "w25q.bin"
        part.write_bytes(image.ljust(CHIP_BYTES, b"\xff"))
        where = {"flash": part, "chip": "w25q32"}
    else:
        part = state / "card.img"
        part.write_bytes(image.ljust(CARD_BYTES, b"\0"))
        where = {"card": part}
    words = "&".join(f"{key}={value}" for key, value in {"state": state, **where, **options}.items())
    return Device(f"sim://{name}?{words}")
