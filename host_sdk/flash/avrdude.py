"""The same upload through the program avrdude, for whoever trusts it more: `--programmer avrdude`.

avrdude writes every wanted page, changed or not, and verifies by itself. Operations given with -U run in
their order within one run, so pages that carry a valid mark are erased first and written last here too.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from host_sdk.boards import Avr
from host_sdk.errors import LinkError, MissingError, UsageError
from host_sdk.flash.memory import ERASED, Memory
from host_sdk.flash.upload import UploadResult, check_fits

PROGRAMMERS = ("stk500", "avrdude")
"""Our own client of the bootloader, and this one."""
AVRDUDE_TIMEOUT_S = 120.0
"""Full flash at 57600 takes 15 s; avrdude's own retries against a silent board take 40 s."""


def upload_with_avrdude(
    device: str,
    board: Avr,
    wanted: Memory,
    *,
    order_last: Sequence[int] = (),
    verify: bool = True,
    program: str = "avrdude",
) -> UploadResult:
    """Write all of `wanted` through avrdude to the board on `device` (/dev/ttyACM0, COM3), a closed port.

    Raises FitError before anything is touched when a page does not lie below the boot section, UsageError
    when `device` is no device path, MissingError without avrdude, LinkError in avrdude's words.
    """
    check_fits(board, wanted, order_last)
    if "://" in device:
        raise UsageError(
            f"avrdude cannot open {device}; leave out --programmer avrdude, "
            "or give a device such as /dev/ttyACM0 or COM3."
        )
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ulm-") as folder:
        command = [program, "-q", "-p", board.mcu, "-c", "arduino", "-P", device]
        # -D: no chip erase, so that the pages outside `wanted` stay.
        command += ["-b", str(board.bootloader.baud), "-D", *([] if verify else ["-V"])]
        for number, memory in enumerate(_steps(wanted, order_last)):
            # A file in the working directory: a colon in its path would end the name for avrdude.
            Path(folder, f"{number}.hex").write_text(memory.to_hex(), encoding="ascii")
            command += ["-U", f"flash:w:{number}.hex:i"]
        _run(command, folder, board)
    pages = len(wanted.pages)
    return UploadResult(pages, 0, pages * board.flash_page, time.monotonic() - started)


def _steps(wanted: Memory, order_last: Sequence[int]) -> list[Memory]:
    last = tuple(order_last)
    body = tuple(address for address in wanted.pages if address not in last)
    marks = wanted.only(last)
    erased = Memory(dict.fromkeys(marks.cells, ERASED), wanted.page_bytes)
    return [step for step in (erased, wanted.only(body), marks) if step.pages]


def _run(command: list[str], folder: str, board: Avr) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=AVRDUDE_TIMEOUT_S
        )
    except FileNotFoundError:
        raise MissingError(
            "avrdude is not installed; install it (Debian, Ubuntu: sudo apt install avrdude), "
            "or leave out --programmer avrdude."
        ) from None
    except subprocess.TimeoutExpired:
        raise LinkError(
            f"avrdude did not finish with {board.title} in {AVRDUDE_TIMEOUT_S:.0f} s; "
            "plug the board in again and upload again, which repairs it."
        ) from None
    if done.returncode:
        raise LinkError(
            f"avrdude failed on {board.title}: {_cause(done.stderr)}; "
            "check the port and the cable and upload again, which repairs it."
        )


def _cause(text: str) -> str:
    """The first line that speaks of an error: those behind it only say what could not be done therefore."""
    lines = [line.strip().removeprefix("avrdude ") for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines[-1:] or ["no message"])[0].rstrip(".")
