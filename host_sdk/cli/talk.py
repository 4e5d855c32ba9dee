"""Commands that speak to a board: chat, flash, verify, bench."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from host_sdk.boards import BOARDS, Offload, Python
from host_sdk.cli.show import ThinkingBar, ctrl_c_calls, print_json, progress_bar, table
from host_sdk.conformance import Vector
from host_sdk.device import Device, Reply
from host_sdk.errors import BoardError, LinkError, UsageError
from host_sdk.flash.avrdude import PROGRAMMERS
from host_sdk.kinds import MEMORIES
from host_sdk.link.messages import refusal
from host_sdk.model.library import find_model
from host_sdk.pack.queries import read_queries
from host_sdk.report.energy import estimate
from host_sdk.spec.protocol import Status

_address = click.argument("address", required=False)
_model = click.option(
    "--model", type=click.Path(path_type=Path), help="Flash this .ulm, or shipped model, if the board has another."
)
_baud = click.option("--baud", type=click.IntRange(300, 4_000_000), help="Try only this baud rate.")
_json = click.option("--json", "as_json", is_flag=True, help="One line of JSON on stdout.")
_trace = click.option("--trace", type=click.Path(path_type=Path), help="Write every byte of the line to this file.")


@click.command()
@_address
@_model
@click.option("--once", metavar="TEXT", help="Ask this and leave.")
@_baud
@_json
@_trace
def chat(
    address: str | None, model: Path | None, once: str | None, baud: int | None, as_json: bool, trace: Path | None
) -> None:
    """Talk with the board at ADDRESS, or with the only one. An empty line or Ctrl-D leaves."""
    with Device(address, model=model, baud=baud, trace=trace) as board:
        if once is not None:
            say(board, once, as_json)
            return
        click.echo(f"{board.hello.model} on {board.board}{_timing(board)}. An empty line leaves.", err=True)
        converse(board, as_json)


def converse(board: Device, as_json: bool = False) -> None:
    """Prompt, ask, show, until an empty line."""
    while line := _prompt():
        try:
            say(board, line, as_json)
        except UsageError as error:
            click.echo(f"ulm: {error}", err=True)


def say(board: Device, query: str, as_json: bool = False) -> None:
    """Ask and show one reply with its figures; FileError when the board computed other numbers."""
    with ctrl_c_calls(board.stop):
        reply = board.chat(query) if as_json else _speak(board, query)
    if as_json:
        print_json(_reply_json(reply, board))
    elif reply.ms_per_char is not None:
        proof = ", every number proved" if reply.digest_checked else ", stopped" if reply.stopped else ""
        digits = 1 if reply.ms_per_char >= 1 else 2
        click.secho(f"  {reply.ms_per_char:.{digits}f} ms per character{_timing(board)}{proof}", dim=True, err=True)
    if reply.digest_checked is False:
        raise BoardError(
            f"The board computed other numbers than the reference for this reply (digest {reply.digest:04X}); "
            "its model or flash is damaged: flash it again and run `ulm verify`."
        )


@click.command()
@click.argument("address")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--board", metavar="NAME", help="The kind of board, where bootloaders look alike (see `ulm boards`).")
@click.option(
    "--yes", is_flag=True, help="Replace a foreign program, interrupt a running one, or clear what is in the way."
)
@click.option("--programmer", type=click.Choice(PROGRAMMERS), default="stk500", show_default=True)
@click.option(
    "--memory", type=click.Choice(MEMORIES), help="Where MODEL goes; without it to the usual place of the board."
)
@click.option(
    "--firmware", type=click.Path(path_type=Path), metavar="FILE.bin", help="Espressif chips: MicroPython for them."
)
@click.option("--erase", is_flag=True, help="With --firmware: clear all flash first, files and models too.")
@click.option(
    "--partition", metavar="LABEL", help="Espressif chips: MODEL into this partition, made where it is missing."
)
@click.option("--at-start", is_flag=True, help="A Python board starts its runtime whenever it is switched on.")
@click.option("--compact", is_flag=True, help="AVR boards: a small reply model in fewer bytes of flash, slower.")
@_json
def flash(
    address: str,
    model: Path | None,
    board: str | None,
    yes: bool,
    programmer: str,
    memory: str | None,
    firmware: Path | None,
    erase: bool,
    partition: str | None,
    at_start: bool,
    compact: bool,
    as_json: bool,
) -> None:
    """Put the runtime and MODEL, a file or a shipped model's name, on the board at ADDRESS.

    Only pages that differ are written. A CP/M machine gets MODEL alone, on the disk, from a running ULM.COM. With
    --firmware or --partition an Espressif chip is flashed through its loader first (docs/esp32.md).
    """
    if firmware or partition or erase:
        from host_sdk.cli.esp import flash_esp

        if board or memory or compact or programmer != PROGRAMMERS[0]:
            raise UsageError(
                "--board, --memory, --programmer and --compact are not for Espressif chips; leave them out, or "
                "--firmware, --partition and --erase."
            )
        flash_esp(address, model, firmware, partition, yes, erase, at_start, as_json)
        return
    if model is None:
        raise UsageError("Name the model to flash: a .ulm file, or one of `ulm models`.")
    wanted = find_model(model)
    with Device(address, bare=True) as device, progress_bar(f"Flashing {wanted.name}", as_json) as progress:
        result = device.flash(
            wanted,
            board=board,
            yes=yes,
            programmer=programmer,
            memory=memory,
            at_start=at_start,
            compact=compact,
            progress=progress,
        )
    if as_json:
        print_json({**asdict(result), "model_crc": f"{result.model_crc:08x}"})
        return
    pages = ""
    if result.pages_written or result.pages_kept:
        pages = f"; {result.pages_written} pages written, {result.pages_kept} kept"
    if result.files_written is not None:
        pages = f"; {result.files_written} files written, {result.files_kept} kept"
    click.echo(
        f"{result.board} now runs {result.model} from {result.memory}: {result.model_bytes} bytes of model, "
        f"{result.runtime_bytes} of runtime{pages}."
    )


def show_board(address: str, as_json: bool) -> None:
    """What answers at `address`: board, model, sizes, and what hinders it."""
    with Device(address) as board:
        hello, info = board.hello, board.info()
        trouble = None if hello.model_status == Status.OK else str(refusal(hello.model_status, hello.fault))
        facts = {
            "board": hello.board,
            "simulated": board.simulated,
            "timing": board.timing,
            "model": hello.model or None,
            "model_crc": None if hello.model_crc is None else f"{hello.model_crc:08x}",
            "max_query": hello.max_query,
            "runtime_build": hello.build,
            "clock_hz": hello.clock_hz,
            **{key: value for key, value in asdict(info).items() if key not in ("abi", "model_status")},
            "trouble": trouble,
        }
    if as_json:
        print_json(facts)
        return
    table([(key, value) for key, value in facts.items() if value is not None])


@click.command()
@_address
@click.argument("vectors", required=False, type=click.Path(path_type=Path))
@_model
@_baud
@_json
@click.pass_context
def verify(
    ctx: click.Context,
    address: str | None,
    vectors: Path | None,
    model: Path | None,
    baud: int | None,
    as_json: bool,
) -> None:
    """Compare every integer of the board's outputs with VECTORS (JSON lines).

    Without VECTORS: its model's own golden queries against the reference engine. Exit code 1 on any mismatch.
    """
    due = Vector.read(vectors) if vectors else None
    with Device(address, model=model, baud=baud) as board, progress_bar("Verifying", as_json) as progress:
        result = board.verify(due, progress=progress)
        name = f"{board.hello.model} on {board.board}{_timing(board)}"
    if as_json:
        print_json(result.to_json())
    else:
        click.echo(f"{name}: {result.exact} of {result.queries} queries exact, every output of every pass.")
        for bad in result.mismatches[:10]:
            click.echo(f"  {bad.query!r}: expected {bad.expected!r}, got {bad.got!r}, pass {bad.first_bad_pass}")
    if result.exact != result.queries:
        ctx.exit(1)


@click.command()
@_address
@_model
@click.option("--queries", type=click.Path(path_type=Path), help="One query per line, instead of the shipped list.")
@_baud
@_json
def bench(address: str | None, model: Path | None, queries: Path | None, baud: int | None, as_json: bool) -> None:
    """Measure cycles per character, flash, SRAM and stack of the board at ADDRESS."""
    chosen = read_queries(queries) if queries else None
    with Device(address, model=model, baud=baud) as board, progress_bar("Measuring", as_json) as progress:
        result = board.bench(chosen, progress=progress)
        note = _timing(board)
    known = BOARDS.get(result.board)
    energy = estimate(known, result) if known else None
    if as_json:
        print_json({**result.to_json(), "energy": asdict(energy) if energy else None})
        return
    python = isinstance(known, Python)
    clock = f" at {result.clock_hz / 1e6:g} MHz" if result.clock_hz and not python else ""
    click.echo(f"{result.model} on {result.board}{clock}{note}, {result.queries} queries, {result.passes} passes:")
    rows: list[tuple[object, ...]] = [("", "mean", "max")]
    for label, values, digits in (
        ("cycles per character", result.cycles_per_char, 0),
        ("ms per character", result.ms_per_char, 2),
        ("cycles to encode a query", result.query_cycles, 0),
        ("cycles to the first character", result.first_char_cycles, 0),
    ):
        if digits or not python:
            rows.append((label, *(_number(values[key], digits) for key in ("mean", "max"))))
    table(rows)
    if python:
        heap = "64 KB or more" if result.sram_bytes is None else f"{result.sram_bytes} B"
        click.echo(f"model {result.model_bytes} B in a file, heap in use {heap}")
    elif result.tpa_bytes is not None:
        click.echo(f"TPA {result.tpa_bytes} B (model {result.model_bytes} B), {result.stack_bytes} B of stack in it")
    else:
        where = "beside it" if isinstance(known, Offload) else "in it"
        click.echo(
            f"flash {result.flash_bytes} B (model {result.model_bytes} B {where}), SRAM {result.sram_bytes} B "
            f"and {result.stack_bytes} B of stack"
        )
    if energy:
        part = f" ({energy.part_uj_per_reply:.0f} of it the card's or chip's)" if energy.part_uj_per_reply else ""
        lives = ", ".join(f"{name} {days / 365:.1f} years" for name, days in energy.battery_days.items())
        click.echo(
            f"energy, estimated from cycles and datasheet currents: {energy.uj_per_char:.1f} uJ per character, "
            f"{energy.uj_per_reply:.0f} uJ per reply{part}"
            + (f"; at {energy.replies_per_day} replies a day {lives}" if lives else "")
        )


def _number(value: float | None, digits: int) -> str:
    return "not counted" if value is None else f"{value:,.{digits}f}"


def _speak(board: Device, query: str) -> Reply:
    """Print the reply while it is made."""
    bar = ThinkingBar()
    try:
        for character in board.stream(query, progress=bar.show):
            bar.say(character)
    finally:
        bar.clear()
    click.echo()
    if board.last is None:
        raise LinkError("The reply ended early; ask again.")
    return board.last


def _prompt() -> str:
    """A line that a person typed; the prompt is theirs alone, piped output stays clean."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401  (line editing and history)
        prompt = "> "
    else:
        prompt = ""
    try:
        return input(prompt).strip()
    except EOFError:
        return ""


def _timing(board: Device) -> str:
    return {"simulated": " (simulated)", "this computer": " (time of this computer)"}.get(board.timing, "")


def _reply_json(reply: Reply, board: Device) -> dict[str, object]:
    return {
        "reply": reply.text,
        "chars": reply.chars,
        "passes": reply.passes,
        "digest": f"{reply.digest:04x}",
        "digest_checked": reply.digest_checked,
        "stopped": reply.stopped,
        "cycles_per_char": reply.cycles_per_char,
        "ms_per_char": reply.ms_per_char,
        "board": reply.board,
        "model": reply.model,
        "simulated": board.simulated,
        "timing": board.timing,
    }
