"""The search for the best models of a data set: Optuna proposes recipes, the front of the best is kept.

A trial trains on one part of the training queries and is judged on another; what is held out is never seen. A front is
for one board: no other trial of it is at least as accurate, as small and as quick. Trials live in a database, so that
a sweep goes on where it was and many machines may join it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from host_sdk.errors import FileError, FitError, MissingError, UsageError
from host_sdk.model.engine import additions
from host_sdk.train.data import Pair, split_pairs
from host_sdk.train.evaluate import Share, replies
from host_sdk.train.fit import packed_bytes, room_on
from host_sdk.train.recipe import Recipe

JUDGED = 0.15
"""Share of the training queries on which trials are judged."""
_COUNTED = 500
_HIDDEN = ("0", "16", "32", "64", "96", "128", "32,16", "64,32", "128,32")


@dataclass(frozen=True, slots=True)
class Trial:
    """A recipe and what came out."""

    number: int
    recipe: Recipe
    accuracy: float  # exact, on the judged queries
    additions: int  # of a pass
    bytes: dict[str, int]  # packed, of each board that runs it and has the room

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        figures = {"accuracy": round(self.accuracy, 4), "additions": self.additions, "bytes": self.bytes}
        return {"trial": self.number, **figures, "recipe": self.recipe.to_dict()}


def front(trials: Sequence[Trial], board: str) -> list[Trial]:
    """The trials that no other beats on this board, the most accurate first; of equal ones the first."""

    def figures(trial: Trial) -> tuple[float, int, int]:
        return -trial.accuracy, trial.bytes[board], trial.additions

    fitting = sorted(
        (trial for trial in trials if board in trial.bytes), key=lambda trial: (*figures(trial), trial.number)
    )
    kept: list[Trial] = []
    for trial in sorted(fitting, key=lambda trial: (*figures(trial), trial.number)):
        mine = figures(trial)
        if not any(all(a <= b for a, b in zip(figures(other), mine, strict=True)) for other in kept):
            kept.append(trial)
    return kept


def sweep(
    pairs: Sequence[Pair],
    base: Recipe,
    boards: Sequence[str],
    count: int,
    storage: str,
    watch: Callable[[int, int], None] = lambda done, total: None,
    train: Callable[[Sequence[Pair], Recipe], Any] | None = None,
) -> list[Trial]:
    """Add `count` trials to the study in `storage`, a database URL; all trials of the study.

    `pairs` are those that training may see. What the base recipe says holds, unless the search chooses it. The same
    data, base and boards are the same study. MissingError without Optuna or torch.
    """
    optuna = _optuna()
    train = train or _trainer()
    fit, judged = split_pairs(pairs, JUDGED, "sweep")
    if not fit or not judged:
        raise FileError(f"{len(pairs)} pairs are too few for a sweep. Collect more.")
    rooms = {board: room_on(board) for board in boards}
    try:
        study = optuna.create_study(
            study_name=_name(pairs, base, boards),
            storage=storage,
            load_if_exists=True,
            directions=["maximize", "minimize", "minimize"],
        )
    except Exception as error:  # of any database
        reason = str(error).splitlines()[0]
        raise UsageError(f"Cannot open the storage {storage}: {reason}. Give a URL that Optuna takes.") from None

    def objective(trial: Any) -> tuple[float, float, float]:
        recipe = _proposed(trial, base)
        model = train(fit, recipe)
        answers = replies(model, judged)
        exact = Share.of([answer == pair.reply for answer, pair in zip(answers, judged, strict=True)])
        queries = list(dict.fromkeys(pair.query for pair in judged))[:_COUNTED]
        sizes = dict(_sizes(model, rooms))
        made = round(additions(model, queries))
        trial.set_user_attr("recipe", recipe.to_dict())
        trial.set_user_attr("bytes", sizes)
        # A model that no board takes is worth less than any that one does.
        return exact.value if sizes else 0.0, float(max(sizes.values(), default=1 << 20)), float(made)

    for done in range(count):
        watch(done, count)
        study.optimize(objective, n_trials=1)
    watch(count, count)
    return list(_finished(study))


def storage_of(data: Path) -> str:
    """The URL of the file in which the sweeps of a data file are kept: beside it."""
    return f"sqlite:///{data.resolve()}.sweep.db"


def _proposed(trial: Any, base: Recipe) -> Recipe:
    """What the search chooses: shape, code, buckets, features, sparsity."""
    text = trial.suggest_categorical("hidden", list(_HIDDEN))
    options: dict[str, Any] = {
        "hidden": () if text == "0" else tuple(int(width) for width in text.split(",")),
        "code": trial.suggest_categorical("code", ["2bit", "ternary"]),
        "query_buckets": 1 << trial.suggest_int("query_bits", 6, 11),
        "words": trial.suggest_categorical("words", [False, True]),
        "zones": trial.suggest_int("zones", 1, 3),
        "sparsity": trial.suggest_float("sparsity", 1e-4, 6e-3, log=True),
        "temperature": trial.suggest_float("temperature", 4.0, 32.0, log=True),
    }
    if base.head == "character":
        options["context_buckets"] = 1 << trial.suggest_int("context_bits", 6, 9)
    return replace(base, **options, validation=0.0)


def _sizes(model: Any, rooms: dict[str, int]) -> Iterator[tuple[str, int]]:
    for board, room in rooms.items():
        try:
            size = packed_bytes(model, board)
        except FitError:
            continue
        if size <= room:
            yield board, size


def _finished(study: Any) -> Iterator[Trial]:
    for trial in study.trials:
        if trial.values:
            accuracy, _, made = trial.values
            recipe = Recipe.from_dict(trial.user_attrs["recipe"])
            yield Trial(trial.number, recipe, accuracy, round(made), trial.user_attrs["bytes"])


def _name(pairs: Sequence[Pair], base: Recipe, boards: Sequence[str]) -> str:
    facts = repr((sorted(pairs), base.to_toml(), sorted(boards)))
    return "ulm " + hashlib.sha256(facts.encode()).hexdigest()[:16]


def plot(trials: Sequence[Trial], boards: Sequence[str], file: Path) -> None:
    """A picture of all trials and the fronts: accuracy over packed bytes. MissingError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingError(
            "The plot needs matplotlib, which is not installed: pip install 'micro-lm[sweep]'."
        ) from None
    figure = Figure(figsize=(8, 5))
    axes = figure.subplots()
    for board in boards:
        every = [trial for trial in trials if board in trial.bytes]
        best = sorted(front(trials, board), key=lambda trial: trial.bytes[board])
        points = axes.scatter([t.bytes[board] for t in every], [t.accuracy for t in every], s=12, alpha=0.4)
        color = points.get_facecolor()[0]
        axes.plot([t.bytes[board] for t in best], [t.accuracy for t in best], "o", color=color, label=f"{board}: front")
    axes.set_xlabel("packed bytes")
    axes.set_ylabel("exact, on queries that trials were judged on")
    axes.legend()
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise FileError(f"Cannot write {file}: {error}. Choose another file, ending in .png or .svg.") from None


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise MissingError("A sweep needs Optuna, which is not installed: pip install 'micro-lm[sweep]'.") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _trainer() -> Callable[[Sequence[Pair], Recipe], Any]:
    try:
        from host_sdk.train.loop import train
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingError("Training needs PyTorch, which is not installed: pip install 'micro-lm[train]'.") from None
    return train
