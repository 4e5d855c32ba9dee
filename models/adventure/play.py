"""A small text adventure whose parser is a board: what you type goes to it, and it says which command was meant.

    ulm flash sim://uno adventure
    python models/adventure/play.py sim://uno

The board runs the model `adventure`; this file is the world.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from host_sdk import Device
from host_sdk.errors import UlmError

HELP = (
    "Walk (north, up ...), look, take, open, read, talk. Your bag is the inventory. Goal: ring the bell in the tower."
)
DARK = "It is too dark to see anything. A way leads up."

# Room -> (what it looks like, exits).
ROOMS: dict[str, tuple[str, dict[str, str]]] = {
    "hall": ("You stand in the hall of an old house. Exits: east to the kitchen, north to the garden.",
             {"east": "kitchen", "north": "garden"}),
    "kitchen": ("A cold kitchen. Steps lead down to a cellar; the hall is west.", {"west": "hall", "down": "cellar"}),
    "cellar": ("A dry cellar with an old chest. The kitchen is up.", {"up": "kitchen"}),
    "garden": ("A wild garden with a well. The house is south; a bridge leads west.",
               {"south": "hall", "west": "bridge"}),
    "bridge": ("A stone bridge over a stream. The garden is east, a tower stands west.",
               {"east": "garden", "west": "tower"}),
    "tower": ("The foot of a tower with a heavy door. The bridge is east, stairs go up behind the door.",
              {"east": "bridge", "up": "bell room"}),
    "bell room": ("The top of the tower. A bell hangs from a beam. Stairs lead down.", {"down": "tower"}),
}  # fmt: skip
PLACES = {"lamp": "hall", "note": "hall", "bread": "kitchen", "rope": "garden", "key": "chest"}


class World:
    """The state of one game; `do` performs a command as the model writes it."""

    def __init__(self) -> None:
        self.room = "hall"
        self.things = dict(PLACES)  # thing -> room, "bag", "chest" or "gone"
        self.facts: set[str] = set()  # "light", "chest open", "troll fed", "door open", "rope tied"
        self.over = False

    def do(self, command: str) -> str:
        """What happens."""
        verb, _, noun = command.partition(" ")
        act: Callable[[str], str] | None = getattr(self, f"_{verb}", None)
        return act(noun) if act else "I did not get that. Say it in other words, or ask for help."

    def _has(self, thing: str) -> bool:
        return self.things[thing] == "bag"

    def _dark(self) -> bool:
        return self.room == "cellar" and not ("light" in self.facts and self._has("lamp"))

    def _go(self, way: str) -> str:
        if self.room == "bridge" and way == "west" and "troll fed" not in self.facts:
            return "A troll steps into your way. Its stomach rumbles."
        if self.room == "tower" and way == "up" and "door open" not in self.facts:
            return "The door is shut."
        room = ROOMS[self.room][1].get(way)
        if room is None:
            return "There is no way."
        self.room = room
        return self._look("")

    def _look(self, _: str) -> str:
        if self._dark():
            return DARK
        here = [thing for thing, place in self.things.items() if place == self.room]
        if self.room == "bridge" and "troll fed" not in self.facts:
            here.append("troll")
        return ROOMS[self.room][0] + "".join(f" There is a {thing}." for thing in here)

    def _inventory(self, _: str) -> str:
        bag = [thing for thing in self.things if self._has(thing)]
        return "You carry: " + (", ".join(bag) or "nothing") + "."

    def _help(self, _: str) -> str:
        return HELP

    def _wait(self, _: str) -> str:
        return "Time passes."

    def _quit(self, _: str) -> str:
        self.over = True
        return "Goodbye."

    def _take(self, thing: str) -> str:
        if self._has(thing):
            return "You have it."
        if self.things[thing] != self.room or self._dark():
            return f"You see no {thing} here."
        self.things[thing] = "bag"
        return "Taken."

    def _light(self, _: str) -> str:
        if not self._has("lamp"):
            return "You have no lamp."
        self.facts.add("light")
        return "The lamp burns. " + self._look("")

    def _read(self, _: str) -> str:
        if self.things["note"] not in ("bag", self.room):
            return "You see no note here."
        return 'It says: "The bell rope is worn. Bring a new one. Do not forget the troll\'s lunch."'

    def _open(self, thing: str) -> str:
        if thing == "chest":
            if self.room != "cellar" or self._dark():
                return "You see no chest here."
            if "chest open" not in self.facts:
                self.facts.add("chest open")
                self.things["key"] = "cellar"
            return self._look("")
        if self.room != "tower":
            return "There is no locked door here."
        if not self._has("key"):
            return "It is locked."
        self.facts.add("door open")
        return "The key turns. Behind the door stairs lead up."

    def _eat(self, _: str) -> str:
        if not self._has("bread"):
            return "You have nothing to eat."
        return "You take a small bite. Somebody may need the rest more."

    def _give(self, _: str) -> str:
        if not self._has("bread"):
            return "You have nothing to give."
        if self.room != "bridge" or "troll fed" in self.facts:
            return "Nobody here is hungry."
        self.things["bread"] = "gone"
        self.facts.add("troll fed")
        return "The troll eats the bread in one bite, smiles, and climbs under the bridge."

    def _talk(self, _: str) -> str:
        if self.room != "bridge" or "troll fed" in self.facts:
            return "Nobody answers."
        return '"Nobody crosses while I am hungry," says the troll.'

    def _hit(self, _: str) -> str:
        if self.room != "bridge" or "troll fed" in self.facts:
            return "You hit the air."
        return "The troll does not even notice."

    def _tie(self, _: str) -> str:
        if not self._has("rope"):
            return "You have no rope."
        if self.room != "bell room":
            return "There is nothing here to tie it to."
        self.things["rope"] = "gone"
        self.facts.add("rope tied")
        return "You tie the rope to the bell."

    def _ring(self, _: str) -> str:
        if self.room != "bell room":
            return "There is no bell here."
        if "rope tied" not in self.facts:
            return "The bell hangs too high, and its rope is gone."
        self.over = True
        return "The bell rings over the valley. Lights go on in the village. You have won!"

    def _drink(self, _: str) -> str:
        return "The water of the well is cold and good." if self.room == "garden" else "There is no water here."


def play(parse: Callable[[str], str], read: Callable[[str], str], show: Callable[[str], None]) -> None:
    """Play one game; `parse` turns a line into a command. An end of the input ends the game."""
    world = World()
    show(HELP + "\n\n" + world.do("look"))
    while not world.over:
        try:
            line = read("> ").strip()
        except EOFError:
            return
        if line:
            show(world.do(parse(line)))


def main() -> None:
    """Open the board and play."""
    arguments = argparse.ArgumentParser(description="A text adventure; the parser runs on the board.")
    arguments.add_argument("address", help="a serial port, or a virtual board such as sim://uno")
    address = arguments.parse_args().address
    try:
        with Device(address, model="adventure") as board:
            play(lambda line: _ask(board, line), input, print)
    except UlmError as error:
        raise SystemExit(f"play.py: {error}") from None


def _ask(board: Device, line: str) -> str:
    """The command that the board reads in a line; a line that is too long for it is not understood."""
    return board.chat(line).text if len(line) <= board.hello.max_query else "huh?"


if __name__ == "__main__":
    main()
