"""The process of a virtual board: started with a claim on its state folder, asked line by line, ended."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from host_sdk.errors import LinkError, PortError, UsageError

START_TIMEOUT_S = 10.0  # a process prints its pty at once; a loaded machine may be slow to start it
ANSWER_TIMEOUT_S = 5.0  # an answer takes a millisecond
OFF_TIMEOUT_S = 5.0  # saving two small files
LOCK_TIMEOUT_S = 0.5  # a process that is just going away still holds its lock


class Process:
    """A running virtual board. Its first line is the path of its serial port; later lines answer commands.

    `title` names the board in sentences. PortError when it does not start.
    """

    tty: str

    def __init__(self, command: Sequence[str], title: str, lock: Lock) -> None:
        self._title = title
        self._asking = threading.Lock()
        self._received = b""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=(lock.fd,),  # the process keeps the lock until it has saved
            start_new_session=True,  # Ctrl-C is for the program, not for the board
        )
        try:
            self.tty = self._read_line(START_TIMEOUT_S)
        except LinkError:
            self._stop()
            raise PortError(f"The virtual {title} did not start.") from None
        if self.tty.startswith("error "):
            self._stop()
            raise PortError(f"The virtual {title} did not start: {self.tty.removeprefix('error ')}")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, command: str, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """Send a line and return its answer without the leading "ok". LinkError when the process is gone."""
        with self._asking:
            self._write_line(command)
            answer = self._read_line(timeout_s)
        word, _, rest = answer.partition(" ")
        if word != "ok":
            raise UsageError(rest)
        return rest

    def close(self) -> None:
        """Let the board save its memories and end. Closing twice does nothing."""
        if self._process.poll() is None:
            try:
                self.ask("off", OFF_TIMEOUT_S)
                self._process.wait(OFF_TIMEOUT_S)
            except (LinkError, subprocess.TimeoutExpired):
                pass
        self._stop()

    def _write_line(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
        except (OSError, ValueError):  # the process's end, or already our own, is closed
            raise self._gone() from None

    def _read_line(self, timeout_s: float) -> str:
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._received:
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], left_s)[0]:
                raise LinkError(f"The virtual {self._title} does not answer; open it again.")
            got = self._process.stdout.read(65536)
            if not got:
                raise self._gone()
            self._received += got
        line, _, self._received = self._received.partition(b"\n")
        return line.decode()

    def _gone(self) -> LinkError:
        return LinkError(f"The virtual {self._title} has stopped; open it again.")

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()


class Lock:
    """The claim of one program on a state folder; it lasts while any process holds `fd` open."""

    def __init__(self, state: Path, title: str) -> None:
        try:
            state.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise PortError(f"The folder {state} cannot hold a virtual board: {error.strerror}.") from None
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > deadline:
                    os.close(self.fd)
                    raise PortError(
                        f"The virtual {title} is busy: another program has this virtual board open."
                    ) from None
                time.sleep(0.02)
            else:
                return

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
