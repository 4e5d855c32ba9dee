"""Put a model on the disk of a CP/M machine, through the protocol to ULM.COM that runs there."""

from __future__ import annotations

import time
import zlib
from dataclasses import replace

from host_sdk.boards import Cpm
from host_sdk.errors import BoardError
from host_sdk.flash.cpm_files import disk_name
from host_sdk.flash.fit import fitted_cpm
from host_sdk.flash.result import FlashResult
from host_sdk.flash.upload import Progress
from host_sdk.link.messages import Hello
from host_sdk.link.session import Session
from host_sdk.model.model import Model
from host_sdk.spec.cpm import ORIGIN
from host_sdk.spec.protocol import Slot, Status

HOW_TO_START = (
    "Start it there with `ULM`; how it gets there the first time is in docs/cpm.md "
    "(`ulm pack MODEL.ulm --for cpm -o CHAT.HEX`)."
)


def send_model(
    session: Session, hello: Hello, board: Cpm, model: Model, progress: Progress | None = None
) -> FlashResult:
    """Store the model under its name and load it; what the disk has already is only loaded.

    FitError when it does not fit the machine's TPA, before anything is sent. BoardError when the disk is full.
    """
    started = time.monotonic()
    info = session.info()
    room = info.model_address + info.model_capacity - ORIGIN
    image = fitted_cpm(model, replace(board, tpa_bytes=room))
    name = disk_name(model.name)
    sent = not _is_there(session, name, model, len(image.data))
    if sent:
        session.upload(Slot.MAIN, image.data, zlib.crc32(image.data), name, progress or (lambda done, total: None))
    return FlashResult(
        board=board.name,
        model=model.name,
        model_crc=model.crc,
        model_bytes=len(image.data),
        memory="disk",
        runtime_bytes=info.runtime_bytes,
        runtime_build=hello.build,
        pages_written=None,
        pages_kept=None,
        seconds_wall=time.monotonic() - started,
    )


def _is_there(session: Session, name: str, model: Model, length: int) -> bool:
    """Whether the disk has this model, packed alike; then it is loaded now."""
    try:
        session.load(name)
    except BoardError:
        return False
    hello = session.hello()
    return bool(
        hello
        and hello.model_status == Status.OK
        and hello.model_crc == model.crc
        and session.info().model_bytes == length
    )
