"""What happens while nothing is said: the part rests, without supply; and how soon a reply ends that is stopped."""

from __future__ import annotations

import time
from pathlib import Path

from host_sdk.link.frame import Frame
from host_sdk.sim.part import SdCard
from host_sdk.spec.protocol import Op, Status
from tests.offload.conftest import FILE_BLOCKS, OLD, Start, card_with, part_with
from tests.offload.images import long_image, numbered
from tests.offload.talker import Talker


def test_without_questions_the_part_has_no_supply(talker: Talker) -> None:
    with talker as board:
        assert board.chat().type == Op.END
        before = board.seconds()
        while board.seconds() - before < 3:
            time.sleep(0.01)
        resting = board.board.counters()
        assert board.board.pin("D8").high
        states = [board.board.pin(pin).state for pin in ("D10", "D11", "D13")]
        assert states == ["input", "low", "low"]
        assert resting.part_backfed == 0
        while board.seconds() - before < 6:
            time.sleep(0.01)
        later = board.board.counters()
        assert later.part_powered == resting.part_powered
        assert board.chat().type == Op.END


def test_between_two_questions_it_is_not_initialised_again(start: Start, tmp_path: Path) -> None:
    card = card_with(tmp_path / "card.img", numbered(OLD, 1))
    with start("uno-sd", SdCard(card, latency="typical")) as board:
        board.chat()
        before = board.board.counters()
        board.chat()
        board.chat()
        assert board.board.pin("D8").state == "low"
        assert board.board.counters().part_ignored == before.part_ignored


def test_power_down_takes_the_supply(talker: Talker) -> None:
    with talker as board:
        assert board.chat().type == Op.END
        assert board.command(Op.SLEEP).status == Status.OK
        time.sleep(0.05)
        assert board.board.pin("D8").high
        board._port.write(b"\xff")
        time.sleep(0.05)
        assert board.hello().status is Status.OK


def test_stop(medium: str, start: Start, tmp_path: Path) -> None:
    """Within 200 ms of the board's time; PROGRESS comes a few times a second meanwhile."""
    slow = numbered(long_image(2, FILE_BLOCKS), 1)
    with start(f"uno-{medium}", part_with(medium, tmp_path, slow), "real") as board:
        for after in (Op.PROGRESS, Op.TEXT):
            sent: list[float] = []

            def stop(frame: Frame, after: Op = after, sent: list[float] = sent) -> None:
                if frame.type == after and not sent:
                    sent.append(board.seconds())
                    board.send(Op.STOP)

            end = board.chat(each=stop)
            assert sent
            assert (end.type, end.payload[0]) == (Op.END, Status.STOPPED)
            assert board.seconds() - sent[0] < 0.2
        assert board.command(Op.STOP).status == Status.OK
        assert board.chat().payload[0] == Status.OK
