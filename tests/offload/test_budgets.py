"""What the runtime takes, and how fast bytes come from the bus, exact on a simulated chip.

A limit is a little above what was measured. Whoever makes a figure smaller lowers it here; raising one needs a reason.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from host_sdk.sim.part import CHIPS, FlashChip, Part, SdCard
from host_sdk.spec.protocol import Op
from tests.conftest import Show
from tests.offload.cards import Card
from tests.offload.conftest import OLD, Start, part_with
from tests.offload.images import image, numbered
from tests.offload.talker import Talker

RAM_END = 0x8FF
SRAM_BYTES = 1_900  # static and the deepest stack
MARKER_CHECK = 0xC1  # in GPIOR0 while an image is checked: slots.c
CHECK_FROM = 16
RUNTIME_BYTES = {"flash": 24_400, "sd": 26_900}


def kilobytes_per_second(board: Talker, image_bytes: int) -> float:
    """How fast the whole image was read when it was checked, at 16 MHz."""
    board.board.markers()
    assert board.chat().type == Op.END
    start, end = board.board.markers()[:2]
    assert (start.value, end.value) == (MARKER_CHECK, 0)
    return (image_bytes - CHECK_FROM) * 16_000 / (end.cycle - start.cycle)


@pytest.mark.parametrize(
    ("latency", "limit"), [("flash typical", 875), ("sd ideal", 840), ("sd typical", 700), ("sd cheap", 450)]
)
def test_raw_speed(start: Start, tmp_path: Path, latency: str, limit: float, show: Show) -> None:
    medium, speed = latency.split()
    new = image(2, 1600)
    part: Part
    if medium == "flash":
        (tmp_path / "chip.bin").write_bytes(new.ljust(CHIPS["w25q32"], b"\xff"))
        part = FlashChip(tmp_path / "chip.bin", chip="w25q32", latency=speed)
    else:
        part = SdCard(Card(tmp_path / "card.img").add("MODEL.ULB", new).path, latency=speed)
    with start(f"uno-{medium}", part) as board:
        rate = kilobytes_per_second(board, len(new))
        counters = board.board.counters()
    show(f"{latency}: {rate:.0f} KB/s at 16 MHz")
    assert rate >= limit
    assert (counters.spi_early, counters.spi_collisions) == (0, 0)


def test_memory(medium: str, start: Start, tmp_path: Path, show: Show) -> None:
    """With everything that uses the stack: mounting, a reply of both forms, an upload, a typed line."""
    latency = "cheap" if medium == "sd" else "slow"
    with start(f"uno-{medium}", part_with(medium, tmp_path, numbered(OLD, 1), latency=latency)) as board:
        board.chat()
        board.upload(image(2, 140))
        board.chat(bytes(random.Random(1).choices(range(32, 127), k=60)))
        board.upload(image(3, 20))
        board.chat()
        board._port.write(b"hello there\r")
        board.chat()
        info = board.ask(Op.INFO).payload
        runtime = int.from_bytes(info[9:11], "little")
        static = int.from_bytes(info[11:13], "little")
        stack = RAM_END + 1 - board.board.counters().lowest_stack
        painted = int.from_bytes(info[18:20], "little")
    show(f"{medium}: {runtime} B of flash, {static} B static + {stack} B of stack (painted {painted})")
    assert runtime <= RUNTIME_BYTES[medium]
    assert static + stack <= SRAM_BYTES
