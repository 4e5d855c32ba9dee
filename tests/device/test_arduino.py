"""`ulm pack --for arduino`: a sketch built with the stock core answers as the reference engine does, to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import serial
from click.testing import CliRunner, Result

from host_sdk.boards import BOARDS
from host_sdk.cli import cli
from host_sdk.errors import FitError
from host_sdk.flash import Memory, upload
from host_sdk.link.ports import open_port
from host_sdk.model import Model, ReplyText
from host_sdk.model.engine import run
from host_sdk.model.text import to_ascii
from host_sdk.pack.arduino import LARGEST, LEAST_BYTES, library
from host_sdk.pack.image import pack
from host_sdk.pack.queries import bench_queries
from host_sdk.spec.protocol import Action
from tests.device.arduino_core import CORE, WHY_NOT, Sketch, build, global_names
from tests.synthetic import character_model, reply_model

UNO = BOARDS["uno"]
GOLDEN = Path(__file__).parent / "sketches" / "Golden.ino"

PAIRS = [
    ("hello", ReplyText("hi")),
    ("lights", ReplyText("LED is on", Action.LED_ON)),
    ("voltage", ReplyText("supply {} V", Action.SUPPLY_VOLTAGE)),
    ("uptime", ReplyText("{} s", Action.UPTIME)),
]
VALUES = {Action.SUPPLY_VOLTAGE: "4.98", Action.UPTIME: "-8000"}
"""What the sketch's act() makes of an action."""

MODELS: dict[str, Callable[[], Model]] = {
    "character": lambda: character_model(4),
    "wide": lambda: character_model(6, (200, 150, 100), 0.2),
    "reply": lambda: reply_model(PAIRS),
}
SHIPPED = {path.stem: path for path in sorted((Path(__file__).parents[2] / "models").glob("*/*.ulm"))}
del SHIPPED["widechat"]  # which no flash holds
MODELS |= {name: partial(Model.load, path) for name, path in SHIPPED.items()}


@dataclass(frozen=True)
class Made:
    """A model and its library, as the command line writes it."""

    model: Model
    folder: Path
    work: Path

    def sketch(self, source: Path) -> Sketch:
        place = self.work / f"{self.model.crc:08x}-{source.stem}"
        place.mkdir(exist_ok=True)
        return build(source, self.folder, UNO, place)


Make = Callable[[str], Made]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, simavr: None) -> Make:
    if not CORE.is_dir() or not shutil.which("avr-g++"):
        pytest.skip(WHY_NOT)
    work = tmp_path_factory.mktemp("arduino")
    known: dict[str, Made] = {}

    def get(name: str) -> Made:
        if name not in known:
            model = MODELS[name]()
            model.save(work / f"{name}.ulm")
            written = pack_command(work / f"{name}.ulm", work / name)
            assert written.exit_code == 0, written.output
            known[name] = Made(model, work / name, work)
        return known[name]

    return get


def pack_command(model: Path, folder: Path) -> Result:
    return CliRunner().invoke(cli, ["pack", str(model), "--for", "arduino", "-o", str(folder)])


@contextmanager
def running(sketch: Sketch, state: Path) -> Iterator[serial.Serial]:
    """The port of a virtual UNO that the sketch was uploaded to through its bootloader."""
    with open_port(f"sim://uno?state={state}&blank", UNO.baud) as port:
        upload(port, UNO, Memory.from_hex_file(sketch.hex))
        port.timeout = 20
        yield port


def ask(port: serial.Serial, query: bytes) -> str:
    port.write(query + b"\n")
    answer: bytes = port.read_until(b"\r\n")
    assert answer.endswith(b"\r\n"), f"{query!r}: {answer!r}"
    return answer[:-2].decode("ascii")


def expected(model: Model, query: str) -> str:
    one = run(model, [to_ascii(query)])[0]
    text = one.text
    if model.replies:
        reply = model.replies[int(one.outputs[0].argmax())]
        text = reply.text.replace("{}", VALUES.get(reply.action, f"{-1000 * reply.action}"))
    return f"{text}\t{one.digest:X}"


@pytest.mark.parametrize("name", MODELS)
def test_a_sketch_answers_like_the_reference(name: str, make: Make, tmp_path: Path) -> None:
    made = make(name)
    with running(made.sketch(GOLDEN), tmp_path) as port:
        assert int(port.read_until(b"\r\n")) == pack(made.model).max_query
        for query in made.model.golden or bench_queries():
            assert ask(port, to_ascii(query)) == expected(made.model, query), query


def test_a_query_beyond_the_limit_is_refused_and_the_longest_is_not(make: Make, tmp_path: Path) -> None:
    made = make("character")
    with running(made.sketch(GOLDEN), tmp_path) as port:
        longest = int(port.read_until(b"\r\n"))
        assert ask(port, b"x" * (longest + 1)) == "refused"
        assert ask(port, b"x" * longest) == expected(made.model, "x" * longest)
        assert ask(port, b"") == expected(made.model, "")


def test_a_damaged_model_is_refused(make: Make, tmp_path: Path) -> None:
    made = make("reply")
    sketch = made.sketch(GOLDEN)
    memory = Memory.from_hex_file(sketch.hex)
    code = bytes(memory.cells[at] for at in range(max(memory.cells) + 1))
    at = code.index(pack(made.model).data)
    damaged = Memory.from_bytes(0, code[: at + 60] + bytes([code[at + 60] ^ 1]) + code[at + 61 :])
    with open_port(f"sim://uno?state={tmp_path}&blank", UNO.baud) as port:
        upload(port, UNO, damaged)
        port.timeout = 20
        assert port.read_until(b"\r\n") == b"0\r\n"
        assert ask(port, b"hello") == "refused"


@pytest.mark.parametrize("name", ["character", "wide", "reply"])
def test_what_the_example_takes(name: str, make: Make) -> None:
    """A budget: the figures that `ulm pack` tells without a compiler hold, and are no more than 30 bytes above."""
    made = make(name)
    told = library(made.model)
    sketch = made.sketch(made.folder / "examples" / "Chat" / "Chat.ino")
    assert 0 <= told.flash_bytes - sketch.flash_bytes <= 30
    assert 0 <= told.sram_bytes - sketch.sram_bytes <= 30


def test_what_the_smallest_sketch_takes(make: Make, tmp_path: Path) -> None:
    made = make("wide")
    source = tmp_path / "Least.ino"
    source.write_text(
        '#include <ulm.h>\nvoid setup() { Serial.begin(9600); Serial.println(ulm.chat("hello")); }\nvoid loop() {}\n'
    )
    code_bytes = made.sketch(source).flash_bytes - len(pack(made.model).data)
    assert LEAST_BYTES - 30 <= code_bytes <= LEAST_BYTES


def test_the_example_talks_to_a_person(make: Make, tmp_path: Path) -> None:
    made = make("reply")
    with running(made.sketch(made.folder / "examples" / "Chat" / "Chat.ino"), tmp_path) as port:
        port.baudrate = 9600
        port.board.reset()
        assert port.read_until(b"\r\n").endswith(b"Ask me something.\r\n")
        assert ask(port, b" hello \r") == "hi"
        assert ask(port, b"uptime") == "0 s"
        assert ask(port, b"x" * 161) == "Please ask in fewer words."


def test_the_example_acts(make: Make, tmp_path: Path) -> None:
    made = make("reply")
    with running(made.sketch(made.folder / "examples" / "Actions" / "Actions.ino"), tmp_path) as port:
        port.baudrate = 9600
        port.board.reset()
        assert port.read_until(b"\r\n").endswith(b"Ask me something.\r\n")
        assert not port.board.pin("D13").high
        assert ask(port, b"lights") == "LED is on"
        assert port.board.pin("D13") == ("high", True)


def test_a_model_without_actions_gets_no_example_of_them(make: Make) -> None:
    assert not (make("character").folder / "examples" / "Actions").exists()


def test_no_name_of_the_library_meets_one_of_the_sketch(make: Make, tmp_path: Path) -> None:
    names = global_names(make("reply").folder, UNO, tmp_path)
    assert "ulm" in names
    assert all(name == "ulm" or name.startswith(("ulm_", "_ZN3Ulm")) for name in names), names


def test_a_callback_of_another_type_does_not_compile(make: Make, tmp_path: Path) -> None:
    """-fpermissive would let it through, and the number would be wrong."""
    source = tmp_path / "Wrong.ino"
    source.write_text(
        "#include <ulm.h>\nint act(uint8_t) { return 1; }\nvoid setup() { ulm.onAction(act); }\nvoid loop() {}\n"
    )
    with pytest.raises(AssertionError, match="deleted function"):
        make("reply").sketch(source)


def test_a_model_too_large_for_any_sketch_is_refused_with_the_numbers() -> None:
    model = character_model(13, (256, 192, 128), 0.5, name="huge")
    room = LARGEST.code_bytes - LEAST_BYTES
    with pytest.raises(FitError, match=rf"'huge' takes \d+ bytes packed; .* leaves {room} for it, \d+ too few"):
        library(model)


def test_an_older_library_is_replaced_and_other_folders_are_not(tmp_path: Path) -> None:
    model = character_model(4)
    model.save(tmp_path / "m.ulm")
    folder = tmp_path / "ulm"
    assert pack_command(tmp_path / "m.ulm", folder).exit_code == 0
    (folder / "src" / "stale.cpp").write_text("")
    (folder / "mine.txt").write_text("")
    assert pack_command(tmp_path / "m.ulm", folder).exit_code == 0
    written = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert written == {**library(model).files, "mine.txt": b""}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sketch.ino").write_text("")
    refused = pack_command(tmp_path / "m.ulm", tmp_path / "other")
    assert (refused.exit_code, "holds other files" in refused.output) == (2, True)
    refused = pack_command(tmp_path / "m.ulm", tmp_path / "m.ulm")
    assert (refused.exit_code, "is a file" in refused.output) == (2, True)
