"""Budgets of the runtimes on a model of the published shape: tests/budgets.json, exact on a simulated chip.

A budget is a little above what was measured. Whoever makes a figure smaller lowers it here; raising one needs a reason.
Of the longest pass it has room for one interrupt more (54 cycles): when the clock overflows, the host's timing decides.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_sdk.conformance import BenchResult
from host_sdk.device import Device
from host_sdk.model.engine import additions
from host_sdk.model.model import Model
from host_sdk.pack.image import pack
from host_sdk.pack.queries import bench_queries
from tests.budget_table import assert_within
from tests.conftest import FULL_BOARDS, OpenBoard, Prepare, Show, address_of
from tests.device.conftest import chip

BUDGETS: dict[str, dict[str, int]] = json.loads((Path(__file__).parents[1] / "budgets.json").read_text("utf-8"))
RAM_END = 0x8FF


MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def results(open_board: OpenBoard, published: Model) -> dict[str, BenchResult]:
    """By "board, model"."""
    models = {
        "published shape": published,
        "tinychat": Model.load(MODELS / "tinychat" / "tinychat.ulm"),
        "micro64": Model.load(MODELS / "micro" / "micro64.ulm"),
        "micro256": Model.load(MODELS / "micro" / "micro256.ulm"),
    }
    return {
        f"{board}, {name}": open_board(board, model).bench() for board in FULL_BOARDS for name, model in models.items()
    }


def measured(result: BenchResult) -> dict[str, float]:
    return {
        "runtime_flash_bytes": result.flash_bytes - result.model_bytes,
        "model_bytes": result.model_bytes,
        "sram_static_bytes": result.sram_bytes,
        "stack_bytes": result.stack_bytes,
        "cycles_per_char_mean": result.cycles_per_char["mean"] or 0,
        "cycles_per_char_max": result.cycles_per_char["max"] or 0,
        "query_cycles_mean": result.query_cycles["mean"] or 0,
    }


def test_nothing_is_over_budget(results: dict[str, BenchResult], show: Show) -> None:
    assert_within(BUDGETS, {name: measured(result) for name, result in results.items()}, show)


BARS = {"published shape": 108_000, "tinychat": 35_000, "micro64": 5_700, "micro256": 5_700}
"""Cycles per character that nobody may raise."""


def test_the_bars_of_the_design(results: dict[str, BenchResult]) -> None:
    assert results.keys() == BUDGETS.keys()
    for name, result in results.items():
        assert result.sram_bytes + result.stack_bytes <= 1848
        assert (result.cycles_per_char["mean"] or 0) <= BARS[name.partition(", ")[2]]
        assert result.simulated


def test_the_model_has_the_published_shape(published: Model) -> None:
    """What the budgets are measured on is as much work as the model they stand for."""
    nonzero = sum(int((layer.weights != 0).sum()) for layer in published.layers)
    assert (published.shape, published.weight_count) == ("256-256-192-128-40", 144_384)
    assert nonzero / published.weight_count == pytest.approx(0.27, abs=0.005)
    assert additions(published, bench_queries()) == pytest.approx(7300, rel=0.03)
    assert len(pack(published).data) <= 24_700


def test_the_stack_is_what_the_simulator_saw(prepare: Prepare, published: Model) -> None:
    with Device(address_of("uno", prepare("uno", published))) as device:
        chip(device).forget_stack()
        device.verify()
        device.bench(bench_queries()[:5])
        stack = device.info().stack_bytes
        deepest = RAM_END - chip(device).counters().lowest_stack
        # Painted bytes miss a last push of the paint's own value, and what the greeting used is the runtime's alone.
        assert deepest <= stack <= deepest + 2
