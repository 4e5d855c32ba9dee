"""What a virtual board does when its files are mounted. Runs inside MicroPython."""

import os
import sys


def main_program():
    """The text of main.py; "" when there is none, or a program of the host's comes instead."""
    os.chdir("/")
    sys.path[:] = ["", "/lib"]
    sys.argv[:] = [""]
    try:
        if not os.getenv("ULM_RAW"):
            with open("/main.py") as file:
                return file.read()
    except OSError:
        pass
    return ""
