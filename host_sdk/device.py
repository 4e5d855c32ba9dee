"""`Device`: the whole API. One board at one address, real or virtual."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType

from host_sdk.conformance import BenchResult, Vector, VerifyResult, measure, prove
from host_sdk.errors import BoardError, FileError, FitError, LinkError, PortError, UlmError, UsageError
from host_sdk.flash.avrdude import PROGRAMMERS
from host_sdk.flash.choose import choose_board
from host_sdk.flash.result import FlashResult, check_result
from host_sdk.kinds import How, Kind, kind_of, wake
from host_sdk.kinds.only import only_board
from host_sdk.link.connection import Connection
from host_sdk.link.messages import End, Hello, Info, refusal
from host_sdk.link.pace import Pace, Thought
from host_sdk.link.session import Event, Text
from host_sdk.link.session import Progress as Work
from host_sdk.model.engine import run
from host_sdk.model.library import find_model, recall, remember, shipped_model
from host_sdk.model.model import Model
from host_sdk.model.text import query_bytes
from host_sdk.pack.queries import bench_queries
from host_sdk.spec.protocol import MAX_QUERY, HelloFlag, Status

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""
Thinking = Callable[[Thought], None]
"""Told how far a slow board is with its next character."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply and its figures. Cycles are None where the board counts none, milliseconds where it has no clock."""

    text: str
    chars: int
    passes: int
    digest: int  # CRC-16/X-25 of the outputs of all passes
    digest_checked: bool | None  # recomputed here and equal; None when this computer does not know the model
    stopped: bool
    cycles_per_char: float | None  # mean over the passes
    ms_per_char: float | None
    board: str
    model: str

    def __str__(self) -> str:
        return self.text


class Device:
    """A board that talks.

    `address` is any pyserial URL: "/dev/ttyACM0", "COM3", "socket://host:port", or "sim://uno" for a virtual
    board; without one the only connected board is taken. `model` (a Model or the path of a `.ulm` file) is flashed
    when the board has another one. `trace` is a file for every byte that crosses the line.

        with Device("sim://uno") as board:
            print(board.chat("hello"))

    Raises PortError when the port cannot be opened or nobody answers on it, BoardError when the board speaks
    another protocol revision.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        model: Model | str | Path | None = None,
        baud: int | None = None,
        trace: str | Path | None = None,
        bare: bool = False,
    ) -> None:
        """`bare` opens a board that may have no runtime yet: until it has, only `flash` works."""
        wanted = model if isinstance(model, Model) or model is None else find_model(model)
        self.address = address if address is not None else only_board()
        self.last: Reply | None = None
        """The last complete reply."""
        self._pace = Pace()
        self._connection = Connection(self.address, baud, trace)
        try:
            self._start(wanted, bare)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the port; a virtual board is switched off and keeps its memories."""
        self._connection.close()

    @property
    def board(self) -> str:
        """The board's short name."""
        return self.hello.board

    @property
    def simulated(self) -> bool:
        """Whether this is a virtual board; `timing` says what its figures are."""
        return self.address.startswith("sim://")

    @property
    def timing(self) -> str:
        """Whose time the figures are: "board", "simulated" (cycles of its chip), or "this computer" (a program)."""
        if not self.simulated:
            return "board"
        return "simulated" if self._counts_cycles else "this computer"

    @cached_property
    def model(self) -> Model | None:
        """The model on the board, if this computer has seen it; None otherwise."""
        return recall(self.hello.model_crc) if self.hello.model_crc is not None else None

    def chat(self, query: str, *, progress: Thinking | None = None) -> Reply:
        """Ask and wait for the whole reply. UsageError for a query longer than the board takes."""
        for _ in self.stream(query, progress=progress):
            pass
        assert self.last is not None
        return self.last

    def stream(self, query: str, *, progress: Thinking | None = None) -> Generator[str, None, None]:
        """Ask and yield the reply's characters as the board makes them; afterwards `last` is the whole Reply.

        `progress` is told a few times a second how far a board is that takes longer for a character. A stream that
        is closed before its end stops the board; `stop` ends it and keeps what was said.
        """
        data = self._query(query)
        events = self._connection.session.chat(data)
        text = ""
        end: End | None = None
        self._pace.begin()
        try:
            for event in events:
                if isinstance(event, Work):
                    thought = self._pace.see(event)
                    if progress:
                        progress(thought)
                elif isinstance(event, Text):
                    self._pace.say(len(event.text))
                    text += event.text
                    yield from event.text
                elif isinstance(event, End):
                    end = event
        finally:
            if end is None:
                self._abandon(events)
        if end is not None:
            self.last = self._reply(data, text, end)

    def stop(self) -> None:
        """End the reply that is being made; `stream` and `chat` then return what was said, with `stopped` set.

        For a signal handler or another thread: they wait for the board meanwhile.
        """
        self._connection.session.stop()

    def info(self) -> Info:
        """Sizes of runtime, model and memory, and how long the board has been up."""
        return self._connection.session.info()

    def sleep(self) -> None:
        """Power the board down, to a few microamperes; the next request wakes it. Its uptime stands still."""
        self._connection.session.sleep()

    def load(self, name: str) -> None:
        """Choose among the models stored on the board; BoardError where there is but one."""
        if name != self.hello.model:
            self._connection.session.load(name)
            self._greet()

    def flash(
        self,
        model: Model | str | Path,
        *,
        board: str | None = None,
        yes: bool = False,
        programmer: str = PROGRAMMERS[0],
        memory: str | None = None,
        at_start: bool = False,
        compact: bool = False,
        progress: Progress | None = None,
    ) -> FlashResult:
        """Put a model on the board, and its runtime where the board has a bootloader; only what differs is written.

        `memory` is where the model goes, if the board has several places for it: an AVR board has "flash" and, once
        its runtime answers, "eeprom". `board` names the kind of board where bootloaders look alike, `yes` replaces a
        foreign program or interrupts one, `programmer` is one of PROGRAMMERS. With `at_start` a Python board starts its
        runtime whenever it is switched on. `compact` packs a small reply model for an AVR board's flash in bits: half
        the bytes, many times slower; in the EEPROM it always is so.

        FitError with the numbers, before anything is touched, when the model has no room.
        """
        model = model if isinstance(model, Model) else find_model(model)
        virtual = self._connection.virtual
        named = board or (virtual.board.name if virtual else None)
        kind = kind_of(choose_board(self._connection.line, self._connection.heard, named, yes))
        memory = memory or kind.memories[0]
        if memory not in kind.memories:
            raise UsageError(
                f"No model goes into the {memory} of {kind.board.title}; leave out --memory: "
                f"it goes to its {kind.memories[0]}."
            )
        if at_start and not kind.starts_on_request:
            raise UsageError(f"{kind.board.title} always starts with its runtime; leave out --at-start.")
        if programmer != PROGRAMMERS[0] and not kind.has_bootloader:
            raise UsageError(f"{kind.board.title} has no bootloader that is flashed through; leave out --programmer.")
        if compact and not kind.packs_compact:
            raise UsageError(f"{kind.board.title} has one form of a model only; leave out --compact.")
        result = kind.flash(self._connection, model, How(memory, programmer, yes, at_start, compact), progress)
        self._forget()
        remember(model)
        check_result(result, self.hello)
        return result

    def verify(
        self,
        vectors: Sequence[Vector] | None = None,
        *,
        progress: Progress | None = None,
    ) -> VerifyResult:
        """Compare replies and the outputs of every pass, bit by bit; actions are not performed.

        Against `vectors`, or without them the board's own golden queries against the reference engine, which needs
        the model's file (FileError when this computer has not seen it).
        """
        if vectors is None:
            vectors = Vector.of(self._known_model())
        return prove(self._connection.session, self.hello, vectors, progress)

    def bench(self, queries: Sequence[str] | None = None, *, progress: Progress | None = None) -> BenchResult:
        """Time the shipped everyday queries, or others."""
        chosen = bench_queries() if queries is None else queries
        data = [self._query(query) for query in chosen]
        kind, connection = self._kind, self._connection
        return measure(
            connection.session,
            self.hello,
            data,
            counters=partial(kind.usage, connection) if kind and connection.virtual else None,
            meter=partial(kind.metered, connection) if kind else None,
            progress=progress,
            counts_cycles=self._counts_cycles,
            timing=self.timing,
        )

    # Connection

    @property
    def hello(self) -> Hello:
        """What the board said when it was greeted; PortError when it has not answered."""
        kind = self._kind
        return kind.hello(self._connection) if kind else self._connection.hello

    @property
    def _kind(self) -> Kind | None:
        """The board as one of its kind; None while it is not known."""
        board = self._connection.board
        return kind_of(board) if board else None

    @property
    def _counts_cycles(self) -> bool:
        return self._kind is None or self._kind.counts_cycles

    def _start(self, model: Model | None, bare: bool) -> None:
        kind, virtual = self._kind, self._connection.virtual
        new = virtual is not None and virtual.fresh and "blank" not in self.address.partition("?")[2]
        if kind and new and not bare:
            # Like a board sold with the demo on it.
            kind.furnish(self._connection, model or shipped_model(kind.demo))
        if kind and new and bare and not kind.new_speaks:
            return
        try:
            if not self._connection.heard:
                if kind:
                    kind.wake(self._connection)
                self._greet()
        except (PortError, BoardError, FitError, LinkError):
            if not bare:
                raise
            return  # without a runtime, or with one that does not start or has another revision: flashing repairs it
        if model and (self.hello.model_crc != model.crc or (self._kind and self._kind.is_outdated(self.hello))):
            self.flash(model)
        elif model:
            remember(model)

    def _greet(self) -> None:
        kind = self._kind
        try:
            self._connection.greet(None if kind else partial(wake, self._connection))
        except PortError as error:
            raise (kind.silent(self.address, error) if kind else error) from None
        self._forget()

    def _forget(self) -> None:
        """The board may have another model now."""
        self.__dict__.pop("model", None)

    # Replies

    def _query(self, query: str) -> bytes:
        if self.hello.model_status != Status.OK:
            return query_bytes(query)  # the board itself says what is wrong
        return query_bytes(query, min(self.hello.max_query, MAX_QUERY))

    def _reply(self, query: bytes, text: str, end: End) -> Reply:
        stopped = end.status == Status.STOPPED
        if self._kind:
            end = self._kind.metered(self._connection, end)
        counted = end.passes > 0 and (HelloFlag.CYCLES in self.hello.flags or end.cycles > 0)
        ticks = end.cycles / end.passes if counted else None
        checked = None
        if self.model is not None and not stopped:
            checked = run(self.model, [query])[0].digest == end.digest
        return Reply(
            text=text,
            chars=end.chars,
            passes=end.passes,
            digest=end.digest,
            digest_checked=checked,
            stopped=stopped,
            cycles_per_char=ticks if self._counts_cycles else None,
            ms_per_char=ticks / self.hello.clock_hz * 1000 if ticks is not None else None,
            board=self.hello.board,
            model=self.hello.model,
        )

    def _abandon(self, events: Iterator[Event]) -> None:
        """Stop a reply that nobody reads on, and drain the line."""
        try:
            self._connection.session.stop()
            for _ in events:
                pass
        except (UlmError, ValueError):
            pass  # the line is gone already; the reason was or will be raised by others

    def _known_model(self) -> Model:
        if self.hello.model_status != Status.OK:
            raise refusal(self.hello.model_status)
        if self.model is None:
            raise FileError(
                f"This computer has not seen the model {self.hello.model!r} of the board; name its file with --model."
            )
        return self.model
