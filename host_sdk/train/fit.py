"""What fits a board: the room for a model, the packed size of one, and a shape that fills the room.

A kind of board that packs otherwise gets a record of its own in _KINDS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from host_sdk.boards import BOARDS, Avr, Board, Cpm, board_named
from host_sdk.errors import FitError
from host_sdk.model.model import Layer, Model
from host_sdk.pack.cpm import pack_cpm
from host_sdk.pack.image import pack
from host_sdk.spec.cpm import IMAGE_ADDRESS, ORIGIN
from host_sdk.spec.image import MODEL_ADDRESS
from host_sdk.train.blank import Blank
from host_sdk.train.data import Pair
from host_sdk.train.recipe import Recipe

_DENSITY = 0.28
"""Share of weights that are not zero after a training without a target, roughly."""
_BYTES_PER_WEIGHT = 0.65
"""Of one weight that is not zero, roughly."""
_WEIGHTS_PER_PAIR = 20
"""More would only learn the data by heart."""
_Shape = tuple[int, int, tuple[int, ...]]
_SHAPES: Mapping[str, Sequence[_Shape]] = {
    "character": [
        *((1024, 256, (96,)), (1024, 256, (64,)), (512, 128, (64,)), (512, 64, (48, 32))),
        *((256, 64, (32, 32)), (256, 64, (32,)), (128, 64, (24,)), (64, 64, (16,))),
    ],
    "reply": [
        *((1024, 0, (128,)), (1024, 0, (96,)), (1024, 0, (64,)), (512, 0, (64,)), (512, 0, (32,))),
        *((256, 0, (32,)), (256, 0, (16,)), (128, 0, (16,)), (64, 0, (16,)), (64, 0, ())),
    ],
}
"""Query buckets, context buckets and hidden widths, the largest first."""


@dataclass(frozen=True)
class _Kind:
    """How one kind of board takes models."""

    room: Callable[[Any], int]  # of a board of this kind: bytes for a packed model
    packed: Callable[[Model], int]  # bytes of a packed model; FitError where the board cannot run it


def _avr_room(board: Board) -> int:
    assert isinstance(board, Avr)
    return board.code_bytes - MODEL_ADDRESS


def _cpm_room(board: Board) -> int:
    assert isinstance(board, Cpm)
    return ORIGIN + board.tpa_bytes - IMAGE_ADDRESS


_KINDS: Mapping[type, _Kind] = {
    Avr: _Kind(_avr_room, lambda model: len(pack(model).data)),
    Cpm: _Kind(_cpm_room, lambda model: len(pack_cpm(model).data)),
}
PLACES = tuple(BOARDS)
"""The names of boards that models can be trained for."""


def room_on(board: str) -> int:
    """Bytes that a packed model may take. UsageError when there is no such board."""
    record = board_named(board)
    return _KINDS[type(record)].room(record)


def packed_bytes(model: Model, board: str = "uno") -> int:
    """What a model takes in a board's memory, its texts included. FitError when the board cannot run it."""
    return _KINDS[type(board_named(board))].packed(model)


def shaped(recipe: Recipe, pairs: Sequence[Pair], board: str) -> tuple[Recipe, str]:
    """The recipe with the largest sensible shape for a board and its room as the target; and why, in a sentence.

    FitError when not even the texts have room.
    """
    room = room_on(board)
    most = _WEIGHTS_PER_PAIR * len(pairs)
    fixed, limit = 0, ""
    smallest = _SHAPES[recipe.head][-1]
    for shape in _SHAPES[recipe.head]:
        options = dict(zip(("query_buckets", "context_buckets", "hidden"), shape, strict=True))
        tried = Recipe.from_dict(recipe.to_dict() | options | {"bytes": room, "board": board})
        blank = Blank.of(pairs, tried)
        model = blank.model(_zeros(tried, blank.classes))
        fixed = packed_bytes(model, board)
        weights = model.weight_count
        expected = fixed + math.ceil(_BYTES_PER_WEIGHT * _DENSITY * weights)
        if expected > room:
            continue
        if weights > most and shape != smallest:
            limit = f" and that {len(pairs)} pairs can teach"
            continue
        return tried, (
            f"{board} has {room} bytes for a model; texts and tables of {model.shape} take {fixed} and its {weights} "
            f"weights, mostly zeros, about {expected - fixed}: the largest shape that fits{limit}."
        )
    raise FitError(
        f"{board} has {room} bytes for a model, and the texts and tables of the smallest one take {fixed}. "
        "Train with fewer or shorter replies."
    )


def _zeros(recipe: Recipe, classes: int) -> tuple[Layer, ...]:
    """Layers of the recipe's shape in which every row counts and no weight but one per row is there."""
    columns = recipe.query_buckets + recipe.context_buckets
    layers = []
    for rows in (*recipe.hidden, classes):
        weights = np.zeros((rows, columns), np.int8)
        weights[np.arange(rows), np.arange(rows) % columns] = 1
        layers.append(Layer(weights, np.full(rows, 4, np.int16), recipe.weight_code, recipe.shift, recipe.saturate))
        columns = rows
    return tuple(layers)
