"""Times the engine of a running program from outside: T-states between its public labels, nothing in the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host_sdk.sim.cpm.core import Core

QUERY_LABELS = ("engine_query_begin", "engine_query_add", "engine_query_end")
PASS_LABELS = ("engine_pass", "engine_context_add", "engine_digest")


@dataclass(slots=True)
class Lap:
    """One reply: T-states for its query, and for each pass: the run, the context, the digest."""

    query: int = 0
    passes: list[int] = field(default_factory=list)


class Meter:
    """Watches one program, whose labels are given by address."""

    def __init__(self, core: Core, labels: Mapping[str, int]) -> None:
        self._core = core
        self._entries = {labels[name]: name for name in (*QUERY_LABELS, *PASS_LABELS)}
        self._running: tuple[str, int, int, int] | None = None  # label, return address, stack, T-states
        self.laps: list[Lap] = []
        core.trap(self._entries)

    def close(self) -> None:
        """Watch no longer."""
        self._core.untrap(self._entries)
        if self._running:
            self._core.untrap([self._running[1]])

    def reached(self, address: int) -> bool:
        """Take note of a trap; false when it is none of this meter's."""
        core = self._core
        running = self._running
        if running and address == running[1] and core.cpu.sp == running[2]:
            self._book(running[0], core.ticks - running[3])
            self._running = None
            if address not in self._entries:
                core.untrap([address])
        elif address not in self._entries and not (running and address == running[1]):
            return False
        if address in self._entries and self._running is None:
            back = core.word(core.cpu.sp)
            self._running = self._entries[address], back, (core.cpu.sp + 2) & 0xFFFF, core.ticks
            core.trap([back])
        core.step()
        return True

    def _book(self, label: str, ticks: int) -> None:
        if label == "engine_query_begin" or not self.laps:
            self.laps.append(Lap())
        lap = self.laps[-1]
        if label in QUERY_LABELS:
            lap.query += ticks
        elif label == "engine_pass" or not lap.passes:
            lap.passes.append(ticks)
        else:
            lap.passes[-1] += ticks
