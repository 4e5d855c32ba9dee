"""A model in the EEPROM of an AVR board: sent to its runtime while that runs; the flash keeps its own model."""

from __future__ import annotations

import time
import zlib

from host_sdk.boards import Avr
from host_sdk.errors import FitError
from host_sdk.flash.deploy import FlashResult
from host_sdk.flash.upload import Progress
from host_sdk.link.messages import Hello
from host_sdk.link.session import Session
from host_sdk.model.model import Model
from host_sdk.pack.bits import pack_bits
from host_sdk.pack.header import Image
from host_sdk.spec.protocol import Slot


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


def store(session: Session, hello: Hello, board: Avr, model: Model, progress: Progress | None = None) -> FlashResult:
    """Put a model into the EEPROM, where it answers at once; until all of it has arrived the one in flash answers."""
    started = time.monotonic()
    image = fitted_eeprom(model, board)
    session.upload(Slot.EEPROM, image.data, zlib.crc32(image.data), model.name, progress or (lambda done, total: None))
    return FlashResult(
        board=board.name,
        model=model.name,
        model_crc=image.model_crc,
        model_bytes=len(image.data),
        runtime_bytes=session.info().runtime_bytes,
        runtime_build=hello.build,
        pages_written=0,
        pages_kept=0,
        seconds_wall=time.monotonic() - started,
    )


def clear(session: Session) -> None:
    """Take the model out of the EEPROM, so that the one in flash answers again."""
    session.begin(Slot.EEPROM, 0)
