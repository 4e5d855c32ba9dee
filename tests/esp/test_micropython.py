"""A virtual chip with MicroPython in its flash: what is in a partition is served, and talks as on every board."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from host_sdk.cli import esp as cli
from host_sdk.device import Device
from host_sdk.errors import BoardError, MissingError, PortError, UsageError
from host_sdk.flash.blinka import VIRTUAL
from host_sdk.flash.esp_partition import flash_partition
from host_sdk.flash.esp_start import started_python
from host_sdk.flash.partitions import SECTOR, TABLE_ADDRESS, parse
from host_sdk.flash.provision import provision_spi_flash
from host_sdk.flash.repl import Repl, shows_prompt
from host_sdk.link import connection
from host_sdk.link.ports import open_port
from host_sdk.model.engine import run
from host_sdk.model.library import remember, shipped_model
from host_sdk.pack.micropython import pack_python
from host_sdk.sim import unix_port
from host_sdk.spec.protocol import Status
from tests.esp.conftest import FACTORY, FACTORY_ADDRESS, Firmware, address

BOARD = Path(__file__).parent / "board"
RUNTIME = Path(__file__).parents[2] / "device" / "micropython"


def port_of(state: Path) -> str:
    """Switched on as people do it."""
    return address("esp32s3", state, "")


@pytest.mark.parametrize("name", ["guess", "tinychat"])
def test_served_from_the_partition(name: str, talking: Path) -> None:
    """All golden replies, with every number; the runtime starts from the idle REPL."""
    model = shipped_model(name)
    remember(model)
    flash_partition(address("esp32s3", talking), pack_python(model).data, "model")
    with Device(port_of(talking)) as board:
        assert (board.hello.model_crc, board.simulated) == (model.crc, True)
        proof = board.verify()
        assert proof.exact == proof.queries == len(model.golden) > 0
        assert board.bench([model.golden[0]]).line_bytes_per_reply > 0


def test_the_model_is_where_it_was_flashed_last(talking: Path) -> None:
    with Device(port_of(talking)) as board:
        assert board.hello.model == "guess"
        result = board.flash("commands")
        assert (result.memory, result.files_written) == ("files", 2)  # the model, and the build without a partition
        assert board.hello.model == "commands"
    with Device(port_of(talking), bare=True) as board:
        assert board.hello.model == "commands"
    cli.flash_esp(port_of(talking), Path("guess"), None, "model", False, False, True, True)
    with started_python(port_of(talking)) as board:  # --at-start: nobody wakes it
        assert board.greet().model == "guess"


def test_partition_that_was_cut_or_is_gone(talking: Path) -> None:
    """Its first sector is missing: no model. A byte is wrong: a bad one."""
    image = pack_python(shipped_model("guess")).data
    where = flash_partition(address("esp32s3", talking), image, "model").address
    whole = (talking / "flash.bin").read_bytes()
    for at, due in ((where, Status.NO_MODEL), (where + len(image) - 100, Status.BAD_MODEL)):
        damaged = bytearray(whole)
        damaged[at : at + 4] = b"\xff\0\xff\0"
        (talking / "flash.bin").write_bytes(damaged)
        with Device(port_of(talking)) as board:
            assert board.hello.model_status == due
            with pytest.raises(BoardError, match=r"The board has no model|is damaged"):
                board.chat("is it big")


def test_reset_into_the_loader_and_back(talking: Path) -> None:
    with open_port(port_of(talking), 115_200) as line:
        assert shows_prompt(line)
        assert line.board.runs_program
        line.dtr, line.rts = False, True
        assert not line.board.runs_program  # without supply
        line.dtr, line.rts = True, False
        line.timeout = 10
        assert b"waiting for download" in line.read_until(b"download\r\n")
        assert not shows_prompt(line)
        assert not line.board.runs_program
        line.timeout = 10
        line.board.reset()
        assert b">>> " in line.read_until(b">>> ")
        assert shows_prompt(line)
        line.timeout = 10
        line.write(b"\x04")
        assert b"MPY: soft reboot" in line.read_until(b"reboot")
        assert line.board.counters().received > 4


def test_the_chip_as_its_python_sees_it(talking: Path) -> None:
    """Files last in `vfs`; partitions are those of the table, are read as they are and written as flash is."""
    flash = (talking / "flash.bin").read_bytes()
    table = {one.label: one for one in parse(flash[TABLE_ADDRESS : TABLE_ADDRESS + SECTOR])}
    with open_port(port_of(talking), 115_200) as line, Repl(line) as repl:
        repl.run("with open('/note', 'w') as file:\n file.write('kept')")
        repl.run("import esp32, os\nP = esp32.Partition")
        found = repl.value("print([p.info() for p in P.find(P.TYPE_DATA)])")
        assert {one[4]: one[2:4] for one in found} == {
            one.label: (one.address, one.size) for one in table.values() if one.type
        }
        assert repl.value("print([p.info()[4] for p in P.find()])") == ["factory"]
        assert repl.value("print(os.statvfs('/')[2])") == table["vfs"].size // SECTOR
        model = table["model"].address
        repl.run("m, = P.find(P.TYPE_DATA, label='model')\nb = bytearray(64)\nm.readblocks(1, b, 10)")
        assert repl.value("print(bytes(b))") == flash[model + SECTOR + 10 :][:64]
        repl.run("n, = P.find(P.TYPE_DATA, label='nvs')\nn.writeblocks(1, b'\\x05' * 4096)\nn.writeblocks(2, b'ab', 3)")
    after = (talking / "flash.bin").read_bytes()
    assert after[table["nvs"].address :][SECTOR : 2 * SECTOR + 6] == b"\5" * SECTOR + b"\xff\xff\xffab\xff"
    with open_port(port_of(talking), 115_200) as line, Repl(line) as repl:
        assert repl.run("print(open('/note').read())").strip() == "kept"


def test_files_that_are_none(talking: Path) -> None:
    """A board waits for ever where something else lies in their place."""
    flash = bytearray((talking / "flash.bin").read_bytes())
    flash[FACTORY.end : FACTORY.end + 2 * SECTOR] = b"something else".ljust(2 * SECTOR, b"!")
    (talking / "flash.bin").write_bytes(flash)
    with open_port(port_of(talking), 115_200) as line:
        line.timeout = 10
        line.board.reset()
        assert b"cannot be mounted" in line.read_until(b"mounted")
        assert not shows_prompt(line)


@pytest.mark.parametrize("at", [FACTORY_ADDRESS + 20_000, FACTORY_ADDRESS + 39_990, TABLE_ADDRESS, 0])
def test_a_program_that_is_not_whole_does_not_start(talking: Path, at: int) -> None:
    flash = bytearray((talking / "flash.bin").read_bytes())
    flash[at] ^= 0x80
    (talking / "flash.bin").write_bytes(flash)
    with pytest.raises(UsageError, match="runs no MicroPython"):
        Device(port_of(talking))


def test_a_new_chip_is_empty(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sim://esp32 --firmware"):
        Device(f"sim://esp32?state={tmp_path}")
    (tmp_path / "flash.bin").unlink()
    with (
        Device(f"sim://esp32?state={tmp_path}", bare=True) as board,
        pytest.raises(UsageError, match="sim://esp32 --firmware"),
    ):
        board.flash("guess")


def test_without_an_interpreter(talking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix_port, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"micro-lm\[sim\]"):
        Device(port_of(talking))
    with pytest.raises(MissingError, match=r"micro-lm\[sim\]"), started_python(port_of(talking)):
        pass


# After a start


def test_port_that_goes_away_and_comes_back(talking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a chip with native USB: it is gone, there and gone again, there to stay."""
    left = [PortError("busy"), PortError("There is no port.")]
    pids: list[int] = []

    def opened(address: str, baud: int) -> object:
        if left:
            raise left.pop()
        line = open_port(address, baud)
        if not pids:
            pids.append(line.board.pid)
            os.kill(line.board.pid, signal.SIGKILL)
        return line

    monkeypatch.setattr(connection, "open_port", opened)
    with started_python(port_of(talking)) as board:
        assert shows_prompt(board.line)
        assert pids != [board.line.board.pid]
    assert not left
    with (
        pytest.raises(PortError, match=r"There is no port /dev/ttyUSB77\. `ulm ports`"),
        started_python("/dev/ttyUSB77", timeout_s=0.5),
    ):
        pass


def test_program_of_its_user(
    talking: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its REPL is not there: the model is in its partition all the same, and --yes interrupts the program."""
    with open_port(port_of(talking), 115_200) as line, Repl(line) as repl:
        repl.run("with open('/main.py', 'w') as file:\n file.write('print(1)\\nwhile True: pass')")
    started = time.monotonic()
    with pytest.raises(PortError, match="No MicroPython answers"), started_python(port_of(talking), timeout_s=0.3):
        pass
    assert time.monotonic() - started < 8
    monkeypatch.setattr(cli, "started_python", partial(started_python, timeout_s=0.3))
    cli.flash_esp(port_of(talking), Path("commands"), None, "model", False, False, False, False)
    assert "It was not made to talk: No MicroPython answers" in capsys.readouterr().out
    with started_python(port_of(talking), interrupt=True) as board:
        assert shows_prompt(board.line)


def test_firmware_that_does_not_answer(firmware: Firmware, tmp_path: Path) -> None:
    """It is on the chip, and who asked for a model is told that it is not."""
    file = firmware("esp32s3")
    with pytest.raises(PortError, match="No MicroPython answers"):
        cli.flash_esp(port_of(tmp_path), Path("commands"), file, None, False, False, False, True)
    assert (tmp_path / "flash.bin").read_bytes().startswith(file.read_bytes())


# A chip beside the board


@pytest.mark.parametrize("name", ["commands", "tinychat"])
def test_served_from_a_flash_chip(name: str, tmp_path: Path) -> None:
    """All golden replies, with every number."""
    pytest.importorskip("adafruit_platformdetect")
    pytest.importorskip("micropython_unix")
    model, chip = shipped_model(name), tmp_path / "w25q.bin"
    provision_spi_flash(pack_python(model).data, f"{VIRTUAL}?flash={chip}")
    queries = [query.encode() for query in model.golden]
    assert queries
    command = [sys.executable, "-m", "micropython_unix", "-X", "heapsize=190wK", str(BOARD / "ask.py")]
    done = subprocess.run(
        [*command, str(RUNTIME), str(chip)],
        input=b"".join(query + b"\n" for query in queries),
        capture_output=True,
        timeout=60,
        check=True,
    )
    status, *lines = done.stdout.decode().splitlines()
    assert int(status) == Status.OK
    due = [run(model, [query])[0] for query in queries]
    assert lines == [f"{one.digest} {one.text}" for one in due]
