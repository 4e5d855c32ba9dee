"""The machine as a program: `python -m host_sdk.sim.cpm DISK PACE SETTINGS SHIPPED`.

SETTINGS is JSON, SHIPPED the folder of the runtime that is timed and its labels. The first line that it prints is the
path of its serial port; afterwards each line on its standard input is answered by one, "ok ..." or "error ...". It
ends with its standard input.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path

from host_sdk.sim.cpm.machine import Machine, Settings
from host_sdk.sim.cpm.pace import Pace

_STDIN, _STDOUT = 0, 1
SLICE_S = 0.002


class Control:
    """Commands of the parent, one a line."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._received = b""
        self.off = False

    def serve(self) -> None:
        """Take what the parent sent and answer it."""
        data = os.read(_STDIN, 4096)
        if not data:
            self.off = True
        self._received += data
        while b"\n" in self._received:
            line, _, self._received = self._received.partition(b"\n")
            tell(self._answer(*line.decode().split()))

    def _answer(self, command: str, *words: str) -> str:
        machine = self._machine
        if command == "off":
            self.off = True
            return "ok"
        if command == "reset":
            machine.reset()
            return "ok"
        if command == "counters":
            line = machine.line
            counted = {
                "cycles": machine.core.ticks, "system": machine.system_ticks, "received": line.received,
                "transmitted": line.transmitted, "dropped": line.dropped, "wild": machine.core.wild,
            }  # fmt: skip
            return "ok " + " ".join(f"{name}={value}" for name, value in counted.items())
        if command == "laps":
            laps = machine.meter.laps if machine.meter else []
            text = " ".join(f"{lap.query}:{','.join(map(str, lap.passes))}" for lap in laps)
            laps.clear()
            return f"ok {text}"
        if command == "guard":
            machine.core.guard(int(words[0]))
            machine.core.wild = 0
            return "ok"
        if command == "memory":
            first, count = map(int, words)
            return "ok " + bytes(machine.core.memory[first : first + count]).hex()
        return f"error There is no command {command}."


def tell(line: str) -> None:
    """One line to the parent."""
    os.write(_STDOUT, line.encode() + b"\n")


def work(machine: Machine, pace: Pace, control: Control) -> None:
    """Until the machine is switched off."""
    slice_ticks = round(machine.settings.clock_hz * SLICE_S)
    sleep_s = 0.0
    while not control.off:
        fds = [_STDIN] + ([machine.line.wait_fd] if machine.line.wait_fd is not None else [])
        ready, _, _ = select.select(fds, [], [], sleep_s)
        if _STDIN in ready:
            control.serve()
        if machine.line.exchange(machine.now()):
            pace.host_acted()
        before = machine.now()
        waited = machine.run_slice(slice_ticks)
        machine.line.exchange(machine.now())
        sleep_s = pace.after(machine.now() - before, waited)


def main(arguments: list[str]) -> None:
    """Run a machine until its parent ends it."""
    signal.signal(signal.SIGTERM, lambda *_: os.close(_STDIN))
    folder, pace, settings, shipped = arguments
    known = (Path(shipped) / "ulm.com").read_bytes()
    symbols = (line.split() for line in (Path(shipped) / "ulm.sym").read_text("ascii").splitlines())
    labels = {name: int(address, 16) for address, name in symbols}
    machine = Machine(Settings(**json.loads(settings)), Path(folder), known, labels)
    tell(machine.line.tty)
    work(machine, Pace(pace, machine.settings.clock_hz), Control(machine))
    tell("ok")


if __name__ == "__main__":
    main(sys.argv[1:])
