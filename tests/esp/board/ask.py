"""Run by MicroPython: RUNTIME FILE; asks each line of the standard input, prints text and digest.

The file is the content of an SPI flash chip.
"""

import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, __file__.rsplit("/", 1)[0])

from spi import Pin, Spi
from ulm import open_engine
from ulm_reply import Reply
from ulm_spiflash import SpiFlash

bus = Spi(sys.argv[2])
engine, status = open_engine(SpiFlash(bus, Pin(bus)))
print(status)
for line in sys.stdin if engine else ():
    reply = Reply(engine)
    reply.run(line.rstrip("\n").encode(), False, lambda *_: True)
    print(reply.digest, reply.text.decode())
