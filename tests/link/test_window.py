"""Uploads with several requests on the way, a board's own work before and after, and what is wrong with its medium."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from host_sdk.errors import BoardError, LinkError
from host_sdk.link import messages
from host_sdk.link.frame import Frame
from host_sdk.link.pace import Pace
from host_sdk.link.session import ANSWER_TIMEOUT_S, BEGIN_UNIT, TRIES, Progress
from host_sdk.spec.protocol import Fault, HelloFlag, Op, Status
from tests.link.fake import FAULTS, Board, Clock
from tests.link.test_session import Rig, few_faults

many_faults = st.dictionaries(st.integers(1, 60), st.sampled_from(FAULTS), max_size=8)


def rig_with_window(board: Board | None = None) -> Rig:
    rig = Rig(board)
    rig.board.flags |= HelloFlag.WINDOW | HelloFlag.CLEAN
    assert rig.session.hello() is not None
    return rig


def sent(rig: Rig, data: bytes) -> list[tuple[int, int]]:
    """Upload, and what `progress` was told."""
    seen: list[tuple[int, int]] = []
    rig.session.upload(0, data, zlib.crc32(data), "name", lambda done, total: seen.append((done, total)))
    return seen


def positions(rig: Rig) -> list[int]:
    return [int.from_bytes(frame.payload[:4], "little") for frame in rig.board.heard if frame.type == Op.DATA]


def test_every_byte_goes_once_on_a_good_line() -> None:
    rig, data = rig_with_window(), random.Random(1).randbytes(5000)
    seen = sent(rig, data)
    assert rig.board.stored == data
    assert positions(rig) == list(range(0, 5000, 60))
    assert seen == [(0, 5000), *((min(at, 5000), 5000) for at in range(60, 5060, 60))]


def test_two_requests_are_on_the_way() -> None:
    rig = rig_with_window()
    rig.line.latency_s = 0.1
    start = rig.clock.now
    sent(rig, bytes(60 * 20))
    assert rig.clock.now - start == pytest.approx(0.1 * (20 / 2 + 2), abs=0.15)  # and BEGIN and COMMIT


@given(size=st.integers(0, 1500), to_board=many_faults, to_host=many_faults)
def test_a_bad_line(size: int, to_board: dict[int, str], to_host: dict[int, str]) -> None:
    """Each fault costs one of the tries at most, and bytes that are there never spoil."""
    rig, data = rig_with_window(), random.Random(size).randbytes(size)
    rig.line.to_board, rig.line.to_host = to_board, to_host
    try:
        sent(rig, data)
    except LinkError:
        assume(len(to_board) + len(to_host) >= TRIES)
        rig.line.to_board, rig.line.to_host = {}, {}
        sent(rig, data)
    assert rig.board.stored == data


@given(few_faults, few_faults)
def test_few_faults_are_no_error(to_board: dict[int, str], to_host: dict[int, str]) -> None:
    assume(len(to_board) + len(to_host) < TRIES)
    rig, data = rig_with_window(), random.Random(9).randbytes(900)
    rig.line.to_board = {number + 1: fault for number, fault in to_board.items()}
    rig.line.to_host = {number + 1: fault for number, fault in to_host.items()}
    sent(rig, data)
    assert rig.board.stored == data


def test_a_cut_upload_resumes() -> None:
    rig, data = rig_with_window(), random.Random(2).randbytes(2000)
    rig.line.to_host = dict.fromkeys(range(20, 200), "lost")
    start = rig.clock.now
    with pytest.raises(LinkError, match=r"stopped answering \(DATA"):
        sent(rig, data)
    assert rig.clock.now - start < (TRIES + 1) * ANSWER_TIMEOUT_S
    rig.line.to_host = {}
    kept = len(rig.board.stored) // BEGIN_UNIT * BEGIN_UNIT
    rig.board.heard.clear()
    assert sent(rig, data)[0] == (kept, 2000)
    assert positions(rig)[0] == kept > 0


def test_a_board_that_forgot_the_upload() -> None:
    """It was reset: its refusals are no lost requests."""
    rig = rig_with_window()
    rig.board.refusals[Op.DATA] = Status.BAD_ORDER, 0
    with pytest.raises(BoardError, match="missed a part"):
        sent(rig, bytes(500))
    assert len(positions(rig)) <= 2 * TRIES


def test_a_refusal_ends_the_upload_at_once() -> None:
    rig = rig_with_window()
    rig.board.refusals[Op.DATA] = Status.MEDIUM, Fault.WRITE
    with pytest.raises(BoardError, match="could not be written; the old model stays"):
        sent(rig, bytes(500))
    assert len(positions(rig)) <= 2


def test_a_board_is_busy_before_and_behind() -> None:
    rig, told = rig_with_window(), list[tuple[int, int]]()
    answer = rig.board._answer
    work = [(Op.PROGRESS, struct.pack("<BII", 0, done, 100)) for done in (10, 90)]

    def slowly(frame: Frame) -> list[tuple[int, bytes]]:
        return (work if frame.type in (Op.BEGIN, Op.COMMIT) else []) + answer(frame)

    rig.board._answer = slowly  # type: ignore[method-assign]
    rig.session.upload(
        0, b"data" * 40, 1, "name", lambda done, total: None, lambda done, total: told.append((done, total))
    )
    assert told == [(10, 100), (90, 100)] * 2


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_sentence(fault: Fault) -> None:
    text = str(messages.refusal(Status.MEDIUM, fault))
    assert text.endswith(".")
    assert "{" not in text
    assert text != str(messages.refusal(Status.MEDIUM))


def test_an_unknown_fault_is_still_one_of_the_medium() -> None:
    assert "disk, card or memory chip" in str(messages.refusal(Status.MEDIUM, 99))


def test_one_place_for_a_model() -> None:
    assert "two files of equal size" in str(messages.refusal(Status.UNSUPPORTED, messages.NO_SECOND_PLACE))


def test_hello_names_the_fault() -> None:
    rig = Rig()
    rig.board.status = Status.MEDIUM
    hello = rig.board._hello
    rig.board._hello = lambda: hello() + bytes([Fault.NO_CARD])  # type: ignore[method-assign]
    said = rig.session.hello()
    assert said is not None
    assert (said.model_status, said.fault, said.model) == (Status.MEDIUM, Fault.NO_CARD, "")


def test_the_time_left_comes_from_the_measured_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(), Pace()
    monkeypatch.setattr("host_sdk.link.pace.time", clock)
    assert pace.see(Progress(1, 100, 1000)).seconds_left is None
    clock.now += 0.5
    assert pace.see(Progress(1, 300, 1000)).seconds_left == pytest.approx(700 / 400)
    pace.say(1)  # a pass is over, and the next one has begun
    clock.now += 2.0
    assert pace.see(Progress(1, 100, 1000)).seconds_left == pytest.approx(900 / 400)  # 700 and 100 in two seconds
    pace.begin()  # nothing is known of the time between two replies
    clock.now += 9
    assert pace.see(Progress(1, 200, 1000)).seconds_left == pytest.approx(800 / 400)
    clock.now += 0.25
    thought = pace.see(Progress(2, 400, 1000))
    assert (thought.layer, thought.done, thought.total) == (2, 400, 1000)
    assert thought.seconds_left == pytest.approx(600 / 600)  # half of 400 and half of 800 a second
