"""Builds sketches as the Arduino IDE does: its core, its flags (platform.txt), its stock linker script."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from host_sdk.boards import Board

PACKAGED = Path("/usr/share/arduino/hardware/arduino/avr")
CORE = PACKAGED / "cores" / "arduino"
WHY_NOT = "the Arduino core or avr-gcc is not installed (apt install arduino-core-avr gcc-avr avr-libc)"

_SECTIONS = ("-ffunction-sections", "-fdata-sections", "-flto")
_C = ("avr-gcc", "-c", "-g", "-Os", "-std=gnu11", *_SECTIONS, "-fno-fat-lto-objects")
_CPP = ("avr-g++", "-c", "-g", "-Os", "-std=gnu++11", "-fpermissive", "-fno-exceptions", *_SECTIONS)
# The core's String wants a macro that float.h of the packaged avr-gcc 5.4 keeps from C++; Arduino's own 7.3 gives it.
_CPP = (*_CPP, "-fno-threadsafe-statics", "-Wno-error=narrowing", "-DDECIMAL_DIG=__DECIMAL_DIG__")
_ASM = ("avr-gcc", "-c", "-g", "-x", "assembler-with-cpp", "-flto")
_LINK = ("avr-gcc", "-Os", "-g", "-flto", "-fuse-linker-plugin", "-Wl,--gc-sections")
STRICT = ("-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True)
class Sketch:
    """A built sketch, and what the IDE says of it: bytes of flash, and of SRAM for global variables."""

    hex: Path
    elf: Path
    flash_bytes: int
    sram_bytes: int


def build(source: Path, library: Path, board: Board, folder: Path) -> Sketch:
    """Compile the sketch `source` (.ino) with `library` for `board` into `folder`. The library's code is held to
    STRICT warnings, the core's is not."""
    main = folder / "sketch.cpp"
    main.write_text(f'#include <Arduino.h>\n#line 1 "{source.name}"\n{source.read_text("utf-8")}', "utf-8")
    includes = ("-I", str(library / "src"))
    parts = [_compile(main, folder, board, *includes, *STRICT)]
    for part in sorted((library / "src").rglob("*.c*")):
        parts.append(_compile(part, folder, board, *includes, *STRICT))
    elf, image = folder / "sketch.elf", folder / "sketch.hex"
    _run(*_LINK, f"-mmcu={board.mcu}", "-o", elf, *parts, _core(board, folder.parent), "-lm")
    _run("avr-objcopy", "-O", "ihex", "-R", ".eeprom", elf, image)
    sizes = _sizes(elf)
    return Sketch(
        image,
        elf,
        flash_bytes=sizes[".text"] + sizes.get(".data", 0),
        sram_bytes=sum(sizes.get(name, 0) for name in (".data", ".bss", ".noinit")),
    )


def global_names(library: Path, board: Board, folder: Path) -> set[str]:
    """The names with which the library's objects meet those of a sketch."""
    names = set()
    for part in sorted((library / "src").rglob("*.c*")):
        compiled = _compile(part, folder, board, "-I", str(library / "src"), "-fno-lto")
        listed = _run("avr-nm", "--extern-only", "--defined-only", "--format=posix", compiled)
        names |= {line.split()[0] for line in listed.splitlines()}
    return names


@cache
def _core(board: Board, folder: Path) -> Path:
    made = folder / f"core-{board.name}"
    made.mkdir(exist_ok=True)
    sources = [file for kind in ("*.c", "*.cpp", "*.S") for file in sorted(CORE.glob(kind))]
    parts = [_compile(file, made, board, "-w") for file in sources]
    archive = made / "core.a"
    _run("avr-gcc-ar", "rcs", archive, *parts)
    return archive


def _compile(source: Path, folder: Path, board: Board, *flags: str) -> Path:
    command = {".c": _C, ".cpp": _CPP, ".S": _ASM}[source.suffix]
    target = folder / f"{source.name}.o"
    defines = ("-DARDUINO=10819", "-DARDUINO_AVR_UNO", "-DARDUINO_ARCH_AVR", f"-DF_CPU={board.clock_hz}L")
    core = ("-I", str(CORE), "-I", str(PACKAGED / "variants" / "standard"))
    _run(*command, f"-mmcu={board.mcu}", *defines, *core, *flags, source, "-o", target)
    return target


def _sizes(elf: Path) -> dict[str, int]:
    rows = [line.split() for line in _run("avr-size", "-A", elf).splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".")}


def _run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
