"""`Device`: the whole API. One board at one address, real or virtual."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, cast

from host_sdk.boards import Avr, Cpm
from host_sdk.conformance import BenchResult, Usage, Vector, VerifyResult, measure, prove
from host_sdk.errors import BoardError, FileError, PortError, UlmError, UsageError
from host_sdk.flash import eeprom
from host_sdk.flash.cpm_files import disk_name
from host_sdk.flash.cpm_upload import HOW_TO_START, send_model
from host_sdk.flash.deploy import (
    FlashResult,
    check_result,
    choose_board,
    deploy,
    deploy_with_avrdude,
    fitted_cpm,
    is_outdated,
)
from host_sdk.link.messages import End, Hello, Info
from host_sdk.link.ports import greet, likely_bauds, only_board, open_port
from host_sdk.link.session import Event, Session, Text
from host_sdk.model.engine import run
from host_sdk.model.library import find_model, recall, remember, shipped_model
from host_sdk.model.model import Model
from host_sdk.model.text import query_bytes
from host_sdk.pack.queries import bench_queries
from host_sdk.spec.protocol import MAX_QUERY, HelloFlag, Slot, Status

if TYPE_CHECKING:  # imports modules that Windows does not have
    from host_sdk.sim.avr_board import AvrBoard
    from host_sdk.sim.cpm_board import CpmBoard

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply and its figures. Cycles and milliseconds are None where the board has no counter."""

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
        self._hello: Hello | None = None
        self._bauds = [baud] if baud else likely_bauds(self.address)
        self._close = ExitStack()
        try:
            self._line = self._close.enter_context(open_port(self.address, self._bauds[0]))
            self._session = Session(self._line, self._open_trace(trace))
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
        self._close.close()

    @property
    def board(self) -> str:
        """The board's short name."""
        return self.hello.board

    @property
    def simulated(self) -> bool:
        """Whether this is a virtual board: every figure of it is simulated."""
        return self.address.startswith("sim://")

    @cached_property
    def model(self) -> Model | None:
        """The model on the board, if this computer has seen it; None otherwise."""
        return recall(self.hello.model_crc) if self.hello.model_crc is not None else None

    def chat(self, query: str) -> Reply:
        """Ask and wait for the whole reply. UsageError for a query longer than the board takes."""
        for _ in self.stream(query):
            pass
        assert self.last is not None
        return self.last

    def stream(self, query: str) -> Generator[str, None, None]:
        """Ask and yield the reply's characters as the board makes them; afterwards `last` is the whole Reply.

        A stream that is closed before its end stops the board.
        """
        data = self._query(query)
        events = self._session.chat(data)
        text = ""
        end: End | None = None
        try:
            for event in events:
                if isinstance(event, Text):
                    text += event.text
                    yield from event.text
                elif isinstance(event, End):
                    end = event
        finally:
            if end is None:
                self._abandon(events)
        if end is not None:
            self.last = self._reply(data, text, end)

    def info(self) -> Info:
        """Sizes of runtime, model and memory, and how long the board has been up."""
        return self._session.info()

    def sleep(self) -> None:
        """Power the board down, to a few microamperes; the next request wakes it. Its uptime stands still."""
        self._session.sleep()

    def load(self, name: str) -> None:
        """Choose among the models stored on the board; BoardError where there is but one."""
        if name != self.hello.model:
            self._session.load(name)
            self._greet()

    def flash(
        self,
        model: Model | str | Path,
        *,
        board: str | None = None,
        yes: bool = False,
        programmer: str = "stk500",
        memory: str = "flash",
        progress: Progress | None = None,
    ) -> FlashResult:
        """Put runtime and model on the board through its bootloader; only pages that differ are written.

        Under CP/M the model goes through the protocol to the disk of the machine, where ULM.COM must be running.
        With `memory` "eeprom" the model goes into the EEPROM of a board whose runtime answers, and answers from there
        until another one is flashed. `board` names the kind of board where bootloaders look alike, `yes` replaces a
        foreign program, `programmer` is one of PROGRAMMERS.

        FitError with the numbers, before anything is touched, when the model has no room.
        """
        model = model if isinstance(model, Model) else find_model(model)
        named = board or (self._virtual.board.name if self._virtual else None)
        target = choose_board(self._line, self._hello, named, yes)
        if isinstance(target, Cpm):
            if memory == "eeprom":
                raise UsageError(f"{target.title} has no EEPROM; leave out --memory: the model goes to its disk.")
            return self._send(target, model, progress)
        assert isinstance(target, Avr)
        if memory == "eeprom":
            return self._store(target, model, progress)
        if programmer == "avrdude":
            with self._lent_port() as tty:
                result = deploy_with_avrdude(tty, target, model)
        else:
            result = deploy(self._line, target, model, progress)
        remember(model)
        self._bauds = [target.baud]
        self._greet()
        if self.info().slot == Slot.EEPROM:
            eeprom.clear(self._session)  # the newest model answers
            self._greet()
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
        return prove(self._session, self.hello, vectors, progress)

    def bench(self, queries: Sequence[str] | None = None, *, progress: Progress | None = None) -> BenchResult:
        """Time the shipped everyday queries, or others."""
        chosen = bench_queries() if queries is None else queries
        data = [self._query(query) for query in chosen]
        usage = self._usage if self._virtual else None
        meter = self._metered if self._machine else None
        return measure(self._session, self.hello, data, usage, meter, progress)

    # Connection

    @property
    def hello(self) -> Hello:
        """What the board said when it was greeted; PortError when it has not answered."""
        if self._hello is None and self._machine:
            raise self._silent_machine()
        if self._hello is None:
            raise PortError(
                f"The board on {self.address} has no μLM runtime; put one on it with `ulm flash {self.address}`."
            )
        return self._hello

    def _start(self, model: Model | None, bare: bool) -> None:
        if self._machine and self._machine.fresh and not model and not bare:
            self._start_fresh(self._machine)
            return
        if (
            self._virtual
            and not self._machine
            and self._virtual.fresh
            and "blank" not in self.address.partition("?")[2]
        ):
            # Like a board sold with the demo on it.
            if not bare:
                self.flash(model or shipped_model("tinychat"), board=self._virtual.board.name)
            return
        try:
            self._greet()
        except (PortError, BoardError) as error:
            if not bare and self._machine and isinstance(error, PortError):
                raise self._silent_machine() from None
            if not bare:
                raise
            return  # without a runtime, or with one of another revision: the bootloader can replace it
        if model and (self.hello.model_crc != model.crc or is_outdated(self.hello)):
            self.flash(model)
        elif model:
            remember(model)

    def _start_fresh(self, machine: CpmBoard) -> None:
        """Like a machine sold with the demo on its disk."""
        model = shipped_model("tinychat")
        machine.store(disk_name(model.name), fitted_cpm(model, machine.board).data)
        self._greet()
        self._session.load(disk_name(model.name))
        self._greet()

    def _greet(self) -> None:
        self._hello = None
        hello = greet(self._line, self._session, self._bauds)
        if self._machine:
            hello = replace(hello, clock_hz=self._machine.clock_hz)  # which ULM.COM cannot know
        self._hello = hello
        self.__dict__.pop("model", None)

    def _send(self, target: Cpm, model: Model, progress: Progress | None) -> FlashResult:
        """Flash under CP/M."""
        result = send_model(self._session, self.hello, target, model, progress)
        remember(model)
        if self._machine:
            self._machine.run_at_start(disk_name(model.name))
        self._greet()
        check_result(result, self.hello)
        return result

    def _store(self, target: Avr, model: Model, progress: Progress | None) -> FlashResult:
        """Flash into the EEPROM."""
        result = eeprom.store(self._session, self.hello, target, model, progress)
        remember(model)
        self._greet()
        check_result(result, self.hello)
        return result

    def _silent_machine(self) -> PortError:
        return PortError(f"ULM.COM does not run on {self.address}. {HOW_TO_START}")

    @property
    def _virtual(self) -> AvrBoard | CpmBoard | None:
        board: AvrBoard | CpmBoard | None = getattr(self._line, "board", None)
        return board

    @property
    def _machine(self) -> CpmBoard | None:
        """The virtual CP/M machine, if this is one."""
        virtual = self._virtual
        return virtual if virtual and isinstance(virtual.board, Cpm) else None

    def _usage(self) -> Usage:
        if self._machine:
            machine = self._machine.counters()
            return Usage(machine.received + machine.transmitted, None)
        chip = cast("AvrBoard", self._virtual).counters()
        return Usage(chip.received + chip.transmitted, chip.cycles - chip.idle - chip.power_down)

    def _metered(self, end: End) -> End:
        """The end of the last reply with the T-states that the machine measured, if it knows the program."""
        laps = self._machine.laps() if self._machine else []
        if not laps or len(laps[-1].passes) != end.passes:
            return end
        query, passes = laps[-1].query, laps[-1].passes
        return replace(end, query_cycles=query, first_cycles=passes[0], cycles=sum(passes), max_cycles=max(passes))

    @contextmanager
    def _lent_port(self) -> Iterator[str]:
        """The path of the port, free for another program and with the board in its bootloader."""
        if self._virtual:
            self._virtual.reset()
            yield self._virtual.tty
        elif "://" in self.address:
            raise UsageError("avrdude needs a device path, not a URL; leave out --programmer.")
        else:
            self._line.close()
            try:
                yield self.address
            finally:
                self._line.open()

    def _open_trace(self, path: str | Path | None) -> Callable[[str, bytes], None] | None:
        if path is None:
            return None
        try:
            file: IO[str] = Path(path).open("w", encoding="ascii")  # noqa: SIM115  (closed by close())
        except OSError as error:
            raise FileError(f"Cannot write the trace {path}: {error.strerror}. Choose another file.") from None
        self._close.enter_context(file)
        started = time.monotonic()

        def write(who: str, data: bytes) -> None:
            file.write(f"{time.monotonic() - started:10.4f} {who:5} {data.hex(' ')}\n")

        return write

    # Replies

    def _query(self, query: str) -> bytes:
        if self.hello.model_status != Status.OK:
            return query_bytes(query)  # the board itself says what is wrong
        return query_bytes(query, min(self.hello.max_query, MAX_QUERY))

    def _reply(self, query: bytes, text: str, end: End) -> Reply:
        stopped = end.status == Status.STOPPED
        if self._machine:
            end = self._metered(end)
        counted = end.passes > 0 and (HelloFlag.CYCLES in self.hello.flags or end.cycles > 0)
        cycles = end.cycles / end.passes if counted else None
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
            cycles_per_char=cycles,
            ms_per_char=cycles / self.hello.clock_hz * 1000 if cycles is not None else None,
            board=self.hello.board,
            model=self.hello.model,
        )

    def _abandon(self, events: Iterator[Event]) -> None:
        """Stop a reply that nobody reads on, and drain the line."""
        try:
            self._session.stop()
            for _ in events:
                pass
        except (UlmError, ValueError):
            pass  # the line is gone already; the reason was or will be raised by others

    def _known_model(self) -> Model:
        if self.model is None:
            raise FileError(
                f"This computer has not seen the model {self.hello.model!r} of the board; name its file with --model."
            )
        return self.model
