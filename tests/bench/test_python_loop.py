"""On MicroPython a whole character costs at most half more than its additions alone."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from bench.python_loop import measure
from tests.synthetic import published_shape


@pytest.mark.skipif(find_spec("micropython_unix") is None, reason="no MicroPython: pip install 'micro-lm[sim]'")
def test_a_whole_character_without_machine_code() -> None:
    loop = measure(published_shape(), ["hello", "who are you"])
    assert loop.passes > 2
    assert loop.ratio <= 1.5
    assert 0 < loop.native_us < loop.plain_us
