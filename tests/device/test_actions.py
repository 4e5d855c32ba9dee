"""Reply models: keywords answered with what the board does and measures."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from host_sdk.boards import BOARDS
from host_sdk.device import Device
from host_sdk.model.model import Model, ReplyText
from host_sdk.sim.avr_board import PinChange
from host_sdk.spec.protocol import Action
from tests.conftest import FULL_BOARDS, OpenBoard
from tests.device.conftest import chip
from tests.synthetic import reply_model

PAIRS = (
    ("what now", ReplyText("i don't know")),
    ("light on", ReplyText("on", Action.LED_ON)),
    ("dark please", ReplyText("off", Action.LED_OFF)),
    ("blinking", ReplyText("blink", Action.LED_BLINK)),
    ("analog pin zero", ReplyText("a0 reads {}", Action.READ_ANALOG)),
    ("button", ReplyText("d2 is {}", Action.READ_DIGITAL)),
    ("volts", ReplyText("supply {} V", Action.SUPPLY_VOLTAGE)),
    ("how warm", ReplyText("{} degrees", Action.TEMPERATURE)),
    ("uptime", ReplyText("up {} s", Action.UPTIME)),
    ("roll dice", ReplyText("a {}!", Action.DICE)),
    ("salute", ReplyText("hello, human")),
)
BY_ACTION = {reply.action: query for query, reply in PAIRS}


@pytest.fixture(scope="module")
def keywords() -> Model:
    return reply_model(PAIRS)


@pytest.fixture(scope="module", params=FULL_BOARDS)
def device(request: pytest.FixtureRequest, open_board: OpenBoard, keywords: Model) -> Device:
    return open_board(request.param, keywords)


@pytest.fixture
def ask(device: Device) -> Callable[[Action], str]:
    """Asks for an action and returns its reply."""

    def one(action: Action) -> str:
        reply = device.chat(BY_ACTION[action])
        assert reply.digest_checked
        assert (reply.passes, reply.chars) == (1, len(reply.text))
        return reply.text

    return one


def value(text: str) -> float:
    """The number in a reply, the last one."""
    return float(re.findall(r"-?\d+(?:\.\d+)?", text)[-1])


def test_plain_replies(device: Device) -> None:
    assert device.chat("salute").text == "hello, human"
    assert device.chat("qqq zzz").text == "i don't know"


def test_verify_performs_no_action(device: Device, ask: Callable[[Action], str]) -> None:
    ask(Action.LED_OFF)
    result = device.verify()
    assert (result.queries, result.exact) == (len(PAIRS), len(PAIRS))
    assert chip(device).pin("D13").state == "low"


def test_the_led(device: Device, ask: Callable[[Action], str]) -> None:
    assert ask(Action.LED_ON) == "on"
    assert chip(device).pin("D13") == ("high", True)
    assert ask(Action.LED_OFF) == "off"
    assert chip(device).pin("D13") == ("low", False)


def test_the_led_blinks_until_told_otherwise(device: Device, ask: Callable[[Action], str]) -> None:
    board, clock_hz = chip(device), BOARDS[device.board].clock_hz
    board.pin_changes()
    assert ask(Action.LED_BLINK) == "blink"
    changes: list[PinChange] = []
    deadline = time.monotonic() + 10
    while len(changes) < 6 and time.monotonic() < deadline:
        changes += [change for change in board.pin_changes() if change.pin == "D13"]
        time.sleep(0.02)
    assert [change.state for change in changes[:6]] == ["high", "low"] * 3
    gaps_s = [(b.cycle - a.cycle) / clock_hz for a, b in pairwise(changes[1:6])]
    assert all(gap == pytest.approx(0.25, rel=0.05) for gap in gaps_s)
    ask(Action.LED_OFF)
    board.pin_changes()
    time.sleep(0.3)
    assert not [change for change in board.pin_changes() if change.pin == "D13"]
    assert board.pin("D13").state == "low"


@pytest.mark.parametrize("millivolts", [0, 7, 1650, 2500, 3299])
def test_analog(device: Device, ask: Callable[[Action], str], millivolts: int) -> None:
    chip(device).set_analog("A0", millivolts)
    text = ask(Action.READ_ANALOG)
    assert text.startswith("a0 reads ")
    assert value(text) == pytest.approx(millivolts * 1023 / BOARDS[device.board].supply_mv, abs=1)


def test_digital(device: Device, ask: Callable[[Action], str]) -> None:
    for high, due in ((False, "d2 is 0"), (True, "d2 is 1"), (None, "d2 is 1"), (False, "d2 is 0")):
        chip(device).set_pin("D2", high)
        assert ask(Action.READ_DIGITAL) == due  # released, the pull-up holds it high


@pytest.mark.parametrize("millivolts", [1800, 2700, 3300, 4200, 5000, 5500])
def test_supply(device: Device, ask: Callable[[Action], str], millivolts: int) -> None:
    chip(device).set_supply(millivolts)
    try:
        text = ask(Action.SUPPLY_VOLTAGE)
    finally:
        chip(device).set_supply(BOARDS[device.board].supply_mv)
    assert re.fullmatch(r"supply \d\.\d\d V", text)
    assert value(text) == pytest.approx(millivolts / 1000, rel=0.02)


@pytest.mark.parametrize("celsius", [-40, -5, 0, 25, 60, 85])
def test_temperature(device: Device, ask: Callable[[Action], str], celsius: int) -> None:
    chip(device).set_analog("temp", round(314 + 1.06 * (celsius - 25)))
    assert value(ask(Action.TEMPERATURE)) == pytest.approx(celsius, abs=3)


def test_uptime(device: Device, ask: Callable[[Action], str]) -> None:
    board, clock_hz = chip(device), BOARDS[device.board].clock_hz
    start, shown = board.counters().cycles, value(ask(Action.UPTIME))
    deadline = time.monotonic() + 20
    while board.counters().cycles - start < 3 * clock_hz and time.monotonic() < deadline:
        time.sleep(0.02)
    passed_s = (board.counters().cycles - start) / clock_hz
    later = value(ask(Action.UPTIME))
    assert later - shown == pytest.approx(passed_s, abs=1.5)
    assert device.info().uptime_s - later <= 2
    assert later <= board.counters().cycles / clock_hz + 1


def test_dice(device: Device, ask: Callable[[Action], str]) -> None:
    thrown = [ask(Action.DICE) for _ in range(60)]
    assert {text[2:-1] for text in thrown} <= set("123456")
    assert len(set(thrown)) >= 4
