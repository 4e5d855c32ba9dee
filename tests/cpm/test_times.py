"""The times that stand above the shell's routines: least and most in one long conversation, T-states, BDOS apart.

`python -m tests.cpm.test_times` writes them into the sources.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.flash.cpm_files import read_symbols, shipped_com
from host_sdk.link.frame import Frame, encode
from host_sdk.model.model import ReplyText
from host_sdk.sim.cpm.core import Core
from host_sdk.spec.protocol import Action, Op
from tests.cpm.conftest import SOURCES, Bench, needs_pasmo, packed
from tests.synthetic import character_model, reply_model

SHELL = ("bdos", "frame", "reply", "console", "disk", "service", "main")
HEADED = re.compile(r"^;   size: \d+ bytes\n(?:;   time: (.*)\n)?([A-Za-z]\w*):", re.MULTILINE)
UNMEASURED = "not measured"
Span = tuple[int, int]


class Tracer:
    """In the place of a machine's meter: the least and most T-states from each label to its return."""

    def __init__(self, core: Core, labels: dict[str, int], seen: dict[str, Span]) -> None:
        self._core, self._seen = core, seen
        self._entries = {address: name for name, address in labels.items()}
        self._backs: set[int] = set()
        self._running: list[tuple[str, int, int, int]] = []  # label, return address, stack, T-states
        core.trap(self._entries)

    def close(self) -> None:
        """A meter's."""

    def reached(self, address: int) -> bool:
        """Take note of a trap; false when it is none of the tracer's."""
        core = self._core
        if address not in self._entries and address not in self._backs:
            return False
        while address in self._entries or address in self._backs:
            while self._running and self._is_left(address, core.cpu.sp):
                self._left()
            if address in self._entries:
                back = core.word(core.cpu.sp)
                self._running.append((self._entries[address], back, (core.cpu.sp + 2) & 0xFFFF, core.ticks))
                self._backs.add(back)
                core.trap([back])
            core.step()
            address = core.cpu.pc
        return True

    def _is_left(self, address: int, stack: int) -> bool:
        """Whether the innermost routine has returned, or dropped its own return address and returned for its caller."""
        _, back, behind, _ = self._running[-1]
        return stack > behind or (address, stack) == (back, behind)

    def _left(self) -> None:
        name, _, _, start = self._running.pop()
        ticks = self._core.ticks - start
        least, most = self._seen.get(name, (ticks, ticks))
        self._seen[name] = min(least, ticks), max(most, ticks)


def headed() -> dict[str, str | None]:
    """Label -> the time above it."""
    texts = [(SOURCES / f"{name}.asm").read_text() for name in SHELL]
    return {label: time for text in texts for time, label in HEADED.findall(text)}


def measured() -> dict[str, Span]:
    """Times of all routines that return."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = ["pasmo", "--alocal", "main.asm", str(folder / "ulm.com"), str(folder / "ulm.sym")]
        subprocess.run(command, cwd=SOURCES, check=True)
        symbols = read_symbols((folder / "ulm.sym").read_text())
        labels = {label: symbols[label] for label in headed()}
        disk = folder / "disk"
        disk.mkdir()
        (disk / "ULM.COM").write_bytes(shipped_com().code)
        (disk / "SMALL.ULB").write_bytes(packed(character_model(1, name="small")))
        acts = reply_model([("hello", ReplyText("hi")), ("how long", ReplyText("{} s", Action.UPTIME))])
        (disk / "ACTS.ULB").write_bytes(packed(acts))
        seen: dict[str, Span] = {}
        _session(disk, "ULM SMALL", labels, seen, _talk)
        _session(disk, "ULM ACTS how long", labels, seen, _rest)
        _session(disk, "ULM", labels, seen, _rest)
        _session(disk, "ULM NONE", labels, seen, _rest)
        _session(disk, "ULM SMALL", labels, seen, _rest, tpa=0x3000)
        return seen


def _session(
    disk: Path,
    run: str,
    labels: dict[str, int],
    seen: dict[str, Span],
    script: Callable[[Bench], None],
    **settings: object,
) -> None:
    bench = Bench(disk, run, **settings)
    machine = bench.machine
    start = machine._start

    def started(tail: str) -> None:
        start(tail)
        machine.meter = Tracer(machine.core, labels, seen)  # type: ignore[assignment]

    machine._start = started  # type: ignore[method-assign]
    try:
        script(bench)
    finally:
        bench.close()


def _talk(bench: Bench) -> None:
    bench.until(b"> ")
    for keys in (b"helo\x08lo\r", b"x" * 90 + b"\r", b"\x01\r", b"~hi\r"):
        bench.type(keys)
        bench.work(6_000_000)
    other = packed(character_model(21, (16, 12), query_buckets=64, context_buckets=64, context_length=3, name="other"))
    length, crc = len(other).to_bytes(4, "little"), zlib.crc32(other).to_bytes(4, "little")
    parts = [(Op.DATA, at.to_bytes(4, "little") + other[at : at + 60]) for at in range(0, len(other), 60)]
    requests = [
        *((Op.HELLO, b""), (Op.INFO, b""), (Op.QUERY, b"\0who are"), (Op.CHAT, b"\0\x07 you"), (Op.CHAT, b"\1\0hi")),
        *(
            (Op.STOP, b""),
            (Op.SLEEP, b""),
            (Op.QUERY, b""),
            (Op.QUERY, b"\0" + b"x" * 63),
            (Op.QUERY, b"\x9f" + b"x" * 9),
        ),
        *((Op.LOAD, b"SMALL"), (Op.LOAD, b"NONE")),
        *((Op.BEGIN, b"\0" + length + crc + b"other"), *parts, (Op.COMMIT, crc)),
        *((Op.BEGIN, b"\0" + (99).to_bytes(4, "little") + bytes(4) + b"cut"), (Op.COMMIT, bytes(4))),
        (Op.BEGIN, b"\0" + (999).to_bytes(4, "little") + bytes(4) + b"bad"),
        *((Op.DATA, at.to_bytes(4, "little") + bytes(60)) for at in range(0, 180, 60)),
    ]
    for number, (op, payload) in enumerate(requests):
        bench.send(encode(Frame(op, 0x30 + number % 64, payload), True))
        bench.work(1_500_000 if op is Op.DATA else 12_000_000)
    bench.type(b"!\r")
    bench.work(2_000_000)


def _rest(bench: Bench) -> None:
    bench.work(20_000_000)


def shown(span: Span | None) -> str:
    """As it stands in a header."""
    if span is None:
        return UNMEASURED
    return f"{span[0]:,} T" if span[0] == span[1] else f"{span[0]:,} to {span[1]:,} T"


@pytest.fixture(scope="module")
def times() -> dict[str, Span]:
    needs_pasmo()
    return measured()


def test_times_are_current(times: dict[str, Span]) -> None:
    assert headed() == {label: shown(times.get(label)) for label in headed()}


def main() -> None:
    spans = measured()
    for name in SHELL:
        path = SOURCES / f"{name}.asm"
        text = re.sub(
            r"^(;   size: \d+ bytes\n)(?:;   time: .*\n)?([A-Za-z]\w*):",
            lambda found: f"{found[1]};   time: {shown(spans.get(found[2]))}\n{found[2]}:",
            path.read_text(),
            flags=re.MULTILINE,
        )
        path.write_text(text)


if __name__ == "__main__":
    main()
