"""A MicroPython process behind a pseudo-terminal: the Unix or WebAssembly port, or a micro:bit's firmware in QEMU."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import socket
import subprocess
import termios
import time
import tty as tty_module
from array import array
from collections.abc import Sequence
from pathlib import Path

_RAW_ON, _RAW_OFF, _INTERRUPT = b"\x01", b"\x02", b"\x03"
_RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
_RAW_VARIABLE = "ULM_RAW"
"""Tells boot.py that a program of the host's comes instead of main.py."""
_START_S = 3.0
"""For its first output; a main.py may be silent."""
_SHORTEST_LIFE_S = 0.5
"""A process that fails sooner never worked."""
_INTERRUPT_S = 1.0
"""A program that has not ended so long after its interrupt has caught it and goes on."""
_BURST, _BYTE_S = 16, 10 / 115_200
"""Bytes of a UART's queue, and seconds for one of them."""
_FLASH_BYTES = 0x40000
"""Of the nRF51822."""
_SOFT_REBOOT = b"MPY: soft reboot\r\n"


class Machine:
    """A MicroPython process on a pseudo-terminal of its own, started again whenever it ends: a soft reset."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self.raw = False
        self._interrupted_until = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.fd = -1
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        self.fd, slave = pty.openpty()
        tty_module.setraw(slave)
        self._prepare(slave)

        def own_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self._process = subprocess.Popen(
            self._command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, _RAW_VARIABLE: "1" if self.raw else ""},
            preexec_fn=own_terminal,
        )
        self._tty = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self.fd, False)

    def _prepare(self, slave: int) -> None:
        """Settings of its terminal: Ctrl-C interrupts a program, as on a board."""
        settings = termios.tcgetattr(slave)
        settings[3] |= termios.ISIG | termios.NOFLSH
        settings[6][termios.VINTR] = _INTERRUPT
        settings[6][termios.VQUIT] = settings[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(slave, termios.TCSANOW, settings)

    def write(self, data: bytes) -> int:
        """Bytes for the REPL; how many it took.

        It forgets what comes between the interrupt of a program and its next prompt; a board does not, so wait.
        """
        now = time.monotonic()
        if now < self._interrupted_until and self._runs_program():
            return 0
        self._interrupted_until = 0.0
        if _INTERRUPT in data and self._runs_program():
            data = data[: data.index(_INTERRUPT) + 1]
            self._interrupted_until = now + _INTERRUPT_S
        try:
            count = os.write(self.fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # it is just ending
        for byte in data[:count]:
            if byte in (*_RAW_ON, *_RAW_OFF):
                self.raw = byte == _RAW_ON[0]
        return count

    def _runs_program(self) -> bool:
        """Whether Ctrl-C is a signal now: the REPL takes it as a character."""
        try:
            return bool(termios.tcgetattr(self.fd)[3] & termios.ISIG)
        except (OSError, termios.error):
            return False

    def read(self) -> bytes:
        """What the REPL sent; after its end what a soft reset says."""
        try:
            return os.read(self.fd, 4096)
        except BlockingIOError:
            return b""
        except OSError:  # the process has ended
            assert self._process
            if self._process.wait() > 0 and time.monotonic() - self._started < _SHORTEST_LIFE_S:
                raise EOFError from None
            self.stop()
            self._start()
            return _SOFT_REBOOT + (self._enter_raw() if self.raw else b"")

    def await_output(self) -> None:
        """Until it has something to say: it has started."""
        select.select([self.fd], [], [], _START_S)

    def reset(self) -> None:
        """As if the supply had been cut."""
        self.stop()
        self.raw = False
        self._start()
        self.await_output()

    def stop(self) -> None:
        """End the process."""
        assert self._process
        self._process.kill()
        self._process.wait()
        os.close(self.fd)

    def _enter_raw(self) -> bytes:
        """A board in the raw REPL is still there after a soft reset."""
        os.write(self.fd, _RAW_ON)
        got = b""
        until = time.monotonic() + _START_S
        while not got.endswith(_RAW_BANNER + b">") and time.monotonic() < until:
            if select.select([self.fd], [], [], 0.05)[0]:
                got += os.read(self.fd, 4096)
        return _RAW_BANNER + b">"


class Wasm(Machine):
    """MicroPython's WebAssembly port under Node, which looks at what comes while a program runs."""

    def _prepare(self, slave: int) -> None:
        """Ctrl-C is a byte like others, and waiting for one stops nothing."""
        os.set_blocking(slave, False)


class Microbit(Machine):
    """A micro:bit in QEMU. Its flash is kept in a file between switching off and on."""

    def __init__(self, qemu: str, firmware: str, state: str) -> None:
        self._flash = Path(state) / "flash.bin"
        self._monitor = Path(state) / "monitor"
        self._firmware = firmware
        self._free_from = 0.0
        super().__init__((qemu,))

    def _start(self) -> None:
        memory = f"file={self._flash},addr=0,force-raw=on" if self._flash.exists() else f"file={self._firmware}"
        self._monitor.unlink(missing_ok=True)
        line = ("-chardev", "stdio,id=line,signal=off", "-serial", "chardev:line")
        monitor = ("-monitor", f"unix:{self._monitor},server,nowait")
        machine = ("-M", "microbit", "-display", "none", "-device", f"loader,{memory}")
        self._command = (self._command[0], *machine, *line, *monitor)
        super()._start()

    def write(self, data: bytes) -> int:
        """At the rate of the wire: its firmware loses what comes faster."""
        now = time.monotonic()
        if now < self._free_from or self._untaken():
            return 0
        count = super().write(data[:_BURST])
        self._free_from = now + count * _BYTE_S
        return count

    def _untaken(self) -> int:
        """Bytes that QEMU has not taken yet: its UART holds six, and a late QEMU would get many at once."""
        slave = os.open(self._tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            count = array("i", [0])
            fcntl.ioctl(slave, termios.FIONREAD, count)
            return count[0]
        finally:
            os.close(slave)

    def await_output(self) -> None:
        """Until it has started; then take back QEMU's wish for a second carriage return in front of each line end."""
        super().await_output()
        settings = termios.tcgetattr(self.fd)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)

    def stop(self) -> None:
        """Save the flash and end."""
        self._save()
        super().stop()

    def _save(self) -> None:
        new = self._flash.with_suffix(".new")
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(_START_S)
            try:
                monitor.connect(str(self._monitor))
                self._answer(monitor)
                monitor.sendall(f'memsave 0 {_FLASH_BYTES} "{new}"\n'.encode())
                self._answer(monitor)
            except OSError:
                return
        if new.exists() and new.stat().st_size == _FLASH_BYTES:
            new.replace(self._flash)

    @staticmethod
    def _answer(monitor: socket.socket) -> None:
        got = b""
        while not got.endswith(b"(qemu) "):
            part = monitor.recv(4096)
            if not part:
                return
            got += part
