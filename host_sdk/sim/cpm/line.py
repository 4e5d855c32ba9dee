"""The console's serial line: a UART that sends and receives at its rate, behind a pseudo-terminal."""

from __future__ import annotations

import os
import select
import termios
import time
import tty as tty_module
from collections import deque

BITS_PER_BYTE = 10  # 8N1
FIFO_BYTES = 3
"""What a Z80 SIO keeps; more is lost while nobody reads."""
_READ_BYTES = 256
_OUT_BYTES = 65_536
"""About what a kernel keeps for a reader who is late."""
_TOLERANCE = 0.04
_GARBLED = 0x2A
"""Exclusive-or of a byte that was sent at another rate."""


class Line:
    """One UART. Times are T-states of the machine's clock.

    `slow_ticks` is the machine's weakness: what comes sooner after the byte before is lost, and nothing is sent
    sooner. `seven_bit` drops bit 7 both ways.
    """

    def __init__(self, clock_hz: int, baud: int, slow_ms: float, seven_bit: bool) -> None:
        self.received = self.transmitted = self.dropped = 0
        self._baud = baud
        self._slow_s = slow_ms / 1000
        self._looked_s = self._heard_s = time.monotonic()
        self._byte_ticks = clock_hz * BITS_PER_BYTE // baud
        self._slow_ticks = round(clock_hz * slow_ms / 1000)
        self._mask = 0x7F if seven_bit else 0xFF
        self._coming: deque[tuple[int, int]] = deque()  # when a byte will have arrived, and the byte
        self._last_arrival = self._sent_until = -(10**12)
        self._fifo: deque[int] = deque()
        self._out = bytearray()
        self._connected = False
        self._garbles = False
        self._master, slave = os.openpty()
        tty_module.setraw(slave)
        self._set_speed(slave)
        self.tty = os.ttyname(slave)
        os.close(slave)  # from here on, a hang-up on the master means that nobody has the port open
        os.set_blocking(self._master, False)

    @property
    def wait_fd(self) -> int | None:
        """What becomes readable when the host sends; None while nobody has the port open."""
        return self._master if self._connected else None

    def exchange(self, now: int) -> bool:
        """Move bytes between the pseudo-terminal and the UART; true when the host sent something."""
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        events = dict(poll.poll(0)).get(self._master, 0)
        self._connected = not events & select.POLLHUP
        if not self._connected:
            self._out.clear()
        self._flush()
        if not events & select.POLLIN or len(self._coming) > _READ_BYTES:
            self._kept(b"")
            return False
        try:
            data = os.read(self._master, _READ_BYTES)
        except OSError:  # the host just closed the port
            return False
        self._garbles = self._host_is_off()
        for byte in self._kept(data):
            self._last_arrival = max(now, self._last_arrival) + self._byte_ticks
            self._coming.append((self._last_arrival, byte ^ _GARBLED if self._garbles else byte))
        return bool(data)

    def quiet(self) -> bool:
        """Nothing is on its way to the machine."""
        return not self._coming and not self._fifo

    def ready(self, now: int) -> bool:
        """Whether a byte can be taken."""
        while self._coming and self._coming[0][0] <= now:
            byte = self._coming.popleft()[1]
            if len(self._fifo) == FIFO_BYTES:
                self.dropped += 1
            else:
                self._fifo.append(byte & self._mask)
        return bool(self._fifo)

    def take(self) -> int:
        """The next byte, when ready."""
        self.received += 1
        return self._fifo.popleft()

    def send_ticks(self, now: int) -> int:
        """How long until the transmitter takes another byte."""
        return max(0, self._sent_until - now)

    def send(self, byte: int, now: int) -> None:
        """Send a byte; the transmitter must be free."""
        self._sent_until = now + max(self._byte_ticks, self._slow_ticks)
        self.transmitted += 1
        if self._connected and len(self._out) < _OUT_BYTES:
            self._out.append((byte ^ _GARBLED if self._garbles else byte) & self._mask)
            if len(self._out) >= _READ_BYTES:
                self._flush()

    def _kept(self, data: bytes) -> bytes:
        """What a slow machine hears of bytes that were sent one behind the other.

        By the wall clock, in the sender's favour: this computer may look late for bytes that came in time.
        """
        now_s = time.monotonic()
        looked_s, self._looked_s = self._looked_s, now_s
        if not data or not self._slow_s:
            return data
        in_time = now_s - self._heard_s >= self._slow_s
        self._heard_s = looked_s  # the earliest that it may have come
        kept = len(data) if (now_s - looked_s) / len(data) >= self._slow_s else 1
        self.dropped += len(data) - kept * in_time
        return data[: kept * in_time]

    def _flush(self) -> None:
        while self._out:
            try:
                done = os.write(self._master, self._out)
            except OSError:  # full, or the host just closed the port
                return
            del self._out[:done]

    def _set_speed(self, fd: int) -> None:
        speed = getattr(termios, f"B{self._baud}", None)
        if speed is not None:
            settings = termios.tcgetattr(fd)
            settings[4] = settings[5] = speed
            termios.tcsetattr(fd, termios.TCSANOW, settings)

    def _host_is_off(self) -> bool:
        """Whether the host has set another rate. A rate that termios has no name for passes."""
        speed = termios.tcgetattr(self._master)[4]
        for baud in (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200):
            if getattr(termios, f"B{baud}") == speed:
                return abs(baud - self._baud) > _TOLERANCE * self._baud
        return False
