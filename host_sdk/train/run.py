"""One training while it runs: network, optimiser and data; epoch by epoch, and its state between two of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from host_sdk.errors import MissingError
from host_sdk.model.model import Layer
from host_sdk.model.text import query_counts
from host_sdk.spec.protocol import MAX_QUERY
from host_sdk.train import checkpoint
from host_sdk.train.examples import Examples
from host_sdk.train.network import Network, Stage
from host_sdk.train.recipe import Recipe
from host_sdk.train.sparsity import SETTLED, Sparsity

_BETAS = (0.9, 0.99)
_OVERFLOW_FROM = 24_000
"""Sums of larger magnitude are priced; 32,768 wraps."""
_HOSTILE_LENGTHS = (60, MAX_QUERY)
_HOSTILE_BATCH = 16


class Run:
    """Network, optimiser and data of one training."""

    def __init__(self, examples: Examples, recipe: Recipe, packed_bytes: Callable[[tuple[Layer, ...]], int]) -> None:
        """`packed_bytes` says what layers take in flash, together with all that does not change."""
        self.recipe = recipe
        place = _place(recipe.device)
        self.per_epoch = -(-len(examples) // recipe.batch)
        self.epochs = recipe.epochs or -(-recipe.steps // self.per_epoch)
        self.query_table = torch.from_numpy(examples.query_table).to(place)
        self.context_table = torch.from_numpy(examples.context_table).to(place)
        self.query = torch.from_numpy(examples.query).to(place)
        self.context = torch.from_numpy(examples.context).to(place)
        self.weight = torch.from_numpy(examples.weight).to(place)
        stages = [
            Stage(rows, recipe.weight_code, recipe.shift, recipe.saturate)
            for rows in (*recipe.hidden, examples.target.shape[1])
        ]
        self.network = Network(recipe.query_buckets + recipe.context_buckets, stages, recipe.seed).to(place)
        self.target = torch.from_numpy(examples.target).to(place, self.network.dtype)
        self.hostile = torch.from_numpy(_hostile_counts(recipe)).to(place)
        self.sparsity = Sparsity(self.network, recipe, packed_bytes)
        self.optimiser = torch.optim.AdamW(
            # AdamW multiplies the decay by the learning rate; the recipe gives it per step.
            [
                {
                    "params": [layer.latent for layer in self.network.stack],
                    "weight_decay": recipe.decay / recipe.learning_rate,
                },
                {"params": [layer.offset for layer in self.network.stack], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            betas=_BETAS,
        )

    def layers(self, done: float = 1.0) -> tuple[Layer, ...]:
        """The model's layers when the share `done` of the training is; then within its targets, where possible."""
        return self.sparsity.trimmed() if done > SETTLED else self.network.to_layers()

    def epoch(self, number: int) -> float:
        """One pass over the examples in an order that depends on seed and number alone; the mean loss."""
        random = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + number)
        order = torch.randperm(len(self.query), generator=random)
        total = 0.0
        for step, chosen in enumerate(torch.split(order, self.recipe.batch), number * self.per_epoch):
            total += self._step(chosen, step, random) * len(chosen)
        return total / len(order)

    def state(self) -> checkpoint.Arrays:
        """Everything that an epoch changes, by name."""
        arrays = {f"sparsity.{name}": array for name, array in self.sparsity.state().items()}
        for number, parameter in enumerate(self.network.parameters()):
            arrays[f"{number}.value"] = parameter.detach().cpu().numpy()
            for name, value in self.optimiser.state[parameter].items():
                arrays[f"{number}.{name}"] = value.cpu().numpy()
        return arrays

    def restore(self, arrays: checkpoint.Arrays) -> None:
        """Take up a state that `state` returned."""
        parts: dict[str, checkpoint.Arrays] = {}
        for name, array in arrays.items():
            owner, _, own = name.partition(".")
            parts.setdefault(owner, {})[own] = array
        self.sparsity.restore(parts["sparsity"])
        with torch.no_grad():
            for number, parameter in enumerate(self.network.parameters()):
                own_arrays = parts[str(number)]
                parameter.copy_(torch.from_numpy(own_arrays.pop("value")))
                state = {name: torch.from_numpy(array.copy()) for name, array in own_arrays.items()}
                state = {name: value if name == "step" else value.to(parameter.device) for name, value in state.items()}
                self.optimiser.state[parameter] = state

    def _step(self, chosen: Tensor, step: int, random: torch.Generator) -> float:
        recipe, steps = self.recipe, self.epochs * self.per_epoch
        pace = _pace(step / steps, recipe.warm_up)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * pace
        inputs = self._inputs(self.query_table[self.query[chosen]], self.context[chosen])
        outputs, sums = self.network(inputs)
        log_shares = torch.log_softmax(outputs / recipe.temperature, 1)
        loss = (-(log_shares * self.target[chosen]).sum(1) * self.weight[chosen]).mean()
        price = loss
        if recipe.overflow:
            hostile = torch.randint(len(self.hostile), (_HOSTILE_BATCH,), generator=random)
            context = torch.randint(len(self.context_table), (_HOSTILE_BATCH,), generator=random)
            _, more = self.network(self._inputs(self.hostile[hostile], context))
            for acc in (*sums, *more):
                price = price + recipe.overflow * (acc.abs() - _OVERFLOW_FROM).relu().mean()
        if recipe.activity:
            for acc in sums[:-1]:
                price = price + recipe.activity * acc.relu().sum(1).mean()
        self.optimiser.zero_grad()
        torch.autograd.backward(price)
        self.optimiser.step()
        self.sparsity.shrink(inputs, sums, pace, step, steps)
        return float(loss.detach())

    def _inputs(self, query_counts: Tensor, context: Tensor) -> Tensor:
        return torch.cat([query_counts, self.context_table[context]], 1)


def _place(device: str) -> torch.device:
    """Where tensors are to be; MissingError without a GPU where one is asked for."""
    if device == "gpu" and not torch.cuda.is_available():
        raise MissingError("PyTorch finds no GPU on this computer. Train with --device cpu.")
    return torch.device("cuda" if device == "gpu" else "cpu")


def _pace(done: float, warm_up: float) -> float:
    """The learning rate's factor, in (0, 1], for the share of the training that is done: linear, then half a cosine."""
    if done < warm_up:
        return (done + 1e-3) / (warm_up + 1e-3)
    return 0.5 + 0.5 * math.cos(math.pi * (done - warm_up) / (1 - warm_up))


def _hostile_counts(recipe: Recipe) -> NDArray[Any]:
    """Bucket counts of what people type to break things: long random letters and one letter held down."""
    random = np.random.default_rng(recipe.seed)
    letters = np.arange(ord("a"), ord("z") + 1, dtype=np.uint8)
    queries = [bytes([letter]) * length for length in _HOSTILE_LENGTHS for letter in letters]
    queries += [random.choice(letters, length).tobytes() for length in _HOSTILE_LENGTHS for _ in range(64)]
    return np.minimum(query_counts(queries, recipe.query_buckets, recipe.features), 255).astype(np.uint8)
