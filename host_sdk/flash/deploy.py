"""Which board is on a port, whether a model fits it, and what an AVR board must get through its bootloader."""

from __future__ import annotations

from dataclasses import dataclass, replace

from host_sdk.boards import AVR_BOARDS, BOARDS, Avr, Board, Cpm, avr_named, board_named
from host_sdk.errors import BoardError, FitError, UsageError
from host_sdk.flash.avrdude import upload_with_avrdude
from host_sdk.flash.cpm_files import com_file, largest_com
from host_sdk.flash.identify import Resident, identify
from host_sdk.flash.memory import Memory
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.flash.stk500 import Port
from host_sdk.flash.upload import Progress, UploadResult, upload
from host_sdk.link.messages import Hello
from host_sdk.model.model import Model
from host_sdk.pack.cpm import COMPACT_TPA, CpmImage, pack_cpm
from host_sdk.pack.header import Image
from host_sdk.pack.image import pack
from host_sdk.spec.cpm import IMAGE_ADDRESS, ORIGIN
from host_sdk.spec.image import MODEL_ADDRESS

PROGRAMMERS = ("stk500", "avrdude")
MEMORIES = ("flash", "eeprom")


@dataclass(frozen=True, slots=True)
class FlashResult:
    """What flashing did. Sizes in bytes."""

    board: str
    model: str
    model_crc: int
    model_bytes: int
    runtime_bytes: int
    runtime_build: int
    pages_written: int | None  # of flash; None where there is none
    pages_kept: int | None
    seconds_wall: float


def model_room(board: Board) -> int:
    """Bytes that a packed model may take on a board: of flash, or under CP/M of the TPA."""
    if isinstance(board, Cpm):
        return ORIGIN + board.tpa_bytes - IMAGE_ADDRESS
    assert isinstance(board, Avr)
    return board.code_bytes - MODEL_ADDRESS


def fitted(model: Model, board: Board) -> Image | CpmImage:
    """The packed model; FitError with the numbers when the board has no room for it."""
    if isinstance(board, Cpm):
        return fitted_cpm(model, board)
    assert isinstance(board, Avr)
    return fitted_avr(model, board)


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


def fitted_avr(model: Model, board: Avr) -> Image:
    """The model packed for the board's flash; FitError with the numbers when that is too small."""
    room = model_room(board)
    image = pack(model, room)
    if len(image.data) > room:
        raise FitError(
            f"The model {model.name!r} takes {len(image.data)} bytes packed; {board.title} has {room} for it, "
            f"{len(image.data) - room} too few. Train it sparser, narrower, or with fewer buckets."
        )
    return image


def choose_board(port: Port, hello: Hello | None, named: str | None, yes: bool) -> Board:
    """The board on the port, from its HELLO or its bootloader.

    UsageError when it is blank and could be several, or when it runs a foreign program and `yes` is not given.
    """
    if hello:
        if hello.board not in BOARDS:
            raise UsageError(f"The board says it is a {hello.board!r}, which this host_sdk does not know; update it.")
        if named and named != hello.board:
            raise UsageError(f"The board on this port is a {hello.board}, not a {named}; leave out --board.")
        return board_named(hello.board)
    if named and isinstance(board_named(named), Cpm):
        return board_named(named)
    wanted = [avr_named(named)] if named else list(AVR_BOARDS.values())
    found = identify(port, wanted)
    if found.identity.resident is Resident.FOREIGN and not yes:
        raise UsageError("The board holds another program, which flashing would erase; say --yes to replace it.")
    if len(found.boards) > 1:
        names = ", ".join(board.name for board in found.boards)
        raise UsageError(f"The bootloader could be that of several boards; say which with --board: {names}.")
    return found.boards[0]


def deploy(port: Port, board: Avr, model: Model, progress: Progress | None = None) -> FlashResult:
    """Write what differs: runtime pages if they are absent or others, and the model's pages.

    The page with the model's valid mark is cleared first and written last.
    """
    job = _Job(board, model)
    return job.report(upload(port, board, job.wanted, order_last=job.last, progress=progress))


def deploy_with_avrdude(tty: str, board: Avr, model: Model) -> FlashResult:
    """The same through the program avrdude, which opens the device path `tty` by itself."""
    job = _Job(board, model)
    return job.report(upload_with_avrdude(tty, board, job.wanted, order_last=job.last))


def is_outdated(hello: Hello) -> bool:
    """Whether an AVR board runs another build of the runtime than this installation ships."""
    return hello.board in AVR_BOARDS and hello.build != shipped_runtime(avr_named(hello.board)).build


def check_result(result: FlashResult, hello: Hello) -> None:
    """BoardError when the board, started again, does not report what was flashed."""
    if hello.model_crc != result.model_crc or hello.build != result.runtime_build:
        raise BoardError(
            f"{hello.board} was flashed, but reports another model or runtime; flash it again, and if that "
            "does not help its flash is worn out."
        )


class _Job:
    """What belongs on a board."""

    last = (MODEL_ADDRESS,)

    def __init__(self, board: Avr, model: Model) -> None:
        self._board, self._model = board, model
        self._image = fitted_avr(model, board)
        self._runtime = shipped_runtime(board)
        page_bytes = board.flash_page
        self.wanted = self._runtime.memory.merged(Memory.from_bytes(MODEL_ADDRESS, self._image.data, page_bytes))

    def report(self, result: UploadResult) -> FlashResult:
        return FlashResult(
            board=self._board.name,
            model=self._model.name,
            model_crc=self._image.model_crc,
            model_bytes=len(self._image.data),
            runtime_bytes=self._runtime.bytes,
            runtime_build=self._runtime.build,
            pages_written=result.pages_written,
            pages_kept=result.pages_kept,
            seconds_wall=result.seconds_wall,
        )
