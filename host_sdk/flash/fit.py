"""Packing a model for one board: FitError with the numbers when it has no room there."""

from __future__ import annotations

from dataclasses import replace

from host_sdk.boards import MICROBIT, Avr, Cpm, Python
from host_sdk.errors import FitError
from host_sdk.flash.cpm_files import com_file, largest_com
from host_sdk.model.model import Model
from host_sdk.pack.bits import pack_bits
from host_sdk.pack.cpm import COMPACT_TPA, CpmImage, pack_cpm
from host_sdk.pack.header import Image
from host_sdk.pack.image import pack
from host_sdk.pack.micropython import PythonImage, pack_python, pack_tiny
from host_sdk.spec.cpm import IMAGE_ADDRESS, ORIGIN
from host_sdk.spec.image import MODEL_ADDRESS


def avr_room(board: Avr) -> int:
    """Bytes of flash that a packed model may take."""
    return board.code_bytes - MODEL_ADDRESS


def cpm_room(board: Cpm) -> int:
    """Bytes of the TPA that a packed model may take."""
    return ORIGIN + board.tpa_bytes - IMAGE_ADDRESS


def fitted_cpm(model: Model, board: Cpm, compact: bool = False) -> CpmImage:
    """The model packed for the machine's TPA, or for COMPACT_TPA if less; FitError with the numbers when too small."""
    return pack_cpm(model, tpa=min(board.tpa_bytes, COMPACT_TPA) if compact else board.tpa_bytes)


def fitted_com(model: Model, board: Cpm, compact: bool = False) -> tuple[CpmImage, bytes]:
    """The model packed so that CP/M can load it as a program, and that program.

    A file may not reach as far as memory in use, so the packer is given less and less. FitError as in fitted_cpm.
    """
    tpa = board.tpa_bytes
    while True:
        image = fitted_cpm(model, replace(board, tpa_bytes=tpa), compact)
        code = com_file(image.data)
        excess = len(code) - largest_com(board)
        if excess <= 0:
            return image, code
        tpa = image.tpa_bytes - excess


def fitted_avr(model: Model, board: Avr, compact: bool = False) -> Image:
    """The model packed for the board's flash, `compact` in bits; FitError with the numbers when that is too small."""
    room = avr_room(board)
    image = pack_bits(model) if compact else pack(model, room)
    if len(image.data) > room:
        raise FitError(
            f"The model {model.name!r} takes {len(image.data)} bytes packed; {board.title} has {room} for it, "
            f"{len(image.data) - room} too few. Train it sparser, narrower, or with fewer buckets."
        )
    return image


def fitted_eeprom(model: Model, board: Avr) -> Image:
    """The model packed in bits; FitError with the numbers when the board's EEPROM has no room for it."""
    image = pack_bits(model)
    excess = len(image.data) - board.eeprom_bytes
    if excess > 0:
        raise FitError(
            f"The model {model.name!r} takes {len(image.data)} bytes packed for EEPROM; {board.title} has "
            f"{board.eeprom_bytes}, {excess} too few. Train it sparser, ternary, with fewer buckets, or use the flash."
        )
    return image


def python_room(board: Python) -> int:
    """Bytes of the file system that a packed model may take."""
    return board.disk_bytes - board.runtime_bytes


def fitted_python(model: Model, board: Python) -> PythonImage:
    """The model packed for a Python board; FitError with the numbers when its file system is too small."""
    image = pack_tiny(model) if board.name == MICROBIT else pack_python(model)
    excess = len(image.data) - python_room(board)
    if excess > 0:
        raise FitError(
            f"The model {model.name!r} takes {len(image.data)} bytes packed; {board.title} has {python_room(board)} "
            f"for it, {excess} too few. Train it narrower or with fewer buckets."
        )
    return image
