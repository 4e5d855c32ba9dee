"""The board around the chip: memories that last, resets, pins, analog inputs, counters, locks, death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial

from host_sdk.boards import BOARDS, Avr
from host_sdk.errors import FileError, LinkError, PortError, UsageError
from host_sdk.link.protocol_sim import parse_address, part_of
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.sim.part import FlashChip, SdCard


def gone(pid: int, timeout_s: float = 5) -> bool:
    """Whether a process that is not our child ends in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            return True
        time.sleep(0.02)
    return False


def test_a_fresh_board_is_erased_but_for_its_bootloader(board: Avr, tmp_path: Path) -> None:
    with AvrBoard(board, tmp_path, hold=True) as first:
        assert first.fresh
        assert set(first.flash(0, board.code_bytes)) == {0xFF}
        assert set(first.flash(board.code_bytes, 64)) != {0xFF}
        assert set(first.eeprom(0, 1024)) == {0xFF}
    with AvrBoard(board, tmp_path, hold=True) as second:
        assert not second.fresh


def test_blank_erases_the_flash(board: Avr, state: Path) -> None:
    with AvrBoard(board, state, hold=True, blank=True) as sim:
        assert not sim.fresh
        assert set(sim.flash(0, board.code_bytes)) == {0xFF}


def test_eeprom_takes_its_time_and_survives(port: serial.Serial, board: Avr, state: Path) -> None:
    port.board.markers()
    port.write(b"E\x07\xa5")
    assert port.read(1) == b"E"
    start, end = port.board.markers()
    assert (end.cycle - start.cycle) / board.clock_hz == pytest.approx(3.4e-3, rel=0.002)
    port.close()
    with AvrBoard(board, state, hold=True) as again:
        assert again.eeprom(7, 1) == b"\xa5"
    port.open()
    assert port.read(1) == b"!"
    port.write(b"R\x07")
    assert port.read(1) == b"\xa5"


def test_the_eeprom_interrupts_when_ready(port: serial.Serial, board: Avr) -> None:
    port.board.markers()
    port.write(b"q")
    assert port.read(1) == b"q"
    start, end = port.board.markers()
    assert (end.cycle - start.cycle) / board.clock_hz == pytest.approx(3.4e-3, rel=0.01)


def test_a_killed_board_keeps_what_it_wrote_before_the_last_burst(port: serial.Serial, board: Avr, state: Path) -> None:
    port.write(b"E\x07\xa5")
    assert port.read(1) == b"E"
    time.sleep(0.4)
    os.kill(port.board.pid, signal.SIGKILL)
    port.close()
    with AvrBoard(board, state, hold=True) as again:
        assert again.eeprom(7, 1) == b"\xa5"


def test_dtr_resets_into_the_bootloader(board: Avr, state: Path) -> None:
    with serial.serial_for_url(f"sim://{board.name}?state={state}", baudrate=board.baud, timeout=5) as port:
        assert port.read(1) == b"!"
        resets = port.board.counters().resets
        port.dtr = False
        assert port.board.counters().resets == resets
        port.dtr = True
        time.sleep(0.2)  # ATmegaBOOT clears its memory first, deaf for longer than a byte
        port.write(b"0 ")  # STK_GET_SYNC, which the probe firmware does not answer
        assert port.read(2) == b"\x14\x10"


@pytest.mark.parametrize("board", [BOARDS["uno"]], ids=["uno"])
def test_a_watchdog_reset_runs_the_application(port: serial.Serial) -> None:
    resets = port.board.counters().resets
    port.write(b"W")
    assert port.read(1) == b"!"
    assert port.board.counters().resets == resets + 1


def test_known_cycles_between_markers(port: serial.Serial) -> None:
    port.board.markers()
    port.write(b"n")
    time.sleep(0.1)
    start, end = port.board.markers()
    assert (start.value, end.value) == (0xE8, 0)
    assert end.cycle - start.cycle == 5000


def test_stack_depth_is_exact(port: serial.Serial) -> None:
    lowest = []
    for depth in (20, 50):
        port.board.forget_stack()
        port.write(b"d" + bytes([depth]))
        assert port.read(1) == b"d"
        lowest.append(port.board.counters().lowest_stack)
    assert lowest[0] - lowest[1] == 3 * 30
    port.board.forget_stack()  # now in get(), which is a call deep itself
    assert port.board.counters().lowest_stack + 2 - lowest[0] == 3 * 20


def test_pins(port: serial.Serial) -> None:
    assert port.board.pin("D13").state in ("input", "low")
    port.board.pin_changes()
    port.write(b"l")
    assert port.read(1) == b"l"
    changes = [change for change in port.board.pin_changes() if change.pin == "D13"]
    assert [change.state for change in changes][-6:] == ["high", "low"] * 3
    assert port.board.pin("D13") == ("low", False)
    for high in (True, False, True):
        port.board.set_pin("D2", high)
        port.write(b"p")
        assert port.read(1) == (b"1" if high else b"0")
    port.board.reset()
    assert port.read(1) == b"!"
    port.write(b"p")
    assert port.read(1) == b"1"
    port.board.set_pin("D2", False)
    port.write(b"Pp")
    assert port.read(2) == b"P0"
    port.board.set_pin("D2", None)
    port.write(b"p")
    assert port.read(1) == b"1"
    with pytest.raises(UsageError):
        port.board.pin("D14")


def test_analog(port: serial.Serial, board: Avr) -> None:
    def read(mux: int) -> int:
        port.write(b"a" + bytes([mux]))
        return int.from_bytes(port.read(2), "little")

    port.board.set_analog("A3", 1200)
    assert read(3) == 1200 * 1023 // board.supply_mv
    assert read(14) == 1100 * 1023 // board.supply_mv
    port.board.set_supply(2700)
    assert read(14) == 1100 * 1023 // 2700
    with pytest.raises(UsageError):
        port.board.set_analog("D3", 1200)
    with pytest.raises(UsageError):
        port.board.set_supply(9000)


def test_sleep_is_counted_by_mode(port: serial.Serial, board: Avr) -> None:
    before = port.board.counters()
    port.write(b"i")
    assert port.read(1) == b"i"
    middle = port.board.counters()
    assert middle.idle - before.idle == pytest.approx(3 * 256 * 1024, rel=0.01)
    port.write(b"z")
    assert port.read(2) == b"zZ"
    after = port.board.counters()
    assert after.power_down - middle.power_down == pytest.approx(0.016 * board.clock_hz + 16384, rel=0.05)
    assert after.illegal_wakes == 0


def test_wild_accesses_are_survived_and_counted(port: serial.Serial) -> None:
    port.write(b"w")
    assert port.read(1) == b"w"
    assert port.board.counters().wild == 1


def test_warp_computes_fast_and_waits_in_real_time(board: Avr, state: Path) -> None:
    with serial.serial_for_url(f"sim://{board.name}?state={state}", baudrate=board.baud, timeout=5) as port:
        assert port.read(1) == b"!"
        cycles = port.board.counters().cycles
        time.sleep(0.5)
        waited_s = (port.board.counters().cycles - cycles) / board.clock_hz
        assert 0.25 < waited_s < 0.6
        start = time.monotonic()
        port.write(b"f" * 3)
        assert port.read(3) == b"fff"
        assert time.monotonic() - start < 2


def test_real_pace_is_real(board: Avr, state: Path) -> None:
    url = f"sim://{board.name}?state={state}&pace=real"
    with serial.serial_for_url(url, baudrate=board.baud, timeout=5) as port:
        assert port.read(1) == b"!"
        start = time.monotonic()
        port.write(b"f")
        assert port.read(1) == b"f"
        assert 0.95 < time.monotonic() - start < 2


def test_a_second_opener_is_refused(port: serial.Serial, board: Avr, state: Path) -> None:
    with pytest.raises(PortError, match="busy: another program has this virtual board open"):
        AvrBoard(board, state)
    port.write(b"p")
    assert port.read(1) == b"0"


def test_a_killed_runner_is_an_error_not_a_hang(port: serial.Serial) -> None:
    os.kill(port.board.pid, signal.SIGKILL)
    with pytest.raises(LinkError, match="has stopped"):
        port.board.counters()
    with pytest.raises(serial.SerialException):
        port.read(1)


def test_the_runner_ends_with_its_parent(board: Avr, state: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from host_sdk.boards import BOARDS;"
        "from host_sdk.sim.avr_board import AvrBoard;"
        f"board = AvrBoard(BOARDS[{board.name!r}], Path({str(state)!r}));"
        "print(board.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        runner = int(parent.stdout.readline())
        parent.kill()
    assert gone(runner)
    AvrBoard(board, state, hold=True).close()


def test_closing_ends_the_runner_and_frees_the_board(port: serial.Serial) -> None:
    runner = port.board.pid
    port.close()
    assert gone(runner)
    port.open()
    assert port.board.pid != runner


def test_addresses() -> None:
    address = parse_address("sim://uno?state=/tmp/x&blank&pace=real")
    assert (address.board.name, address.state, address.blank, address.pace) == (
        "uno",
        Path("/tmp/x"),
        True,
        "real",
    )
    assert parse_address("sim://lilypad").state.parts[-2:] == ("sim", "lilypad")
    with pytest.raises(UsageError, match="no option 'speed'"):
        parse_address("sim://uno?speed=9")
    with pytest.raises(UsageError, match="no board 'mega'"):
        parse_address("sim://mega")
    with pytest.raises(UsageError, match="no pace 'slow'"):
        serial.serial_for_url("sim://uno?pace=slow")


def test_addresses_of_boards_with_a_part(tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    card.write_bytes(bytes(512))
    assert part_of(f"sim://uno-sd?state={tmp_path}") == SdCard(card)
    assert part_of(f"sim://uno-sd?state={tmp_path}&card=") == SdCard(None)
    assert part_of(f"sim://uno-sd?card={card}&kind=sdsc&latency=cheap&seed=3") == SdCard(card, "sdsc", "cheap", seed=3)
    with pytest.raises(FileError, match=r"There is no card image x\.img"):
        part_of("sim://uno-sd?card=x.img")
    assert part_of(f"sim://lilypad-flash?state={tmp_path}") == FlashChip(tmp_path / "w25q.bin")
    assert part_of("sim://uno-flash?flash=y.bin&chip=w25q64&latency=slow") == FlashChip(Path("y.bin"), "w25q64", "slow")
    assert part_of(f"sim://uno?state={tmp_path}") is None
    with pytest.raises(UsageError, match="no option 'chip'"):
        parse_address("sim://uno-sd?chip=w25q64")
    with pytest.raises(UsageError, match="seed of a virtual board is a number"):
        part_of("sim://uno-sd?seed=x")


def test_a_board_with_a_part_has_its_usual_one(tmp_path: Path) -> None:
    with AvrBoard(BOARDS["uno-flash"], tmp_path, hold=True) as board:
        assert board.part == FlashChip(tmp_path / "w25q.bin")
        assert (tmp_path / "w25q.bin").stat().st_size == 4 << 20
    with AvrBoard(BOARDS["lilypad-sd"], tmp_path / "other", hold=True) as board:
        assert board.part == SdCard(tmp_path / "other" / "card.img")


def test_a_damaged_flash_is_reported(board: Avr, tmp_path: Path) -> None:
    (tmp_path / "flash.bin").write_bytes(b"short")
    with pytest.raises(FileError, match="has 5 bytes"):
        AvrBoard(board, tmp_path)
    AvrBoard(board, tmp_path, blank=True).close()
    (tmp_path / "eeprom.bin").write_bytes(b"short")
    with pytest.raises(FileError, match="damaged"):
        AvrBoard(board, tmp_path)


def test_the_runner_compiles_without_warnings(sources: Path, tmp_path: Path) -> None:
    strict = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror")
    files = [str(source) for source in sorted(sources.glob("*.c"))]
    subprocess.run(["cc", *strict, *files, "-lsimavr", "-lelf", "-o", str(tmp_path / "runner")], check=True)
