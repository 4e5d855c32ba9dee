"""Models sent over the serial line into the spare half of a chip, or the spare file of a card."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from host_sdk.sim.part import FlashChip, SdCard
from host_sdk.spec.protocol import Fault, Op, Status
from tests.offload.conftest import FILE_BLOCKS, OLD, Start, card_with, chip_with, part_with
from tests.offload.images import BLOCK, image, numbered
from tests.offload.talker import Ack, Talker

NEW = image(2, 30)
LINE_SHARE = 64 / 72  # of the line's bytes are data at best: payloads of 64 with a frame around them


def answers(board: Talker, crc: int) -> None:
    assert board.hello().model_crc == crc
    assert board.chat().type == Op.END


def test_the_last_upload_answers(talker: Talker) -> None:
    with talker as board:
        for seed in (2, 3, 4, 5):
            assert board.upload(image(seed, 9 * seed)) == 0
            answers(board, seed)
        counters = board.board.counters()
        assert (counters.spi_early, counters.spi_collisions, counters.dropped) == (0, 0, 0)


@pytest.mark.parametrize("latency", ["ideal", "cheap"])
def test_cards_quick_and_slow(start: Start, tmp_path: Path, latency: str) -> None:
    with start("lilypad-sd", SdCard(card_with(tmp_path / "card.img", numbered(OLD, 1)), latency=latency)) as board:
        board.upload(NEW)
        answers(board, 2)


def test_until_commit_the_old_model_answers(talker: Talker) -> None:
    with talker as board:
        assert board.begin(NEW) == (Status.OK, 0)
        answers(board, 1)
        board.send_image(NEW, 0, 5100)
        answers(board, 1)
        status, blocks = board.begin(NEW)  # a reply may have cost what was no whole block
        assert (status, blocks) == (Status.OK, 9)
        board.send_image(NEW, blocks * BLOCK)
        answers(board, 1)
        board.send_image(NEW, len(NEW) - 480)
        assert board.commit(NEW) == (Status.OK, 0)
        assert board.commit(NEW) == (Status.OK, 0)  # asked again: the answer was lost
        answers(board, 2)


def test_order(talker: Talker) -> None:
    with talker as board:
        assert board.data(NEW, 0).status == Status.BAD_ORDER
        assert board.commit(NEW).status == Status.BAD_ORDER
        board.begin(NEW)
        assert board.data(NEW, 60) == Ack(Status.BAD_ORDER, 0)
        assert board.data(NEW, 0) == Ack(Status.OK, 15)
        assert board.data(NEW, 0) == Ack(Status.OK, 15)
        assert board.data(NEW, 30) == Ack(Status.OK, 90 // 4)
        assert board.data(NEW, 120) == Ack(Status.BAD_ORDER, 90 // 4)
        board.send_image(NEW, 90)
        assert board.data(NEW, 600) == Ack(Status.OK, len(NEW) // 4 & 0xFFFF)
        assert board.commit(NEW) == (Status.OK, 0)
        answers(board, 2)


def test_another_upload_begins_anew(talker: Talker) -> None:
    with talker as board:
        board.begin(NEW)
        board.send_image(NEW, 0, 8400)
        assert board.begin(image(3)) == Ack(Status.OK, 0)
        assert board.begin(NEW) == Ack(Status.OK, 0)
        board.send_image(NEW, 0)
        assert board.commit(NEW) == (Status.OK, 0)
        answers(board, 2)


def test_forgetting(talker: Talker) -> None:
    """BEGIN with the length 0; models stay."""
    with talker as board:
        board.upload(NEW)
        board.begin(image(3))
        board.send_image(image(3), 0, 8400)
        assert board.begin(b"") == Ack(Status.OK, 0)
        assert board.data(image(3), 8400).status == Status.BAD_ORDER
        assert board.commit(image(3)).status == Status.BAD_ORDER
        answers(board, 2)


def test_an_image_that_is_not_sound_is_refused(talker: Talker) -> None:
    with talker as board:
        damaged = NEW[:9999] + bytes((NEW[9999] ^ 4,)) + NEW[10000:]
        board.begin(damaged)
        board.send_image(damaged, 0)
        assert board.commit(damaged).status == Status.BAD_CRC
        assert board.commit(damaged).status == Status.BAD_ORDER
        answers(board, 1)
        for foreign in (b"UL\3\0" + NEW[4:], NEW[:16] + b"\2" + NEW[17:], NEW[:8] + b"\0\2\0\0" + NEW[12:]):
            board.begin(foreign)
            assert board.data(foreign, 0) == Ack(Status.BAD_ABI, 0)
        answers(board, 1)


def test_bad_requests(talker: Talker) -> None:
    with talker as board:
        assert board.command(Op.BEGIN, bytes(8)).status == Status.BAD_LENGTH
        assert board.command(Op.DATA, bytes(3)).status == Status.BAD_LENGTH
        assert board.command(Op.BEGIN, struct.pack("<BII", 1, 512, 0)).status == Status.UNSUPPORTED
        assert board.command(Op.BEGIN, struct.pack("<BII", 0, 513, 0)).status == Status.BAD_LENGTH
        assert board.command(Op.BEGIN, struct.pack("<BII", 0, 1 << 30, 0)).status == Status.TOO_LARGE
        answers(board, 1)


def test_the_largest_image(medium: str, start: Start, tmp_path: Path) -> None:
    """A slot but for the upload's record."""
    room = FILE_BLOCKS - 1 if medium == "sd" else (512 - 4) * 2
    with start(f"uno-{medium}", part_with(medium, tmp_path, numbered(OLD, 1))) as board:
        assert board.begin(image(3, room + 1)).status == Status.TOO_LARGE
        assert struct.unpack_from("<I", board.ask(Op.INFO).payload, 5)[0] == room * BLOCK
        if medium == "sd":
            board.upload(image(3, room))
            answers(board, 3)


def test_a_single_file_cannot_be_replaced(start: Start, tmp_path: Path) -> None:
    from tests.offload.cards import Card

    card = Card(tmp_path / "card.img").add("MODEL.ULB", OLD)
    with start("uno-sd", SdCard(card.path)) as board:
        assert board.begin(NEW) == Ack(Status.UNSUPPORTED, 1)
        answers(board, 1)


def test_pulled_out_during_an_upload(start: Start, tmp_path: Path) -> None:
    card = card_with(tmp_path / "card.img", numbered(OLD, 1))
    with start("uno-sd", SdCard(card)) as board:
        board.begin(NEW)
        board.send_image(NEW, 0, 9000)
        board.board.remove_card()
        assert board.data(NEW, 9000) == Ack(Status.MEDIUM, Fault.NO_CARD)
        board.board.insert_card(card)
        status, blocks = board.begin(NEW)
        assert (status, blocks) == (Status.OK, 17)  # the board was not reset
        board.send_image(NEW, blocks * BLOCK)
        assert board.commit(NEW) == (Status.OK, 0)
        answers(board, 2)


def test_another_card_in_the_middle_of_an_upload(start: Start, tmp_path: Path) -> None:
    """Its files lie elsewhere, and stay as they are."""
    cards = [card_with(tmp_path / name, numbered(OLD, 1), bits=bits) for name, bits in (("a.img", 16), ("b.img", 32))]
    before = cards[1].read_bytes()
    with start("uno-sd", SdCard(cards[0])) as board:
        board.begin(NEW)
        board.send_image(NEW, 0, 9000)
        board.board.remove_card()
        board.board.insert_card(cards[1])
        assert board.data(NEW, 9000) == Ack(Status.MEDIUM, Fault.WRITE)
        assert board.data(NEW, 9000).status == Status.BAD_ORDER
        answers(board, 1)
        assert cards[1].read_bytes() == before


def test_a_block_that_cannot_be_written(start: Start, tmp_path: Path) -> None:
    card = card_with(tmp_path / "card.img", numbered(OLD, 1), numbered(image(7, 8), 0))
    spare = card.read_bytes().index(numbered(image(7, 8), 0)) // BLOCK
    with start("uno-sd", SdCard(card)) as board:
        board.board.fault("write", spare + 4)
        board.begin(NEW)
        board.send_image(NEW, 0, 2520)
        assert board.data(NEW, 2520) == Ack(Status.MEDIUM, Fault.WRITE)
        answers(board, 1)


def test_erasing_and_checking_tell_how_far_they_are(start: Start, tmp_path: Path) -> None:
    chip = FlashChip(chip_with(tmp_path / "chip.bin", numbered(OLD, 1)), chip="w25q80", latency="slow")
    new = image(2, 600)
    with start("uno-flash", chip) as board:
        assert board.begin(new) == (Status.OK, 0)
        seen = board.progress.copy()
        assert len(seen) > 10  # four a second, for 11 sectors: 5 large ones
        assert {(layer, total) for layer, _, total in seen} == {(0, len(new))}
        assert sorted(done for _, done, _ in seen) == [done for _, done, _ in seen]
        assert seen[-1][1] > len(new) // 2
        board.progress.clear()
        board.send_image(new, 0)
        board.progress.clear()
        assert board.commit(new) == (Status.OK, 0)
        assert [(layer, total) for layer, _, total in board.progress] == [(0, len(new))]


def test_most_of_the_line_is_used(start: Start, tmp_path: Path) -> None:
    """Of what frames of 64 bytes can carry; erasing and the check are included. A busy computer gets three tries."""
    rates = []
    for attempt in range(3):
        chip = FlashChip(chip_with(tmp_path / "chip.bin", numbered(OLD, 1)), chip="w25q80")
        with start("uno-flash", chip, "warp") as board:
            before = board.seconds()
            board.upload(image(2 + 2 * attempt, 600))
            rates.append(600 * BLOCK / (board.seconds() - before))
        if rates[-1] > 0.8 * 11520 * LINE_SHARE:
            return
    pytest.fail(f"{rates} bytes a second")
