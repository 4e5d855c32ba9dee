"""Device on virtual boards: replies, streams, figures, proofs."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from host_sdk.boards import BOARDS
from host_sdk.conformance import Vector
from host_sdk.device import Device
from host_sdk.errors import BoardError, FileError, UsageError
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.kinds import fitted
from host_sdk.link.frame import Decoder, Frame
from host_sdk.link.messages import parse_end
from host_sdk.model.crc import crc16
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.model.text import to_ascii
from host_sdk.model.z80ai import import_z80ai
from host_sdk.pack.header import header
from host_sdk.pack.image import pack
from host_sdk.pack.queries import bench_queries
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.spec.container import WeightCode
from host_sdk.spec.emit import spec_sum
from host_sdk.spec.image import ABI, CHECK_FROM, MODEL_ADDRESS
from host_sdk.spec.protocol import Op, Status
from tests.conftest import OpenBoard, Prepare, address_of, flash_contents
from tests.device.conftest import chip
from tests.synthetic import character_model, endless

HOSTILE = (
    "",
    " ",
    "  hi  ",
    "~~~~",
    "}|~\x7f",
    "\0\x01\x1f",
    "HELLO",
    "hello",
    "ÄÖÜ ß é",
    "日本",
    "a" * 62,
    "ab " * 42,
)


def frames_of(trace: Path, who: str) -> list[Frame]:
    lines = [line.split() for line in trace.read_text("ascii").splitlines()]
    return list(Decoder().feed(b"".join(bytes.fromhex("".join(words[2:])) for words in lines if words[1] == who)))


# Replies


@pytest.mark.parametrize("query", HOSTILE)
def test_a_reply_is_the_reference_engines(uno: Device, small: Model, query: str) -> None:
    reply, due = uno.chat(query), run(small, [to_ascii(query)])[0]
    assert (reply.text, reply.passes, reply.digest) == (due.text, due.passes, due.digest)
    assert reply.chars == len(due.text)
    assert reply.digest_checked is True
    assert not reply.stopped
    assert (reply.board, reply.model) == ("uno", "small")
    assert str(reply) == reply.text
    assert uno.last == reply


def test_replies_differ(uno: Device) -> None:
    """Or the comparisons above would prove little."""
    assert len({uno.chat(query).text for query in bench_queries()[:20]}) > 10


def test_replies_do_not_depend_on_what_was_asked_before(uno: Device) -> None:
    once = [uno.chat(query).digest for query in HOSTILE]
    assert [uno.chat(query).digest for query in reversed(HOSTILE)] == once[::-1]


def test_cycles_and_milliseconds_agree(talker: Device) -> None:
    reply = talker.chat("hello")
    assert reply.cycles_per_char is not None
    assert reply.ms_per_char == pytest.approx(reply.cycles_per_char / BOARDS[talker.board].clock_hz * 1000)


def test_the_longest_query_and_one_more(uno: Device, small: Model) -> None:
    limit = pack(small).max_query
    assert uno.hello.max_query == limit == 160
    longest = "abcdefgh" * 20
    assert uno.chat(longest).text == small.reply(longest)
    with pytest.raises(UsageError, match=r"161 characters; .* at most 160"):
        uno.chat(longest + "8")
    assert uno.chat("hello").digest_checked


@pytest.mark.parametrize(
    "model",
    [
        character_model(2, (20,), name="one hidden"),
        character_model(3, (40, 30, 20, 16, 12), 0.3, context_length=3, name="six layers"),
        character_model(4, (64, 48), query_buckets=512, context_buckets=64, context_length=32, name="long context"),
        character_model(5, (64, 48), code=WeightCode.TERNARY, saturate=True, shift=1, name="saturated"),
        character_model(6, (32, 24), code=WeightCode.BINARY, shift=4, name="binary"),
        character_model(7, (300, 20), 0.1, name="long columns", charset="abcdefghij"),
        replace(endless(character_model(8)), golden=("hello", "who are you", "")),
    ],
    ids=lambda model: model.name,
)
def test_every_kind_of_model_is_exact(prepare: Prepare, model: Model) -> None:
    with Device(address_of("uno", prepare("uno", model))) as device:
        assert device.hello.model == model.name[:15]
        result = device.verify()
        assert (result.exact, result.mismatches) == (len(model.golden), [])
        assert device.bench(bench_queries()[40:50]).passes == sum(r.passes for r in run(model, bench_queries()[40:50]))


def test_a_reply_of_fifty_characters(open_board: OpenBoard, small: Model) -> None:
    model = endless(small)
    reply = open_board("uno", model).chat("hello")
    assert (reply.text, reply.chars, reply.passes) == (model.reply("hello"), 50, 50)


# Streams


@pytest.fixture(scope="module")
def slow(prepare: Prepare, published: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Device, Path]:
    """A LilyPad in real time that makes fifty characters of 14 ms each, and its trace."""
    trace = tmp_path_factory.mktemp("trace") / "trace.txt"
    state = prepare("lilypad", endless(published))
    return Device(f"sim://lilypad?state={state}&pace=real", trace=trace), trace


def test_a_stream_comes_as_it_is_made(slow: tuple[Device, Path], published: Model) -> None:
    device, _ = slow
    start = time.monotonic()
    times = [(time.monotonic() - start, character) for character in device.stream("hello")]
    assert "".join(character for _, character in times) == endless(published).reply("hello")
    assert times[0][0] < times[-1][0] / 5
    gaps = sorted(b[0] - a[0] for a, b in pairwise(times))
    assert 0.008 < gaps[len(gaps) // 2] < 0.1
    assert device.last is not None
    assert device.last.digest_checked


def test_a_closed_stream_stops_the_board(slow: tuple[Device, Path], published: Model) -> None:
    device, trace = slow
    before = device.last
    start = time.monotonic()
    stream = device.stream("who are you")
    said = next(stream)
    stream.close()
    assert time.monotonic() - start < 1
    assert device.last is before
    model = endless(published)
    reply = device.chat("how are you")
    assert (reply.text, reply.digest_checked, reply.stopped) == (model.reply("how are you"), True, False)
    device.close()
    ends = [parse_end(frame.payload) for frame in frames_of(trace, "board") if frame.type == Op.END]
    assert [end.status for end in ends[-2:]] == [Status.STOPPED, Status.OK]
    assert len(said) <= ends[-2].chars < 25
    assert [frame.type for frame in frames_of(trace, "host")][-2:] == [Op.STOP, Op.CHAT]


def test_a_stream_closed_at_its_end_is_whole(uno: Device) -> None:
    stream = uno.stream("hello")
    text = "".join(stream)
    stream.close()
    assert uno.last is not None
    assert uno.last.text == text
    assert uno.chat("hello").text == text


# Info, load, trace


def test_info(talker: Device, published: Model) -> None:
    board = BOARDS[talker.board]
    info = talker.info()
    assert (info.abi, info.model_address, info.model_status) == (ABI, MODEL_ADDRESS, Status.OK)
    assert info.model_capacity == board.code_bytes - MODEL_ADDRESS
    assert info.model_bytes == len(fitted(published, board).data)
    assert 0 <= shipped_runtime(board).bytes - info.runtime_bytes < board.flash_page  # shipped as whole pages


def test_hello(talker: Device, published: Model) -> None:
    hello, board = talker.hello, BOARDS[talker.board]
    assert (hello.board, hello.clock_hz, hello.max_payload) == (board.name, board.clock_hz, 64)
    assert (hello.model, hello.model_crc) == ("published", published.crc)
    assert hello.build == shipped_runtime(board).build
    assert hello.spec_sum == spec_sum(), "the shipped runtime was built from another spec: make ship"


def test_load(uno: Device) -> None:
    uno.load("small")
    with pytest.raises(BoardError, match="ulm flash"):
        uno.load("other")
    assert uno.chat("hello").digest_checked


def test_the_trace_holds_every_frame(prepare: Prepare, small: Model, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    with Device(address_of("uno", prepare("uno", small)), trace=trace) as device:
        reply = device.chat("hello")
    sent, heard = frames_of(trace, "host"), frames_of(trace, "board")
    assert [frame.type for frame in sent][-1] == Op.CHAT
    assert sent[-1].payload == b"\0\0hello"
    assert b"".join(frame.payload[1:] for frame in heard if frame.type == Op.TEXT) == reply.text.encode()
    assert parse_end(heard[-1].payload).digest == reply.digest
    times = [float(line.split()[0]) for line in trace.read_text("ascii").splitlines()]
    assert times == sorted(times)


def test_a_trace_that_cannot_be_written(prepare: Prepare, small: Model, tmp_path: Path) -> None:
    state = prepare("uno", small)
    with pytest.raises(FileError, match="Cannot write the trace"):
        Device(address_of("uno", state), trace=tmp_path)
    Device(address_of("uno", state)).close()  # and the port was let go


def test_another_question_after_64_requests(uno: Device, small: Model) -> None:
    """Sequence numbers come round; the board must not take the question for a repetition."""
    for between in (62, 63, 64):
        uno.chat("hello")
        for _ in range(between):
            uno.info()
        assert uno.chat("who are you").text == small.reply("who are you")


# Proofs


def test_verify(talker: Device, published: Model) -> None:
    seen: list[tuple[int, int]] = []
    result = talker.verify(progress=lambda done, total: seen.append((done, total)))
    assert (result.queries, result.exact, result.mismatches) == (40, 40, [])
    assert seen == [(n, 40) for n in range(1, 41)]


def test_verify_against_vectors(uno: Device, small: Model, tmp_path: Path) -> None:
    right = [Vector(q, r.text, tuple(r.logits_crc32)) for q, r in zip(HOSTILE, run(small, HOSTILE), strict=True)]
    file = tmp_path / "vectors.jsonl"
    file.write_text("\n".join(vector.to_json() for vector in right), "utf-8")
    assert uno.verify(Vector.read(file)).exact == len(HOSTILE)
    first = right[6]
    wrong = [
        Vector(first.query, first.reply + "!", first.logits_crc32),
        Vector(first.query, first.reply, (*first.logits_crc32[:-1], first.logits_crc32[-1] ^ 1)),
        first,
    ]
    result = uno.verify(wrong)
    assert (result.queries, result.exact) == (3, 1)
    assert [bad.first_bad_pass for bad in result.mismatches] == [None, len(first.logits_crc32) - 1]


def test_a_damaged_weight_is_noticed(prepare: Prepare, small: Model) -> None:
    """An image whose own CRC is right and that names the model's CRC, with one bias in it changed."""
    state = prepare("uno", small)
    data = bytearray(pack(small).data)
    data[header(bytes(data))["second"] + 1] ^= 0x40  # behind the number of fours: the first bias of the second layer
    data[6:8] = crc16(bytes(data[CHECK_FROM:])).to_bytes(2, "little")
    flash = bytearray(flash_contents("uno", small))
    flash[MODEL_ADDRESS : MODEL_ADDRESS + len(data)] = data
    (state / "flash.bin").write_bytes(flash)
    with Device(address_of("uno", state)) as device:
        assert device.hello.model_crc == small.crc
        result = device.verify()
        assert result.exact < result.queries == len(small.golden)
        assert all(bad.first_bad_pass is not None for bad in result.mismatches)
        assert device.chat(result.mismatches[0].query).digest_checked is False


def test_a_model_that_nobody_here_knows(prepare: Prepare) -> None:
    stranger = character_model(99, name="stranger")
    state = prepare("uno")
    (state / "flash.bin").write_bytes(flash_contents("uno", stranger))
    with Device(address_of("uno", state)) as device:
        assert device.model is None
        assert device.chat("hello").digest_checked is None
        with pytest.raises(FileError, match="has not seen the model 'stranger'"):
            device.verify()
        assert device.bench(["hello"]).queries == 1


def test_the_published_model_is_exact(reference: Path, prepare: Prepare) -> None:
    """HarryR/z80ai's chat model on 100 queries whose outputs were computed elsewhere."""
    model = import_z80ai(reference / "z80ai" / "tinychat.npz")
    vectors = Vector.read(reference / "z80ai" / "tinychat.vectors.jsonl")
    with Device(address_of("uno", prepare("uno", model))) as device:
        result = device.verify(vectors)
    assert (result.queries, result.exact) == (100, 100)


# Figures


def test_bench(uno: Device, small: Model) -> None:
    result = uno.bench(bench_queries()[:10])
    info = uno.info()
    assert result.queries == 10
    assert result.passes == sum(r.passes for r in run(small, bench_queries()[:10]))
    assert result.flash_bytes == info.runtime_bytes + info.model_bytes
    assert (result.model_bytes, result.sram_bytes) == (info.model_bytes, info.sram_bytes)
    assert (result.simulated, result.clock_hz, result.board, result.model) == (True, 16_000_000, "uno", "small")
    for spread in (result.cycles_per_char, result.ms_per_char, result.query_cycles, result.first_char_cycles):
        mean, most = spread["mean"], spread["max"]
        assert mean is not None
        assert most is not None
        assert 0 < mean <= most
    assert result.ms_per_char["mean"] == pytest.approx((result.cycles_per_char["mean"] or 0) / 16_000)
    assert (result.first_char_cycles["mean"] or 0) > (result.query_cycles["mean"] or 0)


def active(board: AvrBoard) -> int:
    counters = board.counters()
    return counters.cycles - counters.idle


def test_the_boards_own_count_is_the_simulators(talker: Device) -> None:
    """Timer 1 against the simulator: what it does not count is polling the line and handling frames."""
    board, data = chip(talker), BOARDS[talker.board]
    frame_cycles = 10 * data.clock_hz / data.baud
    for query in random.Random(3).sample(bench_queries(), 5):
        talker.info()
        before, sent, cycles = board.counters(), board.counters().transmitted, active(board)
        reply = talker.chat(query)
        bench = talker.bench([query])
        spent = active(board) - cycles
        assert reply.cycles_per_char is not None
        counted = 2 * (reply.cycles_per_char * reply.passes + (bench.query_cycles["mean"] or 0))
        line = (board.counters().transmitted - sent) * frame_cycles
        assert counted < spent
        assert spent < counted + line + 100_000
        assert board.counters().resets == before.resets


def test_nothing_went_wrong_on_the_chip(talker: Device) -> None:
    before = chip(talker).counters()  # the bootloader lost bytes of the first HELLO
    talker.bench(bench_queries()[:5])
    counters = chip(talker).counters()
    assert (counters.wild, counters.illegal_wakes, counters.power_down) == (0, 0, 0)
    assert counters.dropped == before.dropped
    assert counters.resets == before.resets
