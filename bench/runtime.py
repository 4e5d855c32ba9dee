"""The project's own runtime on virtual boards: what a bench program is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from host_sdk.boards import board_named
from host_sdk.conformance import BenchResult, Vector
from host_sdk.device import Device
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.report.energy import estimate


@dataclass(frozen=True, slots=True)
class Measured:
    """A model on one board. Cycles are those of the board's own counter, interrupts and digest included."""

    board: str
    bench: BenchResult
    exact: bool  # every output of every pass is the reference engine's
    uj_per_reply: float | None  # estimated, the serial line included

    @property
    def query_cycles(self) -> float:
        """Mean per query."""
        return self.bench.query_cycles["mean"] or 0.0

    @property
    def pass_cycles(self) -> float:
        """Mean per pass."""
        return self.bench.cycles_per_char["mean"] or 0.0

    @property
    def max_pass_cycles(self) -> float:
        """Of the longest pass."""
        return self.bench.cycles_per_char["max"] or 0.0

    @property
    def answer_cycles(self) -> float:
        """Mean per answer: its query and all of its passes."""
        return self.query_cycles + self.pass_cycles * self.bench.passes / self.bench.queries


def measure_runtime(name: str, model: Model, queries: Sequence[str], folder: Path, proof: bool = True) -> Measured:
    """Flashes a virtual board whose memories are in `folder`, times the queries and, for `proof`, compares outputs."""
    vectors = [
        Vector(q, one.text, tuple(one.logits_crc32)) for q, one in zip(queries, run(model, queries), strict=True)
    ]
    with Device(f"sim://{name}?state={folder / model.name / name}", model=model) as device:
        result = device.bench(queries)
        exact = proof and device.verify(vectors).exact == len(vectors)
    energy = estimate(board_named(name), result)
    return Measured(name, result, exact, energy.uj_per_reply if energy else None)
