"""Measured figures beside their budgets."""

from __future__ import annotations

from collections.abc import Mapping

Figures = Mapping[str, Mapping[str, float]]


def against_budgets(measured: Figures, budgets: Figures) -> tuple[str, list[str]]:
    """A table of all figures, and its lines that are over budget."""
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
    return "\n".join(rows), over
