"""Device.flash on virtual boards: only what differs is written, and nothing is touched when it cannot fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from host_sdk.boards import BOARDS
from host_sdk.device import Device
from host_sdk.errors import BoardError, FitError, PortError
from host_sdk.flash.runtime import shipped_runtime
from host_sdk.kinds import fitted
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Model
from host_sdk.spec.image import MODEL_ADDRESS
from tests.conftest import FULL_BOARDS, Prepare, address_of, flash_contents
from tests.device.conftest import chip
from tests.synthetic import character_model

PAGE = 128


def pages(count: int) -> int:
    return -(-count // PAGE)


def contents(device: Device) -> bytes:
    return chip(device).flash(0, BOARDS[chip(device).board.name].code_bytes)


@pytest.fixture(params=FULL_BOARDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_new_board_comes_with_the_demo_on_it(name: str, tmp_path: Path) -> None:
    with Device(f"sim://{name}?state={tmp_path / 'new'}") as device:
        demo = shipped_model("tinychat")
        assert (device.hello.model_crc, device.model) == (demo.crc, device.model)
        reply = device.chat("hello")
        assert (reply.text, reply.digest_checked) == (demo.reply("hello"), True)


def test_a_new_board_with_a_model_of_ones_own(name: str, tmp_path: Path, small: Model) -> None:
    with Device(address_of(name, tmp_path / "new"), model=small) as device:
        assert contents(device) == flash_contents(name, small)[: BOARDS[name].code_bytes]
        assert device.chat("hello").digest_checked


def test_changing_the_model_leaves_the_runtime(name: str, prepare: Prepare, small: Model) -> None:
    other = character_model(12, (60, 40), name="other")
    with Device(address_of(name, prepare(name, small))) as device:
        before = contents(device)
        seen: list[tuple[int, int]] = []
        result = device.flash(other, progress=lambda done, total: seen.append((done, total)))
        after = contents(device)
        assert after[:MODEL_ADDRESS] == before[:MODEL_ADDRESS]
        assert (
            after
            == flash_contents(name, other)[: len(after)][: MODEL_ADDRESS + len(fitted(other, BOARDS[name]).data)]
            + after[MODEL_ADDRESS + len(fitted(other, BOARDS[name]).data) :]
        )
        image, runtime = pages(len(fitted(other, BOARDS[name]).data)), len(shipped_runtime(BOARDS[name]).memory.pages)
        assert (result.board, result.model, result.model_crc) == (name, "other", other.crc)
        assert result.model_bytes == len(fitted(other, BOARDS[name]).data)
        assert 0 < result.pages_written <= image
        assert result.pages_written + result.pages_kept == image + runtime
        assert seen[-1] == (image + runtime, image + runtime)
        assert (device.hello.model, device.model is not None) == ("other", True)
        assert device.chat("hello").text == other.reply("hello")
        again = device.flash(other)
        assert (again.pages_written, again.pages_kept) == (0, image + runtime)
        assert contents(device) == after


def test_an_old_runtime_is_replaced(name: str, prepare: Prepare, small: Model) -> None:
    state = prepare(name, small)
    flash = bytearray((state / "flash.bin").read_bytes())
    flash[0x400:0x480] = b"\xff\xcf" * (PAGE // 2)  # it stands still there (rjmp .-2)
    flash[MODEL_ADDRESS:] = b"\xff" * (len(flash) - MODEL_ADDRESS)
    flash[0x1400:0x1480] = b"\xff\xcf" * (PAGE // 2)
    (state / "flash.bin").write_bytes(flash)
    with Device(address_of(name, state), bare=True) as device:
        result = device.flash(small)
        assert (
            contents(device)[: MODEL_ADDRESS + len(fitted(small, BOARDS[name]).data)]
            == (flash_contents(name, small)[: MODEL_ADDRESS + len(fitted(small, BOARDS[name]).data)])
        )
        image = pages(len(fitted(small, BOARDS[name]).data))
        assert image < result.pages_written <= image + 2
        assert device.chat("hello").digest_checked


def test_a_model_that_does_not_fit_touches_nothing(prepare: Prepare, small: Model) -> None:
    huge = character_model(13, (256, 192, 128), 0.4, short_replies=False, name="huge")
    with Device(address_of("uno", prepare("uno", small))) as device:
        before = contents(device)
        with pytest.raises(FitError, match=r"takes \d{5} bytes packed; Arduino UNO has 25216 for it, \d+ too few"):
            device.flash(huge)
        assert contents(device) == before
        assert device.chat("hello").text == small.reply("hello")


def test_a_model_is_flashed_only_when_it_is_another(prepare: Prepare, small: Model, tmp_path: Path) -> None:
    other = character_model(12, (60, 40), name="other")
    other.save(tmp_path / "other.ulm")
    state = prepare("uno", small)
    with Device(address_of("uno", state), model=small) as device:
        resets = chip(device).counters().resets
        assert device.hello.model == "small"
    with Device(address_of("uno", state), model=tmp_path / "other.ulm") as device:
        assert chip(device).counters().resets > resets
        assert device.hello.model_crc == other.crc
    with Device(address_of("uno", state)) as device:
        assert device.hello.model == "other", "it survives being switched off"


def test_a_blank_board(prepare: Prepare, small: Model) -> None:
    address = f"{address_of('uno', prepare('uno', small))}&blank"
    with pytest.raises(PortError, match="ulm flash"):
        Device(address)
    with Device(address, bare=True) as device:
        with pytest.raises(PortError, match="has no μLM runtime"):
            device.chat("hello")
        device.flash(small)
        assert device.chat("hello").digest_checked


def test_a_runtime_without_a_model(name: str, prepare: Prepare, small: Model) -> None:
    with Device(address_of(name, prepare(name))) as device:
        assert (device.hello.model, device.model, device.info().model_bytes) == ("", None, 0)
        with pytest.raises(BoardError, match="no model; flash one"):
            device.chat("hello")
        assert device.flash(small).pages_written == pages(len(fitted(small, BOARDS[name]).data))
        assert device.chat("hello").digest_checked


def test_a_damaged_image_is_refused_by_the_board(prepare: Prepare, small: Model) -> None:
    state = prepare("uno", small)
    flash = bytearray((state / "flash.bin").read_bytes())
    flash[MODEL_ADDRESS + 500] ^= 1
    (state / "flash.bin").write_bytes(flash)
    with Device(address_of("uno", state)) as device:
        with pytest.raises(BoardError, match="damaged; flash it again"):
            device.chat("hello")
        result = device.flash(small)
        assert result.pages_written == 2  # the damaged one, and the one with the valid mark
        assert device.chat("hello").digest_checked


@pytest.mark.skipif(shutil.which("avrdude") is None, reason="avrdude is not installed")
def test_avrdude_does_the_same(tmp_path: Path, small: Model) -> None:
    with Device(f"sim://uno?state={tmp_path / 'new'}&blank", bare=True) as device:
        device.flash(small, programmer="avrdude")
        assert contents(device)[:MODEL_ADDRESS] == flash_contents("uno", small)[:MODEL_ADDRESS]
        assert device.chat("hello").digest_checked
