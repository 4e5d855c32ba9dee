"""Provides the bootloader that each board leaves the factory with, as an image of its boot section."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from intelhex import IntelHex
from platformdirs import user_cache_path

from host_sdk.boards import Avr
from host_sdk.errors import FileError, MissingError

PACKAGED = Path("/usr/share/arduino/hardware/arduino/avr/bootloaders")
BUILD_TIMEOUT_S = 60

_OPTIBOOT_BYTES = 512
"""optiboot lives in the last flash bytes, wherever the boot section begins."""
_APT = "sudo apt install arduino-core-avr gcc-avr avr-libc"


def bootloader_image(board: Avr) -> bytes:
    """The bytes from the board's boot address on.

    MissingError when the packaged bootloaders, or avr-gcc where one must be built, are not installed.
    """
    source = PACKAGED / board.bootloader.source
    image = None
    if source.exists():
        image = source.read_bytes() if source.suffix == ".hex" else _optiboot(board, source)
    if image is None:
        raise MissingError(f"A virtual {board.title} needs its bootloader's sources and avr-gcc: {_APT}")
    return _boot_section(board, image.decode())


def _boot_section(board: Avr, text: str) -> bytes:
    code = IntelHex(io.StringIO(text))
    if code.minaddr() < board.bootloader.address or code.maxaddr() >= board.flash_bytes:
        raise FileError(
            f"The bootloader {board.bootloader.name} occupies {code.minaddr():#x} to {code.maxaddr():#x}, "
            f"outside the boot section of the {board.title}."
        )
    return bytes(code.tobinarray(start=board.bootloader.address))


def _optiboot(board: Avr, source: Path) -> bytes | None:
    """Debian's own build of optiboot overflows its section, so it is built again from Debian's source."""
    compiler, objcopy = shutil.which("avr-gcc"), shutil.which("avr-objcopy")
    flags = [
        f"-mmcu={board.mcu}",
        f"-DF_CPU={board.clock_hz}L",
        f"-DBAUD_RATE={board.bootloader.baud}L",
        "-DLED_START_FLASHES=0",
        *("-Os", "-g0", "-fno-inline-small-functions", "-fno-split-wide-types", "-mrelax"),
        *("-nostdlib", "-nostartfiles", "-Wl,--relax", "-w"),
        f"-Wl,--section-start=.text={board.flash_bytes - _OPTIBOOT_BYTES:#x}",
        f"-Wl,--section-start=.version={board.flash_bytes - 2:#x}",
    ]
    digest = hashlib.sha256(source.read_bytes() + " ".join(flags).encode()).hexdigest()[:16]
    path = user_cache_path("ulm") / f"optiboot-{digest}.hex"
    if path.exists():
        return path.read_bytes()
    if compiler is None or objcopy is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        elf, built = Path(folder) / "optiboot.elf", Path(folder) / path.name
        sections = ("-j", ".text", "-j", ".version", "--set-section-flags", ".version=alloc,load")
        for command in (
            [compiler, *flags, "-o", str(elf), str(source)],
            [objcopy, *sections, "-O", "ihex", str(elf), str(built)],
        ):
            done = subprocess.run(command, capture_output=True, timeout=BUILD_TIMEOUT_S, check=False)
            if done.returncode != 0:
                return None
        os.replace(built, path)  # noqa: PTH105  atomic, and another process may be building the same
    return path.read_bytes()
