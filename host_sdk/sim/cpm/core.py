"""The Z80 and its 64 KB: runs until a trap, counts every T-state. What a trap means is the machine's affair."""

from __future__ import annotations

from collections.abc import Iterable

import z80

_FRAME_TICKS = 100_000
"""After so many T-states the emulator stops by itself."""
_CALL_BYTES = 2
"""A return address on the stack."""


class Core:
    """A Z80 without interrupts. `ticks` are the T-states since power-on, `memory` its 64 KB."""

    def __init__(self) -> None:
        self.cpu = z80.Z80Machine()
        self.memory: memoryview = memoryview(self.cpu.memory)
        self.ticks = 0
        self.wild = 0
        """Writes of programs to guarded addresses."""
        self.cpu.set_write_callback(self._guarded_write)

    def trap(self, addresses: Iterable[int]) -> None:
        """Stop in front of the instructions at these addresses."""
        for address in addresses:
            self.cpu.set_breakpoint(address)

    def untrap(self, addresses: Iterable[int]) -> None:
        """Stop there no longer."""
        for address in addresses:
            self.cpu.clear_breakpoint(address)

    def guard(self, first: int) -> None:
        """Count, and still perform, the program's writes from this address on."""
        self.cpu.unmark_addrs(0, 0x10000, self.cpu.WRITE_MARK)
        self.cpu.mark_addrs(first, 0x10000 - first, self.cpu.WRITE_MARK)

    def run(self, ticks: int) -> bool:
        """Run at least so many T-states, or until a trap; true at a trap."""
        cpu = self.cpu
        cpu.ticks_to_stop = ticks
        while True:
            before = cpu.frame_tick
            events = cpu.run()
            self.ticks += cpu.frame_tick - before
            if events & cpu._END_OF_FRAME:
                self.ticks += _FRAME_TICKS
            if events & cpu._BREAKPOINT_HIT:
                return True
            if events & cpu._TICKS_LIMIT_HIT:
                return False

    def step(self) -> None:
        """Run the one instruction that a trap stands on."""
        before = self.cpu.frame_tick
        events = self.cpu.step_over_breakpoint()
        self.ticks += self.cpu.frame_tick - before
        if events & self.cpu._END_OF_FRAME:
            self.ticks += _FRAME_TICKS

    def word(self, address: int) -> int:
        """Two bytes of memory, low first."""
        return int(self.memory[address]) | int(self.memory[(address + 1) & 0xFFFF]) << 8

    def set_word(self, address: int, value: int) -> None:
        """Write two bytes, low first."""
        self.memory[address] = value & 0xFF
        self.memory[(address + 1) & 0xFFFF] = value >> 8

    def ret(self) -> None:
        """Return from the subroutine that a trap stands on."""
        self.cpu.pc = self.word(self.cpu.sp)
        self.cpu.sp = (self.cpu.sp + _CALL_BYTES) & 0xFFFF

    def push(self, value: int) -> None:
        """Push a word."""
        self.cpu.sp = (self.cpu.sp - _CALL_BYTES) & 0xFFFF
        self.set_word(self.cpu.sp, value)

    def _guarded_write(self, address: int, value: int) -> None:
        self.wild += 1
        self.memory[address] = value
