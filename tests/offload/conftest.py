"""Boards with a card or a flash chip, running the firmware of this checkout."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.flash.memory import Memory
from host_sdk.sim.part import FlashChip, Part, SdCard
from tests.offload.cards import BLOCK, Card
from tests.offload.images import image, numbered
from tests.offload.talker import Talker

OFFLOAD = Path(__file__).parents[2] / "device" / "offload_sd"
CHIP_BYTES = 1 << 20  # of a W25Q80
FILE_BLOCKS = 160  # of ULM-A.ULB and ULM-B.ULB
OLD = image(1)

Start = Callable[..., Talker]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory, simavr: None) -> Path:
    """The folder of the built runtimes."""
    for tool in ("make", "mkfs.fat", "mcopy"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("offload")
    subprocess.run(["make", "-s", "-C", str(OFFLOAD), f"BUILD={folder}"], check=True, timeout=300)
    return folder


@pytest.fixture
def start(build: Path, tmp_path: Path) -> Start:
    """`start("uno-sd", part)`: that board, switched on."""

    def run(name: str, part: Part, pace: str = "fast") -> Talker:
        cells = Memory.from_hex_file(build / f"{name}.hex").cells
        runtime = bytes(cells.get(at, 0xFF) for at in range(max(cells) + 1))
        return Talker(name, tmp_path / "state", runtime, part, pace)

    return run


def chip_with(path: Path, *slots: bytes) -> Path:
    """A chip's memory with images in its halves."""
    memory = bytearray(b"\xff" * CHIP_BYTES)
    for number, content in enumerate(slots):
        at = number * CHIP_BYTES // 2
        memory[at : at + len(content)] = content
    path.write_bytes(memory)
    return path


def card_with(path: Path, *slots: bytes, bits: int = 16) -> Path:
    """A card with the two files for uploads."""
    card = Card(path, bits)
    for letter, content in zip("AB", (*slots, b"", b""), strict=False):
        card.add(f"ULM-{letter}.ULB", content.ljust(FILE_BLOCKS * BLOCK, b"\0"))
    return path


@pytest.fixture(params=["flash", "sd"])
def medium(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def part_with(medium: str, folder: Path, *slots: bytes, **options: object) -> Part:
    """A chip or a card whose slots hold these images."""
    if medium == "flash":
        return FlashChip(chip_with(folder / "chip.bin", *slots), chip="w25q80", **options)  # type: ignore[arg-type]
    return SdCard(card_with(folder / "card.img", *slots), **options)  # type: ignore[arg-type]


@pytest.fixture
def talker(medium: str, start: Start, tmp_path: Path) -> Talker:
    """A board whose newest model is OLD."""
    return start(f"uno-{medium}", part_with(medium, tmp_path, numbered(OLD, 1)))
