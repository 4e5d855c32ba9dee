"""The only board that is connected, for those who name none."""

from __future__ import annotations

from contextlib import closing
from functools import partial

from host_sdk.errors import MissingError, PortError, UlmError
from host_sdk.kinds import wake
from host_sdk.link import ports
from host_sdk.link.connection import Connection


def only_board() -> str:
    """The address of the only board; a runtime that waits at its REPL is started.

    PortError naming the candidates when there are none or several, MissingError when one waits at its REPL and the
    package that speaks with it is missing.
    """
    asked = [port.address for port in ports.list_serial()]
    boards = [address for address in asked if _answers(address)]
    if len(boards) == 1:
        return boards[0]
    if boards:
        raise PortError(f"Several boards are connected: {', '.join(boards)}. Name one of them.")
    tried = f" (tried {', '.join(asked)})" if asked else ""
    raise PortError(f"No μLM board is connected{tried}. Plug one in, or try the virtual one: sim://uno.")


def _answers(address: str) -> bool:
    try:
        with closing(Connection(address)) as connection:
            connection.greet(partial(wake, connection))
    except MissingError:
        raise
    except UlmError:
        return False
    return True
