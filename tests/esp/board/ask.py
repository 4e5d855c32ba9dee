"""Run by MicroPython: RUNTIME FILE [LABEL]; asks each line of the standard input, prints text and digest.

The file is the flash of an ESP32, whose partition LABEL has the model, or the content of an SPI flash chip.
"""

import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, __file__.rsplit("/", 1)[0])

from ulm import open_engine
from ulm_reply import Reply

if len(sys.argv) == 4:
    import esp32
    from ulm_read import PartitionReader

    esp32.FLASH = sys.argv[2]
    reader = PartitionReader(sys.argv[3])
else:
    from spi import Pin, Spi
    from ulm_spiflash import SpiFlash

    bus = Spi(sys.argv[2])
    reader = SpiFlash(bus, Pin(bus))
engine, status = open_engine(reader)
print(status)
for line in sys.stdin if engine else ():
    reply = Reply(engine)
    reply.run(line.rstrip("\n").encode(), False, lambda *_: True)
    print(reply.digest, reply.text.decode())
