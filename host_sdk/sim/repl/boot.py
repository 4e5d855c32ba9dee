"""What happens before the REPL of sim://micropython: littlefs on a flash chip, which is a file, and then main.py.

Runs inside MicroPython: `micropython -i boot.py FILE`. A board does the same in its firmware.
"""

import os
import sys

import vfs
from start import main_program

BLOCK_BYTES, BLOCKS = 4096, 352  # 1,408 KB, as a Pico has beside its firmware


class Flash:
    """A flash chip: erased bytes are FFh."""

    def __init__(self, path):
        try:
            os.stat(path)
        except OSError:
            with open(path, "wb") as file:
                for _ in range(BLOCKS):
                    file.write(b"\xff" * BLOCK_BYTES)
        self.file = open(path, "r+b")

    def readblocks(self, block, data, offset=0):
        """From a block on."""
        self.file.seek(block * BLOCK_BYTES + offset)
        self.file.readinto(data)

    def writeblocks(self, block, data, offset=0):
        """Into a block that ioctl() has erased."""
        self.file.seek(block * BLOCK_BYTES + offset)
        self.file.write(data)

    def ioctl(self, operation, block):
        """How many blocks, of what size; erase one."""
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self.writeblocks(block, b"\xff" * BLOCK_BYTES)
        return 0


def mount():
    """The root, formatted if it never was."""
    flash = Flash(sys.argv[1])
    try:
        root = vfs.VfsLfs2(flash)
    except OSError:
        vfs.VfsLfs2.mkfs(flash)
        root = vfs.VfsLfs2(flash)
    vfs.umount("/")
    vfs.mount(root, "/")


mount()
exec(main_program())
