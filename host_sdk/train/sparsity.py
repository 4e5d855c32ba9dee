"""What makes weights zero: a soft threshold per step, raised as far as a target of additions or of bytes needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from host_sdk.model.model import Layer
from host_sdk.spec.container import WeightCode
from host_sdk.train.network import Network
from host_sdk.train.recipe import Recipe

SETTLED = 0.6
"""Share of the steps after which the aim is the target; until then it comes down to it from where it was."""
_MARGIN = 0.98
"""The aim is this share of the target: what is left is for other queries than those trained on."""
_PROPORTIONAL, _INTEGRAL = 8.0, 80.0
"""Exponents of figure / aim in a price: at once, and for good over all steps."""
_LOWEST, _HIGHEST = 1e-3, 1e3
_PULL = 1.2
"""What a factor of 1 adds to the thresholds of all steps together, in grid units."""
_MEMORY = 0.98
"""Of the running mean of activity, per step."""
_PACKINGS = 50
"""How often in a training the packer is asked; between two of them bytes follow the weights."""
_DEAD_ZONES = (0.5, 1.5)
"""Of latent weights that are left out in the end: from none to all of 1 and -1."""
_HALVINGS = 10
_SURE = 0.99
"""Additions are counted over the last batches only."""
_NIBBLE = 0.55
"""Bytes of one more addition in a column, moves to spares included."""


@dataclass
class Price:
    """Keeps a figure below a target: a factor that rises while the figure is above its aim."""

    target: float
    start: float = 0.0  # the figure when the steering began
    level: float = 0.1  # the factor before the figure's own deviation

    def factor(self, figure: float, step: int, steps: int) -> float:
        """The factor for a figure at `step` of `steps`."""
        self.start = self.start or figure
        left = max(0.0, 1 - step / steps / SETTLED)
        goal = self.target * _MARGIN
        aim = goal * math.pow(max(1.0, self.start / goal), left)
        self.level = _bounded(self.level * math.pow(figure / aim, _INTEGRAL / steps))
        return _bounded(self.level * math.pow(figure / aim, _PROPORTIONAL))


def _bounded(factor: float) -> float:
    return min(max(factor, _LOWEST), _HIGHEST)


class Sparsity:
    """The soft threshold of one training."""

    def __init__(self, network: Network, recipe: Recipe, packed_bytes: Callable[[tuple[Layer, ...]], int]) -> None:
        """`packed_bytes` says what layers take in flash, together with all that does not change."""
        self.network = network
        self.stack = network.stack
        self.base = recipe.sparsity
        self.additions = Price(recipe.additions) if recipe.additions else None
        self.bytes = Price(recipe.bytes) if recipe.bytes else None
        self.packed_bytes = packed_bytes
        self.activity = [
            torch.zeros(layer.latent.shape[1], dtype=network.dtype, device=network.device) for layer in self.stack
        ]
        self.packed = (0, 0.0)  # (bytes, sum of the weights' magnitudes) when the packer was asked last

    @torch.no_grad()
    def shrink(self, counts: Tensor, sums: Sequence[Tensor], pace: float, step: int, steps: int) -> None:
        """Move all weights towards zero, after a step with these inputs (batch, inputs) and sums of every layer.

        `pace` is the learning rate's factor; `step` of `steps` is being made.
        """
        price = 0.0
        if self.bytes:
            price += self.bytes.factor(self._bytes(step, steps), step, steps)
        if self.additions:
            self._observe(counts, sums)
            price += self.additions.factor(self._additions(), step, steps)
        threshold = pace * (self.base + _PULL / steps * price)
        if not threshold:
            return
        for layer in self.stack:
            layer.latent.sub_(layer.latent.clamp(-threshold, threshold))

    def trimmed(self) -> tuple[Layer, ...]:
        """The layers at this moment, without as many of the least certain weights as the targets still ask for."""
        layers = self.network.to_layers()
        if self._fits(layers) or layers[0].code is WeightCode.BINARY:  # which has no zeros
            return layers
        low, high = _DEAD_ZONES
        best = self._cut(high)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self._fits(cut := self._cut(middle)):
                best, high = cut, middle
            else:
                low = middle
        return best if self._fits(best) else layers

    def state(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps."""
        prices = [value for price in (self.additions, self.bytes) if price for value in (price.start, price.level)]
        arrays = {"prices": np.array(prices), "packed": np.array(self.packed)}
        return arrays | {f"activity{number}": share.cpu().numpy() for number, share in enumerate(self.activity)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take up a state that `state` returned."""
        values = iter(arrays["prices"].tolist())
        for price in (self.additions, self.bytes):
            if price:
                price.start, price.level = next(values), next(values)
        self.packed = (int(arrays["packed"][0]), float(arrays["packed"][1]))
        self.activity = [
            torch.from_numpy(arrays[f"activity{n}"].copy()).to(share.device) for n, share in enumerate(self.activity)
        ]

    def _observe(self, counts: Tensor, sums: Sequence[Tensor]) -> None:
        """Running means of the share of passes that read each column."""
        read = [counts != 0]
        read += [acc >= 1 << layer.stage.shift for acc, layer in zip(sums, self.stack[:-1], strict=False)]
        for share, now in zip(self.activity, read, strict=True):
            fresh = now.to(share.dtype).mean(0)
            share.copy_(fresh if not share.any() else _MEMORY * share + (1 - _MEMORY) * fresh)

    def _fits(self, layers: tuple[Layer, ...]) -> bool:
        if self.additions:
            made = sum(
                share.cpu().numpy() @ (own.weights != 0).sum(0)
                for share, own in zip(self.activity, layers, strict=True)
            )
            if made > _SURE * self.additions.target:
                return False
        return not self.bytes or self.packed_bytes(layers) <= self.bytes.target

    def _cut(self, dead_zone: float) -> tuple[Layer, ...]:
        """The layers without the weights whose latent value is within the dead zone."""
        certain = [layer.latent.detach().abs().cpu().numpy() > dead_zone for layer in self.stack]
        return tuple(
            replace(layer, weights=layer.weights * keep)
            for layer, keep in zip(self.network.to_layers(), certain, strict=True)
        )

    def _additions(self) -> float:
        """Of a pass: weights that are not zero, in the columns that are read."""
        nonzero = [(layer.weights() != 0).sum(0) for layer in self.stack]
        return float(sum(share @ ones.to(share.dtype) for share, ones in zip(self.activity, nonzero, strict=True)))

    def _bytes(self, step: int, steps: int) -> float:
        magnitudes = float(sum(layer.weights().abs().sum() for layer in self.stack))
        if not self.packed[0] or step % max(steps // _PACKINGS, 1) == 0:
            self.packed = (self.packed_bytes(self.network.to_layers()), magnitudes)
        return self.packed[0] + _NIBBLE * (magnitudes - self.packed[1])
