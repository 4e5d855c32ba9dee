"""What happens before the REPL of sim://micropython: its files are those of one folder, and main.py is run.

Runs inside MicroPython: `micropython -i boot.py FOLDER`. A board does the same in its firmware.
"""

import os
import sys
import vfs

root = sys.argv[1]
vfs.umount("/")
vfs.mount(vfs.VfsPosix(root), "/")
os.chdir("/")
sys.path[:] = ["", "/lib"]
sys.argv[:] = [""]
try:
    with open("/main.py") as file:
        program = file.read()
except OSError:
    program = ""
exec(program)  # noqa: S102
