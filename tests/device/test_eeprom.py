"""Models in EEPROM: sent while the board runs; until they are whole the model in flash answers."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from host_sdk.conformance import Vector
from host_sdk.device import Device
from host_sdk.errors import BoardError
from host_sdk.model.engine import run
from host_sdk.model.library import remember
from host_sdk.model.model import Model
from host_sdk.pack.bits import pack_bits
from host_sdk.pack.image import pack
from host_sdk.spec.container import WeightCode
from host_sdk.spec.image import MAGIC
from host_sdk.spec.protocol import Op, Slot
from tests.conftest import FULL_BOARDS, Prepare, address_of
from tests.device.conftest import chip
from tests.pack.test_bits import reply_model

QUERIES = ("", "a", "hi", "turn the light on", "What is YOUR name?", "x" * 160, "~!@#$", "the lights, please " * 8)
MICRO = reply_model(3, (16, 10), 256, WeightCode.TERNARY, 0.2, 2, False)
CLEARED = b"\xff"
MODELS = Path(__file__).parents[2] / "models"


def vectors(model: Model) -> list[Vector]:
    runs = run(model, QUERIES)
    return [Vector(q, r.text, tuple(r.logits_crc32)) for q, r in zip(QUERIES, runs, strict=True)]


def answers(device: Device, model: Model, slot: Slot) -> None:
    """The board says that this model answers, and from where, and proves it."""
    assert (device.hello.model_crc, device.info().slot) == (model.crc, slot)
    assert device.verify(vectors(model)).mismatches == []


def with_eeprom(folder: Path, cells: bytes) -> Path:
    (folder / "eeprom.bin").write_bytes(cells.ljust(1024, b"\xff"))
    return folder


@pytest.mark.parametrize("board", FULL_BOARDS)
def test_a_compact_model_lies_in_flash(prepare: Prepare, small: Model, board: str) -> None:
    model = Model.load(MODELS / "micro" / "micro18.ulm")
    with Device(address_of(board, prepare(board, small))) as device:
        assert device.flash(model, compact=True).model_bytes == len(pack_bits(model).data) <= 1200
        answers(device, model, Slot.MAIN)
        device.flash(MICRO, memory="eeprom")
        answers(device, MICRO, Slot.EEPROM)
        device.flash(model, compact=True)
        answers(device, model, Slot.MAIN)


@pytest.mark.parametrize("board", FULL_BOARDS)
def test_the_newest_model_answers(prepare: Prepare, small: Model, board: str) -> None:
    with Device(address_of(board, prepare(board, small))) as device:
        answers(device, small, Slot.MAIN)
        seen: list[tuple[int, int]] = []
        device.flash(MICRO, memory="eeprom", progress=lambda done, total: seen.append((done, total)))
        answers(device, MICRO, Slot.EEPROM)
        assert seen[-1][0] == seen[-1][1] == len(pack_bits(MICRO).data)
        chip(device).reset()
        device._greet()
        answers(device, MICRO, Slot.EEPROM)
        device.flash(small)
        answers(device, small, Slot.MAIN)


@pytest.mark.parametrize("seed", range(6))
def test_models_of_every_shape(prepare: Prepare, small: Model, seed: int) -> None:
    code = (WeightCode.TERNARY, WeightCode.TWO_BIT, WeightCode.BINARY)[seed % 3]
    widths = ((7,), (9, 5), (20, 12, 8), (5, 4, 3, 2), (11, 10), (1, 60))[seed]
    model = reply_model(seed, widths, (64, 128)[seed % 2], code, 0.3, seed + 1, seed % 2 == 1)
    image = pack_bits(model)
    if len(image.data) > 1024:
        model = reply_model(seed, widths, 64, WeightCode.TERNARY, 0.05, seed + 1, seed % 2 == 1)
    with Device(address_of("uno", prepare("uno", small))) as device:
        device.flash(model, memory="eeprom")
        answers(device, model, Slot.EEPROM)


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.3, 0.5, 0.8, 0.999, 1])
def test_after_a_power_cut_at_any_byte_the_flash_answers(prepare: Prepare, small: Model, share: float) -> None:
    """The cells as they are when the first bytes of a new image, all but its mark, lie over an old one."""
    old, new = pack_bits(MICRO).data, pack_bits(reply_model(4, (16, 10), 256, WeightCode.TERNARY, 0.2, 2, False)).data
    written = round(share * len(new))
    cells = CLEARED + new[1:written] + old[max(written, 1) :]
    with Device(address_of("uno", with_eeprom(prepare("uno", small), cells))) as device:
        answers(device, small, Slot.MAIN)


def test_a_cut_in_the_middle_of_a_byte(prepare: Prepare, small: Model) -> None:
    """Reset while the chip programs; the same upload again repairs it."""
    data = pack_bits(MICRO).data
    with Device(address_of("uno", prepare("uno", small))) as device:
        device.flash(MICRO, memory="eeprom")
        session = device._connection.session
        session.begin(Slot.EEPROM, len(data), zlib.crc32(data))
        for offset in range(0, 240, 60):
            session._command(Op.DATA, offset.to_bytes(4, "little") + data[offset : offset + 60])
        session._send(Op.DATA, (240).to_bytes(4, "little") + bytes(60))  # not waited for
        chip(device).reset()
        device._greet()
        answers(device, small, Slot.MAIN)
        device.flash(MICRO, memory="eeprom")
        answers(device, MICRO, Slot.EEPROM)


def test_while_an_upload_goes_on_the_flash_answers(prepare: Prepare, small: Model) -> None:
    data = pack_bits(MICRO).data
    with Device(address_of("uno", prepare("uno", small))) as device:
        device.flash(MICRO, memory="eeprom")
        device._connection.session.begin(Slot.EEPROM, len(data), zlib.crc32(data))
        device._greet()
        answers(device, small, Slot.MAIN)


def test_an_upload_that_is_not_sound_is_refused(prepare: Prepare, small: Model) -> None:
    good = pack_bits(MICRO).data
    lists = pack(reply_model(5, (4, 3), 64, WeightCode.TERNARY, 0.1, 2, False)).data
    old = bytes([*good[:2], good[2] - 1, *good[3:]])
    damaged = good[:-1] + bytes([good[-1] ^ 1])
    with Device(address_of("uno", prepare("uno", small))) as device:
        for data, sentence in (
            (damaged, "arrived damaged; the old model stays"),
            (lists, "packed for another runtime"),
            (old, "packed for another runtime"),
            (b"\0" * 300, "arrived damaged"),
        ):
            with pytest.raises(BoardError, match=sentence):
                device._connection.session.upload(Slot.EEPROM, data, zlib.crc32(data), "x", lambda done, total: None)
            device._greet()
            answers(device, small, Slot.MAIN)
        for slot, length, sentence in ((Slot.MAIN, 100, "cannot do that"), (Slot.EEPROM, 1025, "too large")):
            with pytest.raises(BoardError, match=sentence):
                device._connection.session.begin(slot, length)
        for payload in (b"\0\0\0", (5).to_bytes(4, "little") + b"xy"):
            with pytest.raises(BoardError):
                device._connection.session._command(Op.DATA, payload)
        device._connection.session.begin(Slot.EEPROM, 100)
        with pytest.raises(BoardError, match="missed a part"):
            device._connection.session._command(Op.COMMIT, bytes(4))
        answers(device, small, Slot.MAIN)


def test_a_board_without_a_model_in_flash_runs_that_of_its_eeprom(prepare: Prepare) -> None:
    remember(MICRO)
    folder = with_eeprom(prepare("uno"), pack_bits(MICRO).data)
    assert pack_bits(MICRO).data[:2] == MAGIC.to_bytes(2, "little")
    with Device(address_of("uno", folder)) as device:
        answers(device, MICRO, Slot.EEPROM)


def test_the_same_model_in_both_memories_answers_from_where_it_came_last(prepare: Prepare, small: Model) -> None:
    with Device(address_of("uno", prepare("uno", small))) as device:
        device.flash(MICRO, memory="eeprom")
        device.flash(MICRO)
        answers(device, MICRO, Slot.MAIN)
