"""What streaming costs, measured on simulated chips: loops, media, lengths of a read, forms, codes, energy.

    python bench/streaming.py [--json] [--update docs/streaming.md] [--plot docs/streaming.svg]

Loops are programs of their own (streaming/raw.c); models run in the whole firmware. Nothing is written into the
repository without --update or --plot.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from host_sdk.boards import Offload, board_named  # noqa: E402
from host_sdk.sim.avr_board import AvrBoard  # noqa: E402
from host_sdk.sim.part import FlashChip, Part, SdCard  # noqa: E402

SOURCE = Path(__file__).parent / "streaming/raw.c"
UNITS = 256
"""Of 512 bytes, that every program reads."""
LOOPS = {"C": "loop_c", "polled assembly": "loop_polled", "timed assembly": "loop_timed"}
STARTED, DONE, FAILED = 1, 2, 3
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Rate:
    """One loop on one part."""

    part: str
    loop: str
    run: int  # bytes per read command
    cycles_per_byte: float

    @property
    def kb_per_s(self) -> float:
        """At 16 MHz; a kilobyte has 1000 bytes."""
        return 16_000 / self.cycles_per_byte


def raw_rates(folder: Path) -> Iterator[Rate]:
    """Every loop from every part in one long read; then the timed loop in shorter ones."""
    content = np.random.default_rng(5).integers(0, 256, UNITS * 512, np.uint8).tobytes()
    for loop in LOOPS:
        yield _rate(folder, content, "W25Q", loop, UNITS)
        for latency in ("ideal", "typical", "cheap"):
            yield _rate(folder, content, f"SD, {latency}", loop, UNITS)
    for run in (1, 4, 16, 64):
        yield _rate(folder, content, "W25Q", "timed assembly", run)
        for latency in ("ideal", "typical", "cheap"):
            yield _rate(folder, content, f"SD, {latency}", "timed assembly", run)
    for latency in ("ideal", "typical", "cheap"):
        yield _rate(folder, content, f"SD, {latency}", "timed assembly", 1, single=True)


def _rate(folder: Path, content: bytes, part: str, loop: str, run: int, single: bool = False) -> Rate:
    flash = part == "W25Q"
    board = board_named("uno-flash" if flash else "uno-sd")
    assert isinstance(board, Offload)
    state = folder / f"{board.name}-{part[4:]}-{LOOPS[loop]}-{run}-{single}"
    state.mkdir(parents=True)
    file = state / "part.bin"
    on_bus: Part
    if flash:
        file.write_bytes(content.ljust(4 << 20, b"\xff"))
        on_bus = FlashChip(file)
    else:
        file.write_bytes(content)
        on_bus = SdCard(file, latency=part.partition(", ")[2])
    defines = [f"-DLOOP={LOOPS[loop]}", f"-DRUN={run}", f"-DMEDIUM_{board.medium.name}", *["-DSINGLE"] * single]
    (state / "flash.bin").write_bytes(_build(board, defines, state).ljust(board.flash_bytes, b"\xff"))
    with AvrBoard(board, state, pace="fast", part=on_bus) as powered:
        deadline = time.monotonic() + TIMEOUT_S
        marks: list[tuple[int, int]] = []
        while len(marks) < 3:
            marks += powered.markers()
            if time.monotonic() > deadline or any(value == FAILED for _, value in marks[:2]):
                raise SystemExit(f"The program for {part} with the loop {loop} failed.")
            time.sleep(0.05)
        counters = powered.counters()
    (start, _), (end, _), (_, total) = marks
    if counters.spi_early or counters.spi_collisions:
        raise SystemExit(f"The loop {loop} is too fast for the bus.")
    if total != int(np.bitwise_xor.reduce(np.frombuffer(content, np.uint8))):
        raise SystemExit(f"The loop {loop} read other bytes than there are on {part}.")
    name = part if not single else f"{part}, single blocks"
    return Rate(name, loop, run * 512, (end - start) / len(content))


def _build(board: Offload, defines: list[str], folder: Path) -> bytes:
    elf, image = folder / "raw.elf", folder / "raw.bin"
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", f"-mmcu={board.mcu}", f"-DF_CPU={board.clock_hz}UL"]
    subprocess.run(["avr-gcc", *flags, *defines, str(SOURCE), "-o", str(elf)], check=True)
    subprocess.run(["avr-objcopy", "-O", "binary", str(elf), str(image)], check=True)
    return image.read_bytes()
