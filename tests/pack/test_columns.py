"""Places of rows, and the two codes of one column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from host_sdk.errors import FitError
from host_sdk.pack.columns import Layout, additions, decode, encode
from host_sdk.spec.image import BYTE_CODE, GROUP_ROWS, PLACES

weights = st.sampled_from([-2, -1, 0, 0, 0, 0, 0, 0, 0, 1])
columns = st.integers(1, PLACES).flatmap(lambda rows: arrays(np.int8, rows, elements=weights))


@settings(max_examples=300, deadline=None)
@given(columns)
def test_round_trip(column: np.ndarray) -> None:
    layout = Layout(column.size)
    if np.abs(column).sum() > 120:
        return
    for in_bytes in (False, True):
        coded = encode(column, layout, in_bytes)
        assert np.array_equal(decode(coded, layout), column)
        assert additions(coded) >= np.abs(column).sum()


@settings(max_examples=60, deadline=None)
@given(st.integers(236, PLACES), st.integers(0, 1000), st.floats(0.01, 0.4))
def test_layers_without_room_for_spares(rows: int, seed: int, density: float) -> None:
    random = np.random.default_rng(seed)
    column = np.where(random.random(rows) < density, random.choice([-2, -1, 1], rows), 0).astype(np.int8)
    layout = Layout(rows)
    assert np.array_equal(decode(encode(column, layout), layout), column)


@given(st.integers(1, PLACES))
def test_places(rows: int) -> None:
    layout = Layout(rows)
    places = layout.of_rows.tolist()
    assert places[0] == 0
    assert len(set(places)) == rows
    assert layout.places == places[-1] + 1 <= PLACES
    assert layout.first + (layout.groups - 1) * GROUP_ROWS == rows
    assert sorted([*places, *layout.spares]) == list(range(PLACES))
    if layout.spaced:
        gaps = np.diff([-1, *layout.spares])
        assert gaps.max() <= GROUP_ROWS + 1


def test_worked_example() -> None:
    """docs/image.md: 40 rows; plus in rows 2, 3 and 20, twice minus in row 5, minus in row 39."""
    column = np.zeros(40, np.int8)
    column[[2, 3, 20]], column[5], column[39] = 1, -2, -1
    layout = Layout(40)
    assert (layout.first, layout.groups, layout.spares[:3]) == (12, 3, [12, 27, 42])
    assert layout.of_rows[[2, 3, 5, 20, 39]].tolist() == [2, 3, 5, 21, 41]
    # plus: 2, 3, spare 12, 21; minus: 5, 5, spare 12, again to make the number even, spare 27, 41
    assert encode(column, layout).hex(" ") == "02 21 99 50 70 fe"
    assert encode(column, layout, in_bytes=True).hex(" ") == "83 02 03 15 05 05 29"


def test_a_place_that_both_lists_name_bridges_where_there_is_no_spare() -> None:
    column = np.zeros(256, np.int8)
    column[[0, 30]] = 1
    layout = Layout(256)
    coded = encode(column, layout)
    assert not coded[0] & BYTE_CODE
    assert np.array_equal(decode(coded, layout), column)


def test_an_odd_column_of_256_rows_takes_byte_code() -> None:
    column = np.zeros(256, np.int8)
    column[7] = 1
    assert encode(column, Layout(256)) == bytes([BYTE_CODE | 1, 7])


def test_what_is_too_much_is_refused() -> None:
    with pytest.raises(FitError, match="257 rows"):
        Layout(257)
    with pytest.raises(FitError, match="more than an image can say"):
        encode(np.ones(200, np.int8), Layout(200), in_bytes=True)
