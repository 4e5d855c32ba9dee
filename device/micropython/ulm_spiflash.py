"""A model on an SPI flash chip: a reader for machine.SPI (MicroPython) and busio.SPI (CircuitPython, Blinka).

SpiFlash(SPI(1, 8_000_000), Pin(5))                          # MicroPython
SpiFlash(board.SPI(), DigitalInOut(board.D5))                # CircuitPython, Raspberry Pi
"""

try:
    from micropython import const
except ImportError:

    def const(number):
        return number


_READ = const(0x03)
_WAKE = const(0xAB)
_ID = const(0x9F)
_FILLER = const(0xFF)
_LOCK_S = 1.0  # that others may keep the bus


class SpiFlash:
    """The chip's content from `base` on. OSError when no chip answers. `baudrate` is for busio alone."""

    view = None

    def __init__(self, spi, cs, base=0, baudrate=8000000):
        self.spi = spi
        self.cs = cs
        self.base = base
        self.baudrate = baudrate
        self.shared = hasattr(spi, "try_lock")  # busio, where others may use the bus
        if hasattr(cs, "switch_to_output"):
            cs.switch_to_output(True)
        else:
            cs.init(cs.OUT, value=1)
        self.command = bytearray(4)
        self.data = bytearray(64)
        self.exchange(bytes((_WAKE,)), memoryview(self.data)[:0])
        id_ = memoryview(self.data)[:3]
        self.exchange(bytes((_ID,)), id_)
        if bytes(id_) in (b"\0\0\0", b"\xff\xff\xff"):
            raise OSError("no flash chip answers")

    def read(self, offset, count):
        """Bytes of the chip, in a buffer that the next read uses again."""
        if count > len(self.data):
            self.data = bytearray(count)
        into = memoryview(self.data)[:count]
        at = self.base + offset
        command = self.command
        command[0] = _READ
        command[1] = at >> 16
        command[2] = (at >> 8) & 255
        command[3] = at & 255
        self.exchange(command, into)
        return into

    def await_lock(self):
        """Lock a bus that others use. OSError when they keep it."""
        import time

        until = time.monotonic() + _LOCK_S
        while not self.spi.try_lock():
            if time.monotonic() > until:
                raise OSError("the bus is in use")

    def exchange(self, command, into):
        """Select the chip, send the command, fill the buffer, deselect it."""
        spi, cs = self.spi, self.cs
        if not self.shared:
            cs.value(0)
            try:
                spi.write(command)
                spi.readinto(into, _FILLER)
            finally:
                cs.value(1)
            return
        if not spi.try_lock():
            self.await_lock()
        try:
            spi.configure(baudrate=self.baudrate)
            cs.value = False
            try:
                spi.write(command)
                if into:
                    spi.readinto(into, write_value=_FILLER)
            finally:
                cs.value = True
        finally:
            spi.unlock()
