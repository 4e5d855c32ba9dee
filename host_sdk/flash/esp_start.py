"""From the loader of an Espressif chip back to its MicroPython, which starts while its port may be away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from host_sdk.boards import PYTHON_BOARDS
from host_sdk.errors import BoardError, LinkError, PortError
from host_sdk.flash.repl import shows_prompt
from host_sdk.link.connection import Connection

START_S = 15.0
"""A chip with native USB is gone for a second or two and comes back as another device; a first start makes files."""
_PAUSE_S = 0.2
_HELLO_S = 0.6


@contextmanager
def started_python(address: str, interrupt: bool = False, timeout_s: float = START_S) -> Iterator[Connection]:
    """A board that has just been started, once its REPL shows a prompt or a μLM runtime answers.

    `interrupt` ends any other program that runs there. PortError when nothing answers or the port does not come back,
    MissingError for a virtual chip on a computer without MicroPython.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection = Connection(address, PYTHON_BOARDS["micropython"].baud)
            there = _answers(connection, interrupt, deadline)
            break
        except (PortError, LinkError):  # the port is away
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_S)
    try:
        if not there:
            raise PortError(
                f"No MicroPython answers on {address}. Press RESET and try again; a program of its user is interrupted "
                "by --yes."
            )
        yield connection
    finally:
        connection.close()


def _answers(connection: Connection, interrupt: bool, deadline: float) -> bool:
    """Whether somebody is there before the deadline. The connection is closed when the port goes away."""
    if connection.virtual and not connection.virtual.runs_program:
        return False
    try:
        while not shows_prompt(connection.line, interrupt) and not connection.session.hello(_HELLO_S):
            if time.monotonic() >= deadline:
                return False
    except BoardError:
        return True  # a runtime of another revision
    except BaseException:
        connection.close()
        raise
    return True
