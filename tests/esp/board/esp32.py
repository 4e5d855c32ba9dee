"""MicroPython's module esp32 on a computer: partitions of the file that is the chip's flash."""

import struct

FLASH = ""  # the file


class Partition:
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, address, size):
        self.address, self.size = address, size

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None):
        found = []
        with open(FLASH, "rb") as file:
            file.seek(0x8000)
            while True:
                entry = file.read(32)
                if entry[:2] != b"\xaa\x50":
                    return found
                kind, _, address, size, name = struct.unpack("<BBII16s", entry[2:28])
                if kind == type and label in (None, name.rstrip(b"\0").decode()):
                    found.append(Partition(address, size))

    def ioctl(self, request, argument):
        return {4: self.size // 4096, 5: 4096}.get(request)

    def readblocks(self, block, buffer, offset=0):
        with open(FLASH, "rb") as file:
            file.seek(self.address + block * 4096 + offset)
            assert file.readinto(buffer) == len(buffer)
