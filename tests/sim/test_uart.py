"""The serial line: every byte value, wrong speeds, overruns, noise, and pyserial's own features."""

from __future__ import annotations

import random
import select
import time

import pytest
import serial

from host_sdk.boards import Avr
from host_sdk.sim.avr_board import AvrBoard, Marker

EVERY_BYTE = bytes(range(256))


def test_all_byte_values_echo(port: serial.Serial) -> None:
    port.write(b"e" + EVERY_BYTE)
    assert port.read(256) == EVERY_BYTE
    counters = port.board.counters()
    assert counters.received == 257
    assert counters.dropped == 0


def markers(board: AvrBoard, count: int) -> list[Marker]:
    """The next markers, waiting for as many as expected."""
    seen: list[Marker] = []
    deadline = time.monotonic() + 5
    while len(seen) < count and time.monotonic() < deadline:
        seen += board.markers()
    return seen


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.95, 1.07, 2.0])
def test_a_wrong_baud_garbles_both_directions(port: serial.Serial, board: Avr, factor: float) -> None:
    port.write(b"r")
    time.sleep(0.1)
    port.board.markers()
    port.baudrate = int(board.baud * factor)
    port.write(EVERY_BYTE)
    heard = [marker.value for marker in markers(port.board, 256)]
    assert len(heard) == 256
    assert not any(sent == got for sent, got in zip(EVERY_BYTE, heard, strict=True))
    port.board.reset()
    banner = port.read(1)
    assert len(banner) == 1
    assert banner != b"!"


def test_a_baud_within_tolerance_is_heard(port: serial.Serial, board: Avr) -> None:
    port.baudrate = int(board.baud * 1.01)
    port.write(b"e" + EVERY_BYTE)
    assert port.read(256) == EVERY_BYTE


def test_an_overrun_keeps_three_bytes_and_sets_dor(port: serial.Serial) -> None:
    port.write(b"o12345678")
    assert port.read_until(b".") == b"D1-2-3."
    assert port.board.counters().dropped == 5


def test_three_bytes_wait_without_overrun(port: serial.Serial) -> None:
    port.write(b"o123")
    assert port.read_until(b".") == b"-1-2-3."
    assert port.board.counters().dropped == 0


def test_a_frame_lasts_ten_bits(port: serial.Serial, board: Avr) -> None:
    port.write(b"r")
    time.sleep(0.1)
    port.board.markers()
    port.write(bytes(100))
    cycles = [marker.cycle for marker in markers(port.board, 100)]
    frame = (cycles[-1] - cycles[0]) / 99
    assert frame == pytest.approx(10 * board.clock_hz / board.baud, rel=0.002)


def test_transmitting_by_interrupt_keeps_the_line_full(port: serial.Serial) -> None:
    port.board.markers()
    port.write(b"u")
    assert port.read(100) == bytes(range(100, 0, -1))
    start, end = markers(port.board, 2)
    frame = 10 * 8 * 17  # UBRR 16 with U2X, on both boards
    assert end.cycle - start.cycle == pytest.approx(100 * frame, abs=100)


def test_noise_does_not_kill_the_board(port: serial.Serial) -> None:
    noise = random.Random(1).randbytes(65536)
    for at in range(0, len(noise), 1024):
        port.write(noise[at : at + 1024])
        port.reset_input_buffer()
    deadline = time.monotonic() + 20
    heard = -1
    while (now := port.board.counters().received) != heard and time.monotonic() < deadline:
        heard = now
        time.sleep(0.2)
    assert heard > 1000
    port.board.reset()
    assert len(port.board.flash(0, 32768)) == 32768


def test_pyserial_features(port: serial.Serial) -> None:
    port.write(b"e")
    port.write(EVERY_BYTE)
    assert select.select([port], [], [], 5)[0]
    deadline = time.monotonic() + 5
    while port.in_waiting < 256 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert port.in_waiting == 256
    port.reset_input_buffer()
    assert port.in_waiting == 0
    port.timeout = 0.05
    assert port.read(1) == b""
    port.rts = False
    port.rts = True
    port.dtr = False
    assert port.cts
    assert port.dsr
    assert port.cd
    assert not port.ri
    port.write_timeout = 1
    port.flush()
    port.reset_output_buffer()
