"""pyserial's handler of `sim://` addresses: a virtual board that looks like any serial port.

    sim://uno?state=DIR&blank&pace=real
    sim://uno-sd?card=FILE&latency=cheap&seed=3
    sim://cpm?state=DIR&clock=7372800&slow=5
    sim://esp32s3?state=DIR&boot=rom&spi=FILE
    sim://micropython?heap=64
    sim://micropython?port=wasm

What the options mean is in docs/virtual-boards.md. pyserial finds this module once "host_sdk.link" is in
`serial.protocol_handler_packages`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import serial
from platformdirs import user_state_path

from host_sdk.boards import MICROBIT, Avr, Board, Cpm, Esp, Medium, Offload, Python, board_named
from host_sdk.errors import PortError, UsageError

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.avr_board import AvrBoard
    from host_sdk.sim.cpm_board import CpmBoard
    from host_sdk.sim.esp_board import EspBoard
    from host_sdk.sim.part import Part
    from host_sdk.sim.python_board import PythonBoard

_OPTIONS = ("state", "blank", "pace")
_CPM_OPTIONS = ("clock", "tpa", "run", "seven_bit", "slow", "disk")
_PYTHON_OPTIONS = ("heap", "port", "package")
_CARD_OPTIONS = ("card", "kind", "latency", "seed")
_CHIP_OPTIONS = ("flash", "chip", "latency", "seed")
_ESP_OPTIONS = ("boot", "manual", "size", "spi", "chip")


@dataclass(frozen=True, slots=True)
class SimAddress:
    """A parsed `sim://` address."""

    board: Board
    state: Path
    blank: bool
    pace: str
    options: Mapping[str, str] = field(default_factory=dict)  # those of this kind of board alone


def parse_address(url: str) -> SimAddress:
    """What a `sim://` address asks for; UsageError when it names an unknown board or option."""
    parts = urlsplit(url)
    board = board_named(parts.netloc)
    own = _own_options(board)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in (*_OPTIONS, *own):
            known = ", ".join((*_OPTIONS, *own))
            raise UsageError(f"A virtual {board.title} has no option {name!r}; known options: {known}.")
    state = options.get("state")
    return SimAddress(
        board=board,
        state=Path(state) if state else user_state_path("ulm") / "sim" / board.name,
        blank="blank" in options,
        pace=options.get("pace", "warp"),
        options={name: value for name, value in options.items() if name in own},
    )


def _own_options(board: Board) -> tuple[str, ...]:
    if isinstance(board, Cpm):
        return _CPM_OPTIONS
    if isinstance(board, Esp):
        return _ESP_OPTIONS
    if isinstance(board, Python):
        return () if board.name == MICROBIT else _PYTHON_OPTIONS
    if isinstance(board, Offload):
        return _CHIP_OPTIONS if board.medium is Medium.FLASH else _CARD_OPTIONS
    return ()


def serial_class_for_url(url: str) -> tuple[str, type[Serial]]:
    """pyserial's entry point. PortError on Windows, UsageError for an address that makes no sense."""
    if os.name != "posix":
        raise PortError("Virtual boards need Linux or macOS.")
    parse_address(url)
    return url, Serial


class Serial(serial.Serial):
    """A serial port whose far end is a virtual board, switched on by opening and off by closing.

    Opening starts the board. Raising DTR again resets an AVR board, and does nothing to a CP/M machine; RTS does
    nothing. An Espressif chip has both at the usual two transistors.
    """

    board: AvrBoard | CpmBoard | EspBoard | PythonBoard  # while the port is open

    def open(self) -> None:
        """Switches the board on. PortError when another program has it, MissingError without its simulator."""
        if self.is_open:
            raise serial.SerialException("Port is already open.")
        self.board = _switch_on(str(self.port))
        self.portstr = self.board.tty
        try:
            super().open()
            if isinstance(self.board.board, Avr):
                self.board.reset()
        except BaseException:
            self.close()
            self.board.close()
            raise
        self._dtr_was = self.dtr

    def close(self) -> None:
        """Switches the board off; its memories are kept."""
        was_open = self.is_open
        super().close()
        if was_open:
            self.board.close()

    def _update_dtr_state(self) -> None:
        """A rising edge of DTR resets an AVR board. Not while opening, which resets it anyway."""
        if isinstance(self.board.board, Esp):
            self.board.lines(self.dtr, self.rts)
        elif self.is_open:
            if self.dtr and not self._dtr_was and isinstance(self.board.board, Avr):
                self.board.reset()
            self._dtr_was = self.dtr

    def _update_rts_state(self) -> None:
        """RTS is not connected, except on boards with an Espressif chip."""
        if isinstance(self.board.board, Esp):
            self.board.lines(self.dtr, self.rts)

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


def _switch_on(url: str) -> AvrBoard | CpmBoard | EspBoard | PythonBoard:
    address = parse_address(url)
    if isinstance(address.board, Esp):
        return _switch_on_esp(address.board, address)
    if isinstance(address.board, Cpm):
        from host_sdk.sim.cpm_board import CpmBoard, Options

        given = address.options
        options = Options(
            clock_hz=int(_number(given, "clock")) if "clock" in given else None,
            tpa_bytes=int(_number(given, "tpa")) if "tpa" in given else None,
            run=given.get("run"),
            seven_bit="seven_bit" in given,
            slow_ms=_number(given, "slow") if "slow" in given else 0.0,
            **({"disk_kb": int(_number(given, "disk"))} if "disk" in given else {}),
        )
        return CpmBoard(address.board, address.state, blank=address.blank, pace=address.pace, options=options)
    if isinstance(address.board, Python):
        from host_sdk.sim.python_board import PythonBoard

        given = address.options
        return PythonBoard(
            address.board,
            address.state,
            blank=address.blank,
            pace=address.pace,
            heap_kb=int(_number(given, "heap")) if "heap" in given else None,
            package=Path(given["package"]) if given.get("package") else None,
            **({"port": given["port"]} if "port" in given else {}),
        )
    from host_sdk.sim.avr_board import AvrBoard

    assert isinstance(address.board, Avr)
    return AvrBoard(address.board, address.state, blank=address.blank, pace=address.pace, hold=True, part=part_of(url))


def _switch_on_esp(board: Esp, address: SimAddress) -> EspBoard:
    from host_sdk.sim.esp_board import EspBoard, EspOptions

    given = address.options
    options = EspOptions(
        boot=given.get("boot", "app"),
        manual="manual" in given,
        flash_bytes=round(_number(given, "size") * (1 << 20)) if "size" in given else None,
        spi=Path(given["spi"]) if given.get("spi") else None,
        **({"chip": given["chip"]} if "chip" in given else {}),
    )
    return EspBoard(board, address.state, blank=address.blank, options=options)


def part_of(url: str) -> Part | None:
    """The part on the SPI bus of a virtual board, as its address wants it; None for boards without.

    FileError when the address names a card that is not there.
    """
    address = parse_address(url)
    if not isinstance(address.board, Offload):
        return None
    from host_sdk.sim.part import FlashChip, SdCard, check_card, usual_part

    given = address.options
    part = usual_part(address.board, address.state)
    changes: dict[str, Any] = {name: given[name] for name in ("kind", "chip", "latency") if name in given}
    if "seed" in given:
        changes["seed"] = int(_number(given, "seed"))
    if isinstance(part, SdCard) and "card" in given:
        changes["file"] = check_card(Path(given["card"])) if given["card"] else None
    if isinstance(part, FlashChip) and given.get("flash"):
        changes["file"] = Path(given["flash"])
    return replace(part, **changes)


def _number(options: Mapping[str, str], name: str) -> float:
    try:
        value = float(options[name])
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise UsageError(f"The option {name} of a virtual board is a number, not {options[name]!r}.")
    return value
