"""The Z80 engine alone, without CP/M: calls its routines on an emulated CPU and counts T-states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from z80 import Z80Machine

from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.pack.cpm import CpmImage
from host_sdk.pack.cpm_templates import templates
from host_sdk.spec import cpm
from host_sdk.spec.container import Kind

_STACK = cpm.RAM_ADDRESS
_RETURN = 0x0080  # a breakpoint
_BREAK, _OUT_OF_TICKS = 1, 4
MOST_TICKS = 400_000_000


@dataclass(frozen=True)
class Reply:
    """What the engine made of a query, and T-states of the query and of each pass with its context."""

    text: str
    outputs: NDArray[np.int16]  # (passes, classes)
    digest: int
    query_ticks: int
    pass_ticks: list[int]


class Machine:
    """A Z80 with the engine and an image in memory."""

    def __init__(self, image: bytes):
        self.cpu = Z80Machine()
        engine = (files("host_sdk") / "pack" / "z80" / "templates.bin").read_bytes()
        self.cpu.set_memory_block(cpm.KERNEL_ADDRESS, engine)
        self.cpu.set_memory_block(cpm.IMAGE_ADDRESS, image)
        self.cpu.set_breakpoint(_RETURN)
        self.ticks = 0
        self.call("crc_init")

    def call(self, label: str, a: int = 0) -> int:
        """Calls a routine with A; returns A. `ticks` then says how long it took."""
        cpu = self.cpu
        cpu.sp = _STACK - 2
        cpu.set_memory_block(_STACK - 2, _RETURN.to_bytes(2, "little"))
        cpu.pc, cpu.a = templates().labels[label], a
        cpu.ix, cpu.iy = 0x1234, 0x5678
        cpu.ticks_to_stop = MOST_TICKS
        while not (events := cpu.run()) & (_BREAK | _OUT_OF_TICKS):
            pass
        assert events & _BREAK, f"{label} does not return; the CPU is at {cpu.pc:04x}h"
        assert (cpu.sp, cpu.ix, cpu.iy) == (_STACK, 0x1234, 0x5678), f"{label} leaves registers changed"
        self.ticks = MOST_TICKS - cpu.ticks_to_stop
        return int(cpu.a)

    def reply(self, model: Model, query: bytes) -> Reply:
        """Asks the engine as the runtime does."""
        self.call("engine_query_begin")
        query_ticks = self.ticks
        for byte in query:
            self.call("engine_query_add", byte)
            query_ticks += self.ticks
        self.call("engine_query_end")
        query_ticks += self.ticks
        text, outputs, pass_ticks = "", [], []
        while True:
            choice = self.call("engine_pass")
            pass_ticks.append(self.ticks)
            outputs.append([self._output(row) for row in range(model.classes)])
            if model.kind is Kind.REPLY:
                text = model.replies[choice].text
                break
            if choice >= len(model.charset):
                break
            text += model.charset[choice]
            self.call("engine_context_add", ord(model.charset[choice]))
            pass_ticks[-1] += self.ticks
            if len(text) == model.max_reply:
                break
        self.call("engine_digest")
        return Reply(text, np.array(outputs, np.uint16).view(np.int16), self.cpu.hl, query_ticks, pass_ticks)

    def _output(self, row: int) -> int:
        self.call("engine_output", row)
        return int(self.cpu.hl)


def assert_exact(model: Model, image: CpmImage, queries: Sequence[str | bytes]) -> list[Reply]:
    """Every output, text and digest of the engine is that of the reference engine, also for a second reply."""
    machine = Machine(image.data)
    assert machine.call("engine_open") == 0
    replies = []
    for query, due in zip(queries, run(model, queries), strict=True):
        reply = machine.reply(model, query if isinstance(query, bytes) else query.encode("ascii"))
        assert (reply.outputs.shape, reply.text) == (due.outputs.shape, due.text), query
        assert (reply.outputs == due.outputs).all(), query
        assert reply.digest == due.digest, query
        replies.append(reply)
    start = cpm.IMAGE_ADDRESS
    assert bytes(machine.cpu.memory[start : start + len(image.data)]) == image.data  # what was patched is as it was
    return replies
