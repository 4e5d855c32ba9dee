"""Cards that are missing, foreign, damaged, dying, or pulled out: one clear status, and no hang."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.link.frame import Frame
from host_sdk.sim.part import SdCard
from host_sdk.spec.protocol import Fault, Op, Status
from tests.offload.cards import BLOCK, Card, fragmented
from tests.offload.conftest import OLD, Start
from tests.offload.images import image, long_image
from tests.offload.talker import Ack, Talker
from tests.offload.test_fat import exfat_volume

CRC = int.from_bytes(OLD[20:24], "little")
FOREIGN = b"UL\3\0" + OLD[4:]
TRUNCATED = OLD[: len(OLD) // 2]
DAMAGED = OLD[:9000] + bytes((OLD[9000] ^ 1,)) + OLD[9001:]


def with_file(name: str, data: bytes) -> Callable[[Path], Path]:
    return lambda path: Card(path).add(name, data).path


def raw(data: bytes) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(data)
        return path

    return make


def fat12(path: Path) -> Path:
    path.write_bytes(bytes(1 << 20))
    subprocess.run(["mkfs.fat", "-F", "12", str(path)], check=True, capture_output=True)
    return path


@pytest.mark.parametrize(
    ("make", "status", "fault"),
    [
        (None, Status.MEDIUM, Fault.NO_CARD),
        (raw(bytes(64 * BLOCK)), Status.MEDIUM, Fault.NOT_FAT),
        (raw(bytes(range(256)) * 128), Status.MEDIUM, Fault.NOT_FAT),
        (fat12, Status.MEDIUM, Fault.NOT_FAT),
        (raw(exfat_volume()), Status.MEDIUM, Fault.EXFAT),
        (lambda path: fragmented(path, "MODEL.ULB", OLD), Status.MEDIUM, Fault.FRAGMENTED),
        (with_file("MODEL.TXT", OLD), Status.MEDIUM, Fault.NO_FILE),
        (with_file("MODEL.ULB", FOREIGN), Status.BAD_ABI, 0),
        (with_file("MODEL.ULB", TRUNCATED), Status.BAD_MODEL, 0),
        (with_file("ULM-A.ULB", bytes(BLOCK)), Status.BAD_ABI, 0),
        (lambda path: Card(path).add("ULM-A.ULB", bytes(BLOCK)).add("ULM-B.ULB", b"x").path, Status.NO_MODEL, 0),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
@pytest.mark.parametrize("latency", ["ideal", "cheap"])
def test_cards_without_a_model(
    start: Start, tmp_path: Path, make: Callable[[Path], Path] | None, status: Status, fault: int, latency: str
) -> None:
    with start("uno-sd", SdCard(make and make(tmp_path / "card.img"), latency=latency)) as board:
        for _ in range(2):  # the second time nothing is new to the board
            hello = board.hello()
            assert (hello.status, hello.fault) == (status, fault)
            assert board.fault_of_chat()[0] == status
            if fault:
                assert board.fault_of_chat() == Ack(status, fault)


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("kind", ["sdhc", "sdsc", "sd1"])
def test_cards_of_all_kinds(start: Start, tmp_path: Path, kind: str, bits: int) -> None:
    card = Card(tmp_path / "card.img", bits, partition=kind == "sdhc").add("A.TXT", b"a" * 3000).add("MODEL.ULB", OLD)
    with start("uno-sd", SdCard(card.path, kind=kind)) as board:
        assert board.hello().model_crc == CRC
        assert board.chat().type == Op.END
        counters = board.board.counters()
        assert (counters.spi_early, counters.spi_collisions) == (0, 0)


def test_a_raw_image(start: Start, tmp_path: Path) -> None:
    with start("uno-sd", SdCard(raw(OLD)(tmp_path / "card.img"))) as board:
        assert board.hello().model_crc == CRC
        assert board.chat().type == Op.END
        assert board.begin(image(9)) == Ack(Status.UNSUPPORTED, 1)
        assert board.chat().type == Op.END


def test_a_raw_image_that_the_card_cuts_off(start: Start, tmp_path: Path) -> None:
    with start("uno-sd", SdCard(raw(TRUNCATED)(tmp_path / "card.img"))) as board:
        assert board.fault_of_chat() == Ack(Status.MEDIUM, Fault.READ)


def test_a_damaged_image(start: Start, tmp_path: Path) -> None:
    """The whole image is read before the first reply."""
    with start("uno-sd", SdCard(with_file("MODEL.ULB", DAMAGED)(tmp_path / "card.img"))) as board:
        assert board.hello().status is Status.OK
        assert board.fault_of_chat().status == Status.BAD_MODEL
        assert board.hello().status is Status.BAD_MODEL


@pytest.fixture
def usual(start: Start, tmp_path: Path) -> Talker:
    return start("uno-sd", SdCard(with_file("MODEL.ULB", OLD)(tmp_path / "card.img")))


def block_of(path: Path, offset: int) -> int:
    return path.read_bytes().index(OLD[:64]) // BLOCK + offset // BLOCK


def test_no_answer(usual: Talker) -> None:
    with usual as board:
        assert board.hello().status is Status.OK
        board.board.fault("silent")
        assert board.fault_of_chat() == Ack(Status.MEDIUM, Fault.NO_CARD)
        board.board.fault(None)
        assert board.chat().type == Op.END


def test_busy_for_ever(usual: Talker) -> None:
    with usual as board:
        assert board.hello().status is Status.OK
        board.board.fault("busy")
        before = board.seconds()
        assert board.fault_of_chat() == Ack(Status.MEDIUM, Fault.CARD_SILENT)
        assert board.hello().fault == Fault.CARD_SILENT
        assert board.seconds() - before < 4
        board.board.fault(None)
        assert board.chat().type == Op.END


@pytest.mark.parametrize("checked", [False, True])
def test_a_block_that_cannot_be_read(usual: Talker, tmp_path: Path, checked: bool) -> None:
    with usual as board:
        if checked:
            assert board.chat().type == Op.END
        in_a_pass = int.from_bytes(OLD[48:52], "little")
        board.board.fault("read", block_of(tmp_path / "card.img", in_a_pass))
        assert board.fault_of_chat() == Ack(Status.MEDIUM, Fault.READ)
        board.board.fault(None)
        assert board.chat().type == Op.END


def test_a_bit_that_falls_over(usual: Talker, tmp_path: Path) -> None:
    with usual as board:
        assert board.hello().status is Status.OK
        board.board.fault("flip", block_of(tmp_path / "card.img", 9000))
        assert board.fault_of_chat().status == Status.BAD_MODEL


def test_pulled_out_during_a_reply(start: Start, tmp_path: Path) -> None:
    card = with_file("MODEL.ULB", long_image(2, 160))(tmp_path / "card.img")
    with start("uno-sd", SdCard(card), "real") as board:
        pulled: list[float] = []

        def pull(frame: Frame) -> None:
            if frame.type == Op.TEXT and not pulled:
                board.board.remove_card()
                pulled.append(board.seconds())

        answer = board.chat(each=pull)
        assert answer.type == Op.ACK
        assert answer.payload[:2] == bytes((Status.MEDIUM, Fault.CARD_SILENT))
        assert board.seconds() - pulled[0] < 1
        assert board.hello().fault == Fault.NO_CARD
        board.board.insert_card(card)
        assert board.hello().status is Status.OK


def test_another_card(usual: Talker, tmp_path: Path) -> None:
    other = with_file("OTHER.ULB", image(2))(tmp_path / "other.img")
    with usual as board:
        assert board.chat().type == Op.END
        board.board.remove_card()
        board.board.insert_card(other)
        assert board.hello().model_crc == int.from_bytes(image(2)[20:24], "little")
        assert board.chat().type == Op.END


def test_a_slow_card_answers_all_the_same(start: Start, tmp_path: Path) -> None:
    card = with_file("MODEL.ULB", OLD)(tmp_path / "card.img")
    for seed in range(3):
        with start("lilypad-sd", SdCard(card, latency="cheap", seed=seed)) as board:
            assert board.chat().type == Op.END
