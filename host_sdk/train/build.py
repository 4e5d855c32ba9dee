"""A data file and a recipe become a model file: read, hold out, train, measure, annotate, save."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from host_sdk.errors import FileError, MissingError
from host_sdk.model.engine import additions, safe_query_length
from host_sdk.model.model import Model
from host_sdk.pack.order import annotate
from host_sdk.pack.queries import everyday_queries
from host_sdk.train.checkpoint import part_path
from host_sdk.train.data import SPLIT_RULE, Pair, read_pairs, split_pairs
from host_sdk.train.evaluate import Evaluation, evaluate
from host_sdk.train.fit import packed_bytes
from host_sdk.train.recipe import Recipe

if TYPE_CHECKING:
    from host_sdk.train.loop import Progress

GOLDEN = 24
"""Queries that every trained model carries to prove a board."""
_COUNTED = 500
"""Queries over which additions are averaged."""
_EDGES = (
    "",
    "a",
    "the quick brown fox jumps over the lazy dog and then it rest",
    "What's 3 + 4, at 20:15? (really!)",
)


def build(
    data: str | Path,
    out: str | Path,
    recipe: Recipe,
    watch: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda sentence: None,
) -> tuple[Model, Evaluation | None]:
    """Train on the file `data` and write the model file `out`; (the model, its figures on the held-out queries).

    The figures are None when nothing is held out. Stopped at any moment, the same call goes on where it was, from
    `<out>.part`, and gives the same file. `watch` is told of every epoch, `note` gets sentences for the user.
    FileError, UsageError, or MissingError without torch.
    """
    train = _trainer()
    out = Path(out)
    if not out.parent.is_dir():
        raise FileError(f"There is no folder {out.parent} to write {out.name} to. Make it, or choose another.")
    recipe = replace(recipe, name=recipe.name or out.stem)
    pairs = read_pairs(data, recipe.max_reply)
    fit, held = split_pairs(pairs, recipe.held_out)
    part = part_path(out)
    model = train(fit, recipe, part, watch, note)
    evaluation = evaluate(model, held, fit) if held else None
    model = annotate(_describe(model, recipe, Path(data), evaluation, _golden(held or pairs, recipe)))
    for sentence in missed(model, recipe, fit):
        note(sentence)
    model.save(out)
    part.unlink(missing_ok=True)
    return model, evaluation


def missed(model: Model, recipe: Recipe, pairs: Sequence[Pair]) -> Iterator[str]:
    """A sentence for each target of the recipe that the model misses on these pairs."""
    if recipe.bytes and (size := packed_bytes(model, recipe.board)) > recipe.bytes:
        yield f"The model takes {size} bytes packed instead of {recipe.bytes}. Train it narrower or with more steps."
    queries = list(dict.fromkeys(pair.query for pair in pairs))
    if recipe.additions:
        made = additions(model, queries[:: -(-len(queries) // _COUNTED)])
        if made > recipe.additions:
            yield f"A pass takes {made:.0f} additions instead of {recipe.additions}. Train narrower or with more steps."


def _trainer() -> Callable[..., Model]:
    try:
        from host_sdk.train.loop import train
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingError("Training needs PyTorch, which is not installed: pip install 'micro-lm[train]'.") from None
    return train


def _describe(
    model: Model, recipe: Recipe, data: Path, evaluation: Evaluation | None, golden: tuple[str, ...]
) -> Model:
    measured = {"held_out": evaluation.to_dict()} if evaluation else {}
    return replace(model, golden=golden).with_metadata(
        name=recipe.name,
        licence=recipe.licence,
        data=data.name,
        data_sha256=hashlib.sha256(data.read_bytes()).hexdigest(),
        recipe=recipe.to_dict(),
        split=SPLIT_RULE,
        safe_query_length=safe_query_length(model),
        **measured,
    )


def _golden(pairs: Sequence[Pair], recipe: Recipe) -> tuple[str, ...]:
    known = everyday_queries() if recipe.golden == "everyday" else [pair.query for pair in pairs]
    queries = sorted(set(known) - set(_EDGES))
    count = min(GOLDEN - len(_EDGES), len(queries))
    return (*_EDGES, *sorted(random.Random(recipe.seed).sample(queries, count)))
