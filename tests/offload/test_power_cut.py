"""The supply goes in the middle of an upload, at any moment: the old model answers, and the upload can be completed."""

from __future__ import annotations

import random
import struct
import time
import zlib
from pathlib import Path

import pytest

from host_sdk.spec.protocol import Op, Status
from tests.offload.conftest import OLD, Start, part_with
from tests.offload.images import image, numbered
from tests.offload.talker import Talker

OLDER = image(7, 16)
NEW = image(2, 150)
LATENCIES = {"flash": ("typical", "slow"), "sd": ("ideal", "typical", "cheap")}
STAGES = ("begin", "data", "data", "data", "commit")


def cut(board: Talker, noise: random.Random, stage: str) -> None:
    """Uploads until somewhere in this stage, and then resets the board; its part loses its supply, too."""
    status, blocks = (Status.OK, 0)
    head = struct.pack("<BII", 0, len(NEW), zlib.crc32(NEW))
    if stage == "begin":
        board.send(Op.BEGIN, head)
    else:
        status, blocks = board.begin(NEW)
        assert status == Status.OK
        end = len(NEW) if stage == "commit" else noise.randrange(blocks * 512, len(NEW))
        board.send_image(NEW, blocks * 512, end)
        if stage == "commit":
            board.send(Op.COMMIT, head[5:])
        else:
            board.send_data(NEW, end)
    time.sleep(noise.random() * noise.choice((0.001, 0.005, 0.02)))
    board.reset()


@pytest.mark.parametrize("seed", range(5))
def test_the_old_model_stays(medium: str, start: Start, tmp_path: Path, seed: int) -> None:
    noise = random.Random(seed)
    part = part_with(
        medium,
        tmp_path,
        numbered(OLD, 5),
        numbered(OLDER, 4),
        latency=noise.choice(LATENCIES[medium]),
        seed=seed + 1,
    )
    with start(f"uno-{medium}", part) as board:
        for _ in range(4):
            stage = noise.choice(STAGES)
            cut(board, noise, stage)
            crc = board.hello().model_crc
            assert board.chat().type == Op.END
            if crc == 2 and stage == "commit":
                return  # it was complete
            assert crc == 1
        board.upload(NEW)
        assert board.hello().model_crc == 2
        assert board.chat().type == Op.END


def test_a_cut_upload_goes_on(medium: str, start: Start, tmp_path: Path) -> None:
    """From the last mark: every 4 KB on a chip, every 64 KB on a card."""
    step = 4096 if medium == "flash" else 65536
    with start(f"uno-{medium}", part_with(medium, tmp_path, numbered(OLD, 5))) as board:
        board.begin(NEW)
        board.send_image(NEW, 0, 70_020)
        board.reset()
        board.hello()
        assert board.upload(NEW) == 70_020 // step * step
        assert board.hello().model_crc == 2
        assert board.chat().type == Op.END
        assert board.upload(NEW) == 0  # complete: now it goes to the other place


def test_a_cut_between_sequence_and_mark(start: Start, tmp_path: Path) -> None:
    """Bits that are programmed already do not hinder the next try."""
    part = part_with("flash", tmp_path, numbered(OLD, 5))
    with start("uno-flash", part) as board:
        board.begin(NEW)
        board.send_image(NEW, 0)
        board.reset()
        chip = tmp_path / "chip.bin"
        with chip.open("r+b") as file:
            file.seek(1 << 19)
            assert file.read(8) == b"\xff" * 8
            file.seek(1 << 19)
            file.write(b"UL\xff\xff\6\0\0\0")
        assert board.hello().model_crc == 1
        assert board.upload(NEW) > 0
        assert board.hello().model_crc == 2
