"""The Python runtime as on a Raspberry Pi: RUNTIME CHIP; asks each line of the standard input, prints text and digest.

Blinka has its board without hardware, and behind its SPI the virtual chip whose file is CHIP.
"""

import sys

sys.path.insert(0, sys.argv[1])

from ulm import open_engine
from ulm_reply import Reply
from ulm_spiflash import SpiFlash

from host_sdk.flash.blinka import _VIRTUAL, VIRTUAL, _load, _wired

_load(_VIRTUAL, VIRTUAL)
with _wired(f"flash={sys.argv[2]}"):
    import board
    import busio
    import digitalio

    bus = busio.SPI(board.SCK, board.MOSI, board.MISO)
    engine, status = open_engine(SpiFlash(bus, digitalio.DigitalInOut(board.Dx_OUTPUT)))
    print(status)
    for line in sys.stdin if engine else ():
        reply = Reply(engine)
        reply.run(line.rstrip("\n").encode(), False, lambda *_: True)
        print(reply.digest, reply.text.decode())
