"""A virtual board under firmware/bus.c: SPI bytes on command, and what SD cards and flash chips expect of them."""

from __future__ import annotations

from types import TracebackType

import serial

from host_sdk.sim.avr_board import AvrBoard

ENABLED = 0x50  # SPCR: SPE, MSTR
SLOW, FAST = (ENABLED | 2, 0), (ENABLED, 1)  # SPCR and SPSR for clk/64 and clk/2


class Bus:
    """The board's serial line, on which one letter makes the firmware do one thing."""

    def __init__(self, board: AvrBoard) -> None:
        self.board = board
        self.port = serial.Serial(board.tty, board.board.baud, timeout=5)

    def __enter__(self) -> Bus:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.port.close()
        self.board.close()

    def start(self) -> None:
        """Resets the board and waits for its firmware; the part has no supply then."""
        self.port.reset_input_buffer()
        self.board.reset()
        assert self.port.read(1) == b"!"
        self.configure(*FAST)

    def send(self, command: bytes, answers: int = 0) -> bytes:
        """Sends a command and returns its answer."""
        self.port.write(command)
        answer: bytes = self.port.read(answers)
        assert len(answer) == answers
        return answer

    def configure(self, control: int, status: int) -> None:
        """Sets SPCR and SPSR."""
        self.send(bytes((*b"c", control, status)))

    def settle(self) -> None:
        """Waits until the firmware has obeyed all commands so far."""
        self.write(b"")

    def write(self, data: bytes) -> int:
        """Exchanges bytes; the last that came."""
        return self.send(b"w" + len(data).to_bytes(2, "little") + data, 1)[0]

    def read(self, count: int) -> bytes:
        """The next bytes that come while FFh goes out."""
        return self.send(b"r" + count.to_bytes(2, "little"), count)

    def poll(self, value: int) -> tuple[int, int]:
        """Reads until something else than `value` comes: that, and the cycles that it took."""
        self.board.markers()
        got = self.send(bytes((*b"b", value)), 1)[0]
        start, end = self.board.markers()
        return got, end.cycle - start.cycle

    def power(self, on: bool) -> None:
        """Closes or opens the switch of the part's supply."""
        self.send(b"o" if on else b"f")
        self.settle()

    def power_chip(self) -> None:
        """Supply, and the 5 ms until a flash chip can be written to."""
        self.power(True)
        self.read(60)

    def command(self, data: bytes, answers: int = 0) -> bytes:
        """One command to a flash chip, from chip select to chip select."""
        self.send(b"s")
        self.write(data)
        got = self.read(answers)
        self.send(b"u")
        self.settle()
        return got

    # ---- SD cards ----

    def card(self, number: int, argument: int = 0, crc: int | None = None) -> int:
        """One command to a card, left selected; R1, or FFh when there is none."""
        frame = bytes((0x40 | number, *argument.to_bytes(4, "big")))
        self.send(b"s")
        self.write(frame + bytes((crc7(frame) if crc is None else crc,)))
        if number == 12:
            self.read(1)  # the stuff byte
        for _ in range(4):
            if (answer := self.read(1)[0]) < 0x80:
                return answer
        return 0xFF

    def wake(self) -> None:
        """Supply, a pause, and the clocks that a card wants before the first command."""
        self.power(True)
        self.configure(*SLOW)
        self.send(b"u")
        self.read(12)  # more than 1 ms on the serial line
        self.read(10)

    def ready(self, argument: int = 1 << 30) -> None:
        """Initialises a card."""
        self.wake()
        assert self.card(0) == 1
        self.card(8, 0x1AA)
        self.read(4)
        for _ in range(300):
            self.card(55)
            if self.card(41, argument) == 0:
                break
        else:
            raise AssertionError("the card is never ready")
        self.configure(*FAST)

    def block(self, length: int = 512) -> bytes:
        """The data behind the next token, its check verified."""
        token, _ = self.poll(0xFF)
        assert token == 0xFE
        *data, high, low = self.read(length + 2)
        assert crc16(bytes(data)) == high << 8 | low
        return bytes(data)


def crc7(frame: bytes) -> int:
    """The last byte of a command: CRC-7 and the end bit."""
    crc = 0
    for byte in frame:
        for bit in range(8):
            crc <<= 1
            if (byte << bit & 0x80) ^ (crc & 0x80):
                crc ^= 0x09
            crc &= 0x7F
    return crc << 1 | 1


def crc16(data: bytes) -> int:
    """CRC-16/XMODEM."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc
