"""The virtual Espressif chips: packets of their loader, their reset lines, and esptool's own command line."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.boards import ESP_BOARDS
from host_sdk.errors import FileError, UsageError
from host_sdk.link.ports import open_port
from host_sdk.sim.esp.loader import Loader
from host_sdk.sim.esp.slip import Unwrap, wrapped
from host_sdk.sim.esp_board import EspBoard, EspOptions
from host_sdk.sim.w25q import W25q

BAD_MESSAGE, FAILED, BAD_DATA = 5, 6, 7
S3, ESP32 = ESP_BOARDS["esp32s3"], ESP_BOARDS["esp32"]


class Host:
    """The other end of a loader's line."""

    def __init__(self, folder: Path, board: str = "esp32s3", stub: bool = False) -> None:
        self.flash = W25q(folder / "flash.bin", "w25q80")
        self.sent: list[bytes] = []
        self._unwrap = Unwrap()
        self._acknowledged = 0
        self.loader = Loader(ESP_BOARDS[board], {0: self.flash}, self._take, self._acknowledge)
        if stub:
            self.ask(0x06, struct.pack("<II", 0, 0x40370000))
            assert self.sent.pop() == b"OHAI"
        else:
            self.ask(0x0D, bytes(8))

    def _take(self, data: bytes) -> None:
        self.sent += self._unwrap.feed(data)

    def _acknowledge(self) -> int:
        self._acknowledged = sum(len(packet) for packet in self.sent[1:])
        return self._acknowledged

    def ask(self, op: int, data: bytes = b"", checksum: int = 0) -> tuple[int, bytes, int]:
        """Value, data and reason of failure of the first answer."""
        self.sent.clear()
        self.loader.take(struct.pack("<BBHI", 0, op, len(data), checksum) + data)
        way, same, length, value = struct.unpack_from("<BBHI", self.sent[0])
        body = self.sent[0][8:]
        assert (way, same, length) == (1, op, len(body))
        status = 2 if self.loader._is_stub else 4
        return value, body[:-status], body[len(body) - status + 1]

    def block(self, op: int, data: bytes) -> int:
        sum_ = 0xEF
        for byte in data:
            sum_ ^= byte
        return self.ask(op, struct.pack("<IIII", len(data), 0, 0, 0) + data, sum_)[2]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.integers(1, 7))
def test_slip(packets: list[bytes], step: int) -> None:
    line = b"".join(wrapped(packet) for packet in packets)
    unwrap, got = Unwrap(), []
    for at in range(0, len(line), step):
        got += unwrap.feed(line[at : at + step])
    assert got == packets
    assert all(b"\xc0" not in wrapped(packet)[1:-1] for packet in packets)


def test_noise_is_no_packet() -> None:
    unwrap = Unwrap()
    assert unwrap.feed(b"boot:0x8\r\n\xdb\xdc\xc0\xc0") == []
    assert unwrap.feed(wrapped(b"ok")) == [b"ok"]


def test_sync(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.ask(0x08, b"\x07\x07\x12\x20" + b"\x55" * 32)[0] != 0
    assert len(host.sent) == 8
    assert Host(tmp_path, stub=True).ask(0x08, bytes(36))[0] == 0


def test_identity(tmp_path: Path) -> None:
    _, info, _ = Host(tmp_path).ask(0x14)
    assert struct.unpack_from("<I", info, 12) == (S3.chip_id,)
    old = Host(tmp_path, "esp32")
    assert old.ask(0x14)[2] == BAD_MESSAGE
    assert old.ask(0x0A, struct.pack("<I", 0x40001000))[0] == 0x00F01D83


@pytest.mark.parametrize("stub", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_write_and_digest(tmp_path: Path, stub: bool, compressed: bool) -> None:
    host, data = Host(tmp_path, stub=stub), bytes(range(256)) * 40
    host.flash.program(0, bytes(0x20000))
    sent = zlib.compress(data) if compressed else data
    begin, block = (0x10, 0x11) if compressed else (0x02, 0x03)
    assert host.ask(begin, struct.pack("<IIIII", len(data), 1, 0x4000, 0x10000, 0))[2] == 0
    for at in range(0, len(sent), 1000):
        assert host.block(block, sent[at : at + 1000]) == 0
    assert host.flash.read(0x10000, len(data)) == data
    assert host.flash.read(0x10000 + len(data), 3) == b"\xff\xff\xff"  # the rest of the last sector
    assert host.flash.read(0xFFFF, 1) == host.flash.read(0x13000, 1) == b"\0"
    due = hashlib.md5(data)
    assert host.ask(0x13, struct.pack("<IIII", 0x10000, len(data), 0, 0))[1] == (
        due.digest() if stub else due.hexdigest().encode()
    )


def test_what_is_behind_the_end_of_a_write_stays(tmp_path: Path) -> None:
    """The stub is sent whole blocks, filled up with FF; only as many bytes as announced are its business."""
    host = Host(tmp_path, stub=True)
    host.ask(0x02, struct.pack("<IIIII", 10, 1, 0x4000, 0, 0))
    assert host.block(0x03, b"0123456789" + bytes(100)) == 0
    assert host.flash.read(0, 12) == b"0123456789\xff\xff"
    assert host.loader.counters.sectors_erased == 1


def test_read_back(tmp_path: Path) -> None:
    host, data = Host(tmp_path, stub=True), bytes(range(256)) * 64
    host.flash.program(0x3000, data)
    host.ask(0xD2, struct.pack("<IIII", 0x3000, len(data), 4096, 2))
    assert b"".join(host.sent[1:-1]) == data
    assert host.sent[-1] == hashlib.md5(data).digest()
    slow = Host(tmp_path).ask(0x0E, struct.pack("<II", 0x3001, 10))
    assert slow[1] == data[1:11] + bytes(54)


def test_refusals(tmp_path: Path) -> None:
    rom, stub = Host(tmp_path), Host(tmp_path, stub=True)
    assert rom.ask(0xD0)[2] == BAD_MESSAGE  # the stub's alone
    assert rom.ask(0x77)[2] == BAD_MESSAGE
    assert rom.ask(0x03, struct.pack("<IIII", 1, 0, 0, 0) + b"x", 0)[2] == BAD_DATA
    assert rom.block(0x03, b"x") == FAILED  # nothing has begun
    assert rom.ask(0x02, struct.pack("<IIIII", 4096, 1, 0x400, 1 << 20, 0))[2] == FAILED  # beyond the flash
    assert rom.ask(0x0A, b"1")[2] == FAILED
    assert stub.ask(0xD1, struct.pack("<II", 1, 4096))[2] == FAILED  # no whole sectors
    stub.ask(0x10, struct.pack("<IIIII", 100, 1, 0x4000, 0, 0))
    assert stub.block(0x11, b"no deflate") == FAILED
    assert rom.loader.counters.refused == 6
    rom.loader.take(b"\0\x08")  # shorter than a packet
    rom.loader.take(b"\1\x08\0\0\0\0\0\0")  # an answer


def test_nothing_attached(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.ask(0x0D, struct.pack("<II", 0x123456, 0))[2] == 0  # pins with nothing on them
    assert host.ask(0x13, struct.pack("<IIII", 0, 16, 0, 0))[2] == FAILED


@given(st.binary(max_size=600))
def test_any_bytes_are_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    host = Host(folder)
    for packet in Unwrap().feed(wrapped(b"\0" + data) + data):
        host.loader.take(packet)
    assert host.ask(0x08, bytes(36))[2] == 0


def test_lines(tmp_path: Path) -> None:
    """RTS alone resets; with BOOT held meanwhile, by DTR alone, the loader starts."""
    with open_port(f"sim://esp32s3?state={tmp_path}", 115_200) as port:
        board: EspBoard = port.board
        assert board.counters().resets == 1
        port.dtr = False
        port.rts = True
        port.rts = False
        assert b"SPI_FAST_FLASH_BOOT" in port.read_until(b"BOOT)\r\n")
        assert b"invalid header: 0xffffffff" in port.read_until(b"ffffffff")
        port.rts = True
        port.dtr = True  # both: neither
        port.rts = False
        assert b"waiting for download" in port.read_until(b"download\r\n")
        assert board.counters().resets == 3
        board.reset()
        assert b"SPI_FAST_FLASH_BOOT" in port.read_until(b"BOOT)\r\n")


def test_options(tmp_path: Path) -> None:
    with EspBoard(ESP32, tmp_path, options=EspOptions(flash_bytes=2 << 20)) as board:
        assert board.fresh
        assert board.flash.stat().st_size == 2 << 20
    with pytest.raises(FileError, match="has 2097152 bytes; this board's flash has 4194304"):
        EspBoard(ESP32, tmp_path)
    board.flash.write_bytes(bytes(2 << 20))
    with EspBoard(ESP32, tmp_path, blank=True, options=EspOptions(flash_bytes=2 << 20)) as board:
        assert set(board.flash.read_bytes()) == {0xFF}
    for options in (EspOptions(boot="usb"), EspOptions(flash_bytes=3 << 20), EspOptions(spi=tmp_path, chip="w25q1")):
        with pytest.raises(UsageError):
            EspBoard(ESP32, tmp_path, options=options)


def test_command_line_of_esptool(tmp_path: Path) -> None:
    """The program itself, on the pseudo-terminal: nothing of ours between them."""
    pytest.importorskip("esptool")
    data = tmp_path / "data.bin"
    data.write_bytes(bytes(range(256)) * 100)

    def esptool(*words: str) -> str:
        command = [sys.executable, "-m", "esptool", "--port", board.tty, "--before", "no-reset", "--after", "no-reset"]
        done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with EspBoard(S3, tmp_path / "board", options=EspOptions(boot="rom")) as board:
        assert "Verification successful" in esptool("write-flash", "0x10000", str(data)) + esptool(
            "verify-flash", "0x10000", str(data)
        )
        assert "Detected flash size: 8MB" in esptool("flash-id")
        esptool("--no-stub", "read-flash", "0x10000", "1024", str(tmp_path / "back.bin"))
        assert (tmp_path / "back.bin").read_bytes() == data.read_bytes()[:1024]
        esptool("erase-region", "0x10000", "0x1000")
        assert board.flash.read_bytes()[0x10000:0x11001] == b"\xff" * 0x1000 + b"\0"
