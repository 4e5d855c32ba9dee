from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_sdk.boards import BOARDS
from host_sdk.errors import BoardError, FitError, LinkError, PortError
from host_sdk.flash import Memory, upload
from host_sdk.flash.upload import PAGE_TRIES
from tests.flash.fake import PAGE, FakeBoard

UNO = BOARDS["uno"]
HEADER = 0x1400
BLANK = b"\xff" * PAGE
pytestmark = pytest.mark.usefixtures("instant")


def noise(seed: int, count: int) -> bytes:
    return random.Random(seed).randbytes(count)


def test_blank_board_takes_everything_and_starts() -> None:
    fake = FakeBoard(UNO)
    program = noise(1, UNO.code_bytes)
    seen: list[tuple[int, int]] = []
    result = upload(fake, UNO, Memory.from_bytes(0, program), progress=lambda *done: seen.append(done))
    assert fake.flash[: UNO.code_bytes] == program
    assert (result.pages_written, result.pages_kept, result.bytes) == (252, 0, 32_256)
    assert seen == [(n, 252) for n in range(1, 253)]
    assert fake.left


def test_only_pages_that_differ_are_written() -> None:
    program = noise(1, 40 * PAGE)
    fake = FakeBoard(UNO, program)
    changed = bytearray(program)
    changed[3 * PAGE + 127] ^= 1
    changed[4 * PAGE] ^= 1
    changed[20 * PAGE : 21 * PAGE] = BLANK
    result = upload(fake, UNO, Memory.from_bytes(0, bytes(changed)))
    assert fake.writes == [3 * PAGE, 4 * PAGE, 20 * PAGE]
    assert (result.pages_written, result.pages_kept) == (3, 37)
    assert fake.flash[: len(changed)] == changed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 49)), st.sets(st.integers(0, 49)), st.integers(0, PAGE - 1))
def test_exactly_the_differing_pages_are_written(changed: set[int], erased: set[int], at: int) -> None:
    old = noise(1, 50 * PAGE)
    new = bytearray(old)
    for page in changed:
        new[page * PAGE + at] ^= 0x21
    for page in erased:
        new[page * PAGE : (page + 1) * PAGE] = BLANK
    fake = FakeBoard(UNO, old)
    upload(fake, UNO, Memory.from_bytes(0, bytes(new)))
    assert fake.writes == [page * PAGE for page in sorted(changed | erased)]
    assert fake.flash[: len(new)] == new


def test_nothing_to_do_writes_nothing() -> None:
    program = noise(1, 50 * PAGE)
    fake = FakeBoard(UNO, program)
    result = upload(fake, UNO, Memory.from_bytes(0, program), order_last=(HEADER,))
    assert fake.writes == []
    assert (result.pages_written, result.pages_kept) == (0, 50)


def test_pages_outside_stay() -> None:
    fake = FakeBoard(UNO, noise(1, 32 * PAGE))
    before = bytes(fake.flash)
    upload(fake, UNO, Memory.from_bytes(4 * PAGE, noise(2, 2 * PAGE)))
    assert fake.flash[: 4 * PAGE] == before[: 4 * PAGE]
    assert fake.flash[6 * PAGE :] == before[6 * PAGE :]


def test_mark_is_erased_first_and_written_last() -> None:
    fake = FakeBoard(UNO, noise(1, 60 * PAGE))
    wanted = Memory.from_bytes(HEADER, noise(2, 5 * PAGE))
    result = upload(fake, UNO, wanted, order_last=(HEADER,))
    assert fake.writes == [HEADER, *range(HEADER + PAGE, HEADER + 5 * PAGE, PAGE), HEADER]
    assert result.pages_written == 5


def test_settings_of_the_port_come_back() -> None:
    fake = FakeBoard(UNO)
    fake.timeout, fake.write_timeout, fake.baudrate = 7.0, 8.0, 9600
    upload(fake, UNO, Memory.from_bytes(0, b"\0"))
    assert (fake.timeout, fake.write_timeout, fake.baudrate) == (7.0, 8.0, 9600)


def test_boot_section_is_refused_before_anything_is_touched() -> None:
    fake = FakeBoard(UNO)
    with pytest.raises(FitError, match="0x7E00"):
        upload(fake, UNO, Memory.from_bytes(UNO.code_bytes - 1, b"\0\0"))
    assert fake.resets == 0


def test_stray_mark_and_wrong_page_size_are_programming_errors() -> None:
    fake = FakeBoard(UNO)
    with pytest.raises(ValueError, match="0x1400 is not"):
        upload(fake, UNO, Memory.from_bytes(0, b"\0"), order_last=(HEADER,))
    with pytest.raises(ValueError, match="flash pages"):
        upload(fake, UNO, Memory.from_bytes(0, b"\0", page_bytes=64))


def test_other_chip_is_refused() -> None:
    fake = FakeBoard(BOARDS["uno"])
    fake.board = replace(UNO, signature=b"\x1e\x94\x06")
    with pytest.raises(BoardError, match="1e 94 06"):
        upload(fake, UNO, Memory.from_bytes(0, b"\0"))
    assert fake.writes == []


def test_page_that_reads_back_differently_is_reported() -> None:
    fake = FakeBoard(UNO)
    fake.stuck[5 * PAGE + 77] = 0x00
    wanted = Memory.from_bytes(0, bytes([0x33]) * 8 * PAGE)
    with pytest.raises(BoardError, match=r"page 0x0280 .* reads back differently"):
        upload(fake, UNO, wanted)
    assert fake.writes.count(5 * PAGE) == PAGE_TRIES
    fake = FakeBoard(UNO)
    fake.stuck[5 * PAGE + 77] = 0x00
    upload(fake, UNO, wanted, verify=False)


def test_silence_is_a_port_error() -> None:
    fake = FakeBoard(UNO)
    fake.to_host = lambda index, value: None
    with pytest.raises(PortError, match="did not start its bootloader at 115200 baud"):
        upload(fake, UNO, Memory.from_bytes(0, b"\0"))


def test_port_without_control_lines_reaches_a_running_bootloader() -> None:
    fake = FakeBoard(UNO)
    fake.control_lines = False
    with pytest.raises(PortError):
        upload(fake, UNO, Memory.from_bytes(0, b"\0"))
    fake.reset()
    assert upload(fake, UNO, Memory.from_bytes(0, b"\0")).pages_written == 1


def test_silence_in_the_middle_is_a_link_error_and_the_next_upload_repairs() -> None:
    fake = FakeBoard(UNO)
    program = noise(3, 20 * PAGE)
    fake.to_board = lambda index, value: value if index < 1000 else None
    with pytest.raises(LinkError, match=r"stopped answering .* upload again, which repairs it"):
        upload(fake, UNO, Memory.from_bytes(0, program))
    fake.to_board = lambda index, value: value
    result = upload(fake, UNO, Memory.from_bytes(0, program))
    assert fake.flash[: len(program)] == program
    assert 0 < result.pages_kept < 20


@pytest.mark.parametrize("direction", ["to_board", "to_host"])
@pytest.mark.parametrize("damage", [lambda v: None, lambda v: v ^ 0x10, lambda v: v ^ 0x80, lambda v: 0xFF])
def test_any_single_damaged_byte_is_survived(direction: str, damage: Callable[[int], int | None]) -> None:
    """At every position of a whole upload; all of the code flash is wanted, so that a stray write shows."""
    old, new = noise(4, UNO.code_bytes), bytearray(noise(4, UNO.code_bytes))
    new[HEADER : HEADER + 3 * PAGE] = noise(5, 3 * PAGE)
    start = 2 if direction == "to_host" else 0
    positions = (p for at in (0, 5300, 5700) for p in range(at + start, at + 400, 7))
    for position in positions:
        fake = FakeBoard(UNO, old)
        setattr(fake, direction, lambda index, value, hit=position: damage(value) if index == hit else value)
        upload(fake, UNO, Memory.from_bytes(0, bytes(new)), order_last=(HEADER,))
        assert fake.flash[: UNO.code_bytes] == new, position


def test_noisy_line_is_survived() -> None:
    chance = random.Random(6)

    def dirty(index: int, value: int) -> int | None:
        hit = chance.random()
        return None if hit < 0.00001 else value ^ 1 << chance.randrange(8) if hit < 0.00002 else value

    program = noise(7, UNO.code_bytes)
    fake = FakeBoard(UNO)
    fake.to_board = fake.to_host = dirty
    for _ in range(5):
        try:
            upload(fake, UNO, Memory.from_bytes(0, program), order_last=(HEADER,))
            break
        except LinkError:
            assert fake.flash[HEADER : HEADER + PAGE] in (BLANK, program[HEADER : HEADER + PAGE])
    assert fake.flash[: UNO.code_bytes] == program


def cut_everywhere(old: bytes, new: Memory, unplug: bool) -> None:
    """Cut after each flash step; then the model must be absent, old or new, and one upload must repair it."""
    whole = FakeBoard(UNO, old)
    upload(whole, UNO, new, order_last=(HEADER,))
    old_model = bytes(old[HEADER:])
    new_model = bytes(whole.flash[HEADER : HEADER + len(old_model)])
    for steps in range(whole.steps):
        fake = FakeBoard(UNO, old)
        fake.steps_left, fake.unplug_on_cut = steps, unplug
        with pytest.raises(LinkError):
            upload(fake, UNO, new, order_last=(HEADER,))
        model = bytes(fake.flash[HEADER : HEADER + len(old_model)])
        assert model[:PAGE] == BLANK or model in (old_model, new_model)
        fake.power_up()
        before = sum(fake.flash[a : a + PAGE] != page for a, page in new.pages.items())
        result = upload(fake, UNO, new, order_last=(HEADER,))
        assert fake.flash == whole.flash
        assert result.pages_written == before


@pytest.mark.parametrize("unplug", [False, True])
def test_power_cut_at_every_step(unplug: bool) -> None:
    old = noise(8, HEADER + 6 * PAGE)
    runtime = Memory.from_bytes(0, old[:HEADER])
    cut_everywhere(old, runtime.merged(Memory.from_bytes(HEADER, noise(9, 6 * PAGE))), unplug)
    cut_everywhere(old, Memory.from_bytes(0, noise(10, len(old))), unplug)
