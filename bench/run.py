"""Plain C and the project's runtime side by side on simulated chips: cycles, sizes, energy.

    python bench/run.py [--only TEXT] [--json] [--update docs/hypotheses.md]

Builds every program, runs it, compares every output with the reference engine, and prints two tables. Nothing is
written into the repository without --update.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.programs import UNO, DoesNotFitError, Result, Variant, measure  # noqa: E402
from bench.runtime import measure_runtime  # noqa: E402
from bench.tables import number, table, update  # noqa: E402
from host_sdk.boards import BOARDS  # noqa: E402
from host_sdk.model.model import Model  # noqa: E402
from host_sdk.model.z80ai import import_z80ai  # noqa: E402
from host_sdk.pack.order import annotate  # noqa: E402
from host_sdk.pack.queries import bench_queries  # noqa: E402
from host_sdk.spec.container import Kind  # noqa: E402
from host_sdk.train.data import read_pairs  # noqa: E402

MICRO = ROOT / "models/micro/micro64.ulm"
MICRO_256 = ROOT / "models/micro/micro256.ulm"
TINYCHAT = ROOT / "models/tinychat/tinychat.ulm"
PARAPHRASES = ROOT / "models/commands/paraphrases.txt"

PROGRAMS = {
    "C, 2-bit rows": "dense2.h",
    "C, int8 rows": "dense8.h",
    "C, 2-bit rows, multiplier": "multiply2.h",
    "C, 2-bit rows, unrolled": "unrolled2.h",
    "assembly, 2-bit rows, unrolled": "assembly2.h",
    "C, lists of non-zero weights": "lists.h",
    "C, 2-bit columns, zero inputs skipped": "columns2.h",
    "C, lists, zero inputs skipped": "column_lists.h",
}
"""What a row is called, and its kernel."""
MICRO_PROGRAMS = ("dense2.h", "dense8.h")
CHARACTER_PROGRAMS = ("dense2.h", "unrolled2.h", "assembly2.h", "columns2.h")
ONLY_16 = ("assembly2.h",)
READINGS = {"pgm": ("BY_PGM_READ",), "flash": (), "sram": ("IN_SRAM",), "wide": ("WIDE",)}
"""How weights are read: pgm_read_byte, __flash, from SRAM; and __flash with 32-bit sums."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the first table. Cycles are simulated: per answer for reply models, per character for others."""

    network: str
    program: str
    chip: str
    cycles: float
    max_cycles: float
    query_cycles: float
    ms_16mhz: float
    ms_8mhz: float
    uj_8mhz: float
    flash_bytes: int
    weight_bytes: int
    sram_bytes: int
    stack_bytes: int
    exact: bool
    uj_per_reply: float | None = None  # with the serial line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose network or program contains this")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--update", type=Path, metavar="PAGE", help="a page whose tables are replaced; not with --only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder  # models and boards of a bench are nobody's
        rows = list(side_by_side(Path(folder), options.only))
        kernels = kernel_results(Path(folder), options.only)
    if bad := [f"{row.network}, {row.program}" for row in rows if not row.exact]:
        raise SystemExit(f"These do not give the integers of the reference engine: {'; '.join(bad)}")
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "kernels": kernels_json(kernels)}))
        return
    for text in (show_rows(rows) if rows else "", show_kernels(kernels) if kernels else ""):
        print(f"\n{text}")
    if options.update and not options.only:
        update(options.update, "bench/run.py rows", show_rows(rows))
        update(options.update, "bench/run.py kernels", show_kernels(kernels))


def micro_queries() -> list[str]:
    """Every fourth paraphrase: questions of the micro model's task that it never saw."""
    return [pair.query for pair in read_pairs(PARAPHRASES)][::4]


def chat_queries() -> list[str]:
    """Every fourth query of `ulm bench`."""
    return list(bench_queries())[::4]


def published() -> tuple[str, Model]:
    """The published tinychat where the reference data are, otherwise a synthetic model of its shape."""
    named = os.environ.get("ULM_REFERENCE")
    path = (Path(named) if named else ROOT.parent / "shared/reference") / "z80ai/tinychat.npz"
    if path.exists():
        return "published tinychat", annotate(import_z80ai(path))
    from tests.synthetic import published_shape

    return "synthetic, published shape", published_shape()


def side_by_side(folder: Path, only: str) -> Iterator[Row]:
    """Every program and runtime of every network."""
    own = Model.load(TINYCHAT)
    networks: list[tuple[str, Model, Sequence[str], Sequence[str]]] = [
        ("micro", Model.load(MICRO), list(PROGRAMS.values()), micro_queries()),
        ("micro", Model.load(MICRO_256), MICRO_PROGRAMS, micro_queries()),
        ("own tinychat", own, CHARACTER_PROGRAMS, chat_queries()),
    ]
    name, model = published()
    if model.crc != own.crc:
        networks.append((name, model, CHARACTER_PROGRAMS, chat_queries()))
    titles = {kernel: title for title, kernel in PROGRAMS.items()}
    for network, model, kernels, queries in networks:
        title = f"{network} {model.shape}"
        for kernel in kernels:
            if only in title or only in titles[kernel]:
                yield _program_row(title, titles[kernel], kernel, model, queries, folder)
        for board in ("uno", "lilypad"):
            if only in title or only in "μLM runtime":
                yield _runtime_row(title, board, model, queries, folder)


def _program_row(network: str, title: str, kernel: str, model: Model, queries: Sequence[str], folder: Path) -> Row:
    """The faster of the two ways of reading flash."""
    readings = [()] if kernel in ONLY_16 else [READINGS["pgm"], READINGS["flash"]]
    results = [measure(model, Variant(title, kernel, defines), queries, folder) for defines in readings]
    best = min(results, key=lambda result: result.answer_cycles)
    reply = model.kind is Kind.REPLY
    return _row(
        network,
        title,
        best.chip.title,
        best.answer_cycles if reply else best.pass_cycles,
        best.max_answer_cycles if reply else best.max_pass_cycles,
        best.query_cycles,
        flash_bytes=best.flash_bytes,
        weight_bytes=best.weight_bytes,
        sram_bytes=best.sram_bytes,
        stack_bytes=best.stack_bytes,
        exact=best.exact,
    )


def _runtime_row(network: str, board: str, model: Model, queries: Sequence[str], folder: Path) -> Row:
    result = measure_runtime(board, model, queries, folder)
    reply = model.kind is Kind.REPLY
    most = result.bench.first_char_cycles["max"] or 0.0
    return _row(
        network,
        "μLM runtime",
        "UNO" if board == "uno" else "LilyPad",
        result.answer_cycles if reply else result.pass_cycles,
        most if reply else result.max_pass_cycles,
        result.query_cycles,
        flash_bytes=result.bench.flash_bytes,
        weight_bytes=result.bench.model_bytes,
        sram_bytes=result.bench.sram_bytes,
        stack_bytes=result.bench.stack_bytes,
        exact=result.exact,
        uj_per_reply=result.uj_per_reply,
    )


def _row(
    network: str, program: str, chip: str, cycles: float, max_cycles: float, query_cycles: float, **sizes: object
) -> Row:
    lilypad = BOARDS["lilypad"]
    assert lilypad.currents is not None
    uj_per_cycle = lilypad.currents.active * lilypad.supply_mv / lilypad.clock_hz
    fill = partial(Row, network, program, chip, cycles, max_cycles, query_cycles)
    return fill(ms_16mhz=cycles / 16e3, ms_8mhz=cycles / 8e3, uj_8mhz=cycles * uj_per_cycle, **sizes)


def show_rows(rows: Sequence[Row]) -> str:
    """The first table."""
    head = ["network", "program", "simulated chip", "cycles", "longest", "query", "ms, 16 MHz", "ms, 8 MHz"]
    head += ["µJ, 8 MHz", "flash", "of it weights", "SRAM + stack"]
    text = table(head, [_cells(row) for row in rows])
    whole = [f"{row.network} {row.uj_per_reply:,.0f} µJ" for row in rows if row.uj_per_reply is not None]
    if whole:
        text += f"\n\nA whole reply of the runtime on the LilyPad, serial line included (estimate): {', '.join(whole)}."
    return text


def _cells(row: Row) -> list[str]:
    cycles = map(number, (row.cycles, row.max_cycles, row.query_cycles))
    times = (f"{row.ms_16mhz:,.2f}", f"{row.ms_8mhz:,.2f}", f"{row.uj_8mhz:,.1f}")
    sizes = (number(row.flash_bytes), number(row.weight_bytes), f"{row.sram_bytes} + {row.stack_bytes}")
    return [row.network, row.program, row.chip, *cycles, *times, *sizes]


def kernel_results(folder: Path, only: str) -> dict[str, dict[str, Result]]:
    """Every kernel on the micro model, by title and reading."""
    model, queries = Model.load(MICRO), micro_queries()
    found: dict[str, dict[str, Result]] = {}
    for title, kernel in PROGRAMS.items():
        if only not in title and only not in "micro":
            continue
        found[title] = {}
        for reading, defines in READINGS.items():
            if kernel in ONLY_16 and reading not in ("flash",):
                continue
            try:
                result = measure(model, Variant(title, kernel, defines), queries, folder)
            except DoesNotFitError:
                continue
            if not result.exact:
                raise SystemExit(f"{title} ({reading}) does not give the integers of the reference engine.")
            found[title][reading] = result
    return found


def show_kernels(kernels: dict[str, dict[str, Result]]) -> str:
    """The second table: cycles per pass."""
    head = ["kernel, micro model, cycles per pass", "pgm_read_byte", "__flash", "SRAM", "__flash, 32-bit sums"]
    head += ["weights", "SRAM with weights"]
    rows = []
    for title, results in kernels.items():
        cells = [_kernel_cell(results.get(reading)) for reading in READINGS]
        any_result = results["flash"]
        sram = results.get("sram")
        rows.append([title, *cells, number(any_result.weight_bytes), number(sram.sram_bytes) if sram else "–"])
    return table(head, rows)


def _kernel_cell(result: Result | None) -> str:
    if result is None:
        return "–"
    return number(result.pass_cycles) + ("" if result.chip is UNO else " (ATmega2560)")


def kernels_json(kernels: dict[str, dict[str, Result]]) -> dict[str, dict[str, object]]:
    """All figures of the second table."""
    return {title: {reading: asdict(result) for reading, result in found.items()} for title, found in kernels.items()}


if __name__ == "__main__":
    main()
