"""`Device` and a CP/M machine: what holds for an UNO holds here, and what is different is said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from host_sdk.conformance import Vector
from host_sdk.device import Device
from host_sdk.errors import BoardError, FitError, MissingError, PortError, UsageError
from host_sdk.flash.cpm_files import disk_name, shipped_com
from host_sdk.model.engine import run
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Model
from host_sdk.pack.queries import bench_queries
from host_sdk.sim import cpm_board
from host_sdk.sim.cpm_board import CpmBoard
from host_sdk.spec.cpm import ABI, IMAGE_ADDRESS, ORIGIN
from host_sdk.spec.emit import spec_sum
from host_sdk.spec.protocol import HelloFlag
from tests.cpm.conftest import CPM, Prepare, machine_of, packed
from tests.device.test_actions import PAIRS
from tests.synthetic import character_model, endless, reply_model


def test_chat(device: Device, small: Model) -> None:
    reply = device.chat("hello")
    due = run(small, ["hello"])[0]
    assert (reply.text, reply.chars, reply.passes, reply.digest) == (due.text, len(due.text), due.passes, due.digest)
    assert (reply.digest_checked, reply.stopped, reply.board, reply.model) == (True, False, "cpm", "small")
    assert reply.cycles_per_char is not None
    assert reply.ms_per_char == pytest.approx(reply.cycles_per_char / 4000)


def test_hello(device: Device, small: Model) -> None:
    hello = device.hello
    assert hello.flags == HelloFlag.SEVEN_BIT | HelloFlag.HALF_DUPLEX | HelloFlag.UPLOAD
    assert (hello.model_crc, hello.clock_hz, hello.max_payload) == (small.crc, 4_000_000, 64)
    assert hello.build == shipped_com().build
    assert hello.spec_sum == spec_sum(), "the shipped runtime was assembled from another spec: make ship"


def test_info(device: Device, small: Model) -> None:
    info, data = device.info(), packed(small)
    assert (info.abi, info.model_address, info.model_bytes) == (ABI, IMAGE_ADDRESS, len(data))
    assert info.model_capacity == ORIGIN + CPM.tpa_bytes - IMAGE_ADDRESS
    assert info.runtime_bytes == len(shipped_com().code)
    assert info.tpa_bytes == int.from_bytes(data[12:14], "little") - ORIGIN
    assert 0 < info.stack_bytes < 64
    assert info.uptime_s == 0


@pytest.mark.parametrize("query", ["", " ", "  hello  ", "a", "WHO are You?", "x" * 62, "x" * 63, "y" * 160])
def test_queries_of_all_lengths(device: Device, small: Model, query: str) -> None:
    reply, due = device.chat(query), run(small, [query])[0]
    assert (reply.text, reply.digest) == (due.text, due.digest)


def test_a_query_that_is_too_long_is_refused(device: Device) -> None:
    with pytest.raises(UsageError):
        device.chat("x" * 161)
    with pytest.raises(BoardError, match="longer than the 160 characters"):
        list(device._connection.session.chat(b"x" * 161))


def test_verify(device: Device, small: Model) -> None:
    assert device.verify().mismatches == []
    due = [Vector(q, r.text, tuple(r.logits_crc32)) for q, r in zip(["hi"], run(small, ["hi"]), strict=True)]
    wrong = Vector("hi", due[0].reply, (*due[0].logits_crc32[:-1], 1))
    result = device.verify([*due, wrong])
    assert (result.exact, result.mismatches[0].first_bad_pass) == (1, len(due[0].logits_crc32) - 1)


def test_bench(device: Device, small: Model) -> None:
    queries = bench_queries()[:10]
    result = device.bench(queries)
    assert (result.queries, result.passes) == (10, sum(one.passes for one in run(small, queries)))
    assert (result.board, result.simulated, result.clock_hz) == ("cpm", True, 4_000_000)
    assert (result.flash_bytes, result.sram_bytes, result.active_cycles_per_reply) == (None, None, None)
    assert result.tpa_bytes == device.info().tpa_bytes
    assert result.line_bytes_per_reply is not None
    for spread in (result.cycles_per_char, result.ms_per_char, result.query_cycles, result.first_char_cycles):
        mean, most = spread["mean"], spread["max"]
        assert mean is not None
        assert most is not None
        assert 0 < mean <= most
    again = device.bench(queries)
    assert (again.cycles_per_char, again.first_char_cycles) == (result.cycles_per_char, result.first_char_cycles)


def test_t_states_do_not_depend_on_the_clock_or_the_console(prepare: Prepare, small: Model) -> None:
    results = []
    for options in ("", "&clock=7372800&seven_bit", "&pace=fast"):
        with Device(f"sim://cpm?state={prepare(small)}{options}") as one:
            results.append(one.bench(["hello", "who are you"]))
    assert results[0].cycles_per_char == results[1].cycles_per_char == results[2].cycles_per_char
    assert results[0].query_cycles == results[1].query_cycles
    assert results[1].ms_per_char["mean"] == pytest.approx((results[0].ms_per_char["mean"] or 0) * 4 / 7.3728)


def test_the_machine_counts_what_the_program_spent(device: Device) -> None:
    """All T-states of a reply: those of the engine, and not many more for frames and for listening."""
    device.chat("hello")
    machine = machine_of(device)
    before = machine.counters()
    reply = device.chat("who are you")
    after = machine.counters()
    spent = after.cycles - before.cycles
    bench = device.bench(["who are you"])
    assert reply.cycles_per_char is not None
    engine = reply.cycles_per_char * reply.passes + (bench.query_cycles["mean"] or 0)
    assert engine < spent
    frames = (after.transmitted - before.transmitted + after.received - before.received) * 1500
    assert spent < engine + frames + 4_000_000  # polling while the host thinks, a second at most
    assert after.wild == 0


def test_streaming_and_stopping(prepare: Prepare, small: Model) -> None:
    model = endless(small)
    with Device(f"sim://cpm?state={prepare(model)}&pace=real") as device:
        stream = device.stream("hello")
        heard = next(stream) + next(stream)
        stream.close()
        stopped = machine_of(device).laps()[-1]
        assert len(stopped.passes) < 50
        assert model.reply("hello").startswith(heard)
        assert device.chat("hello").text == model.reply("hello")


def test_real_time_is_real(prepare: Prepare, small: Model) -> None:
    """Fifty characters of some milliseconds and three dozen bytes of line each."""
    with Device(f"sim://cpm?state={prepare(endless(small))}&pace=real") as device:
        start = time.monotonic()
        reply = device.chat("hello")
        took = time.monotonic() - start
    assert reply.ms_per_char is not None
    assert took > 50 * (reply.ms_per_char + 9 * 10 / 9.6) / 1000


def test_reply_models_and_their_values(prepare: Prepare) -> None:
    with Device(f"sim://cpm?state={prepare(reply_model(PAIRS))}") as device:
        assert device.chat("salute").text == "hello, human"
        assert device.chat("light on").text == "on"
        assert device.chat("uptime").text == "up 0 s"
        assert device.chat("roll dice").text in [f"a {n}!" for n in range(1, 7)]
        assert device.verify().mismatches == []


def test_models_are_chosen_by_name(prepare: Prepare, small: Model, other: Model) -> None:
    with Device(f"sim://cpm?state={prepare(small, other)}") as device:
        device.load("other")
        assert (device.hello.model, device.hello.model_crc) == ("other", other.crc)
        assert device.chat("hello").text == other.reply("hello")
        with pytest.raises(BoardError):
            device.load("nosuch")
        assert device.chat("hello").text == other.reply("hello")
        device.load("SMALL.ULB")
        assert device.chat("hello").text == small.reply("hello")


def test_a_fresh_machine_talks(tmp_path: Path) -> None:
    model = shipped_model("tinychat")
    with Device(f"sim://cpm?state={tmp_path}") as device:
        assert device.chat("hello").text == model.reply("hello")
        assert device.chat("hello").digest_checked
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["TINYCHAT.ULB", "ULM.COM"]
    with Device(f"sim://cpm?state={tmp_path}") as device:
        assert device.hello.model_crc == model.crc


def test_the_runtime_on_the_disk_is_brought_up_to_date(prepare: Prepare, small: Model) -> None:
    state = prepare(small)
    program = state / "disk" / "ULM.COM"
    program.write_bytes(shipped_com().code[:-1] + b"\xff")
    with Device(f"sim://cpm?state={state}") as device:
        assert device.hello.build == shipped_com().build
    program.write_bytes(b"\xc9")  # somebody else's
    with pytest.raises(PortError):
        Device(f"sim://cpm?state={state}")
    assert program.read_bytes() == b"\xc9"


@pytest.mark.parametrize("options", ["&run=", "&blank", "&run=DIR"])
def test_a_machine_on_which_nothing_runs(prepare: Prepare, small: Model, options: str) -> None:
    with pytest.raises(PortError, match=r"ULM\.COM does not run .* docs/cpm\.md"):
        Device(f"sim://cpm?state={prepare(small)}{options}")


def test_a_machine_started_without_a_model(prepare: Prepare, small: Model) -> None:
    with Device(f"sim://cpm?state={prepare(small)}&run=ULM") as device:
        with pytest.raises(BoardError, match="no model"):
            device.chat("hello")
        device.load("small")
        assert device.chat("hello").text == small.reply("hello")


def test_sleep_is_for_boards(device: Device) -> None:
    with pytest.raises(BoardError):
        device.sleep()
    assert device.chat("hi").digest_checked


def test_a_model_that_does_not_fit(prepare: Prepare, small: Model) -> None:
    with Device(f"sim://cpm?state={prepare(small)}&tpa=20000") as device:
        large = character_model(5, (200, 150), name="large")
        with pytest.raises(FitError, match="TPA"):
            device.flash(large)
        assert device.chat("hello").text == small.reply("hello")


def test_options_that_make_no_sense() -> None:
    for options, word in (
        ("speed=9", "no option 'speed'"),
        ("clock=fast", "is a number, not 'fast'"),
        ("tpa=100", "outside"),
        ("pace=slow", "no pace 'slow'"),
    ):
        with pytest.raises(UsageError, match=word):
            Device(f"sim://cpm?{options}")


def test_without_the_emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cpm_board, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'micro-lm\[sim\]'"):
        Device(f"sim://cpm?state={tmp_path}")


@pytest.mark.parametrize("baud", [9600, None])
def test_a_machine_on_a_serial_port(prepare: Prepare, small: Model, other: Model, baud: int | None) -> None:
    """As a real one is reached, by a device path: all but the counters is the same."""
    with (
        CpmBoard(CPM, prepare(small)) as machine,
        Device(machine.tty, baud=baud) as device,
    ):
        assert not device.simulated
        reply = device.chat("hello")
        assert (reply.text, reply.digest_checked) == (small.reply("hello"), True)
        assert (reply.cycles_per_char, reply.ms_per_char) == (None, None)
        assert device.flash(other).model == "other"
        assert device.verify().mismatches == []
        result = device.bench(["hello"])
        assert (result.cycles_per_char, result.clock_hz, result.simulated) == ({"mean": None, "max": None}, 0, False)
        assert result.tpa_bytes == device.info().tpa_bytes


def test_one_program_at_a_time(device: Device) -> None:
    with pytest.raises(PortError, match="busy"):
        Device(device.address)


@pytest.mark.parametrize(
    ("name", "seen"),
    [("tinychat", "TINYCHAT"), ("my own model", "MYOWNMOD"), ("z80-µLM", "Z80LM"), ("日本", "MODEL"), ("", "MODEL")],
)
def test_names_on_the_disk(name: str, seen: str) -> None:
    assert disk_name(name) == seen
