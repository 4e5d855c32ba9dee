"""Runtime and model of a Python board, through its REPL: only files that differ are written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from host_sdk.boards import MICROBIT, PYTHON_BOARDS, Python
from host_sdk.errors import BoardError, FitError, UsageError
from host_sdk.flash.drive import BOOT_OUT, copy_to_drive, mounted_drive
from host_sdk.flash.fit import fitted_python
from host_sdk.flash.python_files import BUILD_FILE, MODEL_FILE, NEW_SUFFIX, build_number, runtime_files, tiny_files
from host_sdk.flash.repl import Port, Progress, Repl, compiled, shows_prompt
from host_sdk.flash.result import FlashResult
from host_sdk.model.model import Model
from host_sdk.pack.micropython import PythonImage, header
from host_sdk.spec.micropython import RUNTIME_HEAP

START_TINY = "import ulm_tiny\nulm_tiny.serve()\n"
GREETING = b"microLM on "
CIRCUITPYTHON = "circuitpython"
START = "import ulm\nulm.serve()\n"
AUTOSTART_TINY = b"import ulm_tiny  # micro-lm: at start\n\nulm_tiny.serve()\n"
AUTOSTART = b"import ulm  # micro-lm: at start\n\nulm.serve()\n"
_MARK = b"# micro-lm: at start"
_FACTORY_MAIN = b'print("Hello World!")'
"""The code.py that a new CircuitPython board has."""
_TRIES = 3
_WIDE_CHUNK, _NARROW_CHUNK = 2048, 128
"""Bytes written at once; a board parses them as text of up to four times the length."""

_FACTS = """
import sys,gc,os
gc.collect()
def _f():
 try:
  s=os.statvfs('/')
  return s[1]*s[3]
 except (AttributeError,OSError):
  return -1
n=sys.implementation.name
v=getattr(sys.implementation,'_mpy',0)&255
print((n,sys.platform,v,gc.mem_free(),'/lib' in getattr(sys,'path',()),_f()))
"""
_ROOM = "import os\ns=os.statvfs('/')\nprint(s[1]*s[3])\n"
_IS_TINY = "import os\nprint('ulm_tiny.py' in os.listdir())\n"
_FOLDER = """
import os
try:
 os.mkdir('/lib')
except OSError:
 pass
"""
_REPLACE = """
import os
try:
 os.rename(%(new)r,%(old)r)
except OSError:
 os.remove(%(old)r)
 os.rename(%(new)r,%(old)r)
"""
_REMOVE = """
import os
for p in %r:
 try:
  os.remove(p)
 except OSError:
  pass
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a board's Python says of itself. Sizes in bytes."""

    name: str  # micropython or circuitpython
    platform: str
    mpy: int  # version of bytecode that it reads; 0: none
    heap: int  # free
    lib: bool  # whether it looks for modules in /lib
    disk: int  # free; -1 when it does not know

    @property
    def folder(self) -> str:
        """Where runtime and model go, with a slash behind; a micro:bit has no folders."""
        return "/lib/" if self.lib else "" if self.tiny else "/"

    @property
    def tiny(self) -> bool:
        """Whether only the smallest runtime has room."""
        return self.platform == MICROBIT


def deploy_python(
    port: Port, board: Python, model: Model, at_start: bool = False, progress: Progress | None = None
) -> FlashResult:
    """Write what differs, and start the runtime. The old model stays until the new one is whole.

    FitError with the numbers, before anything is written, when heap or file system are too small. UsageError when
    `at_start` meets a main.py of the user.
    """
    started = time.monotonic()
    with Repl(port) as repl:
        facts = Facts(*repl.value(_FACTS))
        board = PYTHON_BOARDS[MICROBIT] if facts.tiny else board
        image = fitted_python(model, board)
        if not facts.tiny:
            check_heap(model, image, facts)
        files = {**_runtime(facts, board), facts.folder + MODEL_FILE: image.data}
        written = _bring(repl, facts, files, at_start, progress)
    return _result(board, model.name, image.model_crc, len(image.data), "files", files, written, started)


def deploy_partition(
    port: Port, board: Python, name: str, image: bytes, label: str, at_start: bool = False
) -> FlashResult:
    """Write what differs of the runtime, and start it with the model `image` that is in the partition `label` already.

    Errors as those of deploy_python; whether the heap is large enough the board says afterwards.
    """
    started = time.monotonic()
    with Repl(port) as repl:
        facts = Facts(*repl.value(_FACTS))
        files = _runtime(facts, board, label)
        written = _bring(repl, facts, files, at_start, None)
    crc = int(header(image)["model_crc"])
    return _result(board, name, crc, len(image), "partition", files, written, started)


def start_python(port: Port) -> bool:
    """Start the runtime from an idle prompt; False when none is shown. PortError when it is not there, or not whole."""
    if not shows_prompt(port):
        return False
    with Repl(port, fresh=False) as repl:
        tiny = repl.value(_IS_TINY)
        if tiny:
            repl.restart()
        else:
            repl.run("import ulm")
        repl.start(START_TINY if tiny else "ulm.serve()\n", GREETING)
    return True


def check_heap(model: Model, image: PythonImage, facts: Facts) -> None:
    """FitError when not even the columns' places fit beside the runtime."""
    needed = RUNTIME_HEAP + image.least_heap
    if needed > facts.heap:
        raise FitError(
            f"The model {model.name!r} needs {needed} bytes of heap beside its file; the board has {facts.heap} free, "
            f"{needed - facts.heap} too few. Choose a narrower model or a board with more memory."
        )


def _runtime(facts: Facts, board: Python, partition: str | None = None) -> dict[str, bytes]:
    """Path and content of the files of the runtime; the build number last, as the seal."""
    if facts.tiny:
        return tiny_files(board.name)
    reads_bytecode = facts.name == "micropython" and facts.mpy == 6
    runtime = runtime_files(board.name, compiled if reads_bytecode else None, partition)
    return {facts.folder + name: data for name, data in runtime.items()}


def _bring(repl: Repl, facts: Facts, files: dict[str, bytes], at_start: bool, progress: Progress | None) -> int:
    """Write what differs, a main.py too if the runtime is to begin `at_start`, and start it; how many were written."""
    if at_start:
        _check_main(repl, facts)
        files[_main(facts)] = AUTOSTART_TINY if facts.tiny else AUTOSTART
    drive = mounted_drive(_start_of(repl, f"/{BOOT_OUT}")) if facts.name == CIRCUITPYTHON else None
    if drive:
        written = copy_to_drive(drive, files, facts.folder + BUILD_FILE)
    else:
        written = _write(repl, facts, files, progress or (lambda done, total: None))
    repl.restart()  # what deploying left in its heap is gone, and files that changed under it are seen
    repl.start(START_TINY if facts.tiny else START, GREETING)
    return written


def _result(
    board: Python,
    name: str,
    model_crc: int,
    model_bytes: int,
    memory: str,
    files: Mapping[str, bytes],
    written: int,
    started: float,
) -> FlashResult:
    tiny = board.name == MICROBIT
    return FlashResult(
        board=board.name,
        model=name,
        model_crc=model_crc,
        model_bytes=model_bytes,
        memory=memory,
        runtime_bytes=sum(len(data) for path, data in files.items() if not path.endswith(MODEL_FILE)),
        runtime_build=build_number(tiny),
        pages_written=None,
        pages_kept=None,
        files_written=written,
        files_kept=len(files) - written,
        seconds_wall=time.monotonic() - started,
    )


def _write(repl: Repl, facts: Facts, files: Mapping[str, bytes], progress: Progress) -> int:
    """Bring the files there; how many had to be written."""
    present = repl.hashes(list(files))
    due = {path: data for path, data in files.items() if present[path] != hashlib.sha256(data).hexdigest()}
    if not due:
        return 0
    total = sum(map(len, due.values()))
    room = facts.disk
    if 0 <= room < total:  # a flash that was cut may have left half a model
        repl.run(_REMOVE % ([facts.folder + MODEL_FILE + NEW_SUFFIX],))
        room = repl.value(_ROOM)
    if 0 <= room < total:
        raise FitError(f"The board's file system has {room} bytes free; runtime and model need {total}.")
    done = 0
    chunk = _WIDE_CHUNK if facts.heap > 64 << 10 else _NARROW_CHUNK

    def write(path: str) -> None:
        nonlocal done
        before, done = done, done + len(due[path])
        repl.write(path, due[path], chunk, lambda so_far: progress(before + so_far, total))

    def write_all(paths: Sequence[str]) -> None:
        """And read them back; what came out wrong is written again."""
        for _ in range(_TRIES):
            for path in paths:
                write(path)
            found = repl.hashes(paths)
            paths = [path for path in paths if found[path] != hashlib.sha256(due[path]).hexdigest()]
            if not paths:
                return
        raise BoardError(
            f"The board wrote {paths[0]} wrongly; flash it again, and if that does not help its flash is worn out."
        )

    if facts.lib:
        repl.run(_FOLDER)
    seal, model = facts.folder + BUILD_FILE, facts.folder + MODEL_FILE
    count = len(due)
    runtime = [path for path in due if path not in (seal, model)]
    if runtime:
        # Without its seal a half-written runtime is taken for none of ours.
        repl.run(_REMOVE % ([seal, *map(_other_form, runtime)],))
        due[seal] = files[seal]
        write_all(runtime)
    if seal in due:
        write_all([seal])
    if model in due and facts.tiny:  # there is no room for two, and names cannot be changed
        repl.run(_REMOVE % ([model],))
        write_all([model])
    elif model in due:
        due[model + NEW_SUFFIX] = due[model]
        write_all([model + NEW_SUFFIX])
        repl.run(_REPLACE % {"new": model + NEW_SUFFIX, "old": model})
    return count


def _other_form(path: str) -> str:
    """The same module as source or as bytecode, which would hide it."""
    stem, _, ending = path.rpartition(".")
    return f"{stem}.py" if ending == "mpy" else f"{stem}.mpy"


def _main(facts: Facts) -> str:
    if facts.tiny:
        return "main.py"
    return "/code.py" if facts.name == CIRCUITPYTHON else "/main.py"


def _check_main(repl: Repl, facts: Facts) -> None:
    path = _main(facts)
    program = _start_of(repl, path)
    if program.strip() not in (b"", _FACTORY_MAIN) and _MARK not in program:
        raise UsageError(
            f"The board has a {path.strip('/')} of its own, which stays: add `import ulm; ulm.serve()` to it, or leave "
            "out --at-start."
        )


def _start_of(repl: Repl, path: str) -> bytes:
    """The first bytes of a file on the board, b"" when it is missing."""
    return bytes(repl.value(f"try:\n print(open({path!r},'rb').read(300))\nexcept OSError:\n print(b'')\n"))
