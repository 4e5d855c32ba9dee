"""Boards whose model streams from a card or a chip: opened, flashed, cut, repaired and watched from this computer."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from host_sdk.boards import BOARDS, Medium, Offload
from host_sdk.device import Device
from host_sdk.errors import BoardError, FitError, UsageError
from host_sdk.flash.choose import choose_board
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.kinds import fitted
from host_sdk.link.pace import Thought
from host_sdk.link.ports import open_port
from host_sdk.model.model import Model
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.sim.part import CHIPS
from host_sdk.spec.container import WeightCode
from host_sdk.spec.protocol import Fault
from tests.cli.conftest import ULM, sentence, ulm
from tests.cli.test_contract import BENCH_KEYS, FLASH_KEYS, one_line_of_json
from tests.conftest import Prepare, address_of
from tests.synthetic import character_model

OFFLOAD = {name: board for name, board in BOARDS.items() if isinstance(board, Offload)}
MEMORY = {"uno-sd": "card", "uno-flash": "chip"}
LINE_SHARE = 64 / 72
"""Of the line's bytes are data at best: payloads of 64 with a frame around them."""
Switch = Callable[..., Device]


class PulledError(Exception):
    """Somebody pulls the plug."""


@pytest.fixture(scope="session")
def other() -> Model:
    return character_model(21, (48, 32), name="other")


@pytest.fixture(scope="session")
def thinker() -> Model:
    """0.4 M weights, most of which stream by in each pass: about 0.2 s from a card."""
    widths = (512, 512, 384)
    return character_model(7, widths, 0.5, query_buckets=256, saturate=True, name="thinker", short_replies=False)


@pytest.fixture(params=MEMORY)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def switch(simavr: None, tmp_path: Path) -> Switch:
    """`switch("uno-sd", "latency=cheap", model=M)`: that board, with the same memories every time."""

    def on(name: str, *options: str, **arguments: object) -> Device:
        address = "&".join([address_of(name, tmp_path / name), *options])
        return Device(address, **arguments)  # type: ignore[arg-type]

    return on


def chip(device: Device) -> AvrBoard:
    board = device._connection.virtual
    assert isinstance(board, AvrBoard)
    return board


def wrong(device: Device) -> tuple[int, int, int]:
    counters = chip(device).counters()
    return counters.spi_early, counters.spi_collisions, counters.wild


# Opening


@pytest.mark.parametrize("board", OFFLOAD.values(), ids=OFFLOAD)
def test_a_fresh_board_talks(board: Offload, switch: Switch) -> None:
    with switch(board.name) as device:
        assert (device.board, device.hello.model, device.hello.clock_hz) == (board.name, "tinychat", board.clock_hz)
        assert 0 <= shipped_runtime(board).bytes - device.info().runtime_bytes < board.flash_page
        reply = device.chat("hello")
        assert (reply.digest_checked, reply.board) == (True, board.name)
        assert reply.ms_per_char is not None
        assert wrong(device) == (0, 0, 0)
    with switch(board.name) as device:
        assert device.chat("hello").text == reply.text


def test_a_fresh_board_with_the_model_one_wants(name: str, switch: Switch, small: Model) -> None:
    with switch(name, model=small) as device:
        assert device.hello.model == "small"
        result = device.verify()
        assert (result.exact, result.mismatches) == (len(small.golden), [])


def test_a_part_that_a_person_brings_is_left_alone(switch: Switch, tmp_path: Path) -> None:
    memory = tmp_path / "my.bin"
    memory.write_bytes(b"\xff" * CHIPS["w25q80"])
    with switch("uno-flash", f"flash={memory}", "chip=w25q80") as device, pytest.raises(BoardError, match="no model"):
        device.chat("hello")
    assert memory.read_bytes() == b"\xff" * CHIPS["w25q80"]


def test_a_blank_board(name: str, switch: Switch, small: Model) -> None:
    with switch(name, "blank", bare=True) as device:
        result = device.flash(small)
        assert (result.board, result.memory, result.pages_kept) == (name, MEMORY[name], 0)
        assert device.chat("hello").digest_checked


# Flashing


def test_only_what_differs_is_sent(name: str, switch: Switch, small: Model, other: Model) -> None:
    with switch(name, model=small) as device:
        seen: list[tuple[int, int]] = []
        before = chip(device).counters()
        result = device.flash(other, progress=lambda done, total: seen.append((done, total)))
        sent = chip(device).counters().received - before.received
        assert (result.pages_written, result.model_bytes) == (0, len(fitted(other, BOARDS[name]).data))
        assert result.model_bytes < sent < 1.3 * result.model_bytes
        assert chip(device).counters().resets == before.resets
        assert seen == sorted(seen)
        assert seen[-1][0] == seen[-1][1]
        assert device.chat("hello").text == other.reply("hello")
        before = chip(device).counters()
        device.flash(other)
        assert chip(device).counters().received - before.received < 100
        assert chip(device).counters().part_writes == before.part_writes
        device.flash(small)
        assert device.chat("hello").text == small.reply("hello")
        assert wrong(device) == (0, 0, 0)


def test_a_damaged_model_is_sent_again(switch: Switch, small: Model, tmp_path: Path) -> None:
    memory = tmp_path / "uno-flash" / "w25q.bin"
    with switch("uno-flash", model=small):
        pass
    content = bytearray(memory.read_bytes())
    content[len(fitted(small, BOARDS["uno-flash"]).data) // 2] ^= 4
    memory.write_bytes(content)
    with switch("uno-flash") as device, pytest.raises(BoardError, match="damaged; flash it again"):
        device.chat("hello")
    with switch("uno-flash") as device:
        device.flash(small)
        assert device.chat("hello").digest_checked


def test_an_outdated_runtime_is_replaced(name: str, switch: Switch, small: Model, tmp_path: Path) -> None:
    with switch(name, model=small):
        pass
    path = tmp_path / name / "flash.bin"
    flash = bytearray(path.read_bytes())
    flash[0x68 + 4 + 3] ^= 1  # its build number
    path.write_bytes(flash)
    with switch(name) as device:
        assert device.hello.build != shipped_runtime(OFFLOAD[name]).build
    with switch(name, model=small) as device:
        assert device.hello.build == shipped_runtime(OFFLOAD[name]).build
        assert device.chat("hello").digest_checked


def test_an_uno_gets_a_card(prepare: Prepare, small: Model, tmp_path: Path) -> None:
    """The wiring is nothing that a board can know: a person says it, the model goes to the card."""
    shutil.copy(prepare("uno", small) / "flash.bin", tmp_path)
    with Device(f"sim://uno-flash?state={tmp_path}", bare=True) as device:
        assert device.board == "uno"
        assert device.flash(small).board == "uno-flash"
        assert device.info().model_address == 0
        with pytest.raises(UsageError, match="is a uno-flash, not a lilypad-flash"):
            device.flash(small, board="lilypad-flash")
        assert device.flash(small, board="uno").memory == "flash"
        assert device.chat("hello").digest_checked


def test_a_bootloader_does_not_tell_a_card(simavr: None, tmp_path: Path, small: Model) -> None:
    """A blank board is asked for as one without; a runtime that does not answer names its board all the same."""
    with open_port(f"sim://uno-sd?state={tmp_path}&blank", 115_200) as line:
        with pytest.raises(UsageError, match=r"--board: uno, nano\."):
            choose_board(line, None, None, yes=False)
        assert choose_board(line, None, "uno-sd", yes=False) is BOARDS["uno-sd"]
    with Device(f"sim://uno-sd?state={tmp_path}", bare=True) as device:
        device.flash(small)
    with open_port(f"sim://uno-sd?state={tmp_path}", 115_200) as line:
        assert choose_board(line, None, None, yes=False) is BOARDS["uno-sd"]


def test_a_cut_leaves_the_old_model_and_goes_on(name: str, switch: Switch, small: Model, thinker: Model) -> None:
    length = len(fitted(thinker, BOARDS[name]).data)

    def cut(done: int, total: int) -> None:
        if done > total * 0.7:
            raise PulledError

    with switch(name, model=small) as device, pytest.raises(PulledError):
        device.flash(thinker, progress=cut)
    with switch(name) as device:
        assert device.chat("hello").text == small.reply("hello")
        before = chip(device).counters().received
        device.flash(thinker)
        assert chip(device).counters().received - before < length * 0.8
        assert device.hello.model == "thinker"
        assert device.chat("").digest_checked


@pytest.mark.parametrize("board", ["uno-flash", "lilypad-sd"])
def test_the_line_is_the_limit(board: str, switch: Switch, thinker: Model, small: Model) -> None:
    """Little but the model is sent, once, and the board has time to spare. How long this computer takes is noise."""
    with switch(board, model=small) as device:
        before = chip(device).counters()
        result = device.flash(thinker)
        after = chip(device).counters()
        received = after.received - before.received
        awake = (after.cycles - before.cycles) - (after.idle - before.idle)
        assert result.model_bytes / received > 0.95 * LINE_SHARE
        assert awake / device.hello.clock_hz < 0.8 * received * 10 / BOARDS[board].baud
        assert (after.dropped, wrong(device)) == (before.dropped, (0, 0, 0))


# Refusals


def test_no_card(switch: Switch) -> None:
    with switch("uno-sd", "card=") as device:
        assert device.hello.fault == Fault.NO_CARD
        with pytest.raises(BoardError, match="There is no card in the board's socket"):
            device.chat("hello")


def test_no_chip_and_a_foreign_one(switch: Switch, small: Model) -> None:
    with switch("uno-flash", "chip=none") as device, pytest.raises(BoardError, match="No flash chip answers"):
        device.flash(small)
    foreign = "no flash chip of the W25Q family"
    with switch("uno-flash", "chip=at45db321") as device, pytest.raises(BoardError, match=foreign):
        device.flash(small)


def test_a_card_with_one_place(switch: Switch, small: Model, other: Model, tmp_path: Path) -> None:
    """The model alone, from block 0 on."""
    card = tmp_path / "raw.img"
    card.write_bytes(fitted(small, BOARDS["uno-sd"]).data.ljust(1 << 20, b"\0"))
    with switch("uno-sd", f"card={card}", model=small) as device:
        assert device.chat("hello").digest_checked
        with pytest.raises(BoardError, match=r"one place for a model.*two files of equal size"):
            device.flash(other)
        assert device.chat("hello").digest_checked


def test_a_model_larger_than_the_chip(switch: Switch, small: Model) -> None:
    first = replace(small.layers[0], code=WeightCode.INT8)
    wide = np.random.default_rng(1).integers(-100, 100, (300, 2048)).astype(np.int8)
    layers = (
        replace(first, weights=wide, bias=np.zeros(300, np.int16), saturate=True),
        replace(small.layers[-1], weights=np.ones((len(small.layers[-1].bias), 300), np.int8)),
    )
    large = replace(small, layers=layers, query_buckets=1024, context_buckets=1024, golden=())
    size, room = len(fitted(large, BOARDS["uno-flash"]).data), CHIPS["w25q80"] // 2 - 4096
    with switch("uno-flash", "chip=w25q80") as device:
        with pytest.raises(FitError) as caught:
            device.flash(large)
        assert f"takes {size} bytes packed; the chip of Arduino UNO with SPI flash has places of {room}" in str(
            caught.value
        )


def test_a_card_pulled_out_in_mid_reply(switch: Switch, thinker: Model) -> None:
    with switch("uno-sd", model=thinker) as device:
        stream = device.stream("hello")
        next(stream)
        chip(device).remove_card()
        start = time.monotonic()
        with pytest.raises(BoardError, match="card"):
            list(stream)
        assert time.monotonic() - start < 5


def test_another_memory(name: str, switch: Switch, small: Model) -> None:
    with switch(name) as device, pytest.raises(UsageError, match=rf"leave out --memory: it goes to its {MEMORY[name]}"):
        device.flash(small, memory="eeprom")


# Watching


def test_a_person_sees_it_think(switch: Switch, thinker: Model) -> None:
    thoughts: list[Thought] = []
    with switch("lilypad-sd", model=thinker) as device:
        reply = device.chat("hello", progress=thoughts.append)
    assert reply.text == thinker.reply("hello")
    streaming = [one for one in thoughts if one.layer]
    assert len(streaming) >= reply.chars
    assert {one.layer for one in streaming} <= set(range(1, 5))
    assert all(0 <= one.done <= one.total for one in thoughts)
    estimates = [one.seconds_left for one in streaming if one.seconds_left is not None]
    assert estimates
    assert min(estimates) >= 0


def test_stop_keeps_what_was_said(switch: Switch, thinker: Model) -> None:
    with switch("uno-sd", model=thinker) as device:
        said = ""
        for character in device.stream("hello"):
            said += character
            if len(said) == 3:
                device.stop()
        assert device.last is not None
        assert (device.last.text, device.last.stopped, device.last.digest_checked) == (said, True, None)
        assert 3 <= len(said) < len(thinker.reply("hello"))
        assert thinker.reply("hello").startswith(said)
        assert device.chat("hello").digest_checked


def test_ctrl_c_ends_a_reply(switch: Switch, thinker: Model, tmp_path: Path) -> None:
    switch("lilypad-sd", model=thinker).close()
    address = f"{address_of('lilypad-sd', tmp_path / 'lilypad-sd')}&pace=real"
    command = [str(ULM), "chat", address, "--once", "hello"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = running.stdout.read(2)
        running.send_signal(signal.SIGINT)
        rest, err = running.communicate(timeout=20)
    assert running.returncode == 0
    assert thinker.reply("hello").startswith((said + rest).rstrip("\n"))
    assert len(said + rest) < 20
    assert "stopped" in err


# The command line


def test_commands(name: str, small_file: Path, small: Model, tmp_path: Path, simavr: None) -> None:
    address = address_of(name, tmp_path / name)
    done = ulm("flash", address, small_file, "--json")
    shown = one_line_of_json(done.out)
    assert list(shown) == FLASH_KEYS
    assert (shown["board"], shown["memory"], shown["pages_kept"]) == (name, MEMORY[name], 0)
    assert f"{name} now runs small from {MEMORY[name]}" in ulm("flash", address, small_file).out
    (tmp_path / "q").write_text("hello\nwho are you\n")
    shown = one_line_of_json(ulm("bench", address, "--queries", tmp_path / "q", "--json").out)
    assert list(shown) == BENCH_KEYS
    assert shown["flash_bytes"] <= shipped_runtime(OFFLOAD[name]).bytes < shown["flash_bytes"] + 128
    part, energy = shown["part_cycles_per_reply"], shown["energy"]
    assert part["reading"] > 0 == part["writing"]
    currents = OFFLOAD[name].part_currents
    charge = currents.reading * part["reading"] + currents.standby * part["standby"]
    assert energy["part_uj_per_reply"] == pytest.approx(5000 * charge / 16_000_000)
    assert 0 < energy["part_uj_per_reply"] < energy["uj_per_reply"]
    assert energy["battery_days"] == {}
    assert "of it the card's or chip's" in ulm("bench", address, "--queries", tmp_path / "q").out
    assert "It goes" not in sentence(ulm("flash", address, small_file, "--memory", "disk"), UsageError)


def test_boards_and_info(small_file: Path, small: Model) -> None:
    rows = {row["name"]: row for row in one_line_of_json(ulm("boards", "--json").out)}
    rooms = one_line_of_json(ulm("info", small_file, "--json").out)["boards"]
    for name, board in OFFLOAD.items():
        memory = "card" if board.medium is Medium.SD else "chip"
        assert (rows[name]["model_bytes"], rows[name]["memories"]) == (None, [memory])
        assert rooms[name] == {"fits": True, "bytes": len(fitted(small, board).data), "room": None}
