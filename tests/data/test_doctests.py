"""The examples in the docstrings of the data tools hold."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from host_sdk.data import augment, near


@pytest.mark.parametrize("module", [augment, near])
def test_doctests(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
