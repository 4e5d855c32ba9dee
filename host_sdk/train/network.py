"""The integer network in torch: its forward pass gives the reference engine's integers, and it has gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from host_sdk.model.model import VALUES, Layer
from host_sdk.model.text import context_grams
from host_sdk.spec.container import CONTEXT_LENGTHS, INPUT_SCALE, WeightCode
from host_sdk.spec.protocol import MAX_QUERY
from host_sdk.train.quantise import QUANTISERS, round_through, shift_through, wrap_through

_INIT = 0.35
"""Standard deviation of fresh latent weights in grid units: most start at 0. Larger ones only raise the density."""
_EXACT_BITS = {torch.float32: 24, torch.float64: 53}


@dataclass(frozen=True, slots=True)
class Stage:
    """One layer to be: its width and how it computes."""

    rows: int
    code: WeightCode = WeightCode.TWO_BIT
    shift: int = 2
    saturate: bool = False


class IntegerLayer(nn.Module):
    """`acc = weights @ x + bias` with quantised weights, then wrap, shift and, unless last, ReLU."""

    def __init__(self, columns: int, stage: Stage, last: bool) -> None:
        super().__init__()
        self.stage = stage
        self.last = last
        self.latent = nn.Parameter(torch.zeros(stage.rows, columns))  # grid units
        self.offset = nn.Parameter(torch.zeros(stage.rows))  # bias / INPUT_SCALE

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(outputs, sums before they wrap), both (batch, rows), for inputs (batch, columns)."""
        acc = nn.functional.linear(x, self.weights(), self.bias())
        value = shift_through(wrap_through(acc), self.stage.shift)
        if self.last:
            return value, acc
        return value.clamp(0, 255 if self.stage.saturate else None), acc

    def weights(self) -> Tensor:
        """(rows, columns), integers."""
        return QUANTISERS[self.stage.code](self.latent)

    def bias(self) -> Tensor:
        """(rows,), integers that fit 16 bits."""
        return round_through(self.offset * INPUT_SCALE).clamp(-32768, 32767)


class Network(nn.Module):
    """Layers over bucket counts; the query's columns come first, then the context's."""

    def __init__(self, inputs: int, stages: Sequence[Stage], seed: int = 0) -> None:
        super().__init__()
        widths = [inputs, *(stage.rows for stage in stages)]
        self.layers = nn.ModuleList(
            IntegerLayer(columns, stage, last=number == len(stages))
            for number, (columns, stage) in enumerate(zip(widths, stages, strict=False), 1)
        )
        generator = torch.Generator().manual_seed(seed)
        for layer in self.stack:
            nn.init.normal_(layer.latent, std=_INIT, generator=generator)
        self.to(_exact_type(inputs, stages))

    @property
    def stack(self) -> list[IntegerLayer]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, IntegerLayer)]

    @property
    def dtype(self) -> torch.dtype:
        """float32 where all sums stay exact in it, float64 otherwise."""
        return self.stack[0].latent.dtype

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.stack[0].latent.device

    def forward(self, counts: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(outputs of the last layer, sums of every layer before they wrap) for counts (batch, inputs)."""
        x = counts.to(self.dtype) * INPUT_SCALE
        sums = []
        for layer in self.stack:
            x, acc = layer(x)
            sums.append(acc)
        return x, sums

    def to_layers(self) -> tuple[Layer, ...]:
        """The layers as the model file keeps them."""
        with torch.no_grad():
            return tuple(
                Layer(
                    layer.weights().cpu().numpy().astype(np.int8),
                    layer.bias().cpu().numpy().astype(np.int16),
                    layer.stage.code,
                    layer.stage.shift,
                    layer.stage.saturate,
                )
                for layer in self.stack
            )

    @classmethod
    def from_layers(cls, layers: Sequence[Layer]) -> Network:
        """A network that computes what these layers compute."""
        stages = [Stage(layer.rows, layer.code, layer.shift, layer.saturate) for layer in layers]
        network = cls(layers[0].columns, stages)
        with torch.no_grad():
            for own, layer in zip(network.stack, layers, strict=True):
                own.latent.copy_(torch.from_numpy(layer.weights.astype(np.float64)))
                own.offset.copy_(torch.from_numpy(layer.bias / INPUT_SCALE))
        return network


def _exact_type(inputs: int, stages: Sequence[Stage]) -> torch.dtype:
    total = INPUT_SCALE * (MAX_QUERY + context_grams(CONTEXT_LENGTHS[-1]))  # the sum of all inputs
    worst = 0
    for stage in stages:
        worst = max(worst, total * max(map(abs, VALUES[stage.code])) + 32768)
        total = stage.rows * (255 if stage.saturate else 32767 >> stage.shift)
    return next(dtype for dtype, bits in _EXACT_BITS.items() if worst < 1 << bits)
