"""Bench programs give the integers of the reference engine, and their cycles do not drift."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.programs import MEGA, PACKERS, UNO, DoesNotFitError, Variant, measure
from bench.run import MICRO, micro_queries
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.spec.container import WeightCode
from tests.synthetic import character_model

CODES = {"dense3.h": WeightCode.TERNARY, "dense1.h": WeightCode.BINARY}
BUDGET = 59_744  # cycles per pass of dense2.h by pgm_read_byte on models/micro/micro64.ulm, avr-gcc 5.4


@pytest.fixture(autouse=True)
def _needs_simavr(simavr: None) -> None:
    pass


def test_cycles_of_the_plain_program(tmp_path: Path) -> None:
    result = measure(Model.load(MICRO), Variant("plain", "dense2.h", ("BY_PGM_READ",)), micro_queries(), tmp_path)
    assert result.exact
    assert result.chip is UNO
    assert result.pass_cycles == pytest.approx(BUDGET, rel=0.01)
    assert result.sram_bytes + result.stack_bytes < 256


@pytest.mark.parametrize("kernel", PACKERS)
def test_every_kernel_spells_the_same(kernel: str, tmp_path: Path) -> None:
    """A character model: context, several passes, layers of different widths."""
    code = CODES.get(kernel, WeightCode.TWO_BIT)
    model = character_model(5, (40, 24), code=code, query_buckets=64, context_buckets=64)
    queries = ["hello", "a", "Is it 7?"]
    result = measure(model, Variant(kernel, kernel), queries, tmp_path)
    assert result.exact
    assert result.passes == sum(one.passes for one in run(model, queries))


def test_a_program_too_large_for_an_uno_goes_to_a_larger_chip(tmp_path: Path) -> None:
    variant = Variant("int8 in SRAM", "dense8.h", ("IN_SRAM",))
    with pytest.raises(DoesNotFitError):
        measure(Model.load(MICRO), variant, ["hello"], tmp_path, [UNO])
    assert measure(Model.load(MICRO), variant, ["hello"], tmp_path).chip is MEGA
