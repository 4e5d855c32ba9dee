"""What a session takes for the REPL of a Python, and what not."""

from __future__ import annotations

import pytest

from host_sdk.link.session import HELLO_TIMEOUT_S, Session
from tests.link.fake import Line
from tests.link.rig import Rig


class Shell(Line):
    """A line to something that shows what it is sent, like the REPL of a Python."""

    shown: bytes | None = None  # instead of what was sent

    def write(self, data: bytes, /) -> int:
        count = super().write(data)
        self.inject(data if self.shown is None else self.shown)
        return count


def shell(shown: bytes | None = None, deaf: bool = True) -> Rig:
    rig = Rig()
    rig.board.deaf = deaf
    rig.line = Shell(rig.board, rig.clock)
    rig.line.shown = shown
    rig.session = Session(rig.line)
    return rig


@pytest.mark.parametrize("shown", [None, b"raw REPL; CTRL-B to exit\r\n>>> "], ids=["echo", "prompt"])
def test_a_repl_is_noticed_at_once(shown: bytes | None) -> None:
    rig = shell(shown)
    woken: list[float] = []

    def wake() -> bool:
        woken.append(rig.clock.now)
        rig.board.deaf = False
        return True

    started = rig.clock.now
    assert rig.session.hello(wake=wake)
    assert len(woken) == 1
    assert woken[0] - started < 0.5


def test_what_only_echoes_is_asked_on() -> None:
    """An adapter whose two wires touch, with a board that is still in its bootloader."""
    rig, woken = shell(), []

    def wake() -> bool:
        woken.append(rig.clock.now)
        return False

    started = rig.clock.now
    assert rig.session.hello(wake=wake) is None
    assert len(woken) == 1
    assert rig.clock.now - started == pytest.approx(HELLO_TIMEOUT_S, abs=0.1)


@pytest.mark.parametrize("text", [b"temp 21.5\r\n", b"~H", b">> "])
def test_a_program_that_talks_is_no_repl(text: bytes) -> None:
    rig = shell(text)
    assert rig.session.hello(wake=lambda: pytest.fail("it is none")) is None


def test_a_board_in_its_bootloader_hears_nothing_but_questions() -> None:
    """And one byte that brings a raw REPL back, which is no command of a bootloader's."""
    rig = Rig()
    rig.board.deaf = True
    sent: list[bytes] = []

    def hear(data: bytes) -> None:
        sent.append(data)
        rig.board.deaf = len(sent) < 30

    rig.line.on_write = hear
    assert rig.session.hello(wake=lambda: pytest.fail("nothing was heard"))
    assert [data for data in sent if len(data) > 1 and not data.startswith(b"~H")] == []
    assert sent.count(b"\x02") == 1
