"""The drive CIRCUITPY, which a CircuitPython board shows to the computer: files are simply copied there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from host_sdk.errors import PortError

_MARK = "boot_out.txt"
_SYSTEM = "CircuitPython"
_PLACES = ("/media/*", "/media/*/*", "/run/media/*/*", "/mnt/*", "/Volumes/*")


def mounted_drive(places: Iterable[str] = _PLACES) -> Path | None:
    """The drive of the only CircuitPython board, by what the board writes there; None when none is mounted.

    PortError when there are several: which of them belongs to a port cannot be told.
    """
    found = sorted(
        {path for place in places for path in Path("/").glob(place.lstrip("/")) if _is_drive(path)},
    )
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise PortError(f"Several CircuitPython drives are mounted ({names}); unmount all but the board's.")
    return found[0] if found else None


def copy_to_drive(drive: Path, files: Mapping[str, bytes]) -> int:
    """Copy what differs, each file whole or not at all; how many were written. PortError when the drive refuses."""
    written = 0
    for name, data in files.items():
        path = drive / name.lstrip("/")
        try:
            if path.exists() and path.read_bytes() == data:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(path.name + ".new")
            new.write_bytes(data)
            new.replace(path)
        except OSError as error:
            raise PortError(
                f"The drive {drive} cannot be written ({error.strerror}); if the board's boot.py keeps the drive for "
                "itself, hold its button while you plug it in, and try again."
            ) from None
        written += 1
    return written


def _is_drive(path: Path) -> bool:
    try:
        return _SYSTEM in (path / _MARK).read_text("ascii", "replace")
    except OSError:
        return False
