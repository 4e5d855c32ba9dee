"""The nibble code of one column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from host_sdk.pack.columns import decode, encode


@given(arrays(np.int8, st.integers(1, 300), elements=st.sampled_from([-2, -1, 0, 0, 0, 0, 1])))
def test_round_trip(column: np.ndarray) -> None:
    data = encode(column)
    back, used = decode(data + b"\xaa\xaa", column.size)
    assert np.array_equal(back, column)
    assert used == len(data)


def test_worked_example() -> None:
    """docs/image.md: plus in row 2, minus twice in row 1, of 16 rows."""
    column = np.zeros(16, np.int8)
    column[2], column[1] = 1, -2
    # plus: move 2 and add (3), move 15 and end (0); minus: move 1 and add (2), again (1), move 15 and end (0)
    assert encode(column) == bytes((0x03, 0x12, 0x00))


def test_gaps_of_fifteen_and_more_take_an_escape() -> None:
    column = np.zeros(40, np.int8)
    column[[14, 29, 39]] = 1
    assert list(encode(column))[:3] == [0x0F, 0x01 | 0x0B << 4, 0x00]


def test_a_list_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end"):
        decode(b"\x11\x11", 20)
