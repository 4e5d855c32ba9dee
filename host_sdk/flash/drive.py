"""The drive CIRCUITPY, which a CircuitPython board shows to the computer: files are simply copied there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from host_sdk.errors import FitError, PortError
from host_sdk.flash.python_files import NEW_SUFFIX

BOOT_OUT = "boot_out.txt"
_SYSTEM = b"CircuitPython"
_PLACES = ("media/*", "media/*/*", "run/media/*/*", "mnt/*", "Volumes/*")
"""Below the root, where Linux and macOS mount drives."""
_LETTERS = "DEFGHIJKLMNOPQRSTUVWXYZ"
"""Of drives under Windows."""


def drives() -> list[Path]:
    """Where a drive may be mounted on this computer."""
    if os.name == "nt":
        return [Path(f"{letter}:/") for letter in _LETTERS]
    return [path for place in _PLACES for path in Path("/").glob(place)]


def mounted_drive(boot_out: bytes, places: Iterable[Path] | None = None) -> Path | None:
    """The drive of the CircuitPython board whose file boot_out.txt begins so; None when it is not mounted.

    PortError when there are several: boards before CircuitPython 8 do not write their number there.
    """
    found = sorted({path for path in (drives() if places is None else places) if _is_drive(path, boot_out)})
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise PortError(f"Several CircuitPython drives could be the board's ({names}); unmount all but that one.")
    return found[0] if found else None


def copy_to_drive(drive: Path, files: Mapping[str, bytes], seal: str) -> int:
    """Copy what differs, each file whole or not at all; how many were written.

    The file `seal` goes before any other but the model changes, and comes last, as through the REPL. FitError when the
    drive is full, PortError when it refuses or goes away.
    """
    places = {drive / name.lstrip("/"): data for name, data in files.items()}
    try:
        due = {path: data for path, data in places.items() if not path.exists() or path.read_bytes() != data}
        mark = drive / seal.lstrip("/")
        if any(path.suffix == ".py" for path in due):
            mark.unlink(missing_ok=True)
            due[mark] = due.pop(mark, places[mark])
        for path, data in due.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, data)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FitError(
                f"The drive {drive} is full: runtime and model take {sum(map(len, files.values()))} bytes, and the "
                "largest file once more while it is written; delete files there."
            ) from None
        raise PortError(
            f"The drive {drive} cannot be written ({error.strerror}); if the board's boot.py keeps the drive for "
            "itself, hold its button while you plug it in, and try again."
        ) from None
    return len(due)


def _replace(path: Path, data: bytes) -> None:
    """A file's new content, on the board's flash and not in this computer's memory when this returns."""
    new = path.with_name(path.name + NEW_SUFFIX)
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # names, too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _is_drive(path: Path, boot_out: bytes) -> bool:
    try:
        written = (path / BOOT_OUT).read_bytes()
    except OSError:
        return False
    return _SYSTEM in boot_out and written.startswith(boot_out)
