"""The command `ulm`, run as people run it, and boards for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from host_sdk.errors import UlmError
from host_sdk.model.model import Model
from tests.conftest import Prepare, address_of
from tests.synthetic import character_model

TIMEOUT_S = 60
ULM = Path(sys.executable).with_name("ulm")


class Done(NamedTuple):
    code: int
    out: str
    err: str


def ulm(*arguments: str | Path, typed: str = "") -> Done:
    """The command, in a process of its own; one that hangs fails."""
    done = subprocess.run(
        [str(ULM), *map(str, arguments)],
        input=typed,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    return Done(done.returncode, done.stdout, done.stderr)


def sentence(done: Done, error: type[UlmError]) -> str:
    """The one sentence of a failed command, which has said nothing else."""
    assert done.out == ""
    assert "Traceback" not in done.err, done.err
    (line,) = done.err.splitlines()
    assert line.startswith("ulm: ")
    assert line.endswith((".", "`"))
    assert done.code == error.exit_code, line
    return line.removeprefix("ulm: ")


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    if not ULM.exists():
        pytest.skip(f"{ULM} is missing: pip install -e .")


@pytest.fixture(scope="session")
def small() -> Model:
    return character_model(1, name="small")


@pytest.fixture(scope="session")
def small_file(small: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small.ulm"
    small.save(path)
    return path


@pytest.fixture(scope="module")
def uno(prepare: Prepare, small: Model) -> str:
    """The address of an UNO with the small model, switched off."""
    return address_of("uno", prepare("uno", small))


@pytest.fixture(scope="module")
def lilypad(prepare: Prepare, small: Model) -> str:
    """The same of a LilyPad."""
    return address_of("lilypad", prepare("lilypad", small))
