"""Sessions with a board in memory, over lines that lose, damage, double and delay frames."""

from __future__ import annotations

import random
import zlib
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from host_sdk.conformance import Vector, VerifyResult, prove
from host_sdk.errors import BoardError, LinkError
from host_sdk.link.frame import Decoder, Frame
from host_sdk.link.messages import End
from host_sdk.link.session import ANSWER_TIMEOUT_S, BEGIN_UNIT, HELLO_TIMEOUT_S, TRIES, Outputs, Progress, Text
from host_sdk.spec.protocol import REVISION, SEQ_FIRST, SEQ_LAST, HelloFlag, Op, Status
from tests.link.fake import FAULTS, Board
from tests.link.rig import Rig

few_faults = st.dictionaries(st.integers(0, 8), st.sampled_from(FAULTS), max_size=TRIES - 1)
many_faults = st.dictionaries(st.integers(1, 400), st.sampled_from(FAULTS))


# Greeting


def test_hello_tells_who_answers() -> None:
    hello = Rig().session.hello()
    assert hello is not None
    assert (hello.board, hello.model, hello.model_crc, hello.max_query) == ("fake", "parrot", 0xC0FFEE, 127)
    assert (hello.clock_hz, hello.build, hello.spec_sum) == (16_000_000, 7, 9)


def test_hello_without_a_model() -> None:
    rig = Rig()
    rig.board.status = Status.NO_MODEL
    hello = rig.session.hello()
    assert hello is not None
    assert (hello.model, hello.model_crc, hello.max_query, hello.model_status) == ("", None, 0, Status.NO_MODEL)


def test_nobody_answers_hello_in_time() -> None:
    rig = Rig()
    rig.board.deaf = True
    start = rig.clock.now
    assert rig.session.hello() is None
    assert rig.clock.now - start == pytest.approx(HELLO_TIMEOUT_S, abs=0.1)
    assert 5 < rig.line.writes < 50  # every third HELLO goes out byte by byte


@given(to_board=few_faults, to_host=few_faults)
def test_hello_on_a_bad_line(to_board: dict[int, str], to_host: dict[int, str]) -> None:
    assume([*to_board.values(), *to_host.values()].count("late") <= 1)
    rig = Rig()
    rig.line.to_board, rig.line.to_host = to_board, to_host
    hello = rig.session.hello()
    assert hello is not None
    assert hello.board == "fake"


def test_hello_on_a_slow_line() -> None:
    """The answer comes when the question was asked again already."""
    rig = Rig()
    rig.line.latency_s = 0.7
    assert rig.session.hello() is not None
    assert rig.text() == "HELLO"
    assert rig.board.runs == [b"hi"]


@pytest.mark.parametrize("ending", [b"", b"~", b"~H", b"~}", b"~|"], ids=["as is", "flag", "open", "escape", "prefix"])
def test_64_kb_of_noise_before_hello(ending: bytes) -> None:
    rig = Rig()
    rig.line.inject(random.Random(5).randbytes(65536) + ending)
    hello = rig.session.hello(timeout_s=10)
    assert hello is not None
    assert rig.text() == "HELLO"


@pytest.mark.parametrize(
    ("revision", "advice"), [(REVISION + 1, "update host_sdk"), (0, "update the board's runtime with `ulm flash`")]
)
def test_another_revision_says_what_to_update(revision: int, advice: str) -> None:
    rig = Rig()
    rig.board.revision = revision
    with pytest.raises(BoardError) as caught:
        rig.session.hello()
    text = str(caught.value)
    assert f"protocol revision {revision}, this program revision {REVISION}" in text
    assert text.endswith(f"{advice}.")


def test_a_newer_revision_with_another_layout_is_still_named() -> None:
    rig = Rig()
    rig.board.revision = 9
    rig.board._hello = lambda: bytes([9, 1, 2])  # type: ignore[method-assign]
    with pytest.raises(BoardError, match="revision 9"):
        rig.session.hello()


def test_seven_bit_lines_are_spoken_to_in_seven_bits() -> None:
    rig = Rig()
    rig.board.flags |= HelloFlag.SEVEN_BIT
    rig.session.hello()
    sent: list[bytes] = []
    rig.line.on_write = sent.append
    assert rig.text("hï~".encode("latin-1")) == "HELLO"
    assert rig.board.runs == ["hï~".encode("latin-1")]
    assert max(max(data) for data in sent) < 0x80


def test_the_first_hello_is_in_seven_bits() -> None:
    """Nobody knows yet whether the line keeps bit 7."""
    rig = Rig()
    sent: list[bytes] = []
    rig.line.on_write = sent.append
    rig.session.hello()
    assert max(max(data) for data in sent) < 0x80


@pytest.mark.parametrize("slow", [False, True])
def test_a_board_that_hears_only_slow_bytes_is_spoken_to_slowly(slow: bool) -> None:
    rig = Rig()
    rig.line.gap_s = 0.005 if slow else 0.0
    assert rig.session.hello(10) is not None
    sent: list[bytes] = []
    rig.line.on_write = sent.append
    assert rig.text() == "HELLO"
    assert (max(map(len, sent)) == 1) == slow


def test_a_board_that_was_only_late_is_not_spoken_to_slowly() -> None:
    """It is deaf for the first two HELLOs, and the third one is the slow one."""
    rig = Rig()
    rig.board.deaf = True

    def wake(data: bytes) -> None:
        rig.board.deaf = len(data) > 1 and rig.line.writes < 4

    rig.line.on_write = wake
    assert rig.session.hello() is not None
    assert rig.session._gap_s == 0


def test_stop_is_the_answer_to_every_frame_of_a_half_duplex_board() -> None:
    rig = Rig()
    rig.board.flags |= HelloFlag.HALF_DUPLEX
    rig.session.hello()
    events = rig.session.chat(b"hi")
    next(events)
    rig.session.stop()
    list(events)
    assert [frame.type for frame in rig.board.heard].count(Op.STOP) == len("HELLO")
    list(rig.session.chat(b"again"))  # and it is over then
    assert [frame.type for frame in rig.board.heard].count(Op.STOP) == len("HELLO")


def test_progress_keeps_a_command_waiting() -> None:
    rig = Rig()
    rig.line.latency_s = 0.9
    progress = (Op.PROGRESS, bytes(9))
    rig.board._answer = lambda frame: [progress, progress, (Op.ACK, bytes(3))]  # type: ignore[method-assign]
    rig.session.load("x")
    assert [frame.type for frame in rig.board.heard] == [Op.LOAD]


def test_unknown_flags_and_a_longer_hello_are_no_error() -> None:
    rig = Rig()
    rig.board.flags |= HelloFlag(0x40)
    assert rig.session.hello() is not None


# Requests


@given(to_board=few_faults, to_host=few_faults)
def test_info_on_a_bad_line(to_board: dict[int, str], to_host: dict[int, str]) -> None:
    assume(len(to_board) + len(to_host) < TRIES)
    rig = Rig()
    rig.line.to_board, rig.line.to_host = to_board, to_host
    info = rig.session.info()
    assert (info.model_bytes, info.sram_bytes, info.uptime_s) == (24407, 1648, 7)


def test_silence_ends_in_an_error_in_time() -> None:
    rig = Rig()
    rig.board.deaf = True
    start = rig.clock.now
    with pytest.raises(LinkError, match=r"stopped answering \(INFO, 4 tries\)"):
        rig.session.info()
    assert rig.clock.now - start == pytest.approx(TRIES * ANSWER_TIMEOUT_S, abs=0.1)
    assert len({frame.seq for frame in rig.board.heard}) == 1


def test_an_unknown_status_is_shown_by_number() -> None:
    rig = Rig()
    rig.board.refusals[Op.LOAD] = 29, 0
    with pytest.raises(BoardError, match="status 29"):
        rig.session.load("other")


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.OK, Status.STOPPED)])
def test_every_status_has_a_sentence(status: Status) -> None:
    rig = Rig()
    rig.board.refusals[Op.CHAT] = status, 77
    with pytest.raises(BoardError) as caught:
        rig.text()
    text = str(caught.value)
    assert "{" not in text
    assert "status" not in text
    assert text.endswith(".")


def test_a_short_message_names_the_lengths() -> None:
    rig = Rig()
    rig.board._answer = lambda frame: [(Op.IS_INFO, b"123")]  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="3 bytes where 25 are due"):
        rig.session.info()


def test_frames_of_old_requests_and_unknown_types_are_ignored() -> None:
    rig = Rig()
    rig.session.hello()
    old = SEQ_LAST
    rig.board.extra = [
        Frame(Op.IS_INFO, old, b"x"),
        Frame(Op.ACK, old, b"\x0c\0\0"),
        Frame(Op.TEXT, old, b"\0WRONG"),
        Frame(Op.END, old, bytes(22)),
        Frame(ord("z"), old, b"?"),
        Frame(ord("z"), SEQ_FIRST + 1, b"of the future"),
        Frame(ord("z"), SEQ_FIRST + 2, b"of the future"),
    ]
    assert rig.session.info().uptime_s == 7
    assert rig.text() == "HELLO"


def test_sequence_numbers_stay_printable() -> None:
    rig = Rig()
    for _ in range(70):
        rig.session.info()
    seqs = [frame.seq for frame in rig.board.heard]
    assert min(seqs) == SEQ_FIRST
    assert max(seqs) == SEQ_LAST
    assert all(a != b for a, b in pairwise(seqs))


@pytest.mark.parametrize("between", [*range(60, 68), 127, 128])
def test_another_question_is_never_answered_from_memory(between: int) -> None:
    """Sequence numbers come round after 64 requests; a board takes an equal one for a repetition."""
    rig = Rig()
    rig.session.hello()
    rig.text(b"first")
    for _ in range(between):
        rig.session.info()
    rig.text(b"second")
    assert rig.board.runs == [b"first", b"second"]


def test_a_cut_cable_is_a_link_error() -> None:
    rig = Rig()
    rig.line.cut = True
    with pytest.raises(LinkError, match="went away while sending"):
        rig.session.info()


# Chat


@given(to_board=few_faults, to_host=few_faults, pieces=st.integers(1, 5))
@settings(max_examples=300)
def test_a_reply_on_a_bad_line_is_whole_and_made_once(
    to_board: dict[int, str], to_host: dict[int, str], pieces: int
) -> None:
    assume(len(to_board) + len(to_host) < TRIES)
    rig = Rig()
    rig.board.pieces = pieces
    rig.session.hello()
    rig.line.to_board = {number + 1: fault for number, fault in to_board.items()}
    rig.line.to_host = {number + 1: fault for number, fault in to_host.items()}
    assert rig.text(b"hi") == "HELLO"
    assert rig.board.runs == [b"hi"]
    rig.board.reply = "AGAIN"
    assert rig.text(b"ho") == "AGAIN"
    assert rig.board.runs == [b"hi", b"ho"]


@given(to_board=many_faults, to_host=many_faults)
def test_on_the_worst_line_a_reply_is_right_or_an_error(to_board: dict[int, str], to_host: dict[int, str]) -> None:
    rig = Rig()
    rig.session.hello()
    rig.line.to_board, rig.line.to_host = to_board, to_host
    for number in range(10):
        rig.board.reply = f"REPLY {number}"
        with suppress(LinkError):
            assert rig.text(bytes([number + 65])) == rig.board.reply
    assert len(rig.board.runs) == len(set(rig.board.runs))


def test_events_of_a_reply() -> None:
    rig = Rig(Board("HEY", passes=((1, -2, 300), (4, 5, -32768))))
    rig.board.progress = [(1, 512, 4096), (2, 4096, 4096)]
    *events, end = rig.session.chat(b"hi", verify=True)
    assert [e for e in events if isinstance(e, Progress)] == [Progress(1, 512, 4096), Progress(2, 4096, 4096)]
    assert [e for e in events if isinstance(e, Text)] == [Text(0, "H"), Text(1, "E"), Text(2, "Y")]
    outputs = [e for e in events if isinstance(e, Outputs)]
    assert [(o.number, o.first, o.values.tolist()) for o in outputs] == [(0, 0, [1, -2, 300]), (1, 0, [4, 5, -32768])]
    assert isinstance(end, End)
    assert (end.chars, end.digest, end.passes, end.query_cycles, end.max_cycles) == (3, 0xBEEF, 2, 10, 40)


@pytest.mark.parametrize("lost", range(1, 6))
def test_a_gap_in_a_reply_is_repaired(lost: int) -> None:
    rig = Rig()
    rig.session.hello()
    rig.line.to_host = {lost: "lost"}
    pieces = [e for e in rig.session.chat(b"hi") if isinstance(e, Text)]
    assert "".join(e.text for e in pieces) == "HELLO"
    assert [e.index for e in pieces] == sorted({e.index for e in pieces})
    assert rig.board.runs == [b"hi"]


@pytest.mark.parametrize("length", [0, 1, 61, 62, 63, 64, 124, 125, 127])
def test_long_queries_travel_in_parts(length: int) -> None:
    query = bytes(65 + i % 26 for i in range(length))
    for fault in (None, *FAULTS):
        for number in range(1, 4):
            rig = Rig()
            rig.session.hello()
            if fault:
                rig.line.to_board = {number: fault}
            assert rig.text(query) == "HELLO"
            assert rig.board.runs == [query]
            assert all(len(frame.payload) <= 64 for frame in rig.board.heard)


def test_a_query_above_the_limit_is_refused_with_the_limit() -> None:
    rig = Rig()
    rig.session.hello()
    with pytest.raises(BoardError, match="longer than the 127 characters"):
        rig.text(b"x" * 128)
    assert rig.board.runs == []


def test_silence_in_a_reply_ends_in_an_error_in_time() -> None:
    rig = Rig()
    rig.session.hello()
    rig.line.to_host = dict.fromkeys(range(4, 200), "lost")
    start = rig.clock.now
    heard: list[object] = []
    with pytest.raises(LinkError, match="fell silent"):
        heard.extend(rig.session.chat(b"hi"))
    assert heard == [Text(0, "H"), Text(1, "E"), Text(2, "L")]
    assert rig.clock.now - start == pytest.approx(TRIES * ANSWER_TIMEOUT_S, abs=0.1)


def test_a_line_that_always_loses_the_same_is_given_up() -> None:
    rig = Rig()
    rig.session.hello()
    rig.board.pieces = 9
    rig.line.to_host = dict.fromkeys(range(1, 200, 2), "lost")
    with pytest.raises(LinkError, match="loses characters"):
        rig.text()


def test_a_cable_cut_in_mid_reply() -> None:
    rig = Rig()
    rig.session.hello()
    rig.line.to_host = {2: "late"}
    events = rig.session.chat(b"hi")
    assert next(events) == Text(0, "H")
    rig.line.cut = True
    with pytest.raises(LinkError, match="went away while reading"):
        list(events)


def test_a_failure_in_mid_reply_is_a_refusal() -> None:
    rig = Rig()
    rig.board.end_status = Status.MEDIUM
    with pytest.raises(BoardError, match="card or memory chip"):
        rig.text()


def test_a_stopped_reply_ends_normally() -> None:
    rig = Rig()
    rig.board.end_status = Status.STOPPED
    *_, end = rig.session.chat(b"hi")
    assert isinstance(end, End)
    assert end.status == Status.STOPPED


def test_stop_is_a_request_of_its_own() -> None:
    rig = Rig()
    rig.session.hello()
    events = rig.session.chat(b"hi")
    next(events)
    rig.session.stop()
    assert [frame.type for frame in rig.board.heard][-2:] == [Op.CHAT, Op.STOP]
    assert [type(event) for event in events][-1] is End


# Verify


def proved(rig: Rig, *vectors: Vector) -> VerifyResult:
    hello = rig.session.hello()
    assert hello is not None
    return prove(rig.session, hello, vectors)


def vector_of(board: Board) -> Vector:
    crcs = tuple(zlib.crc32(np.array(one, "<i2").tobytes()) for one in board.passes)
    return Vector("hi", board.reply, crcs)


@pytest.mark.parametrize("wide", [3, 31, 32, 70])
def test_outputs_are_put_together(wide: int) -> None:
    rig = Rig(Board("OK", passes=[[n * 100 + i for i in range(wide)] for n in range(3)]))
    assert proved(rig, vector_of(rig.board)).exact == 1


@given(st.dictionaries(st.integers(1, 12), st.sampled_from(FAULTS), min_size=1, max_size=2))
def test_outputs_lost_on_the_line_are_asked_for_again(to_host: dict[int, str]) -> None:
    """A board is not accused of what the cable did."""
    rig = Rig(Board("OK", passes=[[n * 100 + i for i in range(70)] for n in range(3)]))
    rig.line.to_host = to_host
    assert proved(rig, vector_of(rig.board)).mismatches == []
    assert len(rig.board.runs) <= 1 + len(to_host)


def test_a_wrong_output_is_found_in_its_pass() -> None:
    board = Board("OK", passes=[[1, 2, 3], [4, 5, 6]])
    vector = vector_of(board)
    board.passes = [[1, 2, 3], [4, 5, 7]]
    result = proved(Rig(board), vector, vector)
    assert (result.queries, result.exact) == (2, 0)
    assert [(m.first_bad_pass, m.got) for m in result.mismatches] == [(1, "OK")] * 2


def test_a_missing_pass_and_a_wrong_text_are_found() -> None:
    board = Board("OK", passes=[[1, 2, 3], [4, 5, 6]])
    vector = vector_of(board)
    board.passes = board.passes[:1]
    (short,) = proved(Rig(board), vector).mismatches
    assert short.first_bad_pass == 1
    board.passes, board.reply = [[1, 2, 3], [4, 5, 6]], "NO"
    (other,) = proved(Rig(board), vector).mismatches
    assert (other.expected, other.got, other.first_bad_pass) == ("OK", "NO", None)


def test_a_query_too_long_for_the_board_is_never_exact() -> None:
    rig = Rig()
    (bad,) = proved(rig, Vector("x" * 128, "", ())).mismatches
    assert bad.got == ""
    assert rig.board.runs == []


# Upload


@given(size=st.integers(0, 700), to_board=few_faults, to_host=few_faults)
def test_an_upload_on_a_bad_line(size: int, to_board: dict[int, str], to_host: dict[int, str]) -> None:
    assume(len(to_board) + len(to_host) < TRIES)
    rig = Rig()
    rig.session.hello()
    rig.line.to_board = {number + 1: fault for number, fault in to_board.items()}
    rig.line.to_host = {number + 1: fault for number, fault in to_host.items()}
    data = random.Random(size).randbytes(size)
    rig.session.upload(0, data, zlib.crc32(data), "name", lambda done, total: None)
    assert rig.board.stored == data
    assert rig.board.commits >= 1


def test_a_cut_upload_resumes() -> None:
    rig = Rig()
    data = random.Random(1).randbytes(2000)
    rig.line.to_host = dict.fromkeys(range(16, 200), "lost")
    with pytest.raises(LinkError, match="DATA"):
        rig.session.upload(0, data, zlib.crc32(data), "name", lambda done, total: None)
    assert rig.board.commits == 0
    kept = len(rig.board.stored)
    assert 0 < kept < len(data)
    rig.line.to_host = {}
    rig.board.heard.clear()
    seen: list[tuple[int, int]] = []
    rig.session.upload(0, data, zlib.crc32(data), "name", lambda done, total: seen.append((done, total)))
    assert rig.board.stored == data
    assert rig.board.commits == 1
    parts = [frame for frame in rig.board.heard if frame.type == Op.DATA]
    assert int.from_bytes(parts[0].payload[:4], "little") == kept // BEGIN_UNIT * BEGIN_UNIT > 0
    assert seen[-1] == (len(data), len(data))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_another_upload_starts_from_nothing() -> None:
    rig = Rig()
    rig.board.expected, rig.board.stored = (1000, 1), bytearray(640)
    data = random.Random(2).randbytes(1000)
    rig.session.upload(0, data, zlib.crc32(data), "name", lambda done, total: None)
    assert rig.board.stored == data


def test_a_refused_upload() -> None:
    rig = Rig()
    rig.board.refusals[Op.COMMIT] = Status.BAD_CRC, 0
    with pytest.raises(BoardError, match="old model stays"):
        rig.session.upload(0, b"data", 1, "name", lambda done, total: None)


# Trace


def test_the_trace_sees_both_directions() -> None:
    rig = Rig()
    seen: list[tuple[str, bytes]] = []
    rig.session.trace = lambda who, data: seen.append((who, data))
    rig.session.info()
    sides = {who: b"".join(data for name, data in seen if name == who) for who in ("host", "board")}
    assert [frame.type for frame in Decoder().feed(sides["host"])] == [Op.INFO]
    assert [frame.type for frame in Decoder().feed(sides["board"])] == [Op.IS_INFO]
