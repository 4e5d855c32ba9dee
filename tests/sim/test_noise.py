"""Noise on the bus: no part and no firmware error may end a virtual board."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.sim.part import FlashChip, Part, SdCard
from tests.sim.bus import FAST, SLOW, Bus

KNOWN = bytes((0x02, 0x03, 0x05, 0x06, 0x0B, 0x20, 0x9F, 0xAB, 0xB9, 0xC7, 0xD8))
COMMANDS = bytes(0x40 | number for number in (0, 8, 9, 12, 13, 17, 18, 24, 25, 41, 55, 58))
TOKENS = b"\xfe\xfc\xfd\xff"


@pytest.mark.parametrize("part", ["card", "chip"])
@pytest.mark.parametrize("seed", range(3))
def test_parts_survive_noise(bus: Callable[..., Bus], tmp_path: Path, part: str, seed: int) -> None:
    noise = random.Random(seed)
    board = bus(make(part, tmp_path))
    if part == "card":
        board.ready()
    else:
        board.power_chip()
    for _ in range(150):
        act = noise.randrange(12)
        if act == 0:
            board.send(noise.choice((b"s", b"u")))
        elif act == 1:
            board.power(noise.random() < 0.7)
        elif act == 2:
            board.configure(*noise.choice((FAST, SLOW, (noise.randrange(128), noise.randrange(2)))))
            board.configure(*FAST)
        elif act == 3:
            board.send(b"u")
            board.send(b"s")
        elif act < 8:
            board.send(b"s")
            board.write(bytes((noise.choice(noise.choice((KNOWN, COMMANDS, TOKENS))), *noise.randbytes(5))))
        else:
            board.write(noise.randbytes(noise.choice((1, 6, 40, 520))))
    counters = board.board.counters()
    assert counters.spi_bytes > 1000
    board.board.remove_card()
    board.start()
    assert board.read(2) == b"\xff\xff"


def make(part: str, folder: Path) -> Part:
    """A part with a small memory."""
    if part == "chip":
        return FlashChip(folder / "chip.bin", "w25q80")
    (folder / "card.img").write_bytes(bytes(64 * 512))
    return SdCard(folder / "card.img", "sdsc", latency="ideal")
