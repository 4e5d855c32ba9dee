"""Lines that a person types to a board with a card."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from host_sdk.pack.stream import pack_stream
from host_sdk.sim.part import SdCard
from host_sdk.spec.stream import Form
from tests.offload.cards import Card
from tests.offload.conftest import OLD, Start
from tests.offload.images import shortened
from tests.offload.talker import Talker
from tests.synthetic import character_model

PROMPT = b"\r\n> "
FAILED = b"no answer from the card or chip"


def typed(board: Talker, line: bytes) -> bytes:
    """What comes back for a line, echo and next prompt included."""
    board._port.write(line + b"\r")
    answer, end = b"", time.monotonic() + 10
    while not answer.endswith(PROMPT) and time.monotonic() < end:
        answer += board._port.read(64)
    assert answer.startswith(line), answer
    return answer[len(line) : -len(PROMPT)].strip()


def test_a_card_comes_and_goes(start: Start, tmp_path: Path) -> None:
    card = Card(tmp_path / "card.img").add("MODEL.ULB", OLD).path
    with start("uno-sd", SdCard(None)) as board:
        assert typed(board, b"hello") == FAILED
        board.board.insert_card(card)
        reply = typed(board, b"hello")
        assert len(reply) == 50
        assert reply == typed(board, b"  hello ")
        board.board.remove_card()
        assert typed(board, b"hello") == FAILED


def test_a_line_longer_than_the_longest_query(start: Start, tmp_path: Path) -> None:
    """The line itself lies in memory that the engine uses."""
    card = Card(tmp_path / "card.img").add("MODEL.ULB", shortened(OLD, 20)).path
    with start("uno-sd", SdCard(card)) as board:
        assert typed(board, b"x" * 21) == b"line too long"
        assert len(typed(board, b"x" * 20)) == 50
        assert typed(board, b"x" * 80) == b"line too long"


@pytest.mark.parametrize("form", list(Form))
def test_a_long_line(start: Start, tmp_path: Path, form: Form) -> None:
    """No byte of the line is lost in the engine's memory, where it lies."""
    model = character_model(3)
    card = Card(tmp_path / "card.img").add("MODEL.ULB", pack_stream(model, form).data).path
    queries = ["".join(chr(33 + (7 * at + step) % 90) for at in range(80)) for step in (1, 30, 60)]
    with start("uno-sd", SdCard(card)) as board:
        replies = [typed(board, query.encode()).decode() for query in queries]
    assert replies == [model.reply(query).strip() for query in queries]
    assert len(set(replies)) > 1
