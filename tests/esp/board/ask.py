"""Run by MicroPython: RUNTIME FLASH LABEL; asks each line of the standard input, prints text and digest."""

import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, __file__.rsplit("/", 1)[0])

import esp32
from ulm import open_engine
from ulm_read import PartitionReader
from ulm_reply import Reply

esp32.FLASH = sys.argv[2]
engine, status = open_engine(PartitionReader(sys.argv[3]))
print(status)
for line in sys.stdin if engine else ():
    reply = Reply(engine)
    reply.run(line.rstrip("\n").encode(), False, lambda *_: True)
    print(reply.digest, reply.text.decode())
