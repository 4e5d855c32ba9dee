"""Quantisers: values are on the grid of their code, gradients pass on it and stop beyond it; the doctests hold."""

from __future__ import annotations

import doctest

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from host_sdk.model.model import VALUES  # noqa: E402
from host_sdk.spec.container import WeightCode  # noqa: E402
from host_sdk.train import data, quantise  # noqa: E402
from host_sdk.train.quantise import QUANTISERS, shift_through, wrap_through  # noqa: E402


@pytest.mark.parametrize("module", [quantise, data])
def test_doctests(module: object) -> None:
    results = doctest.testmod(module, extraglobs={"torch": torch})  # type: ignore[arg-type]
    assert results.attempted
    assert not results.failed


@given(st.sampled_from(list(WeightCode)), st.lists(st.floats(-300, 300, width=32), min_size=1))
def test_weights_are_values_of_their_code(code: WeightCode, latent: list[float]) -> None:
    low, high = VALUES[code]
    x = torch.tensor(latent, requires_grad=True)
    y = QUANTISERS[code](x)
    y.sum().backward()
    for before, after, gradient in zip(latent, y.tolist(), x.grad.tolist(), strict=True):
        assert after == int(after)
        assert low <= after <= high
        assert gradient == (low <= round(before) <= high if code is not WeightCode.BINARY else abs(before) <= 1)
        assert abs(after - min(max(before, low), high)) <= (0.5 if code is not WeightCode.BINARY else 1)
    assert code is not WeightCode.BINARY or 0 not in y.tolist()


@given(st.integers(-(2**23), 2**23), st.integers(0, 7))
def test_wrap_and_shift_are_the_machines(number: int, shift: int) -> None:
    wrapped = (number + 32768) % 65536 - 32768
    assert wrap_through(torch.tensor([float(number)])).item() == wrapped
    assert shift_through(torch.tensor([float(wrapped)]), shift).item() == wrapped >> shift
