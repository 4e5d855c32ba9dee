"""Serial lines. A line has `read(wait_ms)`: what has come, b"" after so long a silence; and `write(data)`.

`seven_bit` says that only characters below 80h get through unharmed. What a line changed it restores in `close()`.
"""

import sys

_TICKS = (1 << 29) - 1  # supervisor.ticks_ms() begins anew behind it


class StdioLine:
    """The line of the REPL under MicroPython."""

    def __init__(self):
        import select

        self.input = getattr(sys.stdin, "buffer", sys.stdin)
        self.output = getattr(sys.stdout, "buffer", None)
        self.seven_bit = self.output is None
        self.poll = select.poll()
        self.poll.register(sys.stdin, select.POLLIN)

    def read(self, wait_ms):
        """Bytes that have come."""
        data = b""
        while len(data) < 64 and self.poll.poll(0 if data else wait_ms):
            part = self.input.read(1)
            if not part:
                raise EOFError  # nobody holds the other end
            data += part if isinstance(part, bytes) else part.encode()
        return data

    def write(self, data):
        """Send bytes."""
        if self.output:
            self.output.write(data)
            if hasattr(self.output, "flush"):
                self.output.flush()
        else:
            sys.stdout.write(bytes(data).decode())


class UsbLine:
    """The line of the REPL under CircuitPython: of `usb_cdc` where the board has it, else of its serial console."""

    def __init__(self):
        import supervisor

        try:
            from usb_cdc import console
        except ImportError:
            console = None
        self.runtime, self.ticks_ms = supervisor.runtime, supervisor.ticks_ms
        self.titles = getattr(supervisor, "status_bar", None)
        self.port = console
        self.seven_bit = console is None
        self.autoreload = self.runtime.autoreload
        self.shown = self.titles.console if self.titles else True
        self.patience = console.write_timeout if console else None
        self.runtime.autoreload = False  # new files restart nothing
        if self.titles:
            self.titles.console = False  # titles for terminals get into no frame
        if console:
            console.write_timeout = 1  # seconds: a host that does not read holds nothing up

    def close(self):
        """Leave the settings as they were."""
        self.runtime.autoreload = self.autoreload
        if self.titles:
            self.titles.console = self.shown
        if self.port:
            self.port.write_timeout = self.patience

    def read(self, wait_ms):
        """Bytes that have come."""
        import time

        started = self.ticks_ms()
        while True:
            if self.port:
                count = self.port.in_waiting
                if count:
                    return self.port.read(min(count, 64))
            else:
                count = self.runtime.serial_bytes_available
                if count:
                    return sys.stdin.read(min(int(count), 64)).encode()
            if self.ticks_ms() - started & _TICKS >= wait_ms:
                return b""
            time.sleep(0.001)

    def write(self, data):
        """Send bytes."""
        if self.port:
            self.port.write(data)
        else:
            sys.stdout.write(bytes(data).decode())


class UartLine:
    """A UART of its own, so that the REPL stays free: machine.UART, busio.UART or a pyserial port, opened already."""

    seven_bit = False

    def __init__(self, uart):
        self.uart = uart

    def read(self, wait_ms):
        """Bytes that have come."""
        import time

        left = wait_ms
        while True:
            count = self.uart.any() if hasattr(self.uart, "any") else self.uart.in_waiting
            if count:
                return self.uart.read(min(count, 64)) or b""
            if left <= 0:
                return b""
            time.sleep(0.001)
            left -= 1

    def write(self, data):
        """Send bytes; a UART takes as many as its queue has room for."""
        data = memoryview(data)
        while len(data):
            data = data[self.uart.write(data) or 0 :]


class FileLine:
    """A terminal device or pipe of a Linux board."""

    seven_bit = False

    def __init__(self, path=None):
        import os

        self.os = os
        if path:
            import termios
            import tty

            self.input = self.output = os.open(path, os.O_RDWR | os.O_NOCTTY)
            try:
                tty.setraw(self.input, termios.TCSANOW)
            except termios.error:
                raise OSError(path + " is no serial line")
        else:
            self.input, self.output = 0, 1

    def read(self, wait_ms):
        """Bytes that have come."""
        from select import select

        if not select([self.input], [], [], wait_ms / 1000)[0]:
            return b""
        data = self.os.read(self.input, 64)
        if not data:
            raise EOFError
        return data

    def write(self, data):
        """Send bytes."""
        while data:
            data = data[self.os.write(self.output, data) :]


def usual_line():
    """The line on which this Python talks to its user."""
    if sys.implementation.name == "circuitpython":
        return UsbLine()
    if sys.implementation.name == "micropython":
        return StdioLine()
    return FileLine()
