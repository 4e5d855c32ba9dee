"""Serial ports: open one by URL, list those there are. The only place that opens pyserial."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import serial
from serial.tools import list_ports

from host_sdk.boards import BOARDS, ESP_BOARDS
from host_sdk.errors import PortError, UlmError, UsageError
from host_sdk.link.messages import Hello
from host_sdk.link.session import HELLO_TIMEOUT_S, Session

_PACKAGE = "host_sdk.link"
WRITE_TIMEOUT_S = 5.0
"""A line that takes no byte for so long is dead (flow control by a foreign driver)."""


@dataclass(frozen=True, slots=True)
class Port:
    """One serial port of this computer."""

    address: str
    description: str


def list_serial() -> list[Port]:
    """USB serial ports and what the system calls them; built-in ports without hardware are left out."""
    found = [p for p in list_ports.comports() if p.vid is not None or not p.device.startswith("/dev/ttyS")]
    return [Port(p.device, p.description or "") for p in sorted(found)]


def open_port(address: str, baud: int) -> serial.Serial:
    """Open any pyserial URL; PortError in one sentence when that is impossible."""
    if _PACKAGE not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(_PACKAGE)
    try:
        line: serial.Serial = serial.serial_for_url(
            address, do_not_open=True, baudrate=baud, timeout=1, write_timeout=WRITE_TIMEOUT_S
        )
        if address.startswith("/dev/"):
            line.exclusive = True
        line.open()
        return line
    except UlmError:
        raise
    except serial.SerialException as error:
        raise PortError(_reason(address, error)) from None
    except OSError as error:
        raise PortError(_reason(address, error)) from None
    except ValueError as error:
        raise UsageError(
            f"{address!r} is no address of a port ({error}). Give a port or a URL like sim://uno."
        ) from None


def greet(line: serial.Serial, session: Session, bauds: Sequence[int], wake: Callable[[], bool] | None = None) -> Hello:
    """The board's HELLO at the first of these rates at which it answers; PortError when it does at none.

    `wake` starts the runtime of a REPL that is found there, if it can, and says whether it did.
    """
    said = ""
    for baud in bauds:
        if line.baudrate != baud:
            line.baudrate = baud
        hello = session.hello(HELLO_TIMEOUT_S, wake)
        if hello:
            return hello
        said = said or _last_line(session.overheard)
    rates = " or ".join(filter(None, (", ".join(map(str, bauds[:-1])), str(bauds[-1]))))
    if said:
        raise PortError(
            f"No μLM board answered on {line.port} at {rates} baud, but another program says {said!r} there; end it, "
            f"or replace it with `ulm flash {line.port} MODEL.ulm --yes`."
        )
    raise PortError(
        f"No μLM board answered on {line.port} at {rates} baud. Check cable and port; if the board has no runtime "
        f"yet, run `ulm flash {line.port} MODEL.ulm`."
    )


def _last_line(heard: bytes) -> str:
    """The last whole line, if what was heard is text; bytes at another rate are none."""
    text = heard.decode("ascii", "replace")
    lines = [line.strip() for line in text.splitlines()[:-1]]
    readable = all(char.isprintable() or char.isspace() for char in text) and "\ufffd" not in text
    return next((line for line in reversed(lines) if line), "") if readable else ""


def likely_bauds(address: str) -> list[int]:
    """The rates worth trying on an address, likeliest first."""
    for board in (*BOARDS.values(), *ESP_BOARDS.values()):
        if address.partition("?")[0] == f"sim://{board.name}":
            return [board.baud]
    return list(dict.fromkeys(board.baud for board in BOARDS.values()))


def _reason(address: str, error: OSError) -> str:
    code = getattr(error, "errno", None)
    text = str(error)
    if code == errno.ENOENT or "FileNotFound" in text or "No such file" in text:
        return f"There is no port {address}. `ulm ports` lists those there are."
    if code == errno.EACCES or "Permission" in text:
        return f"You may not use {address}; on Linux add yourself to the group dialout and log in again."
    if code in (errno.EBUSY, errno.EAGAIN) or "lock" in text or "busy" in text:
        return f"{address} is in use by another program; close it (a serial monitor, ModemManager) and try again."
    return f"Cannot open {address}: {text.rstrip('.')}."
