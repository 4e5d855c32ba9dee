"""The recipe of a model: every option of a training, as one frozen record and as a small TOML file.

The same data, recipe and seed give the same model file.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from host_sdk.errors import FileError, MissingError, UsageError
from host_sdk.model.text import MAX_ZONES, Features
from host_sdk.spec.container import CONTEXT_LENGTHS, MAX_LAYERS, MAX_SHIFT, MAX_WIDTH, QUERY_BITS, Kind, WeightCode
from host_sdk.spec.protocol import MAX_REPLY, Action
from host_sdk.train.data import HELD_OUT

HEADS: Mapping[str, Kind] = {"character": Kind.CHARACTER, "reply": Kind.REPLY}
CODES: Mapping[str, WeightCode] = {
    "binary": WeightCode.BINARY,
    "ternary": WeightCode.TERNARY,
    "2bit": WeightCode.TWO_BIT,
    "int4": WeightCode.INT4,
    "int8": WeightCode.INT8,
}
DEVICES = ("cpu", "gpu")
_HIDDEN = (64,)
_BY_HEAD: Mapping[str, Mapping[str, Any]] = {
    "character": {"context_buckets": 512, "context_length": 8},
    "reply": {"context_buckets": 0, "context_length": 0},
}
GOLDEN = ("data", "everyday")
_TABLES = ("class_weights", "actions")
"""Options that are tables of reply texts."""
_NOT_NEGATIVE = (
    *("epochs", "decay", "sparsity", "additions", "bytes", "overflow", "activity"),
    *("variants", "patience", "seed"),
)
_BUCKETS = [1 << bits for bits in QUERY_BITS]


@dataclass(frozen=True)
class Recipe:
    """All options of a training. UsageError when one is impossible."""

    head: str = "character"  # or "reply": what the last layer chooses
    query_buckets: int = 1024  # more cost flash, not time
    zones: int = 1  # parts of a query that hash apart: 2 to 8 tell "a to b" from "b to a"
    words: bool = False  # whole words are hashed beside windows of three characters
    context_buckets: int = 0  # 0: the head's default, 512 for characters; replies have none
    context_length: int = 0  # characters; 0: the head's default, 8; replies have none
    hidden: tuple[int, ...] = _HIDDEN  # widths; none: a linear classifier
    code: str = "2bit"  # of all weights
    shift: int = 2  # right shift of every layer
    saturate: bool = False  # cut activations at 255
    max_reply: int = MAX_REPLY  # characters
    epochs: int = 0  # 0: as many as make `steps` steps
    steps: int = 4000
    batch: int = 512
    learning_rate: float = 0.02
    warm_up: float = 0.05  # share of the steps in which the learning rate rises
    decay: float = 0.0  # share of a weight lost per step at full learning rate
    sparsity: float = 1e-3  # soft threshold per step at full learning rate, in grid units
    additions: int = 0  # per pass, at most; 0: as many as it takes
    bytes: int = 0  # packed for `board` with all texts, at most; 0: as many as it takes
    board: str = "uno"
    temperature: float = 8.0  # logits are divided by it in the loss
    overflow: float = 1e-3  # price of a mean unit of |sum| above 24,000
    activity: float = 0.0  # price of a unit of the positive sums of hidden layers, per example: fewer units fire
    teacher: float = 0.0  # share of a float teacher's opinion in the targets of the data's queries
    variants: int = 0  # of every query, that only the teacher answers
    device: str = "cpu"  # or "gpu", which rounds gradients otherwise: another model for the same seed
    seed: int = 0
    held_out: float = HELD_OUT  # share of the queries never seen in training; 0 uses all data
    validation: float = 0.02  # share of the remaining queries, for the live accuracy and `patience`
    patience: int = 0  # validations, of about 25, without a better accuracy until it stops; 0: never
    golden: str = "data"  # queries that prove a board: of the data, or "everyday" where those must not be copied
    name: str = ""  # shown by boards; empty: the name of the data file
    licence: str = ""
    class_weights: Mapping[str, float] = field(default_factory=dict)  # reply text -> weight of its pairs, others 1
    actions: Mapping[str, str] = field(default_factory=dict)  # reply text -> action, reply head only

    def __post_init__(self) -> None:
        defaults = _BY_HEAD.get(self.head, _BY_HEAD["character"])
        for name in ("context_buckets", "context_length"):
            object.__setattr__(self, name, getattr(self, name) or defaults[name])
        object.__setattr__(self, "hidden", tuple(self.hidden))
        _check(self)

    @property
    def kind(self) -> Kind:
        """The kind of model that comes out."""
        return HEADS[self.head]

    @property
    def weight_code(self) -> WeightCode:
        """The code of all weights."""
        return CODES[self.code]

    @property
    def features(self) -> Features:
        """What of a query is hashed."""
        return Features(self.zones, self.words)

    @property
    def targets(self) -> bool:
        """Whether the sparsity follows a target."""
        return bool(self.additions or self.bytes)

    @property
    def action_table(self) -> dict[str, Action]:
        """Reply text -> action."""
        return {text: Action[action.upper()] for text, action in self.actions.items()}

    def with_head(self, head: str) -> Recipe:
        """The recipe for a head; what depends on the head takes its default when that changes."""
        if head == self.head:
            return self
        return replace(
            self, head=head, hidden=_HIDDEN, context_buckets=0, context_length=0, class_weights={}, actions={}
        )

    def to_dict(self) -> dict[str, Any]:
        """All options, ready for JSON."""
        return asdict(self) | {"hidden": list(self.hidden), **{name: dict(getattr(self, name)) for name in _TABLES}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe with these options and defaults for the rest."""
        for name, value in values.items():
            kind = _KINDS.get(name)
            if kind is None:
                raise UsageError(f"A recipe has no option {name!r}; known: {', '.join(_KINDS)}.")
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise UsageError(f"The recipe's option {name} cannot be {value!r}.")
        options: dict[str, Any] = dict(values)
        return cls(**options)

    def to_toml(self) -> str:
        """The recipe as a TOML file. JSON's literals, and one-line lists of them, are TOML."""
        values = self.to_dict()
        tables = {name: values.pop(name) for name in _TABLES}
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        for name, table in tables.items():
            if table:
                lines += ["", f"[{name}]", *(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in table.items())]
        return "\n".join(lines) + "\n"

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a TOML file; FileError in one sentence when it is no recipe."""
        try:
            return cls.from_dict(_toml().loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise FileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
        except ValueError as error:  # also of TOML and of UTF-8
            raise FileError(f"{path} is no TOML file: {error}.") from None
        except UsageError as error:
            raise FileError(f"{path}: {error}") from None


_KINDS: Mapping[str, Any] = {
    option.name: {"int": int, "float": (int, float), "str": str, "bool": bool}.get(
        str(option.type), Mapping if option.name in _TABLES else (list, tuple)
    )
    for option in fields(Recipe)
}


def _toml() -> Any:
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise MissingError("Python 3.10 reads recipe files with tomli: pip install 'micro-lm[train]'.") from None


def _check(recipe: Recipe) -> None:
    def need(holds: bool, what: str) -> None:
        if not holds:
            raise UsageError(f"This recipe is impossible: {what}.")

    def share(name: str) -> None:
        need(0 <= getattr(recipe, name) < 1, f"{name} {getattr(recipe, name)} (0 to below 1)")

    need(recipe.head in HEADS, f"head {recipe.head!r} ({' or '.join(HEADS)})")
    need(recipe.code in CODES, f"code {recipe.code!r} ({', '.join(CODES)})")
    need(recipe.golden in GOLDEN, f"golden {recipe.golden!r} ({' or '.join(GOLDEN)})")
    need(recipe.query_buckets in _BUCKETS, f"{recipe.query_buckets} query buckets (a power of two, 64 to 2048)")
    need(1 <= recipe.zones <= MAX_ZONES, f"{recipe.zones} zones (1 to {MAX_ZONES})")
    if recipe.kind is Kind.CHARACTER:
        need(
            recipe.context_buckets in _BUCKETS, f"{recipe.context_buckets} context buckets (a power of two, 64 to 2048)"
        )
        need(
            recipe.context_length in CONTEXT_LENGTHS,
            f"a context of {recipe.context_length} characters ({CONTEXT_LENGTHS[0]} to {CONTEXT_LENGTHS[-1]})",
        )
        need(not recipe.actions, "actions belong to the reply head")
    else:
        need(recipe.context_buckets == 0 == recipe.context_length, "a reply model has no context")
    need(len(recipe.hidden) < MAX_LAYERS, f"{len(recipe.hidden)} hidden layers (at most {MAX_LAYERS - 1})")
    for width in recipe.hidden:
        need(isinstance(width, int) and 1 <= width <= MAX_WIDTH, f"a hidden layer of {width} (1 to {MAX_WIDTH})")
    need(0 <= recipe.shift <= MAX_SHIFT, f"shift {recipe.shift} (0 to {MAX_SHIFT})")
    need(1 <= recipe.max_reply <= MAX_REPLY, f"replies of {recipe.max_reply} characters (1 to {MAX_REPLY})")
    for name in _NOT_NEGATIVE:
        need(getattr(recipe, name) >= 0, f"{name} {getattr(recipe, name)} (0 or more)")
    for name in ("steps", "batch", "learning_rate", "temperature"):
        need(getattr(recipe, name) > 0, f"{name} {getattr(recipe, name)} (more than 0)")
    need(recipe.device in DEVICES, f"device {recipe.device!r} ({' or '.join(DEVICES)})")
    need(0 <= recipe.teacher <= 1, f"teacher {recipe.teacher} (a share, 0 to 1)")
    for name in ("warm_up", "decay", "held_out", "validation"):
        share(name)
    for text, weight in recipe.class_weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        need(number and weight > 0, f"class weight {weight!r} of {text!r} (a number above 0)")
    for action in recipe.actions.values():
        known = [known.name.lower() for known in Action]
        need(str(action).lower() in known, f"action {action!r} ({', '.join(known)})")
