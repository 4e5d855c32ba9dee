"""Budgets of the CP/M runtime on a model of the published shape: exact on the simulated Z80.

Whoever makes a figure smaller lowers it here; raising one needs a reason.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host_sdk.conformance import BenchResult, Vector
from host_sdk.device import Device
from host_sdk.flash.cpm_files import largest_com, shipped_com
from host_sdk.flash.fit import fitted_com, fitted_cpm
from host_sdk.model.model import Model
from host_sdk.pack.cpm import COMPACT_TPA
from host_sdk.pack.queries import bench_queries
from host_sdk.spec.cpm import IMAGE_ADDRESS, ORIGIN, RAM_ADDRESS
from tests.budget_table import assert_within
from tests.conftest import Show
from tests.cpm.conftest import CPM, Prepare, machine_of
from tests.synthetic import published_shape

BUDGETS = {
    "runtime_bytes": 5_900,  # ULM.COM
    "shell_bytes": 3_080,  # of it: console, frames, protocol, disk
    "com_bytes": 56_400,  # CHAT.COM with the model of the published shape
    "model_bytes": 48_700,
    "tpa_bytes": 58_112,  # 0100h to BDOS at E400h
    "stack_bytes": 48,
    "cycles_per_char_mean": 280_000,
    "cycles_per_char_max": 330_000,
    "first_char_cycles_mean": 450_000,
}


@pytest.fixture(scope="module")
def published() -> Model:
    return published_shape()


@pytest.fixture(scope="module")
def opened(prepare: Prepare, published: Model) -> Iterator[Device]:
    with Device(f"sim://cpm?state={prepare(published)}") as device:
        yield device


@pytest.fixture(scope="module")
def result(opened: Device) -> BenchResult:
    return opened.bench()


def test_nothing_is_over_budget(
    result: BenchResult,
    published: Model,
    labels: tuple[bytes, dict[str, int]],
    show: Show,
) -> None:
    at = labels[1]
    measured = {
        "runtime_bytes": len(shipped_com().code),
        "shell_bytes": at["runtime_end"] - at["bdos_poll"],
        "com_bytes": len(fitted_com(published, CPM)[1]),
        "model_bytes": result.model_bytes,
        "tpa_bytes": result.tpa_bytes or 0,
        "stack_bytes": result.stack_bytes,
        "cycles_per_char_mean": result.cycles_per_char["mean"] or 0,
        "cycles_per_char_max": result.cycles_per_char["max"] or 0,
        "first_char_cycles_mean": result.first_char_cycles["mean"] or 0,
    }
    assert_within({"cpm": BUDGETS}, {"cpm": measured}, show)


def test_the_whole_program_stays_within_its_tpa(opened: Device, published: Model, result: BenchResult) -> None:
    """Not one write behind what the image says it needs: the stack and all work memory lie below."""
    assert result.tpa_bytes is not None
    machine = machine_of(opened)
    machine.guard(ORIGIN + result.tpa_bytes)
    assert opened.chat("hello").digest_checked
    assert opened.verify().mismatches == []
    opened.load("published")
    assert opened.chat("who are you").digest_checked
    assert machine.counters().wild == 0


def test_the_compact_variant(prepare: Prepare, published: Model) -> None:
    """The same model in 40 KB, on a machine that has no more."""
    state, small = prepare(), fitted_cpm(published, CPM, compact=True)
    assert small.tpa_bytes <= COMPACT_TPA
    (state / "disk" / "X.ULB").write_bytes(small.data)
    with Device(f"sim://cpm?state={state}&tpa={COMPACT_TPA}&run=ULM X") as device:
        result = device.bench(bench_queries()[:20])
        assert (result.cycles_per_char["mean"] or 0) <= 480_000
        assert device.verify(Vector.of(published)[:5]).mismatches == []


def test_the_shell_lies_below_the_engines_pages(labels: tuple[bytes, dict[str, int]]) -> None:
    at = labels[1]
    assert at["runtime_end"] < at["stack_bottom"] <= RAM_ADDRESS - 128
    assert at["shell_end"] <= IMAGE_ADDRESS


def test_a_program_is_not_longer_than_cpm_loads(published: Model) -> None:
    """CP/M's command processor lies in front of BDOS and loads no file over itself: 56,064 bytes in a 64K system."""
    assert largest_com(CPM) == 0xDC00 - ORIGIN
    image, code = fitted_com(published, CPM)
    assert len(code) <= largest_com(CPM)
    assert code[IMAGE_ADDRESS - ORIGIN :] == image.data
