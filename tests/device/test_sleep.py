"""Sleeping: idle between bytes, power-down on request, and what a reply costs."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from host_sdk import Device
from host_sdk.boards import BOARDS, Avr
from host_sdk.flash.memory import Memory
from host_sdk.report.energy import BATTERIES, estimate
from tests.synthetic import character_model

MODEL = character_model(11)
HEX = Path(__file__).parents[2] / "host_sdk" / "flash" / "hex"
SLEEP, SEI = 0x9588, 0x9478


@pytest.fixture(scope="module")
def lilypad(tmp_path_factory: pytest.TempPathFactory) -> Device:
    state: Path = tmp_path_factory.mktemp("lilypad")
    with Device(f"sim://lilypad?state={state}", model=MODEL) as device:
        yield device


def test_power_down_stops_the_clock_until_the_next_request(lilypad: Device) -> None:
    before = lilypad._connection.virtual.counters()
    lilypad.sleep()
    time.sleep(0.5)
    asleep = lilypad._connection.virtual.counters()
    assert asleep.power_down - before.power_down > 0.3 * lilypad.hello.clock_hz
    reply = lilypad.chat("hello")
    awake = lilypad._connection.virtual.counters()
    assert reply.text == MODEL.reply("hello")
    assert reply.digest_checked
    assert awake.dropped - asleep.dropped == 1, "the wake byte, and nothing else, is lost"
    assert awake.illegal_wakes == 0
    assert awake.resets == before.resets


def test_it_can_sleep_again_and_again(lilypad: Device) -> None:
    for query in ("one", "two", "three"):
        lilypad.sleep()
        assert lilypad.chat(query).text == MODEL.reply(query)


def test_the_cpu_sleeps_while_it_sends(lilypad: Device) -> None:
    """Awake it is for the network and for the interrupts, not for the line."""
    result = lilypad.bench(["hello", "how are you", "who are you"])
    assert result.active_cycles_per_reply is not None
    assert result.line_bytes_per_reply is not None
    computed = result.query_cycles["mean"] + result.cycles_per_char["mean"] * result.passes / result.queries
    line = result.line_bytes_per_reply * 10 / BOARDS["lilypad"].baud * result.clock_hz
    assert computed < result.active_cycles_per_reply < computed + 0.5 * line


@pytest.mark.parametrize("name", [board.name for board in BOARDS.values() if isinstance(board, Avr)])
def test_no_interrupt_comes_between_a_look_and_sleep(name: str) -> None:
    """SEI lets them in behind the next instruction. One before SLEEP would leave the CPU asleep for 2^16 cycles."""
    cells = Memory.from_hex_file(HEX / f"{name}.hex", BOARDS[name].flash_page).cells
    words = [cells.get(at, 0xFF) | cells.get(at + 1, 0xFF) << 8 for at in range(0, max(cells) + 1, 2)]
    before = [words[at - 1] for at, word in enumerate(words) if word == SLEEP]
    assert before
    assert set(before) == {SEI}


def test_energy_is_what_the_formula_says(lilypad: Device) -> None:
    result = replace(
        lilypad.bench(["hi"]), active_cycles_per_reply=8e6, line_bytes_per_reply=5760.0, queries=1, passes=10
    )
    energy = estimate(BOARDS["lilypad"], result, replies_per_day=10)
    assert energy is not None
    assert energy.uj_per_reply == pytest.approx(3300 * (3.7 * 1 + 0.69 * 1))  # one second awake, one on the line
    assert energy.uj_per_char == pytest.approx(energy.uj_per_reply / 10)
    a_day = 10 * (3.7 + 0.69) / 3600 + 0.0001 * 24
    assert energy.battery_days["CR2032"] == pytest.approx(BATTERIES["CR2032"] / a_day)


def test_a_board_with_unknown_currents_has_no_estimate(lilypad: Device) -> None:
    assert estimate(BOARDS["uno"], lilypad.bench(["hi"])) is None
