"""What happens before the REPL of a virtual Espressif chip: the module esp32, littlefs in `vfs`, and then main.py.

Runs inside MicroPython: `micropython -i boot.py FLASH`, the file of all the chip's flash. A board does the same in its
firmware: it formats files that were never there, and waits for ever where something else lies in their place.
"""

import struct
import sys
import time

import vfs

sys.path.insert(0, sys.path[0] + "/../repl")
from start import main_program

TABLE_ADDRESS = 0x8000
BLOCK_BYTES = 4096
FLASH = open(sys.argv[1], "r+b")


class Partition:
    """One of the chip's flash, as the esp32 module has them."""

    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, kind, subtype, address, size, label):
        self.facts = (kind, subtype, address, size, label, False)
        self.address, self.blocks = address, size // BLOCK_BYTES

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None):
        """Those of a type; subtype FFh stands for any."""
        return [
            one
            for one in partitions()
            if one.facts[0] == type and subtype in (0xFF, one.facts[1]) and label in (None, one.facts[4])
        ]

    def info(self):
        """Type, subtype, address, size, label, whether it is encrypted."""
        return self.facts

    def readblocks(self, block, data, offset=0):
        """From a block on."""
        FLASH.seek(self.address + block * BLOCK_BYTES + offset)
        FLASH.readinto(data)

    def writeblocks(self, block, data, offset=None):
        """Into a block, which is erased first if no offset is given."""
        if offset is None:
            for number in range(block, block + len(data) // BLOCK_BYTES):
                self.ioctl(6, number)
        FLASH.seek(self.address + block * BLOCK_BYTES + (offset or 0))
        FLASH.write(data)
        FLASH.flush()

    def ioctl(self, operation, block):
        """How many blocks, of what size; erase one."""
        if operation == 4:
            return self.blocks
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self.writeblocks(block, b"\xff" * BLOCK_BYTES, 0)
        return 0


def partitions():
    """All in the table."""
    found = []
    while True:
        FLASH.seek(TABLE_ADDRESS + 32 * len(found))
        entry = FLASH.read(32)
        if entry[:2] != b"\xaa\x50":
            return found
        kind, subtype, address, size, label = struct.unpack("<BBII16s", entry[2:28])
        found.append(Partition(kind, subtype, address, size, label.rstrip(b"\0").decode()))


def files():
    """The partition `vfs`; since MicroPython 1.26 what lies behind the last one, if there is none."""
    named = Partition.find(Partition.TYPE_DATA, label="vfs")
    if named:
        return named[0]
    start = max(one.address + one.facts[3] for one in partitions())
    return Partition(1, 0x81, start, FLASH.seek(0, 2) - start, "vfs")


def mount():
    """The root."""
    flash, first = files(), bytearray(BLOCK_BYTES)
    flash.readblocks(0, first)
    if first == b"\xff" * BLOCK_BYTES:
        vfs.VfsLfs2.mkfs(flash)
    vfs.umount("/")
    while True:
        try:
            vfs.mount(vfs.VfsLfs2(flash), "/")
            return
        except OSError:
            sys.stdout.write("The files cannot be mounted.\r\n")
            time.sleep(3)


class Module:
    """esp32, as far as it is there."""

    Partition = Partition


sys.modules["esp32"] = Module
mount()
exec(main_program())
