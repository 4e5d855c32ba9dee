"""pyserial's handler of `sim://` addresses: a virtual board that looks like any serial port.

    sim://uno?state=DIR&blank&pace=real

`state` is the folder of the board's memories, `blank` erases its flash below the boot section, `pace` is
real, fast or warp (the default). pyserial finds this module once "host_sdk.link" is in
`serial.protocol_handler_packages`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import serial
from platformdirs import user_state_path

from host_sdk.boards import Board, board_named
from host_sdk.errors import PortError, UsageError

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.avr_board import AvrBoard

_OPTIONS = ("state", "blank", "pace")


@dataclass(frozen=True, slots=True)
class SimAddress:
    """A parsed `sim://` address."""

    board: Board
    state: Path
    blank: bool
    pace: str


def parse_address(url: str) -> SimAddress:
    """What a `sim://` address asks for; UsageError when it names an unknown board or option."""
    parts = urlsplit(url)
    board = board_named(parts.netloc)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise UsageError(f"A virtual board has no option {name!r}; known options: {', '.join(_OPTIONS)}.")
    state = options.get("state")
    return SimAddress(
        board=board,
        state=Path(state) if state else user_state_path("ulm") / "sim" / board.name,
        blank="blank" in options,
        pace=options.get("pace", "warp"),
    )


def serial_class_for_url(url: str) -> tuple[str, type[Serial]]:
    """pyserial's entry point. PortError on Windows, UsageError for an address that makes no sense."""
    if os.name != "posix":
        raise PortError("Virtual boards need Linux or macOS.")
    parse_address(url)
    return url, Serial


class Serial(serial.Serial):
    """A serial port whose far end is a virtual board, switched on by opening and off by closing.

    Opening resets the board, and so does raising DTR again; RTS does nothing.
    """

    board: AvrBoard  # while the port is open

    def open(self) -> None:
        """Switches the board on. PortError when another program has it, MissingError without simavr."""
        from host_sdk.sim.avr_board import AvrBoard

        if self.is_open:
            raise serial.SerialException("Port is already open.")
        address = parse_address(str(self.port))
        self.board = AvrBoard(address.board, address.state, blank=address.blank, pace=address.pace, hold=True)
        self.portstr = self.board.tty
        try:
            super().open()
            self.board.reset()
        except BaseException:
            self.close()
            self.board.close()
            raise
        self._dtr_was = self.dtr

    def close(self) -> None:
        """Switches the board off; its flash and EEPROM are kept."""
        was_open = self.is_open
        super().close()
        if was_open:
            self.board.close()

    def _update_dtr_state(self) -> None:
        """A rising edge of DTR resets the board. Not while opening, which resets it anyway."""
        if self.is_open:
            if self.dtr and not self._dtr_was:
                self.board.reset()
            self._dtr_was = self.dtr

    def _update_rts_state(self) -> None:
        """RTS is not connected on these boards."""

    @property
    def cts(self) -> bool:
        """Always ready: the line has no handshake."""
        return True

    @property
    def dsr(self) -> bool:
        """Always there."""
        return True

    @property
    def ri(self) -> bool:
        """Never rings."""
        return False

    @property
    def cd(self) -> bool:
        """Always there."""
        return True
