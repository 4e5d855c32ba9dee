"""Runtime and model of an AVR board, through its bootloader into its flash."""

from __future__ import annotations

from host_sdk.boards import Avr
from host_sdk.flash.avrdude import upload_with_avrdude
from host_sdk.flash.fit import fitted_avr
from host_sdk.flash.memory import Memory
from host_sdk.flash.result import FlashResult
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.flash.stk500 import Port
from host_sdk.flash.upload import Progress, UploadResult, upload
from host_sdk.model.model import Model
from host_sdk.spec.image import MODEL_ADDRESS


def deploy(
    port: Port, board: Avr, model: Model, progress: Progress | None = None, compact: bool = False
) -> FlashResult:
    """Write what differs: runtime pages if they are absent or others, and the model's pages.

    The page with the model's valid mark is cleared first and written last. `compact`: the model in bits.
    """
    job = _Job(board, model, compact)
    return job.report(upload(port, board, job.wanted, order_last=job.last, progress=progress))


def deploy_with_avrdude(tty: str, board: Avr, model: Model, compact: bool = False) -> FlashResult:
    """The same through the program avrdude, which opens the device path `tty` by itself."""
    job = _Job(board, model, compact)
    return job.report(upload_with_avrdude(tty, board, job.wanted, order_last=job.last))


class _Job:
    """What belongs on a board."""

    last = (MODEL_ADDRESS,)

    def __init__(self, board: Avr, model: Model, compact: bool) -> None:
        self._board, self._model = board, model
        self._image = fitted_avr(model, board, compact)
        self._runtime = shipped_runtime(board)
        page_bytes = board.flash_page
        self.wanted = self._runtime.memory.merged(Memory.from_bytes(MODEL_ADDRESS, self._image.data, page_bytes))

    def report(self, result: UploadResult) -> FlashResult:
        return FlashResult(
            board=self._board.name,
            model=self._model.name,
            model_crc=self._image.model_crc,
            model_bytes=len(self._image.data),
            memory="flash",
            runtime_bytes=self._runtime.bytes,
            runtime_build=self._runtime.build,
            pages_written=result.pages_written,
            pages_kept=result.pages_kept,
            seconds_wall=result.seconds_wall,
        )
