"""Which rows and columns of a model a packer keeps, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from host_sdk.model.engine import row_bounds
from host_sdk.model.model import Layer, Model
from host_sdk.spec.container import WeightCode
from host_sdk.spec.protocol import MAX_QUERY


def kept_rows(model: Model) -> list[NDArray[np.int64]]:
    """The kept rows of each layer in packing order: not those that can never be positive or that nobody reads."""
    keep = [np.ones(layer.rows, bool) for layer in model.layers]
    for number, (low, high) in enumerate(row_bounds(model, MAX_QUERY)[:-1]):
        shift = model.layers[number].shift
        keep[number] &= (high >> shift > 0) | (low < -32768)
    for number in range(len(keep) - 2, -1, -1):
        readers = model.layers[number + 1].weights[keep[number + 1]]
        keep[number] &= (readers != 0).any(axis=0)
        if not keep[number].any():
            keep[number][0] = True
    chosen = []
    for number, kept in enumerate(keep):
        last = number == len(keep) - 1
        order = np.arange(kept.size) if last or not model.order else model.order[number].astype(np.int64)
        chosen.append(order[kept[order]])
    return chosen


def compact(model: Model, kept: Sequence[NDArray[np.int64]] | None = None) -> list[Layer]:
    """The layers with the kept rows alone; the outputs of the last layer are the same integers in the same order."""
    layers = []
    inputs: NDArray[np.int64] = np.arange(model.layers[0].columns)
    for layer, rows in zip(model.layers, kept if kept is not None else kept_rows(model), strict=True):
        weights = layer.weights[rows][:, inputs]
        layers.append(Layer(weights, layer.bias[rows], WeightCode.TWO_BIT, layer.shift, layer.saturate))
        inputs = rows
    return layers


def kept_activity(model: Model, kept: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
    """Share of passes in which each kept column is read; all of them where nobody measured."""
    inputs = [np.arange(model.layers[0].columns), *kept[:-1]]
    if not model.activity:
        return [np.ones(one.size) for one in inputs]
    return [share[one] / 65535 for share, one in zip(model.activity, inputs, strict=True)]
