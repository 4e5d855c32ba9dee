"""AVR boards whose model comes from a card or a flash chip while they think."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast
from urllib.parse import parse_qs, urlsplit

from host_sdk.boards import Medium, Offload
from host_sdk.conformance import Usage
from host_sdk.errors import BoardError, FitError
from host_sdk.flash.avrdude import upload_with_avrdude
from host_sdk.flash.result import FlashResult
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.flash.upload import UploadResult, upload
from host_sdk.kinds.avr import chip_usage
from host_sdk.kinds.kind import How, Kind, Progress
from host_sdk.link.connection import Connection
from host_sdk.link.messages import Hello
from host_sdk.link.session import Progress as Work
from host_sdk.link.session import Session
from host_sdk.model.model import Model
from host_sdk.pack.card import card_image
from host_sdk.pack.stream import StreamImage, pack_stream
from host_sdk.spec.protocol import Slot, Status

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.avr_board import AvrBoard

_BUSY_SHARE = 32
"""The board erases in front of an upload, and checks behind it, in about one of so many parts of its time."""
_OWN_PART = {"card", "flash", "chip"}
"""Options of a virtual board with which a person brings a part of their own."""


class OffloadKind(Kind):
    """The runtime goes through the bootloader, the model through the protocol, each only if it differs."""

    has_bootloader: ClassVar[bool] = True

    board: Offload

    @property
    def memories(self) -> tuple[str, ...]:
        """The one that the board is made for."""
        return ("card",) if self.board.medium is Medium.SD else ("chip",)

    @property
    def room(self) -> None:
        """As large as the card or the chip."""

    def fitted(self, model: Model) -> StreamImage:
        """The model as a stream; FitError when its activations have no room in the chip's SRAM."""
        return pack_stream(model)

    def flash(self, connection: Connection, model: Model, how: How, progress: Progress | None) -> FlashResult:
        """Until the whole model has arrived and proved sound the old one answers."""
        started = time.monotonic()
        image = self.fitted(model)
        runtime = shipped_runtime(self.board)
        missing = self._lacks_runtime(connection)
        length = len(image.data)
        stages = _Stages(progress, runtime.bytes * missing, length // _BUSY_SHARE, length, length // _BUSY_SHARE)
        if self._has_usual_part(connection) and self.board.medium is Medium.SD:
            self._fill(connection, image)  # nobody has put a card in yet
        written = self._bring_runtime(connection, how, stages(0)) if missing else None
        if not _is_there(connection, image):
            self._send(connection, model, image, stages)
            connection.greet()
        stages(3)(1, 1)
        return FlashResult(
            board=self.board.name,
            model=model.name,
            model_crc=model.crc,
            model_bytes=length,
            memory=how.memory,
            runtime_bytes=runtime.bytes,
            runtime_build=runtime.build,
            pages_written=written.pages_written if written else 0,
            pages_kept=written.pages_kept if written else len(runtime.memory.pages),
            seconds_wall=time.monotonic() - started,
        )

    def furnish(self, connection: Connection, model: Model) -> None:
        """With the model on the part that nobody has used; a part that a person brings is left alone."""
        if self._has_usual_part(connection):
            self._fill(connection, self.fitted(model))
        self._bring_runtime(connection, How(self.memories[0]), None)

    def is_outdated(self, hello: Hello) -> bool:
        """Whether the board runs another build than the one that is shipped."""
        return hello.build != shipped_runtime(self.board).build

    def usage(self, connection: Connection) -> Usage:
        """Of the chip and of its part."""
        return chip_usage(cast("AvrBoard", connection.virtual).counters(), part=True)

    def _lacks_runtime(self, connection: Connection) -> bool:
        hello = connection.heard
        return hello is None or hello.board != self.board.name or self.is_outdated(hello)

    def _bring_runtime(self, connection: Connection, how: How, progress: Progress | None) -> UploadResult:
        memory = shipped_runtime(self.board).memory
        if how.programmer == "avrdude":
            with connection.lent_port() as tty:
                result = upload_with_avrdude(tty, self.board, memory)
        else:
            result = upload(connection.line, self.board, memory, progress=progress)
        connection.bauds = [self.board.baud]
        connection.greet()
        return result

    def _send(self, connection: Connection, model: Model, image: StreamImage, stages: _Stages) -> None:
        session, length = connection.session, len(image.data)
        room = session.info().model_capacity
        if 0 < room < length:
            raise FitError(
                f"The model {model.name!r} takes {length} bytes packed; the {self.memories[0]} of {self.board.title} "
                f"has places of {room}, {length - room} too few. Use a larger one, or a smaller model."
            )
        sent = False

        def arrived(done: int, total: int) -> None:
            nonlocal sent
            sent = done == total
            stages(2)(done, total)

        def busy(done: int, total: int) -> None:
            stages(3 if sent else 1)(done, total)

        session.upload(Slot.MAIN, image.data, zlib.crc32(image.data), model.name, arrived, busy)

    def _has_usual_part(self, connection: Connection) -> bool:
        """Whether a virtual board has the card or chip that it has if its address names no other."""
        options = parse_qs(urlsplit(connection.address).query, keep_blank_values=True)
        return connection.virtual is not None and not _OWN_PART & options.keys()

    def _fill(self, connection: Connection, image: StreamImage) -> None:
        """Put a card with the model in an empty socket, or the model on an erased chip."""
        board = cast("AvrBoard", connection.virtual)
        if self.board.medium is Medium.SD:
            card = board.state / "card.img"
            if not card.exists():
                card.write_bytes(card_image(image.data))
                board.insert_card(card)
        else:
            with (board.state / "w25q.bin").open("r+b") as chip:
                if chip.read(1) == b"\xff":
                    chip.seek(0)
                    chip.write(image.data)


class _Stages:
    """One progress bar over stages of work, each with its size in bytes on the line."""

    def __init__(self, progress: Progress | None, *sizes: int) -> None:
        self._progress, self._sizes = progress, sizes

    def __call__(self, stage: int) -> Callable[[int, int], None]:
        """What to tell of one of them: done, of total."""
        before, size = sum(self._sizes[:stage]), self._sizes[stage]

        def tell(done: int, total: int) -> None:
            if self._progress:
                self._progress(before + size * done // max(total, 1), sum(self._sizes))

        return tell


def _is_there(connection: Connection, image: StreamImage) -> bool:
    """Whether this model answers, packed alike and undamaged."""
    hello = connection.hello
    return (
        hello.model_status == Status.OK
        and hello.model_crc == image.model_crc
        and connection.session.info().model_bytes == len(image.data)
        and _is_sound(connection.session)
    )


def _is_sound(session: Session) -> bool:
    """The board checks its model in front of the first reply after a reset."""
    stopping = False
    try:
        for event in session.chat(b"", verify=True):
            if not stopping and not (isinstance(event, Work) and event.layer == 0):
                session.stop()
                stopping = True
    except BoardError:
        return False
    return True
