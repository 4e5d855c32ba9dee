"""What fits a board: the room for a model, the packed size of one, and a shape that fills the room.

A kind of board that packs otherwise gets a record of its own in _KINDS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from host_sdk.boards import BOARDS, Avr, Board, Cpm, Medium, Offload, board_named
from host_sdk.errors import FitError
from host_sdk.model.model import Layer, Model
from host_sdk.pack.card import LEAST_CAPACITY, MARKS_BYTES, RECORD_BYTES
from host_sdk.pack.cpm import pack_cpm
from host_sdk.pack.image import pack
from host_sdk.pack.stream import pack_stream
from host_sdk.spec.cpm import IMAGE_ADDRESS, ORIGIN
from host_sdk.spec.image import MODEL_ADDRESS
from host_sdk.train.blank import Blank
from host_sdk.train.data import Pair
from host_sdk.train.recipe import Recipe

_DENSITY = 0.28
"""Share of weights that are not zero after a training without a target, roughly."""
_BYTES_PER_WEIGHT = 0.65
"""Of one weight that is not zero, roughly, where those that are zero take nothing."""
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
_WIDE_SHAPES: Mapping[str, Sequence[_Shape]] = {
    "character": [(2048, 512, (512,)), (2048, 512, (256,)), (2048, 256, (128,)), *_SHAPES["character"]],
    "reply": [(2048, 0, (512,)), (2048, 0, (256,)), (2048, 0, (128,)), *_SHAPES["reply"]],
}
"""Of boards that stream: the widest first layer whose sums have room in SRAM."""
_CHIP_BYTES = 4 << 20
"""Of the flash chip that modules carry most, a W25Q32."""


@dataclass(frozen=True)
class _Kind:
    """How one kind of board takes models."""

    room: Callable[[Any], int]  # of a board of this kind: bytes for a packed model
    packed: Callable[[Model], int]  # bytes of a packed model; FitError where the board cannot run it
    shapes: Mapping[str, Sequence[_Shape]] = field(default_factory=lambda: _SHAPES)  # by head
    weights_per_pair: int = 20  # more would only learn the data by heart
    sparse: bool = True  # a weight that is zero takes nothing


def _avr_room(board: Board) -> int:
    assert isinstance(board, Avr)
    return board.code_bytes - MODEL_ADDRESS


def _cpm_room(board: Board) -> int:
    assert isinstance(board, Cpm)
    return ORIGIN + board.tpa_bytes - IMAGE_ADDRESS


def _offload_room(board: Board) -> int:
    """Of one slot of a card as `ulm pack` makes it, or of the usual chip."""
    assert isinstance(board, Offload)
    return LEAST_CAPACITY - RECORD_BYTES if board.medium is Medium.SD else _CHIP_BYTES // 2 - MARKS_BYTES


_KINDS: Mapping[type, _Kind] = {
    Avr: _Kind(_avr_room, lambda model: len(pack(model).data)),
    Cpm: _Kind(_cpm_room, lambda model: len(pack_cpm(model).data)),
    Offload: _Kind(_offload_room, lambda model: len(pack_stream(model).data), _WIDE_SHAPES, 100, sparse=False),
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
    kind = _KINDS[type(board_named(board))]
    room = room_on(board)
    most = kind.weights_per_pair * len(pairs)
    refused: FitError | None = None
    fixed, limit = 0, ""
    shapes = kind.shapes[recipe.head]
    for shape in shapes:
        options = dict(zip(("query_buckets", "context_buckets", "hidden"), shape, strict=True))
        tried = Recipe.from_dict(recipe.to_dict() | options | {"bytes": room if kind.sparse else 0, "board": board})
        blank = Blank.of(pairs, tried)
        model = blank.model(_zeros(tried, blank.classes, read=not kind.sparse))
        try:
            fixed = kind.packed(model)
        except FitError as error:  # perhaps of its width
            refused = error
            continue
        weights = model.weight_count
        expected = fixed + math.ceil(_BYTES_PER_WEIGHT * _DENSITY * weights) if kind.sparse else fixed
        if expected > room:
            continue
        if weights > most and shape != shapes[-1]:
            limit = f" and that {len(pairs)} pairs can teach"
            continue
        what = (
            f"texts and tables of {model.shape} take {fixed} and its {weights} weights, mostly zeros, about "
            f"{expected - fixed}"
            if kind.sparse
            else f"{model.shape} takes {fixed}, and its sums have room in SRAM"
        )
        return tried, f"{board} has {room} bytes for a model; {what}: the largest shape that fits{limit}."
    raise refused or FitError(
        f"{board} has {room} bytes for a model, and the texts and tables of the smallest one take {fixed}. "
        "Train with fewer or shorter replies."
    )


def _zeros(recipe: Recipe, classes: int, read: bool) -> tuple[Layer, ...]:
    """Layers of the recipe's shape in which every row counts and no weight but one per row is there.

    With `read`, every row is read, too, so that none is dropped.
    """
    columns = recipe.query_buckets + recipe.context_buckets
    layers: list[Layer] = []
    for rows in (*recipe.hidden, classes):
        weights = np.zeros((rows, columns), np.int8)
        weights[np.arange(rows), np.arange(rows) % columns] = 1
        if layers and read:
            weights[np.arange(columns) % rows, np.arange(columns)] = 1
        layers.append(Layer(weights, np.full(rows, 4, np.int16), recipe.weight_code, recipe.shift, recipe.saturate))
        columns = rows
    return tuple(layers)
