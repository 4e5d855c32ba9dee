"""Uploading through the real bootloaders, with unmodified avrdude, and running what was uploaded."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from host_sdk.boards import AVR_BOARDS, Avr
from host_sdk.sim.avr_board import AvrBoard
from host_sdk.sim.bootloader import bootloader_image


@pytest.mark.parametrize("board", AVR_BOARDS.values(), ids=AVR_BOARDS)
def test_the_bootloader_fits_its_section(board: Avr) -> None:
    assert len(bootloader_image(board)) <= board.flash_bytes - board.bootloader.address


@pytest.mark.parametrize("board", AVR_BOARDS.values(), ids=AVR_BOARDS)
@pytest.mark.skipif(shutil.which("avrdude") is None, reason="avrdude is not installed")
def test_avrdude_uploads_and_the_application_runs(board: Avr, firmware: Callable[..., bytes], tmp_path: Path) -> None:
    image = tmp_path / "probe.bin"
    image.write_bytes(firmware(board))
    folder = tmp_path / "board"
    with AvrBoard(board, folder, reset_on_open=True) as sim:
        upload = ["avrdude", "-p", "m328p", "-c", "arduino", "-P", sim.tty, "-b", str(board.bootloader.baud)]
        done = subprocess.run(
            [*upload, "-D", "-U", f"flash:w:{image}:r"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert sim.flash(0, len(firmware(board))) == firmware(board)
    url = f"sim://{board.name}?state={folder}"
    with serial.serial_for_url(url, baudrate=board.baud, timeout=5) as port:
        assert not port.board.fresh
        assert port.read(1) == b"!"
