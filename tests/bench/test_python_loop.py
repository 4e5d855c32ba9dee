"""On MicroPython a whole character costs at most half more than its additions alone."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.python_loop import measure
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Model
from host_sdk.model.z80ai import import_z80ai

pytestmark = pytest.mark.skipif(find_spec("micropython_unix") is None, reason="pip install 'micro-lm[sim]'")


def check(model: Model) -> None:
    loop = measure(model, ["hello", "who are you"])
    assert loop.passes > 2
    assert loop.ratio <= 1.5
    assert 0 < loop.native_us < loop.plain_us


def test_a_whole_character_without_machine_code() -> None:
    check(shipped_model("tinychat"))


def test_the_published_model(reference: Path) -> None:
    check(import_z80ai(reference / "z80ai" / "tinychat.npz"))
