"""Intervals: what they must hold for any counts, and by hand."""

from __future__ import annotations

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.train import statistics
from host_sdk.train.statistics import paired_bootstrap, wilson


def test_doctests() -> None:
    results = doctest.testmod(statistics)
    assert results.attempted
    assert not results.failed


@given(st.integers(1, 5000), st.data())
def test_a_share_lies_in_its_interval(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    low, high = wilson(hits, count)
    assert 0 <= low <= hits / count + 1e-12
    assert hits / count - 1e-12 <= high <= 1
    wider = wilson(hits * 2, count * 2)
    assert wider[1] - wider[0] < high - low


def test_the_interval_holds_the_truth_about_95_times_in_100() -> None:
    random = np.random.default_rng(1)
    held = [low <= 0.9 <= high for low, high in (wilson(random.binomial(200, 0.9), 200) for _ in range(2000))]
    assert 0.93 < np.mean(held) < 0.97


def test_lines_of_one_query_are_drawn_together() -> None:
    first, second = [1.0] * 50 + [0.0] * 50, [0.0] * 100
    apart = paired_bootstrap(first, second, [str(i) for i in range(100)])
    together = paired_bootstrap(first, second, [str(i // 25) for i in range(100)])
    assert apart[0] < 0.5 < apart[1]
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])
    assert paired_bootstrap(first, second, [str(i) for i in range(100)]) == apart
