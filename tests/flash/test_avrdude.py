from __future__ import annotations

import stat
from pathlib import Path

import pytest

from host_sdk.boards import BOARDS
from host_sdk.errors import FitError, LinkError, MissingError, UsageError
from host_sdk.flash import Memory, upload_with_avrdude

UNO = BOARDS["uno"]
WANTED = Memory.from_bytes(0, bytes(5 * 128))


def script(folder: Path, body: str) -> str:
    path = folder / "avrdude"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_marks_are_erased_first_and_written_last(tmp_path: Path) -> None:
    program = script(tmp_path, f'cp *.hex {tmp_path}; echo "$*" > {tmp_path}/arguments')
    result = upload_with_avrdude("/dev/ttyX", UNO, WANTED, order_last=(256,), program=program)
    assert (result.pages_written, result.pages_kept, result.bytes) == (5, 0, 640)
    assert (tmp_path / "arguments").read_text().strip() == (
        "-q -p atmega328p -c arduino -P /dev/ttyX -b 115200 -D -U flash:w:0.hex:i -U flash:w:1.hex:i -U flash:w:2.hex:i"
    )
    steps = [Memory.from_hex_file(tmp_path / f"{n}.hex") for n in range(3)]
    assert [list(step.pages) for step in steps] == [[256], [0, 128, 384, 512], [256]]
    assert steps[0] == Memory({})
    assert steps[2].pages[256] == bytes(128)


def test_what_cannot_work_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot open sim://uno"):
        upload_with_avrdude("sim://uno", UNO, WANTED)
    with pytest.raises(MissingError, match="apt install avrdude"):
        upload_with_avrdude("/dev/ttyX", UNO, WANTED, program=str(tmp_path / "none"))
    with pytest.raises(FitError):
        upload_with_avrdude("/dev/ttyX", UNO, Memory.from_bytes(UNO.code_bytes, b"\0"))
    program = script(tmp_path, "echo 'avrdude error: not in sync.' >&2; echo 'avrdude done.' >&2; exit 1")
    with pytest.raises(LinkError, match="avrdude failed on Arduino UNO: error: not in sync;"):
        upload_with_avrdude("/dev/ttyX", UNO, WANTED, program=program)


def test_a_hung_avrdude_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_sdk.flash.avrdude.AVRDUDE_TIMEOUT_S", 0.2)
    with pytest.raises(LinkError, match="did not finish"):
        upload_with_avrdude("/dev/ttyX", UNO, WANTED, program=script(tmp_path, "exec sleep 20"))
