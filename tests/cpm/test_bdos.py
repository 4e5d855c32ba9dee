"""CP/M 2.2 as programs see it, with the traps that a protocol on its console must know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.sim.cpm.bdos import CALL_TICKS
from host_sdk.sim.cpm.disk import BLOCK_BYTES, cpm_name
from host_sdk.sim.cpm.line import FIFO_BYTES
from tests.cpm.conftest import CPM, Bench, assemble

Make = Callable[..., Bench]

SHOW_HEX = """
hex:    push    af              ; shows A as two digits by function 6
        rrca
        rrca
        rrca
        rrca
        call    digit
        pop     af
digit:  and     15
        add     a,90h
        daa
        adc     a,40h
        daa
emit:   push    hl
        ld      e,a
        ld      c,6
        call    bdos
        pop     hl
        ret
"""

# Console


def test_direct_input_does_not_wait(bench: Make) -> None:
    machine = bench("ld c,6\nld e,0ffh\ncall bdos\ncall hex\nret\n" + SHOW_HEX)
    assert machine.until(b"TEST\r\n00\r\nA>")


def test_direct_input_neither_knows_nor_fills_the_look_ahead(bench: Make) -> None:
    """A key that came while function 2 printed belongs to functions 1, 10 and 11 alone."""
    source = """
        ld      c,2             ; prints until a key was typed, which function 2 looks at
        ld      b,40
_more:  push    bc
        ld      e,'.'
        ld      c,2
        call    bdos
        pop     bc
        djnz    _more
        ld      c,6
        ld      e,0ffh
        call    bdos
        call    hex             ; 00: function 6 does not see it
        ld      c,11
        call    bdos
        call    hex             ; 01: function 11 does
        ld      c,1
        call    bdos
        call    hex             ; and function 1 gives it
        ret
    """
    machine = bench(source + SHOW_HEX)
    machine.until(b"...")
    machine.send(b"k")
    assert machine.until(b"6B").endswith(b"0001k6B")


def test_direct_output_cannot_send_two_characters(bench: Make) -> None:
    source = "\n".join(f"ld e,{c}\nld c,6\ncall bdos" for c in (0x41, 0xFE, 0xFF, 0x09, 0x13, 0x80, 0x42)) + "\nret"
    assert b"A\x09\x13\x80B" in bench(source).until(b"B")


def test_tabs_are_expanded_by_functions_2_and_9_only(bench: Make) -> None:
    source = """
        ld      de,text
        ld      c,9
        call    bdos
        ld      e,9
        ld      c,6
        call    bdos
        ret
text:   defb    13,10,'ab',9,'c$'
    """
    assert b"\r\nab      c\t" in bench(source).until(b"c\t")


def test_printing_stops_at_control_s_and_control_c_then_boots(bench: Make) -> None:
    source = """
_more:  ld      e,'.'
        ld      c,2
        call    bdos
        jr      _more
    """
    machine = bench(source)
    machine.until(b"...")
    machine.send(b"\x13")
    machine.work(400_000)
    machine.screen = b""
    machine.work(400_000)
    assert machine.screen == b""
    machine.type(b"q")
    machine.until(b"...")
    machine.type(b"\x13\x03")
    machine.until(b"\r\nA>")


def test_control_c_alone_is_kept_by_printing(bench: Make) -> None:
    source = """
        ld      b,60
_more:  push    bc
        ld      e,'.'
        ld      c,2
        call    bdos
        pop     bc
        djnz    _more
        ld      c,1
        call    bdos
        call    hex
        ret
    """
    machine = bench(source + SHOW_HEX)
    machine.until(b"..")
    machine.send(b"\x03")
    assert machine.until(b"03")


def test_a_line_is_edited_and_masked(bench: Make) -> None:
    source = """
        ld      de,buffer
        ld      c,10
        call    bdos
        ld      hl,buffer+1
        ld      b,(hl)
_show:  inc     hl
        ld      a,(hl)
        push    bc
        call    emit
        pop     bc
        djnz    _show
        ret
buffer: defb    20
        defs    30
    """
    machine = bench(source + SHOW_HEX)
    machine.work(200_000)
    machine.type(b"hallp\x08o\xe1\x18he\xecloX\x08\r")
    machine.until(b"TEST\r\n")
    assert machine.until(b"A>").endswith(b"hello\r\nA>")


def test_a_line_ends_when_it_is_full(bench: Make) -> None:
    source = "ld de,buffer\nld c,10\ncall bdos\nld a,(buffer+1)\ncall hex\nret\nbuffer: defb 3\ndefs 9\n"
    machine = bench(source + SHOW_HEX)
    machine.work(200_000)
    machine.type(b"abcdef")
    assert b"abc\r03" in machine.until(b"03")


@pytest.mark.parametrize(("seven_bit", "seen"), [(False, b"E1"), (True, b"61")])
def test_some_machines_drop_bit_7(bench: Make, seven_bit: bool, seen: bytes) -> None:
    source = "_look: ld c,6\nld e,0ffh\ncall bdos\nor a\njr z,_look\ncall hex\nld a,0c2h\ncall emit\nret\n"
    machine = bench(source + SHOW_HEX, seven_bit=seven_bit)
    machine.work(200_000)
    machine.type(b"\xe1")
    machine.until(b"TEST\r\n")
    assert machine.until(b"A>").endswith(seen + (b"\x42" if seven_bit else b"\xc2") + b"\r\nA>")


def test_what_comes_while_nobody_looks_is_lost(bench: Make) -> None:
    """The UART keeps three bytes."""
    source = """
        ld      bc,0            ; half a second
_wait:  ld      a,8
_more:  dec     a
        jr      nz,_more
        dec     bc
        ld      a,b
        or      c
        jr      nz,_wait
_look:  ld      c,6
        ld      e,0ffh
        call    bdos
        or      a
        ret     z
        call    emit
        jr      _look
    """
    machine = bench(source + SHOW_HEX)
    machine.work(300_000)
    machine.send(b"abcdefgh")
    machine.until(b"TEST\r\n")
    assert machine.until(b"\r\nA>").endswith(b"abc\r\nA>")
    assert FIFO_BYTES == 3
    assert machine.machine.line.dropped == 5


def test_the_reader_is_at_its_end_and_the_punch_swallows(bench: Make) -> None:
    machine = bench("ld c,3\ncall bdos\ncall hex\nld e,'x'\nld c,4\ncall bdos\nret\n" + SHOW_HEX)
    assert machine.until(b"1A")


def test_a_byte_takes_its_time_on_the_line(bench: Make) -> None:
    source = "ld b,100\n_more: push bc\nld e,'.'\nld c,6\ncall bdos\npop bc\ndjnz _more\nret"
    machine = bench(source)
    machine.until(b".")
    before = machine.machine.now()
    machine.until(b"." * 98)
    assert machine.machine.now() - before == pytest.approx(98 * 10 / 9600 * 4_000_000, rel=0.05)


# Programs


def test_t_states_are_exact_and_those_of_the_system_are_apart(bench: Make) -> None:
    """2 * 7 for loads, 255 * 13 + 8 for the loop, then a call of BDOS: 17 for it and 10 for the jump at 5."""
    machine = bench("ld b,0\n_more: djnz _more\nld c,12\ncall bdos\n_stop: jr _stop")
    machine.until(b"TEST\r\n")
    while machine.machine.core.ticks == 0:
        machine.machine.run_slice(1)
    core = machine.machine.core
    while core.ticks < 7 + 255 * 13 + 8 + 7 + 17 + 10:
        machine.machine.run_slice(1)
    system = machine.machine.system_ticks
    assert core.ticks == 7 + 255 * 13 + 8 + 7 + 17 + 10
    machine.work(1)
    assert machine.machine.system_ticks - system == CALL_TICKS


@pytest.mark.parametrize("end", ["ret", "jp 0", "ld c,0\ncall bdos", "ld hl,(1)\njp (hl)"])
def test_a_program_ends_in_four_ways(bench: Make, end: str) -> None:
    machine = bench(end)
    assert machine.until(b"A>").endswith(b"A>")
    assert machine.until(b"\r\nA>").startswith(b"TEST\r\n")


def test_the_command_line_is_where_programs_look(bench: Make) -> None:
    source = """
        ld      hl,5ch
        ld      b,12
        call    show
        ld      hl,6ch
        ld      b,12
        call    show
        ld      hl,80h
        ld      b,17
        call    show
        ret
show:   ld      a,(hl)
        inc     hl
        push    bc
        call    hex
        pop     bc
        djnz    show
        ret
    """
    machine = bench(source + SHOW_HEX, run="test one.txt b:Two*")
    machine.until(b"Two*\r\n")
    data = bytes.fromhex(machine.until(b"\r\nA>", 40).removesuffix(b"\r\nA>").decode())
    assert data[:12] == b"\0ONE     TXT"
    assert data[13:24] == b"TWO?????" + b"   "
    assert data[24:] == bytes((15,)) + b" ONE.TXT B:TWO*\0"


def test_memory_as_programs_expect_it(bench: Make) -> None:
    machine = bench("jr $")
    machine.until(b"TEST\r\n")
    machine.work(100_000)
    core = machine.machine.core
    assert core.memory[0] == core.memory[5] == 0xC3
    assert core.word(6) == 0xE406
    assert core.word(1) == 0xF203
    assert core.word(core.cpu.sp) == 0


def test_a_smaller_tpa(bench: Make) -> None:
    machine = bench("jr $", tpa=40_000)
    machine.until(b"TEST\r\n")
    assert machine.machine.core.word(6) == (0x100 + 40_000 & 0xFF00) + 6


def test_commands(bench: Make) -> None:
    machine = bench("ret", run="")
    (machine.folder / "HUGE.COM").write_bytes(bytes(CPM.tpa_bytes - 0x800 + 1))
    (machine.folder / "LARGE.COM").write_bytes(b"\xc9" + bytes(CPM.tpa_bytes - 0x800 - 1))
    machine.until(b"A>")
    for typed, shown in (
        (b"nope\r", b"NOPE?"),
        (b"huge\r", b"BAD LOAD"),
        (b"large\r", b"large\r\n\r\nA>"),
        (b"dir *.com\r", b"A: HUGE     COM : LARGE    COM : TEST     COM\r\n"),
        (b"dir x*\r", b"NO FILE"),
        (b"a:test\r", b"a:test\r\n\r\nA>"),
    ):
        machine.type(typed)
        assert shown in machine.until(shown)


def test_writes_into_the_system_are_noticed(bench: Make) -> None:
    machine = bench("ld a,1\nld (0e400h),a\nld (0e3ffh),a\nret")
    machine.until(b"\r\nA>")
    machine.until(b"\r\nA>")
    assert machine.machine.core.wild == 1


# Files

FILES = """
fcb:    defb    0,'DATA    TXT',0,0,0,0
        defs    20
call1:  ld      de,fcb          ; function A on the file, its answer shown
        ld      c,a
        call    bdos
        jp      hex
"""


def file_program(*steps: str) -> str:
    return "\n".join(steps) + "\nret\n" + FILES + SHOW_HEX


def step(function: int) -> str:
    return f"ld a,{function}\ncall call1"


def answers(machine: Bench) -> list[str]:
    machine.until(b"TEST\r\n")
    text = machine.until(b"\r\nA>")
    digits = text.removesuffix(b"\r\nA>").decode()
    return [digits[at : at + 2] for at in range(0, len(digits), 2)]


def test_a_file_is_written_and_read_in_records(bench: Make) -> None:
    write = "ld hl,80h\n_f%d: ld (hl),%d\ninc l\njr nz,_f%d"
    steps = [step(22)]
    for number in range(3):
        steps += [write % (number, 65 + number, number), step(21)]
    steps += [step(16), "ld hl,fcb+12\nld (hl),0\nld a,0\nld (fcb+32),a", step(15), step(20), "ld a,(80h)\ncall hex"]
    machine = bench(file_program(*steps))
    assert answers(machine) == ["00"] * 7 + ["41"]
    assert (machine.folder / "DATA.TXT").read_bytes() == b"A" * 128 + b"B" * 128 + b"C" * 128


def test_reading_ends_and_pads(bench: Make, tmp_path: Path) -> None:
    machine = bench(file_program(step(15), step(20), "ld a,(80h)\ncall hex\nld a,(0ffh)\ncall hex", step(20)))
    (machine.folder / "data.txt").write_bytes(b"xyz")
    assert answers(machine) == ["00", "00", "78", "1A", "01"]


def test_extents_follow_one_another(bench: Make) -> None:
    """129 records: the last one lies in the second extent."""
    loop = "ld b,129\n_more: push bc\nld de,fcb\nld c,20\ncall bdos\npop bc\ndjnz _more\nld a,(80h)\ncall hex"
    fields = "ld a,(fcb+12)\ncall hex\nld a,(fcb+32)\ncall hex"
    machine = bench(file_program(step(15), loop, fields, step(20)))
    (machine.folder / "DATA.TXT").write_bytes(bytes(128 * 128) + b"\x77" * 128)
    assert answers(machine) == ["00", "77", "01", "01", "01"]


def test_missing_and_taken_names(bench: Make) -> None:
    machine = bench(file_program(step(15), step(16), step(19), step(22), step(22), step(19), step(15)))
    assert answers(machine) == ["FF", "FF", "FF", "00", "FF", "00", "FF"]


def test_renaming_does_not_look_at_the_new_name(bench: Make) -> None:
    copy = "ld hl,newname\nld de,fcb+16\nld bc,12\nldir"
    machine = bench(file_program(copy, step(23), step(15)) + "\nnewname: defb 0,'OTHER   TXT'\n")
    (machine.folder / "DATA.TXT").write_bytes(b"new")
    (machine.folder / "OTHER.TXT").write_bytes(b"old")
    assert answers(machine) == ["00", "FF"]
    assert (machine.folder / "OTHER.TXT").read_bytes() == b"new"


def test_searching(bench: Make) -> None:
    pattern = "ld hl,fcb+1\nld b,8\n_q: ld (hl),'?'\ninc hl\ndjnz _q"
    entry = "add a,a\nadd a,a\nadd a,a\nadd a,a\nadd a,a\nadd a,81h\nld l,a\nld h,0\nld a,(hl)\ncall hex"
    find = "ld de,fcb\nld c,%d\ncall bdos\ncp 0ffh\njr z,missing\n" + entry
    machine = bench(
        "\n".join([pattern, find % 17, find % 18, find % 18, "ret\nmissing: call hex\nret"]) + FILES + SHOW_HEX
    )
    for name in ("a.txt", "B.TXT", "C.COM", "no_such_name.txt", "two.dots.txt"):
        (machine.folder / name).write_bytes(b"x")
    assert answers(machine) == ["41", "42", "FF"]


def test_a_full_disk(bench: Make) -> None:
    """Room for TEST.COM and one block; the seventeenth record would need another."""
    loop = "ld b,17\n_more: push bc\nld de,fcb\nld c,21\ncall bdos\nld (fcb+33),a\npop bc\ndjnz _more"
    loop += "\nld a,(fcb+33)\ncall hex"
    machine = bench(file_program(step(22), loop, step(16)), disk_bytes=2 * BLOCK_BYTES)
    assert answers(machine) == ["00", "02", "00"]
    assert (machine.folder / "DATA.TXT").stat().st_size == BLOCK_BYTES


def test_random_records_and_size(bench: Make) -> None:
    machine = bench(
        file_program(
            step(35), "ld a,(fcb+33)\ncall hex", "ld hl,2\nld (fcb+33),hl\nxor a\nld (fcb+35),a", step(33),
            "ld a,(80h)\ncall hex", "ld hl,9\nld (fcb+33),hl", step(33), step(36), "ld a,(fcb+33)\ncall hex",
        )
    )  # fmt: skip
    (machine.folder / "DATA.TXT").write_bytes(b"".join(bytes((0x60 + n,)) * 128 for n in range(4)))
    assert answers(machine) == ["00", "04", "00", "62", "01", "00", "09"]


def test_another_drive_is_an_error_that_boots(bench: Make) -> None:
    machine = bench(file_program("ld a,2\nld (fcb),a", step(15)))
    machine.until(b"Bdos Err On B: Select")
    machine.type(b"\r")
    machine.until(b"\r\nA>")


@pytest.mark.parametrize(
    ("name", "seen"),
    [("ulm.com", b"ULM     COM"), ("A", b"A          "), ("123456789.x", None), ("a.b.c", None), ("a b", None),
     ("é", None), (".x", None), ("x.long", None), ("A*", None)],
)  # fmt: skip
def test_names(name: str, seen: bytes | None) -> None:
    assert cpm_name(name) == seen


def test_a_program_that_does_not_assemble_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        assemble(tmp_path, "nonsense here")
