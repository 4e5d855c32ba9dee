"""A whole machine: memory map, traps, the console command processor as far as needed, and the clock."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from host_sdk.sim.cpm.bdos import CR, DEFAULT_DMA, LF, Bdos, WarmBootError
from host_sdk.sim.cpm.core import Core
from host_sdk.sim.cpm.disk import RECORD_BYTES, Disk, cpm_name
from host_sdk.sim.cpm.line import Line
from host_sdk.sim.cpm.meter import Meter

ORIGIN = 0x0100
ENTRY = 5
FCB_1, FCB_2 = 0x005C, 0x006C
CCP_BYTES = 0x0800  # in front of BDOS
BDOS_OFFSET = 6  # behind the serial number
BIOS_OFFSET = 0x0E00
BIOS_ENTRIES = 17
LINE_LIMIT = 127
DISK_MS = 1.0
"""A record, or a look into the directory."""
_JUMP = 0xC3


@dataclass(frozen=True, slots=True)
class Settings:
    """What a machine is. `tpa` is the bytes from 0100h to BDOS; `run` the command line at power-on."""

    clock_hz: int
    baud: int
    tpa: int
    run: str
    seven_bit: bool = False
    slow_ms: float = 0.0
    disk_bytes: int = 8 << 20


class Machine:
    """Powered by making it; `run_slice` lets it work. `labels` are those of the runtime `known`, which is timed."""

    def __init__(self, settings: Settings, folder: Path, known: bytes = b"", labels: Mapping[str, int] | None = None):
        self.settings = settings
        self.core = Core()
        self.line = Line(settings.clock_hz, settings.baud, settings.slow_ms, settings.seven_bit)
        self.disk = Disk(folder, settings.disk_bytes)
        self.system_ticks = 0
        """T-states that BDOS, BIOS and waiting for them took."""
        self.meter: Meter | None = None
        self._known, self._labels = known, labels or {}
        self._bdos_base = (ORIGIN + settings.tpa) & 0xFF00
        disk_ticks = round(settings.clock_hz * DISK_MS / 1000)
        self.bdos = Bdos(self.core, self.line, self.disk, self.now, disk_ticks)
        self._lay_out()
        self._work: Generator[int, None, object] | None = None
        self.reset()

    def now(self) -> int:
        """The clock: T-states since power-on, of programs and of the system."""
        return self.core.ticks + self.system_ticks

    def reset(self) -> None:
        """Cold start: the command line of the settings is run."""
        self._work = self._command_processor(self.settings.run)

    def run_slice(self, ticks: int) -> bool:
        """Work for so many T-states; true when the machine waited for the host in them."""
        end = self.now() + ticks
        self.bdos.idle = False
        while self.now() < end:
            try:
                if self._work is None:
                    if self.core.run(max(1, end - self.now())):
                        self._trapped(self.core.cpu.pc)
                else:
                    self.system_ticks += next(self._work)
            except StopIteration:
                self._work = None
            except WarmBootError:
                self._work = self._command_processor("")
        return self.bdos.idle and self.line.quiet()

    def _lay_out(self) -> None:
        memory, base = self.core.memory, self._bdos_base
        noise = 0x2545
        for address in range(len(memory)):  # memory at power-on: anything, but always the same
            noise = (noise * 0x9E35 + 0x3619) & 0xFFFF
            memory[address] = noise >> 8
        self._bios = base + BIOS_OFFSET
        self._entry = base + BDOS_OFFSET
        self.core.guard(base)
        self.core.trap([self._entry, *(self._bios + 3 * number for number in range(BIOS_ENTRIES))])

    def _trapped(self, address: int) -> None:
        if self.meter and self.meter.reached(address):
            return
        if address == self._entry:
            self._work = self.bdos.call()
        elif address >= self._bios:
            self._work = self._bios_call((address - self._bios) // 3)
        else:
            self.core.step()  # where a meter that is gone had watched

    def _bios_call(self, number: int) -> Generator[int, None, None]:
        cpu = self.core.cpu
        if number < 2:
            raise WarmBootError
        if number == 2:
            cpu.a = 0xFF if self.bdos.bios_status() else 0
            self.bdos.idle |= cpu.a == 0
        elif number == 3:
            cpu.a = yield from self.bdos.bios_input()
        elif number == 4:
            yield from self.bdos.bios_output(cpu.c)
        elif number == 7:
            cpu.a = 0x1A
        else:
            cpu.a = cpu.h = cpu.l = 0  # no disk below the files, no printer
        yield 100
        self.core.ret()

    # Console command processor

    def _command_processor(self, first: str) -> Generator[int, None, None]:
        """Asks for command lines until one starts a program."""
        self._close_meter()
        self.bdos.reset()
        memory = self.core.memory
        memory[0], memory[ENTRY] = _JUMP, _JUMP
        self.core.set_word(1, self._bios + 3)
        self.core.set_word(ENTRY + 1, self._entry)
        memory[3] = memory[4] = 0
        while True:
            yield from self.bdos.say(b"\r\nA>")
            if first:
                line, first = first.encode("ascii", "replace"), ""
                yield from self.bdos.say(line + b"\r")
            else:
                try:
                    line = yield from self.bdos.edit(LINE_LIMIT)
                except WarmBootError:
                    continue
            yield from self.bdos.say(b"\n")
            if (yield from self._command(line.decode("ascii", "replace").upper())):
                return

    def _command(self, line: str) -> Generator[int, None, bool]:
        """True when a program was started."""
        word, blank, rest = line.strip(" ").partition(" ")
        word = word.removeprefix("A:")
        if not word:
            return False
        if word == "DIR":
            yield from self._directory(rest.strip() or "*.*")
            return False
        name = cpm_name(f"{word}.COM") if "." not in word else None
        if name is None or not self.disk.exists(name):
            yield from self.bdos.say(word.encode("ascii", "replace") + b"?\r\n")
            return False
        records = self.disk.records(name)
        if ORIGIN + records * RECORD_BYTES > self._bdos_base - CCP_BYTES:
            yield from self.bdos.say(b"BAD LOAD\r\n")
            return False
        for record in range(records):
            yield round(self.settings.clock_hz * DISK_MS / 1000)
            at = ORIGIN + record * RECORD_BYTES
            self.core.memory[at : at + RECORD_BYTES] = self.disk.read(name, record) or bytes(RECORD_BYTES)
        self._start(blank + rest)
        return True

    def _start(self, tail: str) -> None:
        memory, cpu = self.core.memory, self.core.cpu
        words = tail.split()
        for fcb, word in ((FCB_1, words[0] if words else ""), (FCB_2, words[1] if len(words) > 1 else "")):
            memory[fcb : fcb + 16] = b"\0" + _fcb_name(word) + bytes(4)
        memory[FCB_1 + 32] = 0
        text = tail.encode("ascii", "replace")[: RECORD_BYTES - 2]
        memory[DEFAULT_DMA : DEFAULT_DMA + 2 + len(text)] = bytes((len(text),)) + text + b"\0"
        cpu.sp = self._bdos_base - CCP_BYTES + 0x0100
        self.core.push(0)  # a return is a warm boot
        cpu.pc = ORIGIN
        if self._known and bytes(memory[ORIGIN : ORIGIN + len(self._known)]) == self._known:
            self.meter = Meter(self.core, self._labels)

    def _directory(self, pattern: str) -> Generator[int, None, None]:
        stem, _, ending = pattern.partition(".")
        names = self.disk.find(_fcb_name(f"{stem}.{ending}"))
        if not names:
            yield from self.bdos.say(b"NO FILE\r\n")
        for at, name in enumerate(names):
            yield from self.bdos.say((b"A: " if at % 4 == 0 else b" : ") + name[:8] + b" " + name[8:])
            if at % 4 == 3 or at == len(names) - 1:
                yield from self.bdos.say(bytes((CR, LF)))

    def _close_meter(self) -> None:
        if self.meter:
            self.meter.close()
            self.meter = None


def _fcb_name(word: str) -> bytes:
    """The 11 characters of a name on a command line; a star fills with question marks."""
    word = word.upper().partition(":")[2] if word[1:2] == ":" else word.upper()
    stem, _, ending = word.partition(".")
    return b"".join(_fill(part, size) for part, size in ((stem, 8), (ending, 3)))


def _fill(part: str, size: int) -> bytes:
    before, star, _ = part.partition("*")
    text = before.ljust(size, "?") if star else part.ljust(size)
    return text[:size].encode("ascii", "replace")
