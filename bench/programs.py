"""Bench programs: a network in plain C without a runtime, built from kernels/, run on a simulated chip.

A program holds one model and one kernel, and nothing else: no serial line, no bootloader, no actions. What it answers
is compared with the reference engine, output by output.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from host_sdk.boards import BOARDS
from host_sdk.model.crc import crc16
from host_sdk.model.engine import Run, run
from host_sdk.model.model import Layer, Model
from host_sdk.spec.container import Kind

HERE = Path(__file__).parent
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
MARK_QUERY, MARK_PASS, MARK_DONE = 1, 2, 3
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Chip:
    """What a program may use; `mcu` is avr-gcc's name."""

    mcu: str
    title: str
    flash_bytes: int
    sram_bytes: int
    sram_end: int


UNO = Chip("atmega328p", "UNO", BOARDS["uno"].code_bytes, BOARDS["uno"].sram_bytes, 0x8FF)
MEGA = Chip("atmega2560", "ATmega2560", 0x40000, 8192, 0x21FF)
"""Only simulated, for what does not fit an UNO; no board of the project."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A kernel and how it is compiled."""

    title: str
    kernel: str  # a file in kernels/
    defines: tuple[str, ...] = ()

    @property
    def wide(self) -> bool:
        """Whether sums have 32 bits."""
        return "WIDE" in self.defines


@dataclass(frozen=True, slots=True)
class Result:
    """What one program did. Cycles are exact and simulated; nothing but the network is in them."""

    variant: Variant
    chip: Chip
    flash_bytes: int
    weight_bytes: int
    sram_bytes: int  # static
    stack_bytes: int  # deepest
    query_cycles: float  # mean per query
    pass_cycles: float  # mean per pass
    max_pass_cycles: int
    max_answer_cycles: int
    passes: int
    queries: int
    digest: int  # CRC-16/X-25 over all outputs of all queries
    exact: bool  # every output of every pass is the reference engine's

    @property
    def answer_cycles(self) -> float:
        """Mean per answer: its query and all of its passes."""
        return self.query_cycles + self.pass_cycles * self.passes / self.queries


class DoesNotFitError(Exception):
    """A program is larger than the largest chip that was allowed."""


def measure(
    model: Model, variant: Variant, queries: Sequence[str], folder: Path, chips: Sequence[Chip] = (UNO, MEGA)
) -> Result:
    """Builds the program in `folder` for the first chip that it fits, and asks it every query.

    DoesNotFitError when there is none.
    """
    multiple = MULTIPLES.get(variant.kernel, 1)
    assert not any(layer.columns % multiple for layer in model.layers), (
        f"{variant.kernel} needs multiples of {multiple}"
    )
    weights = [PACKERS[variant.kernel](layer) for layer in model.layers]
    (folder / "weights.h").write_text(weights_header(model, weights))
    for chip in chips:
        try:
            flash, sram = _build(variant, folder, chip)
        except DoesNotFitError:
            continue
        if flash > chip.flash_bytes or sram >= chip.sram_bytes:
            continue
        cycles, outputs, lowest = _simulate(chip, folder / "program.bin", queries)
        if sram + (stack := chip.sram_end - lowest) > chip.sram_bytes:
            continue
        return _result(
            variant, chip, (flash, sum(map(len, weights)), sram, stack), cycles, outputs, run(model, queries)
        )
    raise DoesNotFitError(f"{variant.title} fits none of {', '.join(chip.title for chip in chips)}")


# Weights


def weights_header(model: Model, weights: Sequence[bytes]) -> str:
    """weights.h: the model as C."""
    shifts = {layer.shift for layer in model.layers}
    assert len(shifts) == 1, "the kernels shift all layers alike"
    assert not any(layer.saturate for layer in model.layers), "the kernels do not saturate"
    numbers = {
        "QUERY_BUCKETS": model.query_buckets,
        "CONTEXT_BUCKETS": model.context_buckets,
        "CONTEXT_LENGTH": model.context_length,
        "LAYERS": len(model.layers),
        "SHIFT": shifts.pop(),
        "MAX_ROWS": max(layer.rows for layer in model.layers),
        "CLASSES": model.classes,
        "MAX_REPLY": model.max_reply,
    }
    lines = [f"#define {name} {value}" for name, value in numbers.items()]
    biases = np.concatenate([layer.bias for layer in model.layers])
    lines.append(_array("uint16_t ROWS[] PROGMEM", [layer.rows for layer in model.layers]))
    lines.append(_array("int16_t BIASES[] PROGMEM", biases.tolist()))
    if model.kind is Kind.CHARACTER:
        lines.append(_array("char CHARSET[] PROGMEM", model.charset.encode("ascii")))
    # One array a layer: the compiler refuses an array of more than 32 KB.
    names = [f"WEIGHTS_{number}" for number in range(len(weights))]
    for name, layer in zip(names, weights, strict=True):
        lines.append(_array(f"uint8_t STORED {name}[]", layer))
    lines.append(f"static const weights_t WEIGHTS[] = {{{', '.join(names)}}};")
    return "\n".join(lines) + "\n"


def _array(declaration: str, values: Iterable[int]) -> str:
    return f"static const {declaration} = {{{', '.join(map(str, values))}}};"


def rows2(layer: Layer) -> bytes:
    """Rows of two bits a weight; a row ends on a whole byte."""
    return _two_bits(layer.weights)


def columns2(layer: Layer) -> bytes:
    """Columns of two bits a weight; a column ends on a whole byte."""
    return _two_bits(layer.weights.T)


def rows8(layer: Layer) -> bytes:
    """Rows of one byte a weight."""
    return layer.weights.tobytes()


def rows3(layer: Layer) -> bytes:
    """Rows of three values, five weights a byte as a fraction in base 3; a row ends on a whole byte."""
    assert layer.weights.min() >= -1, "a weight of -2 is not ternary"
    digits = np.pad(layer.weights, ((0, 0), (0, -layer.columns % 5)), constant_values=-1).astype(np.int64) + 1
    whole = digits.reshape(layer.rows, -1, 5) @ np.array([81, 27, 9, 3, 1])
    fraction = (whole * 256 + 242) // 243  # rounded up, so that no digit is lost
    return fraction.astype(np.uint8).tobytes()


def rows1(layer: Layer) -> bytes:
    """Rows of one bit a weight, 1 for +1 and 0 for -1; a row ends on a whole byte."""
    assert layer.weights.all(), "a weight of 0 is not binary"
    return np.packbits(layer.weights > 0, axis=1, bitorder="little").tobytes()


def row_lists(layer: Layer) -> bytes:
    """Rows as lists of columns."""
    return b"".join(map(_lists, layer.weights))


def column_lists(layer: Layer) -> bytes:
    """Columns as lists of rows."""
    return b"".join(map(_lists, layer.weights.T))


PACKERS: dict[str, Callable[[Layer], bytes]] = {
    "dense2.h": rows2,
    "multiply2.h": rows2,
    "unrolled2.h": rows2,
    "assembly2.h": rows2,
    "dense3.h": rows3,
    "dense1.h": rows1,
    "columns2.h": columns2,
    "dense8.h": rows8,
    "lists.h": row_lists,
    "column_lists.h": column_lists,
}
"""The packing that each kernel reads."""
MULTIPLES = {"dense2.h": 4, "multiply2.h": 4, "unrolled2.h": 4, "assembly2.h": 4, "dense1.h": 8}
"""Kernels that take whole bytes of weights at a time need columns in multiples of this."""


def _two_bits(lines: NDArray[np.int8]) -> bytes:
    padded = np.pad(lines, ((0, 0), (0, -lines.shape[1] % 4))).astype(np.uint8) & 3
    shifted = padded.reshape(lines.shape[0], -1, 4) << np.array([0, 2, 4, 6], np.uint8)
    return shifted.sum(axis=2).astype(np.uint8).tobytes()


def _lists(line: NDArray[np.int8]) -> bytes:
    """Places to add and places to subtract, each list behind its length."""
    data = b""
    for sign in (1, -1):
        places = np.repeat(np.arange(line.size), np.maximum(sign * line.astype(int), 0))
        if len(places) > 255 or line.size > 256:
            raise DoesNotFitError(f"{len(places)} places among {line.size} do not fit a list of bytes")
        data += bytes([len(places), *places.tolist()])
    return data


# Building and running


def simulator(folder: Path) -> Path:
    """The program that simulates, compiled once per folder."""
    source = HERE / "simulate.c"
    path = folder / f"simulate-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if not path.exists():
        flags = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra")
        _call("cc", *flags, source, "-lsimavr", "-lelf", "-o", path)
    return path


def _build(variant: Variant, folder: Path, chip: Chip) -> tuple[int, int]:
    """(bytes of flash, bytes of static SRAM) of program.elf."""
    elf = folder / "program.elf"
    defines = [f"-D{name}" for name in (f'KERNEL="{variant.kernel}"', *variant.defines)]
    try:
        _call("avr-gcc", f"-mmcu={chip.mcu}", *FLAGS, *defines, f"-I{folder}", HERE / "kernels/main.c", "-o", elf)
    except RuntimeError as error:
        if "region" in str(error):
            raise DoesNotFitError(f"{variant.title}: the linker refuses it") from None
        raise
    _call("avr-objcopy", "-O", "binary", "-j", ".text", "-j", ".data", elf, folder / "program.bin")
    text, data, bss = (int(word) for word in _call("avr-size", elf).splitlines()[1].split()[:3])
    return text + data, data + bss


def _simulate(chip: Chip, program: Path, queries: Sequence[str]) -> tuple[list[tuple[int, int]], list[int], int]:
    """(markers and their cycles, output bytes, lowest stack pointer)."""
    asked = "".join(f"{query}\n" for query in queries)
    lines = [line.split() for line in _call(simulator(program.parent), chip.mcu, program, given=asked).splitlines()]
    markers = [(int(words[1]), int(words[2])) for words in lines if words[0] == "m"]
    outputs = [int(words[1]) for words in lines if words[0] == "o"]
    return markers, outputs, int(lines[-1][1])


def _result(
    variant: Variant,
    chip: Chip,
    sizes: tuple[int, int, int, int],
    markers: Sequence[tuple[int, int]],
    outputs: Sequence[int],
    expected: Sequence[Run],
) -> Result:
    spent: dict[int, list[int]] = {MARK_QUERY: [], MARK_PASS: []}
    answers: list[int] = []
    for (mark, start), (_, end) in pairwise(markers):
        if mark == MARK_QUERY:
            answers.append(0)
        if mark in spent:
            spent[mark].append(end - start)
            answers[-1] += end - start
    due = np.concatenate([one.outputs.ravel() for one in expected]).astype("<i2").tobytes()
    return Result(
        variant,
        chip,
        *sizes,
        query_cycles=float(np.mean(spent[MARK_QUERY])),
        pass_cycles=float(np.mean(spent[MARK_PASS])),
        max_pass_cycles=max(spent[MARK_PASS]),
        max_answer_cycles=max(answers),
        passes=len(spent[MARK_PASS]),
        queries=len(expected),
        digest=crc16(bytes(outputs)),
        exact=bytes(outputs) == due,
    )


def _call(*command: object, given: str = "") -> str:
    done = subprocess.run(
        [str(word) for word in command], input=given, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip() or done.stdout[-500:]}")
    return done.stdout
