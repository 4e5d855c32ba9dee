"""What streaming costs, measured on simulated chips: loops, media, lengths of a read, forms, codes, energy.

    python bench/streaming.py [--json] [--update docs/streaming.md] [--plot docs/streaming.svg]

Loops are programs of their own (streaming/raw.c); models run in the whole firmware, each checked by its digests.
Nothing is written into the repository without --update or --plot.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.run import published  # noqa: E402
from bench.tables import number, table, update  # noqa: E402
from host_sdk.boards import BOARDS, Medium, Offload, board_named  # noqa: E402
from host_sdk.device import Device  # noqa: E402
from host_sdk.model.library import remember  # noqa: E402
from host_sdk.model.model import Model  # noqa: E402
from host_sdk.pack.card import card_image  # noqa: E402
from host_sdk.pack.queries import bench_queries  # noqa: E402
from host_sdk.pack.stream import pack_stream  # noqa: E402
from host_sdk.report.energy import estimate  # noqa: E402
from host_sdk.sim.avr_board import AvrBoard  # noqa: E402
from host_sdk.sim.part import FlashChip, Part, SdCard  # noqa: E402
from host_sdk.spec.container import WeightCode  # noqa: E402
from host_sdk.spec.stream import Form  # noqa: E402
from tests.synthetic import streamed_512, streamed_2048  # noqa: E402

SOURCE = Path(__file__).parent / "streaming/raw.c"
TINYCHAT = ROOT / "models/tinychat/tinychat.ulm"
UNITS = 256
"""Of 512 bytes, that every program reads."""
CHIP_BYTES = 4 << 20  # of a W25Q32
LOOPS = {"C": "loop_c", "polled assembly": "loop_polled", "timed assembly": "loop_timed"}
LATENCIES = ("ideal", "typical", "cheap")
COLOURS = {"W25Q": "C0", "SD, ideal": "C1", "SD, typical": "C2", "SD, cheap": "C3"}
STARTED, DONE, FAILED = 1, 2, 3
TIMEOUT_S = 120
CODES = (WeightCode.TWO_BIT, WeightCode.INT4, WeightCode.INT8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--update", type=Path, metavar="PAGE", help="a page whose tables are replaced")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="an .svg to draw")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder  # models and boards of a bench are nobody's
        rates = list(raw_rates(Path(folder)))
        speeds = list(model_speeds(Path(folder)))
    if options.json:
        print(json.dumps({"rates": [asdict(one) for one in rates], "models": [asdict(one) for one in speeds]}))
    else:
        print(f"\n{show_rates(rates)}\n\n{show_speeds(speeds)}")
    if options.update:
        update(options.update, "bench/streaming.py loops", show_rates(rates))
        update(options.update, "bench/streaming.py models", show_speeds(speeds))
    if options.plot:
        plot(rates, speeds, options.plot)


# Loops


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
        for latency in LATENCIES:
            yield _rate(folder, content, f"SD, {latency}", loop, UNITS)
    for run in (1, 4, 16, 64):
        yield _rate(folder, content, "W25Q", "timed assembly", run)
        for latency in LATENCIES:
            yield _rate(folder, content, f"SD, {latency}", "timed assembly", run)
    for latency in LATENCIES:
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
        file.write_bytes(content.ljust(CHIP_BYTES, b"\xff"))
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


def show_rates(rates: Sequence[Rate]) -> str:
    """The first table."""
    head = ["part", "loop", "bytes per read command", "cycles per byte", "KB/s at 16 MHz"]
    rows = [[one.part, one.loop, number(one.run), f"{one.cycles_per_byte:.1f}", number(one.kb_per_s)] for one in rates]
    return table(head, rows)


# Models


@dataclass(frozen=True, slots=True)
class Speed:
    """One model on one board with one part. Times and cycles are simulated."""

    model: str
    form: str
    board: str
    part: str
    image_bytes: int
    weights: int
    ms_per_char: float
    kb_per_s: float  # what a pass reads from front to back, were nothing skipped, by its time
    sram_bytes: int
    stack_bytes: int
    uj_per_reply: float | None  # estimated
    part_uj_per_reply: float | None


def model_speeds(folder: Path) -> Iterator[Speed]:
    """Every model on the boards and parts that tell most."""
    name, chat = published()
    own = Model.load(TINYCHAT)
    queries = list(bench_queries())[::8]
    for title, model in ((name, chat), ("own tinychat", own)):
        for board in ("uno-flash", "uno-sd", "lilypad-flash", "lilypad-sd"):
            yield _speed(folder, title, model, None, board, "typical", queries)
        for latency in ("ideal", "cheap"):
            yield _speed(folder, title, model, None, "uno-sd", latency, queries)
    for board in ("uno-flash", "uno-sd"):
        yield _speed(folder, name, chat, Form.ROWS, board, "typical", queries)
    for make in (streamed_512, streamed_2048):
        for code in CODES:
            for board in ("uno-flash", "uno-sd"):
                model = make(code)
                title = f"{model.shape}, {code.name.lower().replace('_', ' ')}"
                yield _speed(folder, title, model, None, board, "typical", queries[:1])


def _speed(
    folder: Path, title: str, model: Model, form: Form | None, board: str, latency: str, queries: Sequence[str]
) -> Speed:
    remember(model)
    image = pack_stream(model, form)
    state = folder / f"{title.replace(' ', '-')}-{image.form.name}-{board}-{latency}"
    state.mkdir(parents=True)
    record = BOARDS[board]
    assert isinstance(record, Offload)
    if record.medium is Medium.SD:
        (state / "part.bin").write_bytes(card_image(image.data))
        part = f"card={state / 'part.bin'}&latency={latency}"
    else:
        (state / "part.bin").write_bytes(image.data.ljust(CHIP_BYTES, b"\xff"))
        part = f"flash={state / 'part.bin'}"
    with Device(f"sim://{board}?state={state}&{part}") as device:
        result = device.bench(queries)
        for query in queries[:2]:
            if not device.chat(query).digest_checked:
                raise SystemExit(f"{title} on {board} does not give the integers of the reference engine.")
    ms = result.ms_per_char["mean"] or 0.0
    energy = estimate(record, result)
    return Speed(
        title,
        image.form.name.lower(),
        board,
        "W25Q" if record.medium is Medium.FLASH else f"SD, {latency}",
        len(image.data),
        model.weight_count,
        ms,
        image.stream_bytes / ms,
        result.sram_bytes or 0,
        result.stack_bytes,
        energy.uj_per_reply if energy else None,
        energy.part_uj_per_reply if energy else None,
    )


def show_speeds(speeds: Sequence[Speed]) -> str:
    """The second table."""
    head = ["model", "form", "board", "part", "image, bytes", "ms per character", "KB/s of the pass", "SRAM + stack"]
    head += ["estimated uJ per reply", "of it the part"]
    rows = []
    for one in speeds:
        energy = [number(value) if value else "–" for value in (one.uj_per_reply, one.part_uj_per_reply)]
        sizes = [number(one.image_bytes), f"{one.ms_per_char:,.1f}", number(one.kb_per_s)]
        rows.append(
            [one.model, one.form, one.board, one.part, *sizes, f"{one.sram_bytes} + {one.stack_bytes}", *energy]
        )
    return table(head, rows)


def plot(rates: Sequence[Rate], speeds: Sequence[Speed], path: Path) -> None:
    """Rate by length of a read; time of a character by size of the image."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "streaming"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for part in dict.fromkeys(one.part for one in rates if "single" not in one.part):
        line = sorted((one.run, one.kb_per_s) for one in rates if one.part == part and one.loop == "timed assembly")
        left.plot(*zip(*line, strict=True), marker="o", label=part, color=COLOURS[part])
    left.axhline(16_000 / 18, color="grey", linestyle=":", label="the bus")
    left.set(xscale="log", xlabel="bytes per read command", ylabel="KB/s at 16 MHz", ylim=0)
    for part in dict.fromkeys(one.part for one in speeds):
        chosen = [one for one in speeds if one.part == part and one.board.startswith("uno")]
        sizes, times = [one.image_bytes / 1e3 for one in chosen], [one.ms_per_char for one in chosen]
        right.scatter(sizes, times, label=part, color=COLOURS[part])
    right.set(xscale="log", yscale="log", xlabel="image, KB", ylabel="ms per character, UNO")
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.suptitle("Streaming weights, simulated")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
