"""A client for STK500v1, the protocol of Arduino's serial bootloaders: sync, signature, read, write, leave.

Source: Atmel application note AVR061, narrowed to what both optiboot and ATmegaBOOT do. STK500v1 has no
checksum, so a caller must read back what it writes. Both bootloaders give up on a command with a byte
missing or damaged (optiboot by a watchdog reset into the program), so recovery is a reset, never a guess.
"""

from __future__ import annotations

import errno
import time
from typing import Final, Protocol

from host_sdk.errors import LinkError, PortError

REPLY_TIMEOUT_S = 1.0
"""One answer: a 128-byte page takes 25 ms at 57600 and a flash write 9 ms; the rest is for slow USB."""
WRITE_TIMEOUT_S = 2.0
"""Sending one command: 25 ms at 57600; longer means that the adapter is gone."""
SYNC_TIMEOUT_S = 0.15
"""One sync attempt: 0.6 ms on the line, and two latency timers of an FTDI adapter (16 ms each)."""
QUIET_S = 0.05
"""So long no byte after a sync: late answers to earlier attempts have arrived by then."""
RESET_OFF_S = 0.1
"""DTR and RTS released: recharges the 100 nF reset capacitor (5 ms) behind a slow USB adapter."""
RESET_ON_S = 0.05
"""From the reset pulse to the first sync; a crystal starts in 65 ms, later syncs cover the rest."""
SYNC_TRIES = 8
"""Per reset: 1.2 s, the life of optiboot (1 s) and ATmegaBOOT's 0.2 s of LED flash in front of its own."""
RESET_TRIES = 2
"""The first reset can be lost in an adapter that was opened a moment ago."""

MAX_READ = 128
"""Bytes of one read: optiboot counts in one byte and takes 0 for 256."""

_IN_SYNC: Final = b"\x14"
_OK: Final = b"\x10"
_END: Final = b" "
_DONE: Final = _IN_SYNC + _OK
_GET_SYNC: Final = b"0"
_LOAD_ADDRESS: Final = b"U"
_PROGRAM_PAGE: Final = b"d"
_READ_PAGE: Final = b"t"
_READ_SIGNATURE: Final = b"u"
_LEAVE: Final = b"Q"
_FLASH: Final = b"F"
# A pseudo-terminal has no control lines.
_NO_CONTROL_LINES: Final = (errno.ENOTTY, errno.EINVAL, errno.ENOTSUP)


class Port(Protocol):
    """The part of a pyserial port that the client uses. Times in seconds, baud in bits per second."""

    timeout: float | None
    write_timeout: float | None
    baudrate: int
    dtr: bool
    rts: bool

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, fewer after `timeout`."""

    def write(self, data: bytes, /) -> int | None:
        """Send all of `data`."""

    def reset_input_buffer(self) -> None:
        """Forget what was received and not read."""


class Stk500:
    """One conversation with a bootloader. `title` names the board in messages.

    Every method but `connect` raises LinkError when the answer is missing or garbled or the port fails;
    another `connect` and another attempt may help.
    """

    def __init__(self, port: Port, baud: int, title: str = "The board") -> None:
        self._port = port
        self._baud = baud
        self._title = title

    def connect(self, resets: int = RESET_TRIES) -> None:
        """Reset the board and wait until its bootloader answers; PortError when it does not."""
        try:
            for _ in range(resets):
                self._reset()
                if any(self._sync() for _ in range(SYNC_TRIES)):
                    return
        except OSError as error:
            raise PortError(self._lost(error)) from None
        raise PortError(
            f"{self._title} did not start its bootloader at {self._baud} baud; check the port and the cable, "
            "or press the board's reset button and upload again at once."
        )

    def signature(self) -> bytes:
        """The chip's three signature bytes, as the bootloader knows them."""
        return self._command(_READ_SIGNATURE + _END, 3, "its signature was read")

    def read(self, address: int, count: int) -> bytes:
        """`count` bytes (1 to 128) of flash from an even byte address."""
        if not 1 <= count <= MAX_READ:
            raise ValueError(f"{count} bytes cannot be read at once")
        request = _at(address) + _READ_PAGE + count.to_bytes(2, "big") + _FLASH + _END
        return self._command(request, count, f"flash 0x{address:04X} was read", after_address=True)

    def write_page(self, address: int, page: bytes) -> None:
        """Erase and write one whole page at its byte address. Read it back: STK500v1 has no checksum."""
        request = _at(address) + _PROGRAM_PAGE + len(page).to_bytes(2, "big") + _FLASH + page + _END
        self._command(request, 0, f"flash page 0x{address:04X} was written", after_address=True)

    def leave(self) -> None:
        """Let the board start its program: optiboot at once, ATmegaBOOT after its time-out (about 1 s)."""
        self._command(_LEAVE + _END, 0, "its program was started")

    def _command(self, request: bytes, count: int, doing: str, after_address: bool = False) -> bytes:
        # The address goes out in one burst with the command that uses it: both bootloaders answer it within
        # one byte time, and a round trip (1 ms and more over USB) is saved.
        head = (_DONE if after_address else b"") + _IN_SYNC
        try:
            self._send(request)
            answer = self._receive(len(head) + count + len(_OK), REPLY_TIMEOUT_S)
        except OSError as error:
            raise LinkError(self._lost(error)) from None
        if len(answer) < len(head) + count + len(_OK):
            raise LinkError(
                f"{self._title} stopped answering while {doing} ({len(answer)} bytes came); "
                "check the cable and upload again, which repairs it."
            )
        if not (answer.startswith(head) and answer.endswith(_OK)):
            raise LinkError(
                f"{self._title} answered something else while {doing}; "
                "close other programs that use the port and upload again, which repairs it."
            )
        return answer[len(head) : -len(_OK)]

    def _sync(self) -> bool:
        self._port.reset_input_buffer()
        self._send(_GET_SYNC + _END)
        if self._receive(len(_DONE), SYNC_TIMEOUT_S) != _DONE:
            return False
        return any(not self._receive(64, QUIET_S) for _ in range(SYNC_TRIES))

    def _reset(self) -> None:
        # Some ports carry no control lines; there the bootloader must be running already.
        self._port.baudrate = self._baud
        try:
            self._port.dtr = self._port.rts = False
            time.sleep(RESET_OFF_S)
            self._port.dtr = self._port.rts = True
        except OSError as error:
            if error.errno not in _NO_CONTROL_LINES:
                raise
            return
        time.sleep(RESET_ON_S)

    def _send(self, data: bytes) -> None:
        if self._port.write_timeout != WRITE_TIMEOUT_S:
            self._port.write_timeout = WRITE_TIMEOUT_S
        self._port.write(data)

    def _receive(self, count: int, timeout_s: float) -> bytes:
        # Setting it makes pyserial talk to the driver: only when it changes.
        if self._port.timeout != timeout_s:
            self._port.timeout = timeout_s
        return self._port.read(count)

    def _lost(self, error: OSError) -> str:
        return f"The port of {self._title} failed ({error}); plug the board in and upload again, which repairs it."


def _at(address: int) -> bytes:
    if address % 2 or not 0 <= address < 0x20000:
        raise ValueError(f"flash address 0x{address:X} is odd or out of reach")
    return _LOAD_ADDRESS + (address // 2).to_bytes(2, "little") + _END
