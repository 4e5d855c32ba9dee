"""A model in the EEPROM of an AVR board: sent to its runtime while that runs; the flash keeps its own model."""

from __future__ import annotations

import time
import zlib

from host_sdk.boards import Avr
from host_sdk.flash.fit import fitted_eeprom
from host_sdk.flash.result import FlashResult
from host_sdk.flash.upload import Progress
from host_sdk.link.messages import Hello
from host_sdk.link.session import Session
from host_sdk.model.model import Model
from host_sdk.spec.protocol import Slot


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
        memory="eeprom",
        runtime_bytes=session.info().runtime_bytes,
        runtime_build=hello.build,
        pages_written=0,
        pages_kept=0,
        seconds_wall=time.monotonic() - started,
    )


def clear(session: Session) -> None:
    """Take the model out of the EEPROM, so that the one in flash answers again."""
    session.begin(Slot.EEPROM, 0)
