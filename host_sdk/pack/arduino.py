"""An Arduino library with one model in it: the same C as in every runtime, around a PROGMEM array.

The array lies where the linker puts it, so a person's own sketch stays an ordinary sketch. Public names of the C
code get the prefix `ulm_` through a header that every copied source begins with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from host_sdk import __version__
from host_sdk.boards import AVR_BOARDS
from host_sdk.errors import FitError
from host_sdk.model.model import Model
from host_sdk.pack.columns import REACH, Layout
from host_sdk.pack.header import Image, header
from host_sdk.pack.image import pack
from host_sdk.spec.image import PLACES, Form
from host_sdk.spec.protocol import MAX_REPLY, Action

LEAST_BYTES = 4070
"""Flash beside the model of a sketch that only prints a reply: Arduino's core, Serial, and this library."""
CHAT_BYTES = 5828
"""The same for the example Chat, which also takes lines into a String."""
CHAT_SRAM_BYTES = 396
"""SRAM of Chat's variables beside the sums of the network."""
LARGEST = AVR_BOARDS["uno"]
"""The board with the most room for a sketch."""

_NOT_IN_SKETCHES = ("frame", "console", "service", "upload", "bits")
"""Sources in device/common for the serial line, which is the sketch's affair here, and for a second memory."""
_PUBLIC = re.compile(r"^(?!static|typedef|#)(?:\w[\w ]*[ *](\w+)\(|extern .*?(\w+);)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ArduinoLibrary:
    """The files of a library by their path in its folder, and what a sketch with it takes. Sizes in bytes."""

    files: Mapping[str, bytes]
    image: Image
    flash_bytes: int  # of the example Chat
    sram_bytes: int  # static, of the example Chat

    def report(self) -> dict[str, object]:
        """For people and `--json`."""
        return {
            "model_bytes": len(self.image.data),
            "model_crc": f"{self.image.model_crc:08x}",
            "max_query": self.image.max_query,
            "chat_flash_bytes": self.flash_bytes,
            "chat_sram_bytes": self.sram_bytes,
            "fits": [board.name for board in AVR_BOARDS.values() if self.flash_bytes <= board.code_bytes],
        }


def library(model: Model) -> ArduinoLibrary:
    """The library of a model; FitError with the numbers when not even the smallest sketch has room beside it."""
    image = pack(model)
    excess = len(image.data) + LEAST_BYTES - LARGEST.code_bytes
    if excess > 0:
        raise FitError(
            f"The model {model.name!r} takes {len(image.data)} bytes packed; the smallest sketch on {LARGEST.title} "
            f"leaves {LARGEST.code_bytes - LEAST_BYTES} for it, {excess} too few. Train it sparser, narrower, or with "
            "fewer buckets."
        )
    flash = len(image.data) + CHAT_BYTES
    places = _places(image)
    sums = 5 * places
    facts = {
        "name": model.name,
        "version": __version__,
        "max_query": image.max_query,
        "image_bytes": len(image.data),
        "flash_bytes": flash,
        "sram_bytes": CHAT_SRAM_BYTES + sums,
    }
    acts = any(reply.action is not Action.NONE for reply in model.replies)
    made = {
        "src/ulm/model.h": _model_h(model, image),
        "src/ulm/model.c": _model_c(image),
        "src/ulm/library.h": _library_h(places),
    }
    for path, text in _templates():
        if acts or not path.startswith("examples/Actions"):
            made[path] = text.format(**facts) if path in ("README.md", "library.properties") else text
    for name, text in _runtime():
        made[f"src/ulm/{name}"] = _own_names(name, text)
    made["LICENSE"] = (_root() / "LICENSE").read_text("utf-8")
    return ArduinoLibrary({path: made[path].encode() for path in sorted(made)}, image, flash, CHAT_SRAM_BYTES + sums)


def _places(image: Image) -> int:
    """Places for the widest layer of the model, the spare behind its last row included, in whole fours.

    Buckets that are counted take half a place each.
    """
    widest = max(Layout(rows).places for rows in image.widths)
    buckets = header(image.data)["first_places"] if image.form is Form.BUCKETS else 0
    return min(PLACES, (max(widest + REACH, buckets // 2) + 3) & ~3)


def _model_h(model: Model, image: Image) -> str:
    actions = "\n".join(f"    ULM_{action.name} = {int(action)}," for action in Action)
    name = model.name.encode("ascii", "replace").decode().replace("\\", "/").replace('"', "'")
    return f"""/* The model in this library. Generated. */
#ifndef ULM_MODEL_H
#define ULM_MODEL_H

#define ULM_MODEL_NAME "{name}"
#define ULM_MODEL_CRC 0x{image.model_crc:08X}UL
#define ULM_MODEL_BYTES {len(image.data)}

/* What a reply can ask the sketch to do. */
enum {{
{actions}
}};

#endif
"""


def _model_c(image: Image) -> str:
    rows = [", ".join(map(str, image.data[at : at + 20])) for at in range(0, len(image.data), 20)]
    body = ",\n    ".join(rows)
    return f"""/* The packed model. Generated. */
#include "library.h"

#include <avr/pgmspace.h>

const uint8_t ulm_packed[] PROGMEM = {{
    {body},
}};
"""


def _library_h(places: int) -> str:
    names = sorted({name for file, text in _runtime() if file.endswith(".h") for name in _public(text)})
    defines = "\n".join(f"#define {name} ulm_{name}" for name in names)
    return f"""/* What this library changes of the common runtime: every source includes it first. Generated. */
#ifndef ULM_LIBRARY_H
#define ULM_LIBRARY_H

#include <stdint.h>

#include "spec.h"

#ifdef __cplusplus
extern "C"
#else
extern
#endif
const uint8_t ulm_packed[];

/* The image lies wherever the linker puts it. */
#undef MODEL_ADDRESS
#define MODEL_ADDRESS ((uint16_t)ulm_packed)

/* This model needs no more. */
#define KERNEL_PLACES {places}

/* A reply and its NUL. */
#undef MAX_REPLY
#define MAX_REPLY {MAX_REPLY + 1}

/* No name of the library meets one of the sketch. */
{defines}

#endif
"""


def _public(header: str) -> Iterator[str]:
    """Names of the functions and variables that a header declares."""
    for function, variable in _PUBLIC.findall(header):
        yield function or variable


def _own_names(name: str, text: str) -> str:
    return f'#include "library.h"\n\n{text}' if name.endswith(".c") else text


def _runtime() -> Iterator[tuple[str, str]]:
    """Name and text of the C sources that a sketch needs, headers included."""
    device = _root() / "device"
    for file in sorted((device / "common").glob("*.[ch]")):
        if file.stem not in _NOT_IN_SKETCHES:
            yield file.name, file.read_text("utf-8")
    yield "tape.h", (device / "avr_native" / "tape.h").read_text("utf-8")


def _templates() -> Iterator[tuple[str, str]]:
    """Path and text of the files in device/arduino."""
    folder = _root() / "device" / "arduino"
    for file in folder.rglob("*"):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.read_text("utf-8")


def _root() -> Path:
    """Where the C sources are: beside the shipped models of an installed package, or in the checkout."""
    shipped = Path(__file__).parents[1] / "shipped"
    return shipped if (shipped / "device").is_dir() else Path(__file__).parents[2]
