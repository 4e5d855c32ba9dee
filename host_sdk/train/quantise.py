"""Quantisers: the forward pass is the device's integer, the gradient goes straight through.

Each is a plain function on tensors. A `Quantiser` maps latent weights, in units of the grid, to the integers of one
weight code; its gradient is 1 on the grid and 0 beyond it, so that no latent weight runs away (BinaryConnect,
Courbariaux et al. 2015; ternary: Li et al. 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from host_sdk.model.model import VALUES
from host_sdk.spec.container import WeightCode

Quantiser = Callable[[Tensor], Tensor]


def round_through(x: Tensor) -> Tensor:
    """The nearest integer (halves to even); gradient 1.

    >>> x = torch.tensor([-1.6, 0.4, 2.7], requires_grad=True)
    >>> y = round_through(x); y.sum().backward(); y.tolist(), x.grad.tolist()
    ([-2.0, 0.0, 3.0], [1.0, 1.0, 1.0])
    """
    return _apply(_Round, x)


def wrap_through(x: Tensor) -> Tensor:
    """Integers wrapped to 16 bits, as the machines add; gradient 1.

    >>> x = torch.tensor([32767.0, 32768.0, -32769.0], requires_grad=True)
    >>> y = wrap_through(x); y.sum().backward(); y.tolist(), x.grad.tolist()
    ([32767.0, -32768.0, 32767.0], [1.0, 1.0, 1.0])
    """
    return _apply(_Wrap, x)


def shift_through(x: Tensor, shift: int) -> Tensor:
    """Arithmetic shift to the right, which floors; gradient 2^-shift.

    >>> x = torch.tensor([-5.0, -4.0, 7.0], requires_grad=True)
    >>> y = shift_through(x, 2); y.sum().backward(); y.tolist(), x.grad.tolist()
    ([-2.0, -1.0, 1.0], [0.25, 0.25, 0.25])
    """
    return _apply(_Floor, x * 2.0**-shift)


def on_grid(low: int, high: int) -> Quantiser:
    """Integers low..high; gradient 1 where the rounded value is on the grid.

    >>> x = torch.tensor([-3.0, -1.2, 0.3, 1.4, 1.6], requires_grad=True)
    >>> y = on_grid(-2, 1)(x); y.sum().backward(); y.tolist(), x.grad.tolist()
    ([-2.0, -1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0, 0.0])
    """
    return lambda x: round_through(x).clamp(low, high)


def binary(x: Tensor) -> Tensor:
    """-1 or +1, never 0; gradient 1 on [-1, 1].

    >>> x = torch.tensor([-1.5, -0.1, 0.0, 2.0], requires_grad=True)
    >>> y = binary(x); y.sum().backward(); y.tolist(), x.grad.tolist()
    ([-1.0, -1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0])
    """
    return _apply(_Sign, x.clamp(-1, 1))


QUANTISERS: Mapping[WeightCode, Quantiser] = {
    code: binary if code is WeightCode.BINARY else on_grid(*VALUES[code]) for code in WeightCode
}
"""The quantiser of every weight code."""


def _apply(function: Any, x: Tensor) -> Tensor:
    result: Tensor = function.apply(x)
    return result


class _Through(torch.autograd.Function):
    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class _Round(_Through):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()


class _Floor(_Through):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.floor()


class _Wrap(_Through):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        # The branch is worth it: trained networks hardly ever wrap, and the remainder is the slowest step.
        if x.numel() == 0 or (x.min() >= -32768 and x.max() <= 32767):
            return x.clone()
        return torch.remainder(x + 32768, 65536) - 32768


class _Sign(_Through):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
