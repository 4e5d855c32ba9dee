"""Flash chips that are missing, unknown, empty or damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_sdk.link.frame import Frame
from host_sdk.sim.part import CHIPS, FlashChip
from host_sdk.spec.protocol import Fault, Op, Status
from tests.offload.conftest import CHIP_BYTES, OLD, Start, chip_with
from tests.offload.images import image, long_image, numbered
from tests.offload.talker import Ack

KNOWN = ("w25q80", "w25q16", "w25q32", "w25q64", "w25q128")


@pytest.mark.parametrize(
    ("chip", "fault"), [("none", Fault.NO_CHIP), ("w25q256", Fault.CHIP_UNKNOWN), ("at45db321", Fault.CHIP_UNKNOWN)]
)
def test_chips_that_do_not_serve(start: Start, tmp_path: Path, chip: str, fault: Fault) -> None:
    with start("uno-flash", FlashChip(tmp_path / "chip.bin", chip=chip)) as board:
        for _ in range(2):
            hello = board.hello()
            assert (hello.status, hello.fault) == (Status.MEDIUM, fault)
            assert board.fault_of_chat() == Ack(Status.MEDIUM, fault)
            assert board.begin(OLD) == Ack(Status.MEDIUM, fault)


@pytest.mark.parametrize("chip", KNOWN)
def test_chips_of_all_sizes(start: Start, tmp_path: Path, chip: str) -> None:
    """Empty at first; then an image goes into the first half, and the next into the second."""
    with start("uno-flash", FlashChip(tmp_path / "chip.bin", chip=chip)) as board:
        assert board.hello().status is Status.NO_MODEL
        assert board.fault_of_chat().status == Status.NO_MODEL
        for seed in (1, 2, 3):
            board.upload(image(seed, 12))
            assert board.hello().model_crc == seed
            assert board.chat().type == Op.END
        memory = (tmp_path / "chip.bin").read_bytes()
        assert memory.startswith(numbered(image(3, 12), 3))
        assert memory[CHIPS[chip] // 2 :].startswith(numbered(image(2, 12), 2))


@pytest.mark.parametrize(("first", "second", "answers"), [(1, 2, 2), (2, 1, 1), (7, 0x01000000, 2), (5, 4, 1)])
def test_the_newest_image_answers(start: Start, tmp_path: Path, first: int, second: int, answers: int) -> None:
    chip = chip_with(tmp_path / "chip.bin", numbered(image(1), first), numbered(image(2), second))
    with start("uno-flash", FlashChip(chip, chip="w25q80")) as board:
        assert board.hello().model_crc == answers


def test_the_newest_sound_image_answers(start: Start, tmp_path: Path) -> None:
    """A damaged one is refused once, when it is checked; then the older one is asked."""
    damaged = bytearray(numbered(image(2), 9))
    damaged[7000] ^= 0x10
    chip = chip_with(tmp_path / "chip.bin", numbered(image(1), 3), bytes(damaged))
    with start("uno-flash", FlashChip(chip, chip="w25q80")) as board:
        assert board.hello().model_crc == 2
        assert board.fault_of_chat().status == Status.BAD_MODEL
        assert board.hello().model_crc == 1
        assert board.chat().type == Op.END


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"ULMS" + OLD[4:8] + (CHIP_BYTES).to_bytes(4, "little"), Status.BAD_MODEL),
        (b"ULMS" + OLD[4:8] + (513).to_bytes(4, "little"), Status.BAD_MODEL),
        (b"ULMS" + OLD[4:8] + bytes(4), Status.BAD_MODEL),
        (b"ULM" + b"\0", Status.NO_MODEL),
        (OLD[:16] + b"\2", Status.BAD_ABI),
    ],
)
def test_headers_that_cannot_be(start: Start, tmp_path: Path, head: bytes, status: Status) -> None:
    chip = chip_with(tmp_path / "chip.bin", head + OLD[len(head) :])
    with start("uno-flash", FlashChip(chip, chip="w25q80")) as board:
        assert board.hello().status is status
        assert board.fault_of_chat().status == status
        board.upload(image(3, 8))
        assert board.hello().model_crc == 3


def test_a_sector_that_does_not_take_bits(start: Start, tmp_path: Path) -> None:
    chip = chip_with(tmp_path / "chip.bin", numbered(OLD, 1))
    with start("uno-flash", FlashChip(chip, chip="w25q80")) as board:
        new = image(2)
        board.board.fault("write", (CHIP_BYTES // 2 + 4096) // 512)
        assert board.begin(new) == Ack(Status.OK, 0)
        board.send_image(new, 0, 4080)
        assert board.data(new, 4080) == Ack(Status.MEDIUM, Fault.PROTECTED)
        assert board.hello().model_crc == 1
        assert board.chat().type == Op.END


def test_a_chip_that_falls_silent_during_a_reply(start: Start, tmp_path: Path) -> None:
    chip = chip_with(tmp_path / "chip.bin", long_image(2, 160))
    with start("uno-flash", FlashChip(chip, chip="w25q80"), "real") as board:
        silent: list[float] = []

        def silence(frame: Frame) -> None:
            if frame.type == Op.TEXT and not silent:
                board.board.fault("silent")
                silent.append(board.seconds())

        answer = board.chat(each=silence)
        assert answer.payload[:2] == bytes((Status.MEDIUM, Fault.NO_CHIP))
        assert board.seconds() - silent[0] < 1
        board.board.fault(None)
        assert board.hello().status is Status.OK
