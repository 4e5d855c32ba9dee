"""Measured figures beside their budgets."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conftest import Show

Figures = Mapping[str, Mapping[str, float]]


def assert_within(budgets: Figures, measured: Figures, show: Show) -> None:
    """Shows a table of all figures; the lines that are over budget fail."""
    wide = max(map(len, measured))
    rows = [f"{'':{wide}}  {'figure':<22}{'measured':>10}{'limit':>10}{'left':>10}"]
    over = []
    for name, figures in measured.items():
        assert figures.keys() == budgets[name].keys()
        for figure, value in figures.items():
            limit = budgets[name][figure]
            rows.append(f"{name:<{wide}}  {figure:<22}{value:>10.0f}{limit:>10}{limit - value:>+10.0f}")
            if value > limit:
                over.append(rows[-1])
    show("\n".join(rows))
    assert not over, "over budget:\n" + "\n".join(over)
