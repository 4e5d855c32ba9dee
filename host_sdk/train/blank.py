"""A model before there are weights: its texts, from the data and the recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from host_sdk.errors import FileError
from host_sdk.model.model import Layer, Model, ReplyText
from host_sdk.spec.container import Kind
from host_sdk.spec.protocol import Action
from host_sdk.train.data import Pair
from host_sdk.train.recipe import Recipe


@dataclass(frozen=True)
class Blank:
    """What a model says, before there are weights."""

    recipe: Recipe
    charset: str
    replies: tuple[ReplyText, ...]

    @classmethod
    def of(cls, pairs: Sequence[Pair], recipe: Recipe) -> Blank:
        """What these pairs and this recipe say; FileError when they do not go together."""
        texts = sorted({pair.reply for pair in pairs})
        if longest := [text for text in texts if len(text) > recipe.max_reply]:
            raise FileError(f"The reply {longest[0]!r} exceeds the recipe's {recipe.max_reply} characters. Shorten it.")
        if unknown := sorted(set(recipe.class_weights) - set(texts)):
            raise FileError(f"The recipe weighs {unknown[0]!r}, which is no reply of the data. Correct one.")
        if recipe.kind is Kind.CHARACTER:
            return cls(recipe, "".join(sorted({char for text in texts for char in text})), ())
        actions = recipe.action_table
        if unknown := sorted(set(actions) - set(texts)):
            raise FileError(
                f"The recipe names an action for {unknown[0]!r}, which is no reply of the data. Correct one."
            )
        if open_texts := [text for text in texts if "{}" in text and text not in actions]:
            raise FileError(
                f"The reply {open_texts[0]!r} takes a value. Name its action in the recipe, under [actions]."
            )
        return cls(recipe, "", tuple(ReplyText(text, actions.get(text, Action.NONE)) for text in texts))

    @property
    def classes(self) -> int:
        """Outputs of the last layer."""
        return len(self.charset) + 1 if self.recipe.kind is Kind.CHARACTER else len(self.replies)

    def model(self, layers: tuple[Layer, ...]) -> Model:
        """The model with these layers."""
        recipe = self.recipe
        return Model(
            recipe.kind,
            layers,
            recipe.query_buckets,
            recipe.context_buckets,
            recipe.context_length,
            self.charset,
            self.replies,
            recipe.max_reply,
            recipe.features,
            {"name": recipe.name},
        )
