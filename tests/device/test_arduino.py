"""`ulm pack --for arduino`: a sketch built with the stock core answers as the reference engine does, to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import serial
from click.testing import CliRunner

from host_sdk.boards import BOARDS
from host_sdk.cli import cli
from host_sdk.errors import FitError
from host_sdk.flash import Memory, upload
from host_sdk.link.ports import open_port
from host_sdk.model import Model, ReplyText
from host_sdk.model.engine import run
from host_sdk.model.text import to_ascii
from host_sdk.pack.arduino import CODE_BYTES, STATIC_BYTES, library
from host_sdk.pack.image import pack
from host_sdk.spec.protocol import Action
from tests.device.arduino_core import CORE, WHY_NOT, Sketch, build, global_names
from tests.synthetic import character_model, reply_model

UNO = BOARDS["uno"]
EXAMPLES = Path("examples")
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


def pack_command(model: Path, folder: Path) -> object:
    return CliRunner().invoke(cli, ["pack", str(model), "--for", "arduino", "-o", str(folder)])


@contextmanager
def running(sketch: Sketch, state: Path) -> Iterator[serial.Serial]:
    """The port of a virtual UNO that the sketch was uploaded to through its bootloader."""
    with open_port(f"sim://uno?state={state}&blank&pace=fast", UNO.baud) as port:
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
    assert made.model.golden
    with running(made.sketch(GOLDEN), tmp_path) as port:
        assert int(port.read_until(b"\r\n")) == pack(made.model).max_query
        for query in made.model.golden:
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
    sound = Memory.from_bytes(0, code[: at + 60] + bytes([code[at + 60] ^ 1]) + code[at + 61 :])
    with open_port(f"sim://uno?state={tmp_path}&blank&pace=fast", UNO.baud) as port:
        upload(port, UNO, sound)
        port.timeout = 20
        assert port.read_until(b"\r\n") == b"0\r\n"
        assert ask(port, b"hello") == "refused"


@pytest.mark.parametrize("name", ["character", "wide", "reply"])
def test_flash_and_sram_of_the_example(name: str, make: Make) -> None:
    """What `ulm pack` says before anything is compiled holds for the example, and is not far off."""
    made = make(name)
    told = library(made.model)
    sketch = made.sketch(made.folder / "examples" / "Chat" / "Chat.ino")
    assert told.flash_bytes - 400 <= sketch.flash_bytes <= told.flash_bytes
    assert told.sram_bytes - 60 <= sketch.sram_bytes <= told.sram_bytes


def test_no_name_of_the_library_meets_one_of_the_sketch(make: Make, tmp_path: Path) -> None:
    names = global_names(make("reply").folder, UNO, tmp_path)
    assert "ulm" in names
    assert all(name == "ulm" or name.startswith(("ulm_", "_ZN3Ulm")) for name in names), names
