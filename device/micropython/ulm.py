"""A language model on a Python board: `import ulm; ulm.serve()`. Ctrl-C leaves it.

Runs unchanged under MicroPython from 1.19, CircuitPython and CPython; docs/micropython.md says more.
"""

import gc
import sys

_STATUS_OK = 0
_STATUS_NO_MODEL = 2
_STATUS_TOO_LARGE = 5
MODEL = "ulm_model.ulb"


def folder():
    """Where this file lies, with a slash behind; "" when it is the current one."""
    return __file__[: __file__.rfind("/") + 1] if "__file__" in globals() else ""


def facts():
    """Name of the board as HELLO says it, build of the runtime, checksum of the specification."""
    try:
        import ulm_build

        return ulm_build.BOARD, ulm_build.BUILD, ulm_build.SPEC_SUM
    except ImportError:
        return b"micropython", 0, 0


def usual_reader():
    """The model where it was flashed last: the file beside this one, or a partition of an ESP32."""
    from ulm_read import FileReader, PartitionReader

    try:
        from ulm_build import PARTITION
    except ImportError:
        return FileReader(folder() + MODEL)
    return PartitionReader(PARTITION)


def open_engine(reader=None, native=True):
    """The engine of the model, and OK; or None and the status that says why there is none."""
    from ulm_image import Image, ImageError

    try:
        from ulm_engine import Engine

        return Engine(Image(reader or usual_reader()), native), _STATUS_OK
    except ImageError as error:
        return None, error.args[0]
    except OSError:
        return None, _STATUS_NO_MODEL
    except MemoryError:
        gc.collect()
        return None, _STATUS_TOO_LARGE


def serve(reader=None, line=None):
    """Answer on the line until Ctrl-C. Without a reader the model is the one that was flashed last."""
    from ulm_line import usual_line
    from ulm_service import Service

    engine, status = open_engine(reader)
    gc.collect()
    line = line or usual_line()
    try:
        Service(line, engine, status, facts()).run()
    except (KeyboardInterrupt, EOFError):
        pass
    finally:
        if hasattr(line, "close"):
            line.close()


if __name__ == "__main__" and sys.implementation.name == "cpython":
    from ulm_line import FileLine
    from ulm_read import FileReader

    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python3 ulm.py MODEL.ulb [DEVICE]")
    try:
        serve(FileReader(sys.argv[1]), FileLine(*sys.argv[2:]))
    except OSError as error:
        raise SystemExit("ulm.py: " + str(error))
