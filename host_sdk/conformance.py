"""Proving and timing a board: its replies and outputs against vectors, its cycles over many queries."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from host_sdk.errors import FileError, LinkError
from host_sdk.link.messages import End, Hello
from host_sdk.link.session import TRIES, Outputs, Session, Text
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.model.text import to_ascii
from host_sdk.pack.queries import bench_queries
from host_sdk.spec.protocol import HelloFlag, Status

Meter = Callable[[End], End]
"""Fills in the cycles of a reply where its machine is timed from outside."""
Progress = Callable[[int, int], None]
_NOT_COUNTED: dict[str, float | None] = {"mean": None, "max": None}
_MOST_SRAM = 0xFFFF
"""In INFO: so much, or more."""


@dataclass(frozen=True, slots=True)
class Vector:
    """A query, its reply, and the CRC-32 of the int16 outputs of every pass."""

    query: str
    reply: str
    logits_crc32: tuple[int, ...]

    @staticmethod
    def read(path: str | Path) -> list[Vector]:
        """Vectors from JSON lines; FileError naming the line that is none."""
        try:
            lines = Path(path).read_text("utf-8").splitlines()
        except OSError as error:
            raise FileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
        except UnicodeDecodeError:
            raise FileError(f"{path} is not a text file of vectors (JSON lines).") from None
        vectors = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                one = json.loads(line)
                crcs = tuple(int(crc) for crc in one["logits_crc32"])
                vectors.append(Vector(str(one["query"]), str(one["reply"]), crcs))
            except (ValueError, KeyError, TypeError):
                raise FileError(
                    f"{path}, line {number}: not a vector (query, reply and logits_crc32 are needed)."
                ) from None
        if not vectors:
            raise FileError(f"{path} holds no vectors.")
        return vectors

    @staticmethod
    def of(model: Model) -> list[Vector]:
        """The golden queries of a model, or without any the shipped ones, answered by the reference engine."""
        queries = model.golden or bench_queries()
        runs = run(model, queries)
        return [Vector(q, r.text, tuple(r.logits_crc32)) for q, r in zip(queries, runs, strict=True)]

    def to_json(self) -> str:
        """One line of a vector file."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class PartUsage:
    """Clock cycles of the board in which a card or a flash chip had its supply and did not sleep."""

    reading: float  # selected
    writing: float  # programming, erasing
    standby: float  # waiting to be selected


@dataclass(frozen=True, slots=True)
class Usage:
    """What a virtual board has done since it was switched on."""

    line_bytes: int  # both directions
    active_cycles: int | None  # awake; None where the chip never sleeps
    part: PartUsage | None = None  # of boards that stream from one


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where a board differs: the pass (from 0) whose outputs do, or None when only the text does."""

    query: str
    expected: str
    got: str
    first_bad_pass: int | None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """How many queries gave the same integers."""

    queries: int
    exact: int
    mismatches: list[Mismatch] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The stable form of `ulm verify --json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Exact cycles and sizes of one board and model. Cycles are None where the board counts none."""

    cycles_per_char: dict[str, float | None]
    ms_per_char: dict[str, float | None]
    query_cycles: dict[str, float | None]
    first_char_cycles: dict[str, float | None]  # query encoding and first pass
    flash_bytes: int | None  # runtime, and the image if it lies there too; None where there is no flash
    model_bytes: int
    sram_bytes: int | None  # of a Python board the heap in use; None: more than can be said, or see tpa_bytes
    stack_bytes: int
    clock_hz: int
    active_cycles_per_reply: float | None  # awake, from the first byte of the query to the last of the reply
    line_bytes_per_reply: float | None  # both directions
    part_cycles_per_reply: PartUsage | None  # of the card or chip from which weights stream
    tpa_bytes: int | None  # CP/M: from 0100h to the last byte that runtime, model and stack use
    queries: int
    passes: int
    board: str
    model: str
    simulated: bool
    timing: str  # whose time it is, as Device.timing says

    def to_json(self) -> dict[str, Any]:
        """The stable form of `ulm bench --json`."""
        return asdict(self)


def prove(session: Session, hello: Hello, vectors: Sequence[Vector], progress: Progress | None = None) -> VerifyResult:
    """Ask every query in verify mode and compare reply and outputs of every pass.

    A query that is too long for the board is a mismatch with no answer.
    """
    mismatches = []
    for number, vector in enumerate(vectors, 1):
        query = to_ascii(vector.query)
        too_long = hello.model_status == Status.OK and len(query) > hello.max_query
        text, crcs = ("", []) if too_long else _ask(session, query)
        if too_long or text != vector.reply or crcs != list(vector.logits_crc32):
            mismatches.append(_mismatch(vector, text, crcs))
        if progress:
            progress(number, len(vectors))
    return VerifyResult(len(vectors), len(vectors) - len(mismatches), mismatches)


def measure(
    session: Session,
    hello: Hello,
    queries: Sequence[bytes],
    counters: Callable[[], Usage] | None = None,
    meter: Meter | None = None,
    progress: Progress | None = None,
    counts_cycles: bool = True,
    timing: str = "board",
) -> BenchResult:
    """Ask every query and gather what the board counted: cycles, or parts of a second at `hello.clock_hz`."""
    ends: list[End] = []
    before = counters() if counters else None
    for number, query in enumerate(queries, 1):
        ends += [meter(event) if meter else event for event in session.chat(query) if isinstance(event, End)]
        if progress:
            progress(number, len(queries))
    active = line = part = None
    if counters and before:
        after = counters()
        line = (after.line_bytes - before.line_bytes) / len(queries)
        if after.active_cycles is not None and before.active_cycles is not None:
            active = (after.active_cycles - before.active_cycles) / len(queries)
        if after.part and before.part:
            part = PartUsage(
                *(
                    (getattr(after.part, f.name) - getattr(before.part, f.name)) / len(queries)
                    for f in fields(PartUsage)
                )
            )
    info = session.info()
    passes = sum(end.passes for end in ends)
    counted = passes > 0 and (HelloFlag.CYCLES in hello.flags or any(end.cycles for end in ends))
    mean = sum(end.cycles for end in ends) / passes if counted else None
    most = max(end.max_cycles for end in ends) if counted else None
    per_ms = hello.clock_hz / 1000
    tpa = info.tpa_bytes
    flash = tpa is None and info.runtime_bytes > 0
    return BenchResult(
        cycles_per_char={"mean": mean, "max": most} if counts_cycles else dict(_NOT_COUNTED),
        ms_per_char={
            "mean": mean / per_ms if mean is not None else None,
            "max": most / per_ms if most is not None else None,
        },
        query_cycles=_spread([end.query_cycles for end in ends], counted and counts_cycles),
        first_char_cycles=_spread([end.query_cycles + end.first_cycles for end in ends], counted and counts_cycles),
        flash_bytes=info.runtime_bytes + (info.model_bytes if info.model_address else 0) if flash else None,
        model_bytes=info.model_bytes,
        sram_bytes=info.sram_bytes if tpa is None and info.sram_bytes != _MOST_SRAM else None,
        stack_bytes=info.stack_bytes,
        clock_hz=hello.clock_hz,
        active_cycles_per_reply=active,
        line_bytes_per_reply=line,
        part_cycles_per_reply=part,
        tpa_bytes=tpa,
        queries=len(queries),
        passes=passes,
        board=hello.board,
        model=hello.model,
        simulated=counters is not None,
        timing=timing,
    )


def _ask(session: Session, query: bytes) -> tuple[str, list[int]]:
    """The reply and the CRC-32 of the outputs of each pass. Outputs that the line lost are asked for again."""
    for _ in range(TRIES):
        text, passes, due = "", dict[int, dict[int, bytes]](), 0
        for event in session.chat(query, verify=True):
            if isinstance(event, Text):
                text += event.text
            elif isinstance(event, Outputs):
                passes.setdefault(event.number, {})[event.first] = event.values.astype("<i2").tobytes()
            elif isinstance(event, End):
                due = event.passes
        outputs = [_joined(passes.get(number, {})) for number in range(due)]
        if len(set(map(len, outputs))) <= 1 and all(outputs):
            return text, [zlib.crc32(one) for one in outputs]
    raise LinkError("The line loses the outputs of passes again and again. Check the cable.")


def _joined(parts: dict[int, bytes]) -> bytes:
    """The outputs of one pass; b"" when a part is missing in front or between."""
    joined = b""
    for first in sorted(parts):
        if 2 * first != len(joined):
            return b""
        joined += parts[first]
    return joined


def _mismatch(vector: Vector, text: str, crcs: Sequence[int]) -> Mismatch:
    pairs: Iterator[tuple[int, int]] = zip(crcs, vector.logits_crc32, strict=False)
    bad = next((number for number, (got, due) in enumerate(pairs) if got != due), None)
    if bad is None and len(crcs) != len(vector.logits_crc32):
        bad = min(len(crcs), len(vector.logits_crc32))
    return Mismatch(vector.query, vector.reply, text, bad)


def _spread(values: Sequence[int], counted: bool) -> dict[str, float | None]:
    if not counted:
        return dict(_NOT_COUNTED)
    return {"mean": float(np.mean(values)), "max": max(values)}
