"""The adventure's world: it can be won, its puzzles hold, and every command of the model means something in it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from host_sdk.model.library import shipped_model
from host_sdk.train.data import read_pairs

MODELS = Path(__file__).parents[2] / "models"
WINNING = [
    "take lamp", "light lamp", "take note", "read note", "go east", "take bread", "go down", "open chest", "take key",
    "go up", "go west", "go north", "take rope", "go west", "talk troll", "give bread", "go west", "open door", "go up",
    "tie rope", "ring bell",
]  # fmt: skip
TYPED = [
    "pick up the lamp", "light the lamp", "go east", "grab the bread", "go down to the cellar", "open the chest",
    "take the key", "go back up", "walk west", "go north", "take the rope", "go west", "give the bread to the troll",
    "cross the bridge", "use the key on the door", "climb the stairs", "tie the rope to the bell", "ring the bell",
]  # fmt: skip


@pytest.fixture(scope="module")
def game() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("play", MODELS / "adventure" / "play.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_it_can_be_won(game: ModuleType) -> None:
    world = game.World()
    shown = [world.do(command) for command in WINNING]
    assert world.over
    assert "You have won!" in shown[-1]


@pytest.mark.parametrize("left_out", ["take lamp", "light lamp", "take bread", "open chest", "take key", "take rope",
                                      "give bread", "open door", "tie rope"])  # fmt: skip
def test_every_puzzle_is_needed(game: ModuleType, left_out: str) -> None:
    world = game.World()
    for command in WINNING:
        if command != left_out:
            world.do(command)
    assert not world.over


def test_the_world_knows_every_command_of_the_model(game: ModuleType) -> None:
    commands = {pair.reply for pair in read_pairs(MODELS / "adventure" / "data.txt")}
    unknown = game.World().do("huh?")
    assert {command for command in commands if game.World().do(command) == unknown} == {"huh?"}


def test_typed_in_free_words_it_is_won(game: ModuleType) -> None:
    """The reference engine stands for a board, whose bits are equal."""
    model = shipped_model("adventure")
    lines = iter(TYPED)
    shown: list[str] = []
    game.play(model.reply, lambda prompt: next(lines), shown.append)
    assert "You have won!" in shown[-1]


def test_the_end_of_the_input_ends_the_game(game: ModuleType) -> None:
    def read(prompt: str) -> str:
        raise EOFError

    shown: list[str] = []
    game.play(str, read, shown.append)
    assert len(shown) == 1
