"""What a kind of board does in its own way; everything else of a Device is the same for all boards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from host_sdk.conformance import Usage
from host_sdk.errors import PortError
from host_sdk.flash.result import FlashResult
from host_sdk.link.connection import Connection
from host_sdk.link.messages import End, Hello
from host_sdk.model.model import Model

Progress = Callable[[int, int], None]


class Packed(Protocol):
    """A model packed for one kind of memory."""

    @property
    def data(self) -> bytes:
        """The bytes of a `.ulb` file."""

    def report(self) -> dict[str, object]:
        """What the packer chose, for people and `--json`."""


@dataclass(frozen=True, slots=True)
class How:
    """The choices that a person has in flashing."""

    memory: str  # one of the kind's
    programmer: str = "stk500"
    yes: bool = False  # over a program of the user's
    at_start: bool = False  # the runtime starts with the board, where that is a choice
    compact: bool = False  # smaller and slower, where that is a choice


class Kind(ABC):
    """One board, seen as one of its kind. A new kind of board is a new subclass, and a line in KINDS.

    Methods that take a Connection raise what Device's methods raise.
    """

    new_speaks: ClassVar[bool] = False
    """Whether a virtual board that nobody has used has a runtime already."""

    starts_on_request: ClassVar[bool] = False
    """Whether it is a choice that the runtime starts with the board."""

    packs_compact: ClassVar[bool] = False
    """Whether there is a smaller and slower form of a model."""

    has_bootloader: ClassVar[bool] = False
    """Whether it is a choice which program speaks with its bootloader."""

    counts_cycles: ClassVar[bool] = True
    """Whether its figures are the chip's cycles; if not they are time, of a virtual board this computer's."""

    def __init__(self, board: Any) -> None:
        """`board` is a record of the kind's class."""
        self.board = board

    @property
    @abstractmethod
    def memories(self) -> tuple[str, ...]:
        """Where a model can be put; the first is where it goes if nobody asks."""

    @property
    def demo(self) -> str:
        """The shipped model of a virtual board that nobody has used."""
        return "tinychat"

    @property
    @abstractmethod
    def room(self) -> int | None:
        """Bytes that a packed model may take; None where that is a matter of a part that can be changed."""

    @abstractmethod
    def fitted(self, model: Model) -> Packed:
        """The packed model; FitError with the numbers when the board has no room for it."""

    @abstractmethod
    def flash(self, connection: Connection, model: Model, how: How, progress: Progress | None) -> FlashResult:
        """Put the model on the board, and a runtime where that is our business; leave it greeted."""

    def wake(self, connection: Connection) -> bool:
        """Start a runtime that only waits to be told so; whether it runs now.

        PortError or BoardError where there is none, or only a part of one.
        """
        return False

    def furnish(self, connection: Connection, model: Model) -> None:
        """Make a virtual board that nobody has used one with this model; leave it greeted."""
        self.flash(connection, model, How(self.memories[0]), None)

    def is_outdated(self, hello: Hello) -> bool:
        """Whether `flash` would bring another build of the runtime."""
        return False

    def silent(self, address: str, reason: PortError) -> PortError:
        """What to say of a board that does not answer, for that reason."""
        return reason

    def hello(self, connection: Connection) -> Hello:
        """What the board said when it was greeted; PortError when it has not answered."""
        try:
            return connection.hello
        except PortError as reason:
            raise self.silent(connection.address, reason) from None

    def metered(self, connection: Connection, end: End) -> End:
        """The end of the reply just heard, with cycles where they are counted outside of the board."""
        return end

    @abstractmethod
    def usage(self, connection: Connection) -> Usage:
        """What a virtual board has done since it was switched on."""
