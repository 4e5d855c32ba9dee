"""Models that go over the line to a CP/M disk: whole, cut at every stage, refused; the old file stays until the end."""

from __future__ import annotations

import os
import signal
import zlib
from pathlib import Path

import pytest

from host_sdk.boards import board_named
from host_sdk.device import Device
from host_sdk.errors import BoardError, LinkError, UlmError
from host_sdk.kinds import fitted
from host_sdk.link.messages import Hello
from host_sdk.link.session import BEGIN_UNIT, Session
from host_sdk.model.model import Model
from host_sdk.spec.cpm import ABI, CHECK_FROM, HEADER
from host_sdk.spec.protocol import Op
from tests.cpm.conftest import Prepare, machine_of, packed
from tests.synthetic import character_model

OFFSET = {name: offset for name, offset, _ in HEADER}


def quiet(done: int, total: int) -> None:
    """No progress."""


def names(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "disk").iterdir())


def session_of(device: Device) -> Session:
    return device._connection.session


def store(device: Device, data: bytes, name: str = "OTHER", crc: int | None = None) -> None:
    session_of(device).upload(0, data, zlib.crc32(data) if crc is None else crc, name, quiet)


def hello_of(device: Device) -> Hello:
    hello = session_of(device).hello()
    assert hello is not None
    return hello


def changed(data: bytes, field: str, value: bytes) -> bytes:
    at = OFFSET[field]
    return data[:at] + value + data[at + len(value) :]


def test_flash_stores_and_loads_a_model(prepare: Prepare, small: Model, other: Model) -> None:
    state, seen = prepare(small), list[tuple[int, int]]()
    with Device(f"sim://cpm?state={state}") as device:
        result = device.flash(other, progress=lambda done, total: seen.append((done, total)))
        size = len(packed(other))
        assert (result.board, result.model, result.model_bytes) == ("cpm", "other", size)
        assert (result.pages_written, result.pages_kept) == (None, None)
        assert seen[-1] == (size, size)
        assert seen == sorted(seen)
        assert device.chat("hello").text == other.reply("hello")
        assert device.chat("hello").digest_checked
    assert names(state) == ["OTHER.ULB", "SMALL.ULB", "ULM.COM"]
    stored = (state / "disk" / "OTHER.ULB").read_bytes()
    assert stored[:size] == packed(other)
    assert len(stored) == -(-size // 128) * 128
    with Device(f"sim://cpm?state={state}") as device:  # and it is there after power-on
        assert device.hello.model == "other"


def test_what_the_disk_has_is_not_sent_again(prepare: Prepare, small: Model, other: Model) -> None:
    with Device(f"sim://cpm?state={prepare(small, other)}") as device:
        before = machine_of(device).counters().received
        device.flash(other)
        assert machine_of(device).counters().received - before < 300
        assert device.chat("hello").text == other.reply("hello")


def test_a_file_of_another_model_with_that_name_is_replaced(prepare: Prepare, small: Model) -> None:
    model = character_model(31, name="small")
    state = prepare(small)
    with Device(f"sim://cpm?state={state}", model=model) as device:
        assert device.hello.model_crc == model.crc
        assert device.chat("hello").text == model.reply("hello")
    assert names(state) == ["SMALL.ULB", "ULM.COM"]


# Cut


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_an_upload_cut_by_switching_off_leaves_the_old_file(
    prepare: Prepare, small: Model, other: Model, share: float
) -> None:
    """Killed while records arrive; at 1.0 all of them are there and only the commit is missing."""
    state = prepare(small)
    replaced = character_model(32, name="small")
    device = Device(f"sim://cpm?state={state}")

    def cut(done: int, total: int) -> None:
        if done >= total * share:
            os.kill(machine_of(device).pid, signal.SIGKILL)

    with device, pytest.raises(UlmError):
        device.flash(replaced, progress=cut)
    assert (state / "disk" / "SMALL.ULB").read_bytes() == packed(small)
    with Device(f"sim://cpm?state={state}") as again:
        assert again.chat("hello").text == small.reply("hello")
        again.flash(other)
        again.flash(replaced)
        assert again.chat("hello").text == replaced.reply("hello")
    assert names(state) == ["OTHER.ULB", "SMALL.ULB", "ULM.COM"]


def test_an_upload_cut_by_the_cable_goes_on(prepare: Prepare, small: Model, other: Model) -> None:
    """The machine stays on: a new conversation is told how much is there, and the old model answers meanwhile."""
    data = packed(other)
    state = prepare(small)
    with Device(f"sim://cpm?state={state}") as device:
        session = session_of(device)

        def cut(done: int, total: int) -> None:
            if done > total // 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            session.upload(0, data, zlib.crc32(data), "OTHER", cut)
        assert names(state) == ["OTHER.$$$", "SMALL.ULB", "ULM.COM"]
        hello_of(device)
        assert device.chat("hello").text == small.reply("hello")
        first = list[int]()
        session.upload(0, data, zlib.crc32(data), "OTHER", lambda done, total: first.append(done))
        assert len(data) // 2 - BEGIN_UNIT <= first[0] <= len(data) // 2 + 128
        assert hello_of(device).model == "other"
    assert names(state) == ["OTHER.ULB", "SMALL.ULB", "ULM.COM"]


def test_another_upload_takes_the_place_of_a_cut_one(prepare: Prepare, small: Model, other: Model) -> None:
    state, data = prepare(small), packed(other)
    with Device(f"sim://cpm?state={state}") as device:
        session = session_of(device)
        begin = bytes(1) + len(data).to_bytes(4, "little") + bytes(4) + b"FIRST"
        session._command(Op.BEGIN, begin)
        session._command(Op.DATA, bytes(4) + data[:60])
        store(device, data, "SECOND")
        assert hello_of(device).model == "other"
    assert names(state) == ["SECOND.ULB", "SMALL.ULB", "ULM.COM"]


def test_loading_ends_an_upload(prepare: Prepare, small: Model, other: Model) -> None:
    state, data = prepare(small), packed(other)
    with Device(f"sim://cpm?state={state}") as device:
        session = session_of(device)
        session._command(Op.BEGIN, bytes(1) + len(data).to_bytes(4, "little") + bytes(4) + b"FIRST")
        session.load("SMALL")
        with pytest.raises(BoardError, match="missed a part"):
            session._command(Op.DATA, bytes(4) + data[:60])
    assert names(state) == ["SMALL.ULB", "ULM.COM"]


# Refused


def refused(prepare: Prepare, small: Model, data: bytes, words: str, **crc: int) -> None:
    """An upload in the place of the model that runs: refused, and the old one runs on, from memory or disk."""
    state = prepare(small)
    with Device(f"sim://cpm?state={state}") as device:
        with pytest.raises(BoardError, match=words):
            store(device, data, "SMALL", **crc)
        assert hello_of(device).model_crc == small.crc
        assert device.chat("hello").text == small.reply("hello")
    assert (state / "disk" / "SMALL.ULB").read_bytes() == packed(small)
    assert names(state) == ["SMALL.ULB", "ULM.COM"]


def test_the_image_of_another_cpu(prepare: Prepare, small: Model, other: Model) -> None:
    refused(prepare, small, fitted(other, board_named("uno")).data, "packed for another runtime")
    refused(prepare, small, changed(packed(other), "abi", bytes((ABI + 1,))), "packed for another runtime")


def test_an_image_for_a_larger_tpa(prepare: Prepare, small: Model, other: Model) -> None:
    refused(prepare, small, changed(packed(other), "end", (0xE401).to_bytes(2, "little")), "too large")


def test_a_file_longer_than_the_tpa(prepare: Prepare, small: Model) -> None:
    refused(prepare, small, bytes(50_000), "too large")
    refused(prepare, small, bytes(70_000), "too large")


def test_damage_on_the_way(prepare: Prepare, small: Model, other: Model) -> None:
    refused(prepare, small, packed(other), "arrived damaged; the old model stays", crc=1234)


def test_damage_before_it_was_sent(prepare: Prepare, small: Model, other: Model) -> None:
    """The line did its work, but the image is not whole: found when it is loaded, and the old one is loaded again."""
    data = packed(other)
    at = CHECK_FROM + 900
    refused(prepare, small, data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :], "is damaged")
    refused(prepare, small, data[: len(data) // 2], "is damaged")
    refused(prepare, small, b"hello " * 30, "is damaged")


@pytest.mark.parametrize("spare", [0, 2048])
def test_a_full_disk(prepare: Prepare, small: Model, other: Model, spare: int) -> None:
    """No room for the first record, or only for some: the temporary file goes, and then there is room again."""
    state = prepare(small)
    used = sum(-(-path.stat().st_size // 2048) * 2 for path in (state / "disk").iterdir())
    with Device(f"sim://cpm?state={state}&disk={used + spare // 1024}") as device:
        with pytest.raises(BoardError, match="cannot read or write its disk"):
            store(device, packed(other))
        assert device.chat("hello").text == small.reply("hello")
        assert names(state) == ["SMALL.ULB", "ULM.COM"]


def test_a_full_directory(prepare: Prepare, small: Model, other: Model) -> None:
    state = prepare(small)
    for number in range(62):
        (state / "disk" / f"F{number}").write_bytes(b"")
    with Device(f"sim://cpm?state={state}") as device:
        with pytest.raises(BoardError, match="cannot read or write its disk"):
            store(device, packed(other))
        assert device.chat("hello").text == small.reply("hello")


@pytest.mark.parametrize(
    ("op", "payload", "words"),
    [
        (Op.BEGIN, bytes(8), "impossible length"),
        (Op.BEGIN, bytes(9), "impossible length"),  # no name
        (Op.BEGIN, bytes(9) + b".ULB", "impossible length"),
        (Op.BEGIN, b"\1" + bytes(8) + b"X", "cannot do that"),
        (Op.DATA, bytes(3), "impossible length"),
        (Op.DATA, bytes(10), "missed a part"),
        (Op.COMMIT, bytes(4), "missed a part"),
        (Op.LOAD, b"", "no model"),
    ],
)
def test_impossible_requests(device: Device, op: Op, payload: bytes, words: str) -> None:
    with pytest.raises(BoardError, match=words):
        session_of(device)._command(op, payload)


def test_requests_out_of_order(prepare: Prepare, small: Model, other: Model) -> None:
    data = packed(other)
    with Device(f"sim://cpm?state={prepare(small)}") as device:
        ask = session_of(device)._command
        ask(Op.BEGIN, bytes(1) + len(data).to_bytes(4, "little") + zlib.crc32(data).to_bytes(4, "little") + b"X")
        ask(Op.DATA, bytes(4) + data[:60])
        ask(Op.DATA, bytes(4) + data[:60])  # twice is once
        ask(Op.DATA, (40).to_bytes(4, "little") + data[40:100])  # and half is the other half
        for op, payload in ((Op.DATA, (101).to_bytes(4, "little") + b"x"), (Op.COMMIT, bytes(4))):
            with pytest.raises(BoardError, match="missed a part"):
                ask(op, payload)
        with pytest.raises(BoardError, match="missed a part"):
            ask(Op.DATA, (100).to_bytes(3, "little") + b"\1" + data[100:110])
        store(device, data, "X")  # goes on from 100
        assert hello_of(device).model == "other"


def test_more_than_was_announced(prepare: Prepare, small: Model, other: Model) -> None:
    data = packed(other)
    with Device(f"sim://cpm?state={prepare(small)}") as device:
        ask = session_of(device)._command
        ask(Op.BEGIN, bytes(1) + (50).to_bytes(4, "little") + bytes(4) + b"X")
        with pytest.raises(BoardError, match="impossible length"):
            ask(Op.DATA, bytes(4) + data[:60])
        assert device.chat("hello").text == small.reply("hello")


def test_a_line_that_dies_is_a_link_error(prepare: Prepare, small: Model, other: Model) -> None:
    device = Device(f"sim://cpm?state={prepare(small)}")
    with device:
        os.kill(machine_of(device).pid, signal.SIGKILL)
        with pytest.raises(LinkError):
            store(device, packed(other))
